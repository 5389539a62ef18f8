"""Observes a team: from its traces to what happened, its twin, and a comparison of the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.calibration.told_requests import with_told_requests
from analysis.observation.activity import delegating_tools
from analysis.observation.at_once import with_agents_at_once
from analysis.observation.building import build_twin
from analysis.observation.comparison import Comparison, compare
from analysis.observation.costs import with_costs
from analysis.observation.critical_path import critical_path
from analysis.observation.hand_overs import with_hand_overs
from analysis.observation.helpers import with_helpers
from analysis.observation.roles import roles_by_agent, roles_of
from analysis.observation.runs import Run, as_told, run_table, runs_of
from analysis.observation.started_again import with_each_start
from analysis.observation.starts import with_named_starts
from analysis.observation.structure import SINGLE, SUBAGENTS, Structure, find_structure
from analysis.observation.tuning import tune
from analysis.observation.twin import Observed, Twin
from analysis.observation.typical_runs import of_roles
from analysis.traces.canonical import CHATS, Traces
from simulator.errors import TeamsimError
from simulator.experiment.pool import Progress
from simulator.words import counted

Bars = Callable[[str], AbstractContextManager[Progress]]
"""Makes a progress bar for a named step of the work."""


@dataclass(frozen=True)
class Observation:
    """What happened in the traces of a team, and its twin.

    Attributes
    ----------
    traces : Traces
        The traces that were used, with costs filled in.
    runs : list of Run
        The runs that have times.
    table : DataFrame
        A row a run, from `run_table`.
    roles : DataFrame
        A row an agent of a run, from `roles_of`.
    structure : Structure
    path : DataFrame
        Critical paths: ``run_id, agent, role, what, start_s, end_s``.
    costs : str
        Source of the costs.
    notes : list of str
        Assumptions made in reading the traces.
    twin : Twin
    simulated : DataFrame
        A row a simulated run.
    comparison : Comparison
    """

    traces: Traces
    runs: list[Run]
    table: pd.DataFrame
    roles: pd.DataFrame
    structure: Structure
    path: pd.DataFrame
    costs: str
    notes: list[str]
    twin: Twin
    simulated: pd.DataFrame
    comparison: Comparison


def _no_bar(_: str) -> AbstractContextManager[Progress]:
    return nullcontext(lambda done, total: None)


def observe(
    traces: Traces, name: str, replications: int = 200, bars: Bars = _no_bar, seed: int = 1
) -> Observation:
    """Observe a team and make its twin.

    Parameters
    ----------
    traces : Traces
    name : str
        Name of the twin's scenario.
    replications : int
        Runs of the twin.
    bars : callable, optional
        Makes progress bars.
    seed : int
        Of the twin: it is tuned and run with its random numbers.

    Raises
    ------
    TeamsimError
        If there are no calls of models with times.
    """
    traces, notes = with_opaque_agents(traces)
    traces, started = with_each_start(traces)
    traces, at_once = with_agents_at_once(traces)
    traces, handed = with_hand_overs(traces)
    notes += started + at_once + handed
    calls, costs = with_costs(with_told_requests(traces.calls), traces.prices)
    traces = replace(traces, calls=calls)
    runs = runs_of(calls)
    if not any(tool is None for run in runs for tool in run.operations.tool):
        raise TeamsimError(
            "no call of a model has a start and an end: without times there is nothing to observe"
        )
    roles = roles_of(calls, traces.agents)
    structure = find_structure(runs, roles, traces.messages)
    asked, lacks = traces, list[str]()
    if structure.kind in (SINGLE, SUBAGENTS):
        helped = with_helpers(traces, roles_by_agent(roles))
        traces, asked, lacks = helped.traces, helped.asked, helped.lacks
        notes += helped.notes
        calls = traces.calls
        runs, roles = runs_of(calls), roles_of(calls, traces.agents)
        structure = find_structure(runs, roles, traces.messages)
    seen = observed_of(asked, runs_of(asked.calls) if lacks else runs, roles, structure)
    table = run_table(runs, calls)
    with bars("twin") as progress:
        twin = build_twin(seen, name, seed)
        twin.lack(*lacks)
        own = {run.name for run in seen.runs}
        chosen = table[table["run_id"].isin(own)]
        tune(twin, of_roles(seen.calls, seen.role_of_calls()), chosen, progress)
    with bars("replications") as progress:
        made = twin.runs(replications, progress)
    told = as_told(made.calls, calls)
    simulated = run_table(runs_of(told), told)
    is_tool = seen.calls["operation_name"] == "execute_tool"
    told_of = set(seen.role_of_calls()[is_tool])
    # The calls of tools that are known from the gaps between turns alone are in the twin only.
    has_tools = told_of >= {role for role, fit in twin.fits.items() if fit.spec.get("tools")}
    return Observation(
        traces,
        runs,
        table,
        roles,
        structure,
        _paths(runs, roles),
        costs,
        notes,
        twin,
        simulated,
        compare(chosen, simulated, structure, has_tools and bool(told_of)),
    )


def observed_of(
    traces: Traces, runs: Sequence[Run], roles: pd.DataFrame, structure: Structure
) -> Observed:
    """Return the runs that have the structure that was found, for the twin."""
    role = roles_by_agent(roles)
    kept = [run for run in runs if structure.kinds.get(run.name, structure.kind) == structure.kind]
    calls = _of_runs(traces.calls, kept)
    starts: dict[str, str] = {}
    if structure.kind == SUBAGENTS:
        named, starts = with_named_starts(traces.calls, kept, role)
        calls = _of_runs(named, kept)
    waiting = delegating_tools([run.operations for run in kept])
    delegating = tuple(tool for tool in waiting if tool not in starts)
    return Observed(
        calls,
        kept,
        role,
        structure,
        delegating,
        starts,
        traces.tasks,
        traces.messages,
        traces.prices,
        traces.called,
    )


def _of_runs(calls: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    names = {run.name for run in runs}
    return calls[calls["run_id"].astype(str).isin(names)].reset_index(drop=True)


def _paths(runs: Sequence[Run], roles: pd.DataFrame) -> pd.DataFrame:
    role = roles_by_agent(roles)
    found = []
    for run in runs:
        parents = run.operations.parents
        path = critical_path(run.operations, list(parents.items()) if parents else None)
        path.insert(0, "run_id", run.name)
        path.insert(2, "role", [role.get((run.name, agent), "") for agent in path["agent"]])
        found.append(path)
    return pd.concat(found, ignore_index=True)


def with_opaque_agents(traces: Traces) -> tuple[Traces, list[str]]:
    """If no call of an agent is known, take each of its invocations as one call.

    Returns
    -------
    Traces, list of str
        The traces, and a note of how many agents these were.
    """
    calls = traces.calls
    keys = pd.Series(
        list(zip(calls["run_id"], calls["agent_id"].fillna(""), strict=True)), index=calls.index
    )
    is_chat = calls["operation_name"].isin(CHATS)
    is_invoked = (calls["operation_name"] == "invoke_agent") & calls["agent_id"].notna()
    seen = set(keys[is_chat])
    parents = set(
        zip(calls.loc[is_invoked, "run_id"], calls.loc[is_invoked, "parent_agent_id"], strict=True)
    )
    opaque = is_invoked & ~keys.isin(list(seen)) & ~keys.isin(list(parents - {None}))
    if not opaque.any():
        return traces, []
    calls = calls.assign(operation_name=calls["operation_name"].mask(opaque, "chat"))
    n = keys[opaque].nunique()
    note = f"{counted(n, 'agent')} of which no call is known: each invocation is taken for one call"
    calls = calls.assign(operation_name=calls["operation_name"].astype("string"))
    return replace(traces, calls=calls), [note]


def middle_run(observation: Observation) -> str:
    """Return the run of median length, among those with the structure that was found."""
    table = observation.table.sort_values("makespan_s").reset_index(drop=True)
    kinds = observation.structure.kinds
    same = table[[kinds.get(run) == observation.structure.kind for run in table["run_id"]]]
    some = same if len(same) else table
    return str(some["run_id"].iloc[int(np.ceil(len(some) / 2)) - 1])
