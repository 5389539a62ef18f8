"""Checks that authors of plugins run in their own tests, a function a family.

Each raises an `AssertionError` that says which rule was broken, in which team.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from analysis.breakdown.trace_metrics import metrics_from_trace
from simulator.distributions import Distribution
from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from simulator.registry import Plugin
from simulator.scenario import Scenario

_SIZES = (1, 2, 7)
_TASKS = 12


def check_distribution(plugin: Distribution) -> None:
    """Check a distribution: its round trip, that quantiles rise, and that the cdf inverts them."""
    _check_round_trip(plugin)
    u = np.linspace(0.001, 0.999, 999)
    first, second = plugin.transform(u), plugin.transform(u)
    _hold(np.array_equal(first, second), plugin, "the same uniforms give other draws")
    _hold(bool(np.all(np.isfinite(first))), plugin, "a draw is no finite number")
    _hold(bool(np.all(np.diff(first) >= 0.0)), plugin, "quantiles fall somewhere")
    held = plugin.probability_up_to(first)
    _hold(bool(np.all(held >= u - 1e-6)), plugin, "the cdf at a quantile is below its probability")
    below = plugin.probability_up_to(first - 1e-6 * (1.0 + np.abs(first)))
    _hold(bool(np.all(below <= u + 1e-6)), plugin, "the cdf below a quantile is above it")


def check_topology(plugin: Plugin) -> None:
    """Check a topology, in runs of teams of 1, 2 and 7."""
    _check_runs(plugin, "topology")


def check_protocol(plugin: Plugin) -> None:
    """Check a protocol, in runs of teams of 1, 2 and 7."""
    _check_runs(plugin, "coordination.protocol")


def check_workload(plugin: Plugin) -> None:
    """Check a workload, in runs of teams of 1, 2 and 7."""
    _check_runs(plugin, "workload")


def check_workspace(plugin: Plugin) -> None:
    """Check a workspace, in runs of teams of 1, 2 and 7."""
    _check_runs(plugin, "workspace")


def check_latency(plugin: Plugin) -> None:
    """Check a latency model, in runs of teams of 1, 2 and 7."""
    _check_runs(plugin, "team.agent.latency")


def _hold(is_so: bool, plugin: Plugin, broken: str) -> None:
    if not is_so:
        raise AssertionError(f"{plugin.kind}: {broken}")


def _check_round_trip(plugin: Plugin) -> None:
    said = yaml.safe_load(yaml.safe_dump(plugin.model_dump(mode="json")))
    _hold(type(plugin).model_validate(said) == plugin, plugin, "YAML does not bring it back")


def _check_runs(plugin: Plugin, path: str) -> None:
    _check_round_trip(plugin)
    teams = list(_teams(plugin, path))
    _hold(bool(teams), plugin, "no team of 1, 2 or 7 can have it")
    for where, scenario in teams:
        _check_run(plugin, scenario, where)


def _teams(plugin: Plugin, path: str) -> Iterator[tuple[str, Scenario]]:
    """Yield teams that can have a plugin, in both timings."""
    for size in _SIZES:
        for timing in ("rounds", "asynchronous"):
            for topology in ("decentralised", "centralised"):
                try:
                    scenario = Scenario.model_validate(
                        _document(plugin, path, size, timing, topology)
                    )
                except ValidationError:
                    continue
                yield f"{size} agents, {timing}", scenario
                break


def _document(plugin: Plugin, path: str, size: int, timing: str, topology: str) -> dict[str, Any]:
    latency = {"kind": "seconds", "base": {"kind": "lognormal", "median": 2, "sigma": 0.5}}
    document: dict[str, Any] = {
        "name": "check",
        "team": {"size": size, "agent": {"latency": latency, "behaviour": {"talk": 0.5}}},
        "topology": topology,
        "coordination": {"protocol": "self_claim", "timing": timing},
        "workload": {"kind": "parallel_fraction", "tasks": _TASKS, "parallel_fraction": 0.7},
        "limits": {"max_rounds": 2000, "max_calls": 20_000},
    }
    *parents, last = path.split(".")
    node = document
    for key in parents:
        node = node[key]
    node[last] = plugin
    return document


def _check_run(plugin: Plugin, scenario: Scenario, where: str) -> None:
    simulation = Simulation(scenario)
    traces = [Trace(replication) for replication in (1, 0)]
    second, first = (simulation.run(each.replication, each) for each in traces)
    for replication, before in ((0, first), (1, second)):
        again = Simulation(scenario).run(replication)
        _hold(again == before, plugin, f"{where}: the same seed gives another run")
    _hold(first.outcome == "completed", plugin, f"{where}: {first.outcome}: {first.reason}")
    _hold(first.tasks_done == first.tasks, plugin, f"{where}: a task is lost")
    spent = first.work_s + first.rework_s + first.wasted_s + first.coordination_s
    spent += first.waiting_s + first.down_s
    whole = first.agents * first.makespan_s
    _hold(abs(spent - whole) <= 1e-7 * (1.0 + whole), plugin, f"{where}: times do not add up")
    _check_course(plugin, traces[1], where)
    told = metrics_from_trace(traces[1].rows, first.agents, first.tasks, scenario.team.worker_count)
    for name in ("calls", "tasks_done", "messages", "deliveries", "output_tokens"):
        found, expected = getattr(told, name), getattr(first, name)
        _hold(found == expected, plugin, f"{where}: {name} is {expected}, the trace has {found}")


def _check_course(plugin: Plugin, trace: Trace, where: str) -> None:
    open_: dict[int | None, float] = {}
    now = 0.0
    for row in trace.rows:
        _hold(row.time_s >= now, plugin, f"{where}: time runs back")
        now = row.time_s
        if row.event == Event.CALL_START:
            _hold(row.call not in open_, plugin, f"{where}: call {row.call} begins twice")
            open_[row.call] = now
        elif row.event == Event.CALL_END:
            _hold(row.call in open_, plugin, f"{where}: call {row.call} ends without a beginning")
            del open_[row.call]
    _hold(not open_, plugin, f"{where}: calls {sorted(map(str, open_))} never end")
