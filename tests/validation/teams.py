"""Published benchmarks of teams, and what a team gains beside one agent with the same budget."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.statistics.law_fits import fit_law, fit_power_law
from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Trace
from simulator.scenario import load_study
from simulator.words import percent
from tests.conftest import agent, run, runs
from tests.validation.rows import (
    EXACT,
    Above,
    Below,
    Between,
    Case,
    Found,
    Row,
    Tolerance,
    less,
    mean,
    over,
    share,
)

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
ALONE: dict[str, Any] = {"kind": "single"}
APART: dict[str, Any] = {"kind": "independent", "aggregate": False}
PASSED_ON: dict[str, Any] = {"kind": "pre_assigned", "keep_chains": False, "work_ahead": False}


@functools.cache
def shipped(name: str, series: str, times: int, **fields: float) -> list[Metrics]:
    """Run the first point of a series of a shipped scenario, with fields set; `__` is a dot."""
    study = load_study(SCENARIOS / f"{name}.yaml")
    point = next(p for p in study.points if p.series == series)
    data = point.scenario.model_dump(mode="json", exclude_unset=True)
    for path, value in fields.items():
        *parents, last = path.split("__")
        node = data
        for key in parents:
            node = node.setdefault(key, {})
        node[last] = value
    simulation = Simulation(type(point.scenario).model_validate(data))
    return [simulation.run(replication) for replication in range(times)]


# CooperBench: with two agents 68.6 % of the tasks succeed, and so 31.4 % of hand-overs fail.
MISUNDERSTOOD = 1 - 0.686


@functools.cache
def handed_on(n: int, times: int) -> Found:
    """Return the share of runs right to the end if n agents each add their part to one result."""
    found = runs(
        times,
        team={"size": n, "agent": agent(errors={"hand_off": MISUNDERSTOOD, "detection": 0})},
        coordination__protocol=PASSED_ON,
        workload={"kind": "parallel_fraction", "tasks": n, "parallel_fraction": 0},
    )
    return share(sum(m.tasks_correct == n for m in found), times)


def lost_in_sequence(n: int, times: int) -> Found:
    """Return by how much more of the runs one agent gets right than n who pass the work on."""
    return Found(handed_on(n, times).value - 1, handed_on(n, times).error)


@functools.cache
def coupled_work(size: int, degrades: bool, coupling: float, times: int) -> list[Metrics]:
    """Run eight layers of eight tasks; contexts degrade by the median of 38 models (RULER)."""
    error = {"error": {"shape": "doubling", "height": 0.4, "from_tokens": 8000}}
    return runs(
        times,
        team={
            "size": size,
            "agent": agent(
                tokens={"output": 1000},
                context=error if degrades else {},
                errors={"probability": 0.02, "detection": 0, "hand_off": 0.033},
            ),
        },
        topology=ALONE if size == 1 else APART,
        coordination__protocol=PASSED_ON,
        workload={"kind": "layered", "layers": 8, "width": 8, "coupling": coupling},
    )


def better_alone(degrades: bool, coupling: float, times: int) -> Found:
    """Return the quality of one agent less that of a team of four."""
    one, four = (
        mean(m.quality for m in coupled_work(n, degrades, coupling, times)) for n in (1, 4)
    )
    return less(one, four)


def output_of_a_team() -> Found:
    """Return the output tokens of a team of four over those of one agent."""
    one, four = (coupled_work(n, False, 0.2, 200)[0].output_tokens for n in (1, 4))
    return Found(four / one)


@functools.cache
def answers(agents: int, protocol: str, **fields: Any) -> Metrics:
    """Answer 6,000 questions that one agent gets right in 0.6 of cases."""
    return run(
        team__size=agents,
        team__agent=agent(errors={"probability": 0.4, "detection": 0}, batch=500),
        topology=ALONE if agents == 1 else APART,
        coordination={"protocol": {"kind": protocol, **fields}, "idle_agents": "wait"},
        workload__tasks=6000,
    )


def vote_less_debate() -> Found:
    """Return the share right of nine votes of one agent, less that of three who debate twice."""
    voted = answers(1, "replicate_and_vote", replicas=9)
    debated = answers(3, "debate", rounds=2, influence="peer", conformity=0.5)
    assert voted.attempts == debated.attempts == 9 * 6000
    return less(*(share(m.tasks_correct, 6000) for m in (voted, debated)))


LATTE_METRICS: dict[str, Callable[[Metrics], float]] = {
    "tokens": lambda m: m.input_tokens + m.output_tokens,
    "seconds": lambda m: m.makespan_s,
    "collisions": lambda m: m.duplicate_attempts,
    "overwrites": lambda m: m.rewrites,
    "messages": lambda m: m.messages,
    "undispatched": lambda m: 1 - m.calls / (m.agents * m.rounds),
}


@functools.cache
def four_agents(way: str) -> list[Metrics]:
    """Run four agents on eight layers of two tasks, coordinated in a way of arXiv 2605.06320.

    Agents with the dynamic graph are called only for tasks that they have leased; with the static
    one and without any they are called in every round, and tell each other what they do.
    """
    coordination: dict[str, Any] = {
        "dynamic graph": {
            "protocol": {
                "kind": "self_claim",
                "claims": "immediate",
                "choice": "first",
                "lease_rounds": 3,
            },
            "idle_agents": "wait",
        },
        "decentralised": {"protocol": {"kind": "self_claim", "noise": 0.5}},
        "lead without a graph": {"protocol": "lead_assign", "idle_agents": "wait"},
        "static": {"protocol": "pre_assigned"},
    }[way]
    return runs(
        60,
        team={
            "size": 4,
            "agent": agent(
                latency={
                    "kind": "tokens",
                    "base_s": 2,
                    "uncached_s_per_1k": 0.2,
                    "output_s_per_1k": 15,
                    "residual": {"kind": "lognormal", "median": 1, "sigma": 0.5},
                },
                tokens={"output": 500, "message": 100},
                context={"system_tokens": 1500, "board_tokens_per_task": 30, "retention": 0.5},
                errors={"probability": 0.1, "detection": 1},
                behaviour={"talk": 1, "chatter": 0 if way == "dynamic graph" else 1},
            ),
        },
        topology="centralised" if way.startswith("lead") else "decentralised",
        coordination=coordination,
        workload={"kind": "layered", "layers": 8, "width": 2, "coupling": 0.6, "sharing": 0.3},
    )


def of_four(way: str, what: str) -> Found:
    """Return the mean of a metric."""
    return mean(LATTE_METRICS[what](m) for m in four_agents(way))


def beside_the_dynamic_graph(way: str, what: str) -> Found:
    """Return the mean of a metric over that of the team with the dynamic graph."""
    return over(of_four(way, what), of_four("dynamic graph", what))


@functools.cache
def refined(n: int) -> Found:
    """Return the share right of the best of n answers, of tasks that differ in difficulty."""
    m = run(
        team__size=min(n, 32),
        team__agent=agent(
            errors={"detection": 0, "probability": 0.7, "difficulty_correlation": 0.3}, batch=400
        ),
        workload__tasks=4000,
        coordination={
            "protocol": {"kind": "replicate_and_vote", "replicas": n, "vote": "best_of"},
            "idle_agents": "wait",
        },
    )
    return share(m.tasks_correct, 4000)


def levels_off(few: int, many: int) -> Found:
    """Return what doubling a small team adds, less what doubling a large one adds."""
    return less(less(refined(2 * few), refined(few)), less(refined(2 * many), refined(many)))


def seconds_over_a_mesh(topology: dict[str, Any]) -> Found:
    """Return the time of 32 agents who hear some of the others, over that of a mesh."""

    def lasts(who: Any) -> Found:
        found = runs(
            6,
            team={
                "size": 32,
                "agent": agent(
                    latency={
                        "kind": "tokens",
                        "base_s": 2,
                        "uncached_s_per_1k": 0.2,
                        "output_s_per_1k": 15,
                    },
                    tokens={"output": 300, "message": 300},
                    context={"retention": 0, "board_tokens_per_task": 0},
                    behaviour={"talk": 1},
                ),
            },
            topology=who,
            coordination__protocol="pre_assigned",
            workload__tasks=320,
        )
        return mean(m.makespan_s for m in found)

    return over(lasts(topology), lasts("decentralised"))


@functools.cache
def neighbours_agree(n: int, times: int) -> Found:
    """Return the share of runs in which all n agents are right, who build on four neighbours.

    Each does a task of its own, and then one that needs its own and its neighbours' in a ring; of
    these hand-overs two in a hundred are misunderstood.
    """
    near = (-2, -1, 0, 1, 2) if n > 4 else range(n)
    tasks: list[dict[str, Any]] = [{"id": f"own {i}"} for i in range(n)]
    tasks += [
        {"id": f"joint {i}", "dependencies": sorted({f"own {(i + k) % n}" for k in near})}
        for i in range(n)
    ]
    found = runs(
        times,
        team={"size": n, "agent": agent(errors={"hand_off": 0.02, "detection": 0})},
        coordination__protocol=PASSED_ON,
        workload={"kind": "dag", "tasks": tasks},
    )
    return share(sum(m.tasks_correct == m.tasks for m in found), times)


# Silo-Bench: chances of success that have, at two and at five agents, the published rates.
VARIES = {"probability": {"probability": 0.127, "run_sigma": 3.0}, "detection": 0}


@functools.cache
def partitioned(
    n: int, times: int, parts: int | None = None, hand_off: float | None = None, **fields: Any
) -> list[Metrics]:
    """Run n agents who each hold a part of what all answers need, and ask each other for it."""
    errors: dict[str, Any] = VARIES
    if hand_off is not None:
        errors = {"hand_off": hand_off, "detection": 0}
    return runs(
        times,
        team={
            "size": n,
            "agent": agent(
                errors=errors,
                tokens={"output": 300, "message": 50},
                context={"system_tokens": 6000, "retention": 0, "board_tokens_per_task": 0},
                behaviour={"talk": 1},
            ),
        },
        topology=fields.get("topology", "decentralised"),
        coordination={
            "protocol": {"kind": "ask_holders", "parts": parts},
            "idle_agents": "wait",
        },
        workload__tasks=n,
    )


def all_right(n: int, times: int) -> Found:
    """Return the share of runs in which every agent is right."""
    return share(sum(m.tasks_correct == n for m in partitioned(n, times)), times)


def agents_right(n: int, times: int) -> Found:
    """Return the mean share of agents who are right."""
    return mean(m.quality for m in partitioned(n, times))


def harder_with_more_parts(few: int, many: int | None) -> Found:
    """Return how much more of ten agents are right who need few parts than who need many."""
    one, other = (
        mean(m.quality for m in partitioned(10, 60, parts, 0.05)) for parts in (few, many)
    )
    return less(one, other)


def exponent_of(what: Callable[[Metrics], float]) -> Found:
    """Return the exponent with which something grows from 2 to 100 agents."""
    sizes = (2, 5, 10, 20, 50, 100)
    fit = fit_power_law(sizes, [what(partitioned(n, 1, None, 0.0)[0]) for n in sizes])
    return Found(fit.exponent)


def answers_on_a_blackboard() -> Found:
    """Return the share of right agents with a blackboard over that with messages."""
    board, mesh = (
        mean(m.quality for m in partitioned(10, 60, None, 0.05, topology=topology))
        for topology in ("blackboard", "decentralised")
    )
    return over(board, mesh)


def threshold(e: float, alone: float) -> Found:
    """Return what a verified team of two gains on one agent whose quality is `alone`.

    From the shipped scenario, at the error probability that gives that quality.
    """
    times, errors = 500, {"team__agent__errors__probability": e}
    one = mean(m.quality for m in shipped("single_agent_threshold", "one agent", times, **errors))
    two = shipped("single_agent_threshold", "a team of two with a verifier", times, **errors)
    assert abs(one.value - alone) < 0.02
    return less(mean(m.quality for m in two), one)


def tools_and_coordination(many: int) -> Found:
    """Return the tasks of four agents over those of one for two dollars, with tools, less the
    same with one tool; a tool's description has 150 tokens."""

    def done(n: int, tools: int) -> float:
        prompt = {"system_tokens": 500 + 150 * tools, "retention": 0, "board_tokens_per_task": 0}
        m = run(
            team={
                "size": n,
                "agent": agent(
                    tokens={"output": 300, "per_work_unit": 300, "message": 100},
                    context=prompt,
                    behaviour={"talk": float(n > 1)},
                    batch=8,
                    price={"input_per_mtok": 3, "output_per_mtok": 15},
                ),
            },
            topology="decentralised" if n > 1 else ALONE,
            coordination__protocol=PASSED_ON,
            workload={"kind": "layered", "layers": 100, "width": 8, "coupling": 1},
            limits={"budget_usd": 2},
        )
        assert m.outcome == "budget"
        return m.tasks_done

    return Found(done(4, many) / done(1, many) - done(4, 1) / done(1, 1))


@functools.cache
def right_at_the_end(series: str, misunderstood: float) -> Found:
    """Return the share of items right in their last stage, over that without a misunderstanding."""
    study = load_study(SCENARIOS / "message_errors.yaml")
    point = next(
        p
        for p in study.points
        if p.series == series and p.scenario.team.agent.errors.hand_off == misunderstood
    )
    simulation, right, items = Simulation(point.scenario), 0, 0
    for replication in range(200):
        trace = Trace()
        simulation.run(replication, trace)
        done = {r.task: r.outcome for r in trace.rows if r.event in _ENDS and r.outcome in _DONE}
        last = range(3, 16, 4)  # of four items with four stages each
        right += sum(done[task] in _RIGHT for task in last)
        items += len(last)
    return share(right, items)


_ENDS = (Event.ATTEMPT, Event.HAND_IN, Event.REVIEW)
_RIGHT = ("done", "accepted")
_DONE = (*_RIGHT, "faulty", "missed")


CHAINS = ("Self-collaboration", "CAMEL")


def written_on_a_blackboard() -> Found:
    """Return the output tokens of eight agents with a blackboard over those of a mesh."""
    board, mesh = (
        run(
            team={
                "size": 8,
                "agent": agent(tokens={"output": 300, "message": 300}, behaviour={"talk": 1}),
            },
            topology=topology,
            coordination__protocol="pre_assigned",
            workload__tasks=80,
        ).output_tokens
        for topology in ("blackboard", "decentralised")
    )
    return Found(board / mesh)


def coherency(topology: Any, relay: float) -> Found:
    """Return the coherency kappa of the Universal Scalability Law, fitted to n = 1..32.

    Agents pass on a share of the messages that they have read.
    """
    sizes = (1, 2, 4, 8, 16, 32)
    took = [
        run(
            team={
                "size": n,
                "agent": agent(
                    latency={
                        "kind": "tokens",
                        "base_s": 1,
                        "uncached_s_per_1k": 1,
                        "output_s_per_1k": 0,
                    },
                    tokens={"output": 100, "message": 20, "relay": relay},
                    context={"retention": 0, "system_tokens": 0, "board_tokens_per_task": 0},
                    behaviour={"talk": 1},
                ),
            },
            topology=topology,
            coordination__protocol="pre_assigned",
            workload__tasks=640,
        ).makespan_s
        for n in sizes
    ]
    fit = fit_law("usl", sizes, [took[0] / each for each in took], fixed={"scale": 1.0})
    return Found(round(fit.estimates["kappa"], 9), (fit.high["kappa"] - fit.low["kappa"]) / 4)


def tokens_of(series: str, k: int) -> Found:
    """Return the tokens of the shipped fan-out with k sub-agents, without those of the cache."""
    found = shipped("research_fan_out", series, 60, team__agent__tools__delegate__calls=k)
    return mean(m.input_tokens - m.cached_tokens + m.output_tokens for m in found)


@functools.cache
def steps_of_requests() -> np.ndarray[Any, Any]:
    """Return the turns after the first of requests to an agent of a shipped profile."""
    found = shipped("coding_loop", "tests for everybody", 600, workload__tasks=1)
    return np.array([m.turns - 1 for m in found])


def over_published(counts: np.ndarray[Any, Any], q: float | None, published: float) -> Found:
    """Return a quantile of what requests have, or its mean, over the published one."""
    if q is None:
        each = mean(counts)
        return Found(each.value / published, each.error / published)
    draws = np.random.default_rng(1).choice(counts, size=(200, len(counts)))
    error = float(np.quantile(draws, q, axis=1).std())
    return Found(float(np.quantile(counts, q)) / published, error / published)


def quantile_of_steps(q: float | None, published: float) -> Found:
    """Return a quantile of the steps of a request, or their mean, over the published one."""
    return over_published(steps_of_requests(), q, published)


def quantile_of_tools(q: float | None, published: float) -> Found:
    """Return a quantile of a request's calls of tools, or their mean, over the published one."""
    return over_published(tools_of_requests(), q, published)


def share_of_tools(turns: int, model_s: float, tool_s: float) -> Found:
    """Return the share of a loop's time that its agent waits for tools."""
    m = run(
        team__agent=agent(
            latency={"kind": "seconds", "base": model_s},
            loop={"turns": turns},
            tools={"build": {"seconds": tool_s}},
        ),
        workload__tasks=5,
        coordination__timing="asynchronous",
    )
    return Found(m.tool_s / m.makespan_s)


@functools.cache
def tools_of_requests() -> np.ndarray[Any, Any]:
    """Return the calls of tools of the same requests."""
    found = shipped("coding_loop", "tests for everybody", 600, workload__tasks=1)
    return np.array([m.tool_calls for m in found])


def calls_a_step() -> Found:
    """Return the calls of tools for each turn after the first, over the published ones."""
    calls, steps = tools_of_requests(), steps_of_requests()
    each = calls.sum() / steps.sum()
    error = (calls - each * steps).std(ddof=1) / steps.mean() / math.sqrt(len(steps))
    return Found(float(each) / 1.2, float(error) / 1.2)


def _others(values: Sequence[tuple[str, float]], what: str) -> list[Case]:
    return [Case(way, asked, (way, what)) for way, asked in values]


SILO = "Silo-Bench, arXiv 2603.01045, version 1, DeepSeek-V3.1"
PUBLISHED_SILO = {2: 0.612, 5: 0.485, 10: 0.399, 20: 0.336, 50: 0.190, 100: 0.181}
SILO_RUNS = {2: 700, 5: 700, 10: 700, 20: 600, 50: 480, 100: 420}
PARTLY_RIGHT = {2: 0.784, 5: 0.682, 10: 0.591, 20: 0.602, 50: 0.468, 100: 0.465}
COOPERBENCH = "CooperBench, arXiv 2601.13295"
LATTE = "runs published with LATTE, arXiv 2605.06320"
SCALING = "arXiv 2512.08296, version 2"
AGENTS = "Anthropic, How we built our multi-agent research system, June 2025"
WAYS = ("decentralised", "lead without a graph", "static")

# Thousand tokens and seconds of each kind of task: with the dynamic graph, and in the three ways.
TOKENS_BY_TASK = {
    "data analysis": (122, 271, 257, 403),
    "debugging": (215, 792, 710, 359),
    "text": (98, 194, 169, 140),
}
SECONDS_BY_TASK = {
    "data analysis": (190, 177, 292, 500),
    "debugging": (320, 366, 549, 374),
    "text": (127, 129, 215, 206),
}
NEAR_TOKENS = {
    ("data analysis", "decentralised"),
    ("data analysis", "static"),
    ("text", "lead without a graph"),
}
NEAR_SECONDS = {
    *((kind, "lead without a graph") for kind in SECONDS_BY_TASK),
    ("text", "static"),
}


def _by_task(
    table: dict[str, tuple[int, ...]], shown: Callable[[tuple[str, str]], bool]
) -> list[Case]:
    return [
        Case(f"{kind}, {way}", value / values[0], (way,))
        for kind, values in table.items()
        for way, value in zip(WAYS, values[1:], strict=True)
        if shown((kind, way))
    ]


ROWS = [
    Row(
        key="cooperbench",
        name="Success of two to four agents who share one result",
        law="68.6, 46.5 and 30.0 %. A hand-over that fails in 31.4 % of cases is put in, from two "
        "agents; those of three and four follow from n - 1 hand-overs.",
        source=f"{COOPERBENCH}, 46 tasks",
        measure=handed_on,
        cases=[
            Case(f"n = {n}", asked, (n, 1500)) for n, asked in ((2, 0.686), (3, 0.465), (4, 0.300))
        ],
        tolerance=Tolerance(absolute=0.05),
        note="The standard error of the published shares of 46 tasks is 0.07.",
    ),
    Row(
        key="cooperbench-alone",
        name="Two agents beside one",
        law="Two succeed in 25 % of the cases where one alone has 50 %.",
        source=f"{COOPERBENCH}, GPT-5 and Sonnet 4.5",
        measure=handed_on,
        cases=[Case("success over one agent's", 0.5, (2, 1500))],
        tolerance=Tolerance(absolute=0.05),
        not_reached="Those are other, harder tasks than the 46 of the row before, whose hand-overs "
        "are used here: where half of all hand-overs fail, it is 0.5.",
    ),
    Row(
        key="sequential-loss",
        name="Sequential work loses by a team",
        law="39 to 70 % less is right than with one agent.",
        source=f"{SCALING}, table of benchmarks, PlanCraft",
        measure=lost_in_sequence,
        cases=[Case("two hand-overs", -0.53, (3, 1500))],
        tolerance=Between(-0.70, -0.39),
        note="The rate of failed hand-overs is that of another benchmark (CooperBench); three "
        "agents as there, so two hand-overs, are assumed.",
    ),
    Row(
        key="decomposable-gain",
        name="Decomposable work gains by a team",
        law="73 to 81 % more is right than with one agent.",
        source=f"{SCALING}, table of benchmarks, Finance-Agent",
        measure=lambda: over(
            *(mean(m.quality for m in coupled_work(n, True, 0.0, 150)) for n in (4, 1))
        ),
        cases=[Case("quality over one agent's", 1.77)],
        tolerance=Tolerance(share=0.05),
        not_reached="What the model has for it is that each context of a team fills more slowly. "
        "By the decline of accuracy with length that is published (RULER, the median of 38 "
        "models) this is worth some percent. Members who find what others have overlooked are "
        "not modelled.",
    ),
    Row(
        key="equal-output",
        name="A team has the output tokens of one agent",
        law="The comparison below is at equal output.",
        source="counting",
        measure=output_of_a_team,
        cases=[Case("four agents over one", 1.0)],
        tolerance=EXACT,
    ),
    Row(
        key="equal-budget",
        name="One agent and a team with the same budget",
        law="With lossy hand-overs and equal output tokens one agent is at least as good: its "
        "quality less that of four.",
        source="arXiv 2604.02460; arXiv 2601.12307",
        measure=better_alone,
        cases=[
            Case(f"coupling {coupling}", 0, (False, coupling, times))
            for coupling, times in ((0.1, 400), (0.2, 200))
        ],
        tolerance=Above(),
    ),
    Row(
        key="equal-budget-degraded",
        name="A team with the same budget where contexts degrade",
        law="Only then a team can be better: quality of one less that of four, decoupled work.",
        source="arXiv 2604.02460; decline by RULER, arXiv 2404.06654",
        measure=better_alone,
        cases=[Case("decoupled work", 0, (True, 0.0, 150))],
        tolerance=Below(),
    ),
    Row(
        key="vote-or-debate",
        name="A vote and a debate with the same budget",
        law="Nine samples of one agent and a vote, less three agents who debate for two rounds: as "
        "many answers, and the vote is better.",
        source="arXiv 2508.17536",
        measure=vote_less_debate,
        cases=[Case("share right", 0, slow=True)],
        tolerance=Above(),
    ),
    Row(
        key="latte-tokens",
        name="A dynamic task graph saves tokens",
        law="Tokens of three other ways to coordinate four agents over those with it: 2.2, 3.7 and "
        "2.0 times decentralised, 2.1, 3.3 and 1.7 with a lead, 3.3, 1.7 and 1.4 with a static "
        "graph, on three kinds of tasks. Only the order is asked.",
        source=LATTE,
        measure=beside_the_dynamic_graph,
        cases=_others([(way, 1.0) for way in WAYS], "tokens"),
        tolerance=Above(),
        note="Sizes of prompts and replies are assumed; work that two agents at a time can do "
        "leaves as many undispatched as published.",
    ),
    Row(
        key="latte-tokens-by-task",
        name="Tokens beside a dynamic task graph, by kind of task",
        law="The same ratios where they are near those of the one workload that is simulated.",
        source=LATTE,
        measure=lambda way: beside_the_dynamic_graph(way, "tokens"),
        cases=_by_task(TOKENS_BY_TASK, lambda cell: cell in NEAR_TOKENS),
        tolerance=Tolerance(share=0.25),
        note="One workload stands for all three kinds of tasks: it lies among them.",
    ),
    Row(
        key="latte-tokens-other-tasks",
        name="Tokens beside a dynamic task graph, other kinds of tasks",
        law="The same where they are not.",
        source=LATTE,
        measure=lambda way: beside_the_dynamic_graph(way, "tokens"),
        cases=_by_task(TOKENS_BY_TASK, lambda cell: cell not in NEAR_TOKENS),
        tolerance=Tolerance(share=0.25),
        not_reached="What distinguishes the kinds of tasks, apart from these results, is not "
        "published: the same workload stands for all.",
    ),
    Row(
        key="latte-undispatched",
        name="Agents who are not called",
        law="With the dynamic graph, 44 to 58 % of agents in rounds.",
        source=LATTE,
        measure=of_four,
        cases=[Case("share", 0.44, ("dynamic graph", "undispatched"))],
        tolerance=Tolerance(absolute=0.07),
    ),
    Row(
        key="latte-seconds",
        name="A dynamic task graph is quicker than a static one",
        law="2.6, 1.2 and 1.6 times on three kinds of tasks; a lead takes 1.4, 1.7 and 1.3 times "
        "as long. Only the order is asked.",
        source=LATTE,
        measure=beside_the_dynamic_graph,
        cases=_others([("lead without a graph", 1.0), ("static", 1.0)], "seconds"),
        tolerance=Above(),
    ),
    Row(
        key="latte-seconds-by-task",
        name="Time beside a dynamic task graph, by kind of task",
        law="The same ratios where they are near those of the one workload that is simulated.",
        source=LATTE,
        measure=lambda way: beside_the_dynamic_graph(way, "seconds"),
        cases=_by_task(SECONDS_BY_TASK, lambda cell: cell in NEAR_SECONDS),
        tolerance=Tolerance(share=0.25),
        note="One workload stands for all three kinds of tasks: it lies among them.",
    ),
    Row(
        key="latte-seconds-other-tasks",
        name="Time beside a dynamic task graph, other kinds of tasks",
        law="The same where they are not.",
        source=LATTE,
        measure=lambda way: beside_the_dynamic_graph(way, "seconds"),
        cases=_by_task(SECONDS_BY_TASK, lambda cell: cell not in NEAR_SECONDS),
        tolerance=Tolerance(share=0.25),
        not_reached="What distinguishes the kinds of tasks, apart from these results, is not "
        "published: the same workload stands for all. Simulated agents who see no claims do a "
        "third of the work twice and take more rounds for it; why real ones lose no time by their "
        "collisions is not published.",
    ),
    Row(
        key="latte-collisions",
        name="Leases end collisions",
        law="1.0 a run with the dynamic graph, 0 with the static, 11.5 without any.",
        source=LATTE,
        measure=of_four,
        cases=[Case(way, 0, (way, "collisions")) for way in ("dynamic graph", "static")],
        tolerance=Tolerance(absolute=1.0),
    ),
    Row(
        key="latte-collide",
        name="Collisions without leases",
        law="11.5 a run more than with them.",
        source=LATTE,
        measure=lambda: of_four("decentralised", "collisions"),
        cases=[Case("more than none", 0)],
        tolerance=Above(),
        note="A lead without a graph has 8.5 in the published runs; simulated leads know what they "
        "have handed out, and have none.",
    ),
    Row(
        key="latte-overwrites",
        name="Overwrites without a graph",
        law="35.4 a run decentralised, 4.3 with the dynamic graph: 8 times as many; the order is "
        "asked.",
        source=LATTE,
        measure=beside_the_dynamic_graph,
        cases=_others([("decentralised", 1.0)], "overwrites"),
        tolerance=Above(),
    ),
    Row(
        key="latte-messages",
        name="Messages of four agents",
        law="20 a run with the dynamic graph, 35 decentralised, 32 with a lead, 27 static: the "
        "others over the first; the order is asked.",
        source=LATTE,
        measure=beside_the_dynamic_graph,
        cases=_others([(way, 1.0) for way in WAYS], "messages"),
        tolerance=Above(),
    ),
    Row(
        key="refinement",
        name="More agents on one artefact without parts of their own",
        law="Quality grows with the logarithm of n and levels off between 16 and 32: what doubling "
        "adds to four, less what it adds to 16 and 32.",
        source="MacNet, arXiv 2406.07155",
        measure=levels_off,
        cases=[Case(f"4 and {n} agents", 0, (4, n), slow=True) for n in (16, 32)],
        tolerance=Above(),
        note="As best of n answers, of tasks that differ in difficulty; both rates are assumed. "
        "With parts that must be handed over the same engine has the decline of CooperBench.",
    ),
    Row(
        key="sparse-beats-mesh",
        name="A random graph is quicker than a mesh",
        law="Takes 51.9 % less time.",
        source="MacNet, arXiv 2406.07155",
        measure=seconds_over_a_mesh,
        cases=[Case("density 0.1, time over a mesh's", 1.0, ({"kind": "random", "density": 0.1},))],
        tolerance=Below(),
        note="Only the order: the share depends on how long it takes to read a message.",
    ),
    Row(
        key="agentsnet",
        name="Networks of agents fail as they grow",
        law="Near 0 with 100 agents.",
        source="AgentsNet, arXiv 2507.08616",
        measure=neighbours_agree,
        cases=[Case("n = 100", 0.0, (100, 100), slow=True)],
        tolerance=Tolerance(absolute=0.05),
        note="Each builds on four neighbours; two hand-overs in a hundred are misunderstood, "
        "assumed.",
    ),
    Row(
        key="agentsnet-decline",
        name="The decline with the size of the network",
        law="Success falls with each doubling: difference of the shares.",
        source="AgentsNet, arXiv 2507.08616",
        measure=lambda few, many: less(neighbours_agree(few, 400), neighbours_agree(many, 400)),
        cases=[Case(f"{n} and {2 * n}", 0, (n, 2 * n), slow=n > 4) for n in (4, 8, 16)],
        tolerance=Above(),
    ),
    Row(
        key="silo",
        name="Agents who each hold a part of what all need",
        law="All of N are right in 61.2, 48.5, 39.9, 33.6, 19.0 and 18.1 % of the tasks, N = 2, 5, "
        "10, 20, 50, 100. Put in is how far tasks differ, from the first two.",
        source=SILO,
        measure=all_right,
        cases=[
            Case(f"N = {n}", asked, (n, SILO_RUNS[n]), slow=n > 5, thorough=n >= 50)
            for n, asked in PUBLISHED_SILO.items()
        ],
        tolerance=Tolerance(absolute=0.05),
        note="Logits of the error probability have a standard deviation of 3 over tasks. If all "
        "were alike, success would fall with p^N.",
    ),
    Row(
        key="silo-partly",
        name="Agents who are right, each for itself",
        law="The mean share of agents who are right: 78.4, 68.2, 59.1, 60.2, 46.8 and 46.5 %.",
        source=SILO,
        measure=agents_right,
        cases=[
            Case(f"N = {n}", PARTLY_RIGHT[n], (n, SILO_RUNS[n]), slow=n > 5, thorough=n >= 50)
            for n in (2, 10, 20, 50, 100)
        ],
        tolerance=Tolerance(absolute=0.05),
        not_reached="The chance of one agent is put in, and does not depend on the number of the "
        "others. With the parts that it must ask for it falls only if answers are misunderstood, "
        "and then with q^(N - 1).",
        thorough=True,
    ),
    Row(
        key="silo-partly-five",
        name="Five agents who are right, each for itself",
        law="The same, N = 5: 68.2 %.",
        source=SILO,
        measure=agents_right,
        cases=[Case("N = 5", PARTLY_RIGHT[5], (5, SILO_RUNS[5]))],
        tolerance=Tolerance(absolute=0.05),
        note="Here the published share, which falls, passes the simulated one, which does not.",
    ),
    Row(
        key="silo-levels",
        name="Answers that need more parts are harder",
        law="Level I (few parts), II and III (all): 69, 28 and 10 % at N = 10; the order is asked, "
        "differences of the shares right.",
        source=SILO,
        measure=harder_with_more_parts,
        cases=[Case("1 and 4 parts", 0, (1, 4)), Case("4 parts and all", 0, (4, None))],
        tolerance=Above(),
        note="One answer in twenty is misunderstood, assumed.",
    ),
    Row(
        key="silo-tokens",
        name="Tokens of a round grow a little faster than the team",
        law="As N^1.15, from 2 to 100 agents.",
        source=SILO,
        measure=lambda: exponent_of(lambda m: m.input_tokens / m.rounds),
        cases=[Case("exponent", 1.15)],
        tolerance=Tolerance(absolute=0.1),
        note="6,000 tokens of an agent are put in, from N = 2; messages of 50 tokens are assumed.",
    ),
    Row(
        key="silo-density",
        name="Messages beside the pairs that could talk",
        law="As N^-0.77.",
        source=SILO,
        measure=lambda: exponent_of(lambda m: m.messages / (m.agents * (m.agents - 1))),
        cases=[Case("exponent", -0.77)],
        tolerance=Tolerance(absolute=0.1),
        not_reached="Each simulated agent asks once and answers once, to all: N messages for each "
        "of three acts. Real ones ask again the more there are.",
    ),
    Row(
        key="silo-channel",
        name="Shared files beside messages",
        law="31.5 % are right with shared files, 40.4 % with a broadcast: 0.78 times.",
        source=SILO,
        measure=answers_on_a_blackboard,
        cases=[Case("right with a blackboard over right with a mesh", 0.78)],
        tolerance=Tolerance(share=0.15),
        not_reached="How well an answer is understood does not depend on the channel in the model.",
    ),
    Row(
        key="threshold-below",
        name="A verified team beats a weak agent",
        law="Where one agent gets less than 45 % right: what a team gains at 40 %.",
        source=f"{SCALING}, section on regimes; shipped scenario single_agent_threshold",
        measure=threshold,
        cases=[Case("one agent at 0.40", 0, (0.477, 0.40), slow=True)],
        tolerance=Above(),
        note="Hand-over and verifier are assumed, such that there is a threshold.",
    ),
    Row(
        key="threshold-above",
        name="A verified team does not beat a good agent",
        law="Where one agent gets more than 45 % right: what a team gains at 55 %.",
        source=f"{SCALING}, section on regimes; shipped scenario single_agent_threshold",
        measure=threshold,
        cases=[Case("one agent at 0.55", 0, (0.33, 0.55), slow=True)],
        tolerance=Below(),
        note="Hand-over and verifier are assumed, such that there is a threshold.",
        thorough=True,
    ),
    Row(
        key="tools-and-coordination",
        name="Tools make coordination dearer",
        law="The coefficient of tools times coordination is below 0: tasks of a team over those of "
        "one agent for the same money, less the same with one tool.",
        source=f"{SCALING}, regression",
        measure=tools_and_coordination,
        cases=[Case(f"{tools} tools", 0, (tools,)) for tools in (8, 32)],
        tolerance=Below(),
        note="150 tokens for the description of a tool, in every prompt, are assumed.",
    ),
    Row(
        key="faulty-chain",
        name="A chain passes on what its members misunderstand",
        law="Pass rates over those without errors, if 20, 40 and 60 % of messages are wrong: 0.54, "
        "0.32 and 0.13.",
        source="arXiv 2408.00989, released results of MetaGPT; shipped scenario message_errors",
        measure=right_at_the_end,
        cases=[
            Case(percent(e), asked, ("a chain of agents", e), e > 0.2, Tolerance(absolute=near))
            for e, asked, near in ((0.2, 0.536, 0.16), (0.4, 0.318, 0.12), (0.6, 0.134, 0.08))
        ],
        note="A chain of four: (1 - e)^3. The published decline is a little slower; of 164 tasks, "
        "95 % intervals of its values are ± 0.16, 0.12 and 0.08.",
    ),
    Row(
        key="faulty-chain-others",
        name="The same of two other chains",
        law="0.54 and 0.47 if 20 % of messages are wrong, 0.33 and 0.30 if 40 %.",
        source="arXiv 2408.00989, released results of Self-collaboration and CAMEL; shipped "
        "scenario message_errors",
        measure=right_at_the_end,
        cases=[
            Case(
                f"{name}, {percent(e)}",
                asked,
                ("a chain of agents", e),
                True,
                Tolerance(absolute=near),
            )
            for e, near, values in ((0.2, 0.16, (0.537, 0.471)), (0.4, 0.12, (0.328, 0.305)))
            for name, asked in zip(CHAINS, values, strict=True)
        ],
        note="95 % intervals of the published values are ± 0.16 and 0.12.",
    ),
    Row(
        key="faulty-chain-worst",
        name="The same if most messages are wrong",
        law="0.24 and 0.17 if 60 % are wrong.",
        source="arXiv 2408.00989, released results of Self-collaboration and CAMEL; shipped "
        "scenario message_errors",
        measure=right_at_the_end,
        cases=[
            Case(f"{name}, {percent(0.6)}", asked, ("a chain of agents", 0.6), slow=True)
            for name, asked in zip(CHAINS, (0.240, 0.167), strict=True)
        ],
        tolerance=Tolerance(absolute=0.08),
        not_reached="(1 - 0.6)^3 is 0.064: what is misunderstood here is put right by nobody who "
        "comes after. The published decline is slower.",
    ),
    Row(
        key="faulty-hierarchy-other",
        name="The same of another hierarchy",
        law="0.68, 0.66 and 0.52.",
        source="arXiv 2408.00989, released results of AgentVerse; shipped scenario message_errors",
        measure=right_at_the_end,
        cases=[
            Case(percent(e), asked, ("a hierarchy that judges", e), slow=True)
            for e, asked in ((0.2, 0.680), (0.4, 0.664), (0.6, 0.521))
        ],
        tolerance=Tolerance(absolute=0.15),
        not_reached="The scenario's judge misses 5 %, as assumed for the other hierarchy. What "
        "distinguishes the two is not published.",
    ),
    Row(
        key="faulty-hierarchy",
        name="A hierarchy that judges hardly suffers",
        law="The same with a judge: 0.86, 0.87 and 0.79.",
        source="arXiv 2408.00989, released results of MAD; shipped scenario message_errors",
        measure=right_at_the_end,
        cases=[
            Case(percent(share), asked, ("a hierarchy that judges", share), slow=share > 0.2)
            for share, asked in ((0.2, 0.863), (0.4, 0.873), (0.6, 0.794))
        ],
        tolerance=Tolerance(absolute=0.15),
        note="That the judge misses 5 % is assumed. 95 % intervals of the published values are "
        "± 0.16.",
    ),
    Row(
        key="shared-files",
        name="Shared files in place of messages",
        law="42 % less output with eight agents.",
        source="When Agents Coordinate, arXiv 2608.16801",
        measure=written_on_a_blackboard,
        cases=[Case("output over a mesh's", 0.58)],
        tolerance=Tolerance(share=0.15),
        not_reached="Simulated agents write a message once, to all who hear it, and a note on a "
        "blackboard is as long. Direct messages of real ones grew almost with the square of n.",
    ),
    Row(
        key="coherency",
        name="Passing on what was read costs coherency",
        law="kappa of the Universal Scalability Law is above 0 where each reads what all others "
        "say and what these have read: it grows with the square of n.",
        source="Gunther 2007",
        measure=coherency,
        cases=[Case("a mesh, 2 % is passed on", 0, ("decentralised", 0.02))],
        tolerance=Above(),
    ),
    Row(
        key="coherency-alone",
        name="Reading each other is contention",
        law="kappa is above 0 where all pairs talk.",
        source="Gunther 2007",
        measure=coherency,
        cases=[Case("a mesh, nothing is passed on", 0, ("decentralised", 0.0))],
        tolerance=Above(),
        not_reached="All agents read at the same time, each as long as there are others: this is "
        "the law's contention sigma, n / (1 + sigma (n - 1)). Only what grows with the square of n "
        "for each agent is coherency.",
    ),
    Row(
        key="sub-agents-tokens",
        name="Tokens of sub-agents beside one agent",
        law="Several agents use 15 times the tokens of a chat, one 4 times: 3.75 times as many.",
        source=f"{AGENTS}; shipped scenario research_fan_out",
        measure=lambda: over(
            tokens_of("10 searches by each of k", 3), tokens_of("one agent, 10 searches", 3)
        ),
        cases=[Case("three sub-agents, without the cache", 3.75)],
        tolerance=Tolerance(share=0.25),
        note="Ten searches for one agent, and for each of three sub-agents, are put in.",
    ),
    Row(
        key="agent-tokens",
        name="Tokens of one agent beside a chat",
        law="An agent uses 4 times the tokens of a chat, several 15 times.",
        source=f"{AGENTS}; shipped scenario research_fan_out",
        measure=lambda series: over(tokens_of(series, 3), tokens_of("a chat", 3)),
        cases=[
            Case("one agent", 4.0, ("one agent, 10 searches",)),
            Case("three sub-agents", 15.0, ("10 searches by each of k",)),
        ],
        tolerance=Tolerance(share=0.25),
        not_reached="The orders follow from the number of searches and the length of their "
        "results. Here ten are put in for an agent; with all that it reads again from the cache "
        "it is 35 times a chat.",
    ),
    Row(
        key="steps",
        name="Steps of real requests",
        law="Turns after the first of a request: mean 7.8, 90th percentile 20, 99th 86; the "
        "order of magnitude is asked.",
        source="TraceLab, published tables; shipped profile claude-sonnet-4-5-loop",
        measure=quantile_of_steps,
        cases=[
            Case("mean over the published one", 1.0, (None, 7.8)),
            Case("90th percentile over the published one", 1.0, (0.9, 20)),
            Case("99th percentile over the published one", 1.0, (0.99, 86)),
        ],
        tolerance=Between(0.5, 2.0),
    ),
    Row(
        key="median-steps",
        name="The median request has no tools",
        law="Median of 0 to 1 steps.",
        source="TraceLab, published tables; shipped profile claude-sonnet-4-5-loop",
        measure=quantile_of_steps,
        cases=[Case("", 0.5, (0.5, 1.0))],
        tolerance=Tolerance(absolute=0.5),
        not_reached="The profile was fitted to sessions of one agent at work on code, with a "
        "lognormal law of turns; half of the published requests are answered at once.",
    ),
    Row(
        key="request-tools",
        name="Calls of tools of real requests",
        law="Mean 10.8, 90th percentile 30, 99th 113 calls of tools of a request, and 1.2 for each "
        "step; the order of magnitude is asked.",
        source="TraceLab, published tables; shipped profile claude-sonnet-4-5-loop",
        measure=lambda measure, *args: measure(*args),
        cases=[
            Case("mean over the published one", 1.0, (quantile_of_tools, None, 10.8)),
            Case("90th percentile over the published one", 1.0, (quantile_of_tools, 0.9, 30)),
            Case("99th percentile over the published one", 1.0, (quantile_of_tools, 0.99, 113)),
            Case("calls of a step over the published ones", 1.0, (calls_a_step,)),
        ],
        tolerance=Between(0.5, 2.0),
        note="How many requests a session has (9.2 in the published tables) is put into a "
        "scenario, and not found.",
    ),
    Row(
        key="median-tools",
        name="The median request has two calls of tools",
        law="Median of 2 calls of tools.",
        source="TraceLab, published tables; shipped profile claude-sonnet-4-5-loop",
        measure=quantile_of_tools,
        cases=[Case("over the published one", 1.0, (0.5, 2.0))],
        tolerance=Between(0.5, 2.0),
        not_reached="As of the median of steps: requests that are answered at once are not in the "
        "profile.",
    ),
    Row(
        key="tool-share",
        name="Tools can take most of the time",
        law="T - 1 waits of s between T turns of m: (T - 1) s / ((T - 1) s + T m), up to 0.906 "
        "of the latency in published applications.",
        source="counting; arXiv 2511.00739",
        measure=share_of_tools,
        cases=[
            Case(
                f"T = {turns}, m = {m:g} s, s = {s:g} s",
                (turns - 1) * s / ((turns - 1) * s + turns * m),
                (turns, m, s),
            )
            for turns, m, s in ((2, 1.0, 19.28), (8, 1.0, 11.0), (8, 3.0, 1.0))
        ],
        note="The first wait is chosen to give what was published: the row tells that time is "
        "booked to the tools that take it, not that such tools are predicted.",
    ),
]
