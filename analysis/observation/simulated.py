"""Simulated runs in the same tables as traces of real runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.breakdown.attempts import failed_requests, last_sent, resent
from analysis.breakdown.lives import lives_of
from analysis.breakdown.operations import Operation, agents_of, cost_of, operations_of
from analysis.calibration.between_turns import BETWEEN_TURNS
from analysis.calibration.loops import PAUSE
from analysis.calibration.requests import UNNAMED
from analysis.traces.canonical import CALLS
from simulator.engine import Simulation
from simulator.experiment.pool import Progress
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Trace
from simulator.scenario import Scenario

_FIELDS = ("run_id", "operation_name", "agent_id", "parent_agent_id", "agent_role", "start_ns",
           "end_ns", "input_tokens", "cache_read_input_tokens", "output_tokens", "status",
           "finish_reason", "tool_name", "cost_usd")  # fmt: skip


@dataclass(frozen=True)
class Simulated:
    """Runs of a scenario.

    Attributes
    ----------
    calls : DataFrame
        The canonical table of calls, a run a replication; ``agent_role`` is the group, the kind of
        sub-agents, or `lead`.
    metrics : list of Metrics
        Of each replication.
    """

    calls: pd.DataFrame
    metrics: list[Metrics]


def simulate(
    scenario: Scenario,
    replications: int,
    roles: Sequence[str],
    lead: str,
    progress: Progress | None = None,
) -> Simulated:
    """Run replications and return what a tracer would have written.

    Parameters
    ----------
    scenario : Scenario
    replications : int
    roles : sequence of str
        Of each worker.
    lead : str
        Role of coordinators.
    progress : callable, optional
        Told ``(replications done, replications in all)``.
    """
    simulation = Simulation(scenario)
    columns: dict[str, list[Any]] = {name: [] for name in _FIELDS}
    metrics = []
    for replication in range(replications):
        trace = Trace(replication)
        metrics.append(simulation.run(replication, trace))
        _add(columns, trace, scenario, roles, lead)
        if progress is not None:
            progress(replication + 1, replications)
    count = len(columns["run_id"])
    rows = {name: columns.get(name, [None] * count) for name in CALLS}
    table = pd.DataFrame({name: pd.Series(rows[name], dtype=CALLS[name]) for name in CALLS})
    return Simulated(table, metrics)


def _add(
    columns: dict[str, list[Any]],
    trace: Trace,
    scenario: Scenario,
    roles: Sequence[str],
    lead: str,
) -> None:
    run = str(trace.replication)
    agents = agents_of(scenario, trace.rows)
    lives = {life.agent: life for life in lives_of(trace.rows)}
    again = resent(trace.rows)
    for each in [*operations_of(trace.rows, scenario), *failed_requests(trace.rows)]:
        if each.tool == BETWEEN_TURNS:
            continue  # which no trace has a row of
        row, is_chat, life = each.row, each.tool is None, lives.get(each.agent)
        read, cached, wrote = (
            (row.input_tokens or 0, row.cached_tokens or 0, row.output_tokens or 0)
            if is_chat
            else (None, None, None)
        )
        cost = cost_of(each, agents[each.agent]) if is_chat else None
        values = (
            run,
            "chat" if is_chat else "execute_tool",
            str(each.agent),
            str(life.parent) if life else None,
            life.kind if life else roles[each.agent] if each.agent < len(roles) else lead,
            round(1e9 * (last_sent(each, again) if is_chat else each.start_s)),
            round(1e9 * each.end_s),
            read,
            cached,
            wrote,
            "cancelled" if each.is_cut_off else "error" if each.went_wrong else "ok",
            _reason(each) if is_chat else None,
            UNNAMED if each.tool == PAUSE else each.tool,
            cost,
        )
        for name, value in zip(_FIELDS, values, strict=True):
            columns[name].append(value)


def _reason(each: Operation) -> str | None:
    """Return why a call of a model ended; a request that failed has no reason to tell."""
    if each.row.event is Event.REQUEST:
        return None
    return "tool_use" if each.goes_on else "stop"
