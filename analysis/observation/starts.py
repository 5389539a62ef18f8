"""Which call of a tool has started which sub-agent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.observation.activity import Operations, around
from analysis.observation.runs import Run


def starts_of(run: Operations) -> dict[int, int]:
    """Return, for each agent that began and ended within a tool of its parent, that tool's call.

    Returns
    -------
    dict of int to int
        The place of the call among the run's operations, by the place of the agent among its
        agents. Of several calls it is the one that the agent's calls name, else the shortest.
    """
    found = {}
    for child, parent in run.parents.items():
        mine = run.agent == child
        start, end = run.start[mine].min(), run.end[mine].max()
        calls = [
            i
            for i in np.flatnonzero((run.agent == parent) & run.waits).tolist()
            if around(run, i)[0] <= start and end <= around(run, i)[1]
        ]
        if run.starters.get(child) in calls:
            found[child] = run.starters[child]
        elif calls:
            found[child] = int(calls[np.argmin(run.end[calls] - run.start[calls])])
    return found


def with_named_starts(
    calls: pd.DataFrame, runs: Sequence[Run], roles: Mapping[tuple[str, str], str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Give each tool that starts sub-agents a name for each of their roles.

    Parameters
    ----------
    calls : DataFrame
        The canonical calls that `runs` were made of.
    runs : sequence of Run
    roles : mapping
        Role of each agent, by run and agent.

    Returns
    -------
    DataFrame, dict of str to str
        The calls; and, by the name of a tool, the role of the sub-agents that it starts. A tool
        that starts one role keeps its name.
    """
    started: dict[object, tuple[str, str]] = {}
    for run in runs:
        of = run.operations
        for child, call in starts_of(of).items():
            tool, role = of.tool[call], roles.get((run.name, of.agents[child]), "")
            if tool is not None and role:
                started[of.rows[call]] = (tool, role)
    kinds = Counter(tool for tool, _ in set(started.values()))
    names = {
        label: tool if kinds[tool] == 1 else f"{tool}-{role}"
        for label, (tool, role) in started.items()
    }
    renamed = pd.Series(names, dtype="string")
    tools = calls["tool_name"].where(~calls.index.isin(renamed.index), renamed)
    return calls.assign(tool_name=tools), {
        names[label]: role for label, (_, role) in started.items()
    }
