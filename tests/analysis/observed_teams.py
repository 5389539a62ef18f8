"""Scenarios of many structures, loops and tools, and their runs as traces that `observe` reads."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analysis.breakdown.otlp import write_otlp
from analysis.observation.structure import (
    INDEPENDENT,
    LEAD,
    MESH,
    PIPELINE,
    SINGLE,
    SUBAGENTS,
    TREE,
)
from simulator.engine import Simulation
from simulator.model.trace import Trace
from simulator.scenario import Scenario
from simulator.scenario.roles import drop_lacking

KINDS = (SINGLE, LEAD, PIPELINE, MESH, INDEPENDENT, TREE, SUBAGENTS)
TOOLS = ("search", "run_tests", "read_file", "browser")


def agent(chance: random.Random) -> dict[str, Any]:
    """Return an agent with a loop and tools of its own."""
    shape = chance.choice(("lognormal", "geometric", "constant"))
    turns: dict[str, Any] = {
        "lognormal": {"turns": {"kind": "lognormal", "median": chance.uniform(2, 6), "sigma": 0.5}},
        "geometric": {"end_probability": round(chance.uniform(0.2, 0.5), 3)},
        "constant": {"turns": chance.randint(2, 5)},
    }[shape]
    tools = {
        name: {
            "weight": round(chance.uniform(0.5, 2.0), 2),
            "seconds": {"kind": "lognormal", "median": round(chance.uniform(1, 12), 2),
                        "sigma": round(chance.uniform(0.2, 0.8), 2)},
            "result_tokens": {"kind": "lognormal", "median": round(chance.uniform(100, 1500)),
                              "sigma": 0.6},
        }
        for name in chance.sample(TOOLS, chance.randint(1, 3))
    }  # fmt: skip
    return {
        "latency": {
            "kind": "tokens", "base_s": round(chance.uniform(0.5, 2.0), 2),
            "uncached_s_per_1k": 0.05, "cached_s_per_1k": 0.005,
            "output_s_per_1k": round(chance.uniform(8, 25), 1),
            "residual": {"kind": "log_logistic", "median": 1, "shape": 8},
        },
        "tokens": {"output": {"kind": "lognormal", "median": round(chance.uniform(100, 500)),
                              "sigma": round(chance.uniform(0.3, 0.7), 2)},
                   "message": round(chance.uniform(50, 200))},
        "context": {"system_tokens": round(chance.uniform(2000, 8000)), "board_tokens_per_task": 0},
        "price": {"input_per_mtok": 3, "cached_input_per_mtok": 0.3, "output_per_mtok": 15},
        "loop": turns,
        "tools": tools,
    }  # fmt: skip


def team(kind: str, seed: int) -> dict[str, Any]:
    """Return a scenario of a structure, drawn with a seed."""
    chance = random.Random(f"{kind}-{seed}")
    size = 1 if kind == SINGLE else chance.randint(2, 5)
    size = max(size, 5) if kind == TREE else size
    each = agent(chance)
    quiet = copy.deepcopy(each) | {"behaviour": {"talk": 0}}
    independent = {"kind": "independent", "aggregate": False}
    claim = {"kind": "self_claim", "claims": "immediate", "choice": "first"}
    lead = copy.deepcopy(each)
    lead.pop("loop")
    lead.pop("tools")
    tasks = chance.randint(size + 2, 4 * size + 4)
    work: dict[str, Any] = {"kind": "parallel_fraction", "tasks": tasks,
                            "parallel_fraction": round(chance.uniform(0.5, 1.0), 2)}  # fmt: skip
    said: dict[str, Any] = {
        "name": f"{kind.replace(' ', '-')}-{seed}",
        "seed": seed,
        "team": {"size": size, "agent": each if kind in (MESH, PIPELINE) else quiet},
        "coordination": {"protocol": claim, "timing": "asynchronous"},
        "workload": work,
    }
    if kind in (SINGLE, INDEPENDENT):
        said["topology"] = independent
    elif kind == SUBAGENTS:
        said["topology"] = independent
        said["team"] = with_subagents(quiet, chance)
        said["workload"] = {**work, "tasks": chance.randint(4, 6)}
    elif kind == MESH:
        said["topology"] = {"kind": "decentralised"}
    elif kind == PIPELINE:
        said["topology"] = {"kind": "pipeline"}
        said["coordination"]["protocol"] = {"kind": "pipeline"}
        said["workload"] = {"kind": "pipeline", "items": chance.randint(3, 8), "stages": size}
    else:
        said["team"]["coordinator"] = lead
        said["topology"] = (
            {"kind": "centralised"} if kind == LEAD else {"kind": "hierarchical", "fan_out": 3}
        )
        said["coordination"]["protocol"] = {"kind": "lead_assign"}
    return said


def with_subagents(each: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return a team of one or two agents with sub-agents of two kinds, one level or two deep."""
    asks = {"calls": chance.randint(1, 3), "result_tokens": round(chance.uniform(200, 1000))}
    kinds = {name: agent(chance) for name in ("researcher", "reader")}
    starts = {name: {"probability": 0.4, **asks, "starts": {"agent": name}} for name in kinds}
    deep = chance.random() < 0.5
    (kinds["researcher"] if deep else each)["tools"]["read_all"] = {
        **starts["reader"],
        "probability": 0.3,
    }
    each["tools"]["research"] = starts["researcher"]
    for spec in (each, *kinds.values()):
        for tool in spec["tools"].values():
            if "weight" in tool:
                tool["probability"] = min(1.0, tool.pop("weight"))
        spec["behaviour"] = {"talk": 0}
    return {"size": chance.randint(1, 2), "agent": each, "subagents": {"kinds": kinds}}


def teams(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield so many scenarios: members of a team in each structure in turn, then sub-agents."""
    members, below = KINDS[:-1], max(1, count // 10)
    for i in range(count):
        kind = members[i % len(members)] if i < count - below else SUBAGENTS
        yield kind, team(kind, i)


def write_runs(said: dict[str, Any], directory: Path, runs: int) -> Scenario:
    """Write runs of a scenario as OTLP, a file a run."""
    drop_lacking(said)  # `agent` says what a worker does
    scenario = Scenario.model_validate(said)
    directory.mkdir(parents=True, exist_ok=True)
    simulation = Simulation(scenario)
    for replication in range(runs):
        trace = Trace(replication)
        simulation.run(replication, trace)
        write_otlp(directory / f"run-{replication}.jsonl", trace.rows, scenario, replication)
    return scenario
