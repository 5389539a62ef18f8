"""Gives tools that name no agent to the agent that waited for them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from analysis.traces.canonical import CHATS
from simulator.words import counted

_SLACK_NS = 1_000_000
"""A tool may begin and end so much before and after the calls around it: clocks are rounded."""

_NEVER = np.iinfo(np.int64).max - _SLACK_NS

_OF_AGENTS = {"invoke_agent", "handoff"}
"""Operations that are no work of an agent."""

_OTHERS = (
    "{} of models name no agent, in runs whose others do: taken as those of one more agent of "
    "each run"
)

_NAMES = ("agent_id", "agent_name", "agent_role", "parent_agent_id")


def with_agents(calls: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the calls, and notes, in which tools have an agent where calls of models have one.

    Writers that name the agent of each call of a model often name none of a tool's. It is that of
    the run's only agent. Of several, it is the one in whose time between two calls the tool lies,
    and whose call ended last before it: agents go on when their tools have answered. One that lies
    in nobody's time is left without, as are all in runs that name no agents.

    Parameters
    ----------
    calls : DataFrame
        The canonical table, times in ns.
    """
    is_chat = calls["operation_name"].isin(CHATS)
    named = calls["agent_id"].notna()
    naming = calls["run_id"].isin(calls.loc[is_chat & named, "run_id"].unique())
    others = int((is_chat & ~named & naming).sum())
    notes = [] if not others else [_OTHERS.format(counted(others, "call"))]
    without = ~is_chat & ~named & ~calls["operation_name"].isin(_OF_AGENTS)
    without &= naming
    if not without.any():
        return calls, notes
    places: dict[int, int] = {}
    alone = 0
    some = calls[calls["run_id"].isin(calls.loc[without, "run_id"]) & (is_chat | without)]
    for _, run in some.groupby("run_id", sort=False):
        asks = run["operation_name"].isin(CHATS)
        agents = [each for _, each in run[asks].groupby(run["agent_id"].fillna(""), sort=False)]
        tools = run[~asks]
        if len(agents) == 1:
            alone += len(tools)
            places |= dict.fromkeys(tools.index, int(agents[0].index[0]))
        else:
            places |= _between_calls(tools, agents)
    are_named = set(calls.index[named])
    places = {tool: chat for tool, chat in places.items() if chat in are_named}
    calls = calls.copy()
    for name in _NAMES:
        theirs = calls[name].reindex(list(places.values())).array
        calls.loc[list(places), name] = theirs
    n = int(without.sum())
    left = int((without & calls["agent_id"].isna()).sum())
    said = []
    if alone:
        said.append(f"{alone:,} of the only agent of their run")
    if len(places) > alone:
        said.append(f"{len(places) - alone:,} of the agent between whose calls they lie")
    if left:
        said.append(f"{left:,} of nobody (they lie between no agent's calls)")
    return calls, [
        *notes,
        f"{counted(n, 'call')} of tools name no agent: taken as {', '.join(said)}",
    ]


def _between_calls(tools: pd.DataFrame, agents: Iterable[pd.DataFrame]) -> dict[int, int]:
    """Return the call that each tool follows: the last before it of those that waited for it."""
    known = tools.dropna(subset=["start_ns", "end_ns"])
    begin, end = (known[name].to_numpy(dtype=np.int64) for name in ("start_ns", "end_ns"))
    best = np.full(len(known), np.iinfo(np.int64).min)
    found = np.full(len(known), -1)
    for each in agents:
        mine = each.dropna(subset=["start_ns", "end_ns"]).sort_values("end_ns")
        if mine.empty:
            continue
        ends = mine["end_ns"].to_numpy(dtype=np.int64)
        starts = np.append(np.sort(mine["start_ns"].to_numpy(dtype=np.int64)), _NEVER)
        last = np.searchsorted(ends, begin + _SLACK_NS, side="right") - 1
        after = ends[np.maximum(last, 0)]
        following = starts[np.searchsorted(starts[:-1], after - _SLACK_NS, side="left")]
        fits = (last >= 0) & (end <= following + _SLACK_NS)
        is_nearer = fits & (after > best)
        best[is_nearer] = after[is_nearer]
        found[is_nearer] = mine.index.to_numpy()[last[is_nearer]]
    return {
        int(tool): int(chat) for tool, chat in zip(known.index, found, strict=True) if chat >= 0
    }
