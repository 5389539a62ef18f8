"""Tells apart the sub-agents of one name that tools start one after another.

Many programs name an agent and do not number it: a ``researcher`` that a tool starts in the morning
and again in the evening is one agent of the trace. But it began anew the second time, as another
sub-agent would. If all that an agent did is within calls of tools of the agent above it, each of
these calls has started a sub-agent of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from analysis.observation.activity import Operations, around, operations_by_run
from analysis.traces.canonical import Traces
from simulator.words import counted


def with_each_start(traces: Traces) -> tuple[Traces, list[str]]:
    """Give each sub-agent an id of its own, where tools started several of one name.

    Returns
    -------
    Traces, list of str
        The traces, and a note of how many agents were started again.
    """
    calls = traces.calls
    if not calls["parent_agent_id"].notna().any():
        return traces, []
    agents: dict[Any, str] = {}
    parents: dict[Any, str] = {}
    new: dict[tuple[str, str], tuple[str, str | None]] = {}
    for name, run in operations_by_run(calls):
        identity, above = _each_start(run)
        for place, (row, agent) in enumerate(zip(run.rows, run.agent, strict=True)):
            was, parent = run.agents[agent], above.get(place)
            if parent is not None:
                parents[row] = parent
            if identity[place] != was:
                agents[row] = identity[place]
                new[name, identity[place]] = was, parent
            elif parent is not None:
                new.setdefault((name, was), (was, parent))
    again = {(run, was) for (run, now), (was, _) in new.items() if now != was}
    if not again:
        return traces, []
    changed = calls.assign(
        agent_id=_changed(calls["agent_id"], agents),
        parent_agent_id=_changed(calls["parent_agent_id"], parents),
    )
    n = len(again)
    said = f"{counted(n, 'agent')} started again by tools"
    note = f"{said}: each start is taken for a sub-agent"
    return replace(traces, calls=changed, agents=with_more_agents(traces.agents, new)), [note]


def _changed(column: pd.Series, values: Mapping[Any, Any]) -> pd.Series:
    if not values:
        return column
    new = pd.Series(values, dtype=object)
    return column.astype(object).where(~column.index.isin(new.index), new).astype("string")


def with_more_agents(
    agents: pd.DataFrame, new: Mapping[tuple[str, str], tuple[str, str | None]]
) -> pd.DataFrame:
    """Return the agents with a row for each new one, like its namesake's, and its parent."""
    more = pd.DataFrame(
        [(run, was, now, parent) for (run, now), (was, parent) in new.items()],
        columns=["run_id", "agent_id", "now", "parent"],
        dtype="string",
    ).merge(agents, on=["run_id", "agent_id"])
    more["parent_agent_id"] = more["parent"].fillna(more["parent_agent_id"])
    more["agent_id"] = more["now"]
    both = pd.concat([more[agents.columns], agents], ignore_index=True)
    return both.drop_duplicates(["run_id", "agent_id"], ignore_index=True)


def _each_start(run: Operations) -> tuple[np.ndarray, dict[int, str]]:
    """Return the sub-agent of each operation, and who started it where that has changed."""
    identity = np.asarray(run.agents, dtype=object)[run.agent]
    taken = set(run.agents)
    above: dict[int, str] = {}
    for child in _from_the_top(run.parents):
        mine = np.flatnonzero(run.agent == child)
        calls = _calls_around(run, mine, run.parents[child])
        starts = list(dict.fromkeys(calls))
        if not starts or None in starts:
            continue
        names = {starts[0]: run.agents[child]}
        for call in starts[1:]:
            number = 2
            while (name := f"{run.agents[child]}#{number}") in taken:
                number += 1
            taken.add(name)
            names[call] = name
        for place, call in zip(mine.tolist(), calls, strict=True):
            identity[place] = names[call]
            if call is not None and identity[call] != run.agents[run.parents[child]]:
                above[place] = identity[call]
    return identity, above


def _from_the_top(parents: Mapping[int, int]) -> list[int]:
    """Return the agents that have parents, those nearest to the top first; none in a circle."""
    graph = nx.DiGraph([(parent, child) for child, parent in parents.items()])
    if not nx.is_directed_acyclic_graph(graph):
        return []
    return [agent for agent in nx.topological_sort(graph) if agent in parents]


def _calls_around(run: Operations, mine: np.ndarray, parent: int) -> list[int | None]:
    """Return the parent's call of a tool around each operation; the same one as long as it is."""
    tools = np.flatnonzero((run.agent == parent) & run.waits).tolist()
    spans = {call: around(run, call) for call in tools}
    found: list[int | None] = []
    for place in mine.tolist():
        start, end = run.start[place], run.end[place]
        holding = [call for call, (begin, over) in spans.items() if begin <= start and end <= over]
        last = found[-1] if found else None
        if last in holding:
            found.append(last)
        else:
            # Of calls at once, the one that lasts longest: as few starts as can be.
            found.append(max(holding, key=lambda call: spans[call][1], default=None))
    return found
