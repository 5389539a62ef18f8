"""The critical path of a run: operations, one after another, that took as long as the run.

It is found backwards from the last operation to finish, as in program activity graphs (Yang &
Miller 1988). The predecessor of an operation is the one that ended last before it began, of the
same agent or of a related one: the agent that started it, an agent that it started, or an agent
that sent it a message. If the trace shows no relations between agents, all agents count.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from analysis.observation.activity import MODEL, TOOL, Operations

GAP = "between operations"

_SAME_NS = 1e-6
"""Seconds by which the clocks of two agents may differ at the same moment."""


def critical_path(
    run: Operations, related: Collection[tuple[int, int]] | None = None
) -> pd.DataFrame:
    """Return the critical path, first step first.

    Parameters
    ----------
    run : Operations
    related : collection of (int, int), optional
        Pairs of agents, one of which may have waited for the other; all pairs when absent.

    Returns
    -------
    DataFrame
        A row a step: ``agent`` (id), ``what`` (`MODEL`, a tool or `GAP`), ``start_s``, ``end_s``.
        The steps cover the time from the first start to the last end without gaps.
    """
    kept = np.flatnonzero(~run.waits)
    if not len(kept):
        return pd.DataFrame(columns=["agent", "what", "start_s", "end_s"])
    by_end = kept[np.argsort(run.end[kept], kind="stable")]
    ends = run.end[by_end]
    pairs = None if related is None else {(a, b) for a, b in related} | {(b, a) for a, b in related}
    steps: list[tuple[str, str, float, float]] = []
    at, until = int(by_end[-1]), float(ends[-1])
    while True:
        agent, tool = int(run.agent[at]), run.tool[at]
        what = MODEL if tool is None else TOOL + tool
        begin = float(run.start[at])
        steps.append((run.agents[agent], what, begin, until))
        before = _before(run, by_end, ends, at, begin, pairs)
        if before is None:
            break
        ended = min(float(run.end[before]), begin)
        if begin - ended > _SAME_NS:
            steps.append((run.agents[agent], GAP, ended, begin))
        at, until = before, ended
    return pd.DataFrame(steps[::-1], columns=["agent", "what", "start_s", "end_s"])


def _before(
    run: Operations,
    by_end: np.ndarray,
    ends: np.ndarray,
    at: int,
    begin: float,
    pairs: Collection[tuple[int, int]] | None,
) -> int | None:
    """Return the operation that ended last before one began, among those it may have waited for."""
    agent = int(run.agent[at])
    for place in range(int(np.searchsorted(ends, begin + _SAME_NS, side="right")) - 1, -1, -1):
        other = int(by_end[place])
        if run.start[other] >= begin:
            continue  # at the same moment, of no length
        whose = int(run.agent[other])
        if whose == agent or pairs is None or (agent, whose) in pairs:
            return other
    return None
