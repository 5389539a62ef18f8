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
from simulator.errors import TeamsimError
from simulator.model.streams import Streams
from simulator.model.tasks import TaskGraph, broken_rule
from simulator.model.topologies import Topology
from simulator.model.topologies._topology import broken_by_channels, broken_by_managers
from simulator.model.trace import Event, Trace
from simulator.model.workloads._workload import Workload
from simulator.registry import Plugin
from simulator.scenario import Scenario

_SIZES = (1, 2, 7)
_TASKS = 12


def check_distribution(plugin: Distribution) -> None:
    """Check a distribution: its round trip, that quantiles rise, and that the cdf inverts them.

    Parameters
    ----------
    plugin : Distribution

    Raises
    ------
    AssertionError
        With the rule that is broken.
    """
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


def check_topology(plugin: Topology) -> None:
    """Check a topology: whom its channels and managers name, and runs of teams of 1, 2 and 7.

    Parameters
    ----------
    plugin : Topology
        With parameters with which one of these teams can have it.

    Raises
    ------
    AssertionError
        With the rule that is broken, and in which team.
    """
    for size in _SIZES:
        if plugin.problem_in(size) is None:
            _check_channels(plugin, size)
    _check_runs(plugin, "topology")


def check_protocol(plugin: Plugin) -> None:
    """Check a protocol, in runs of teams of 1, 2 and 7.

    Parameters
    ----------
    plugin : Protocol

    Raises
    ------
    AssertionError
        With the rule that is broken, and in which team.
    """
    _check_runs(plugin, "coordination.protocol")


def check_workload(plugin: Workload) -> None:
    """Check a workload: its tasks in a few replications, and runs of teams of 1, 2 and 7.

    Parameters
    ----------
    plugin : Workload
        Small: some 20 tasks are enough.

    Raises
    ------
    AssertionError
        With the rule that is broken, and in which team.
    """
    for replication in range(3):
        _check_tasks(plugin, plugin.graph(Streams(0, replication)))
    others = [plugin.graph(Streams(0, replication)) for replication in range(3)]
    again = [plugin.graph(Streams(0, replication)) for replication in range(3)]
    _hold(again == others, plugin, "the same seed gives other tasks")
    is_fixed = all(each == others[0] for each in others)
    _hold(plugin.is_random or is_fixed, plugin, "its tasks differ, and is_random is False")
    _check_runs(plugin, "workload")


def check_workspace(plugin: Plugin) -> None:
    """Check a workspace, in runs of teams of 1, 2 and 7.

    Parameters
    ----------
    plugin : Workspace

    Raises
    ------
    AssertionError
        With the rule that is broken, and in which team.
    """
    _check_runs(plugin, "workspace")


def check_latency(plugin: Plugin) -> None:
    """Check a latency model, in runs of teams of 1, 2 and 7.

    Parameters
    ----------
    plugin : LatencyModel

    Raises
    ------
    AssertionError
        With the rule that is broken, and in which team.
    """
    _check_runs(plugin, "team.agent.latency")


def _hold(is_so: bool, plugin: Plugin, broken: str) -> None:
    if not is_so:
        raise AssertionError(f"{plugin.kind}: {broken}")


def _check_round_trip(plugin: Plugin) -> None:
    said = yaml.safe_load(yaml.safe_dump(plugin.model_dump(mode="json")))
    _hold(type(plugin).model_validate(said) == plugin, plugin, "YAML does not bring it back")


def _check_channels(plugin: Topology, size: int) -> None:
    """Check who speaks, hears and manages in a team of so many workers."""
    managers, where = plugin.managers(size), f"{size} agents"
    rule = broken_by_managers(managers, size)
    _hold(not rule, plugin, f"{where}: {rule}")
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    rule = broken_by_channels(plugin.channels(size, rng), len(managers))
    _hold(not rule, plugin, f"{where}: {rule}")
    is_still = rng.bit_generator.state == before
    _hold(plugin.is_random or is_still, plugin, f"{where}: it draws, and is_random is False")


def _check_tasks(plugin: Workload, graph: TaskGraph) -> None:
    """Check that a graph has tasks, all of one length, and nothing that is not there."""
    rule = broken_rule(graph)
    _hold(not rule, plugin, rule)


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
        "limits": {"max_rounds": 2000, "max_calls": 20_000, "deadline_s": 50_000},
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
    try:
        second, first = (simulation.run(each.replication, each) for each in traces)
    except TeamsimError as error:
        raise AssertionError(f"{plugin.kind}: {where}: {error}") from error
    for replication, before in ((0, first), (1, second)):
        again = Simulation(scenario).run(replication)
        _hold(again == before, plugin, f"{where}: the same seed gives another run")
    _hold(first.outcome == "completed", plugin, f"{where}: {first.outcome}: {first.reason}")
    _hold(first.tasks_done == first.tasks, plugin, f"{where}: a task is lost")
    _hold(first.makespan_s > 0.0, plugin, f"{where}: calls take no time")
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
