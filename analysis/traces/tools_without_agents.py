"""Gives tools that name no agent to the agent that waited for them."""

from __future__ import annotations

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
    some = calls[calls["run_id"].isin(calls.loc[without, "run_id"]) & (is_chat | without)]
    asks = some[some["operation_name"].isin(CHATS)]
    tools = some[~some["operation_name"].isin(CHATS)]
    agents = asks.assign(agent_id=asks["agent_id"].fillna(""), chat=asks.index).groupby("run_id")
    is_single = agents["agent_id"].nunique() == 1
    single = tools["run_id"].map(is_single).astype(bool)
    first = tools.loc[single, "run_id"].map(agents["chat"].first())
    places = dict(zip(first.index.tolist(), map(int, first), strict=True))
    alone = len(places)
    several = ~asks["run_id"].map(is_single).astype(bool)
    places |= _between_calls(tools[~single], asks[several])
    are_named = set(calls.index[named])
    places = {tool: chat for tool, chat in places.items() if chat in are_named}
    calls = calls.copy()
    for name in _NAMES:
        theirs = calls[name].copy()
        theirs[list(places)] = calls[name].reindex(list(places.values())).array
        calls[name] = theirs
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


def _between_calls(tools: pd.DataFrame, chats: pd.DataFrame) -> dict[int, int]:
    """Return the call that each tool follows: the last before it of those that waited for it."""
    asked = chats.dropna(subset=["start_ns", "end_ns"])
    used = tools.dropna(subset=["start_ns", "end_ns"]).sort_values("start_ns", kind="stable")
    agents = asked.groupby(["run_id", asked["agent_id"].fillna("")], sort=False).ngroup()
    starts, ends = (asked[name].to_numpy(dtype=np.int64) for name in ("start_ns", "end_ns"))
    following = _following(agents.to_numpy(), starts, ends)
    # Of calls that end at once, the one of the agent that is named first counts as the last.
    order = np.lexsort((-agents.to_numpy(), ends))
    table = zip(
        asked["run_id"].to_numpy()[order],
        agents.to_numpy()[order].tolist(),
        ends[order].tolist(),
        following[order].tolist(),
        asked.index.to_numpy()[order].tolist(),
        strict=True,
    )
    coming = next(table, None)
    # Per run, the agents that wait: until when, and the call that they have made, the last at last.
    waiting: dict[str, dict[int, tuple[int, int]]] = {}
    found: dict[int, int] = {}
    for run, begin, end, tool in zip(
        used["run_id"], used["start_ns"].tolist(), used["end_ns"].tolist(), used.index, strict=True
    ):
        while coming is not None and coming[2] <= begin + _SLACK_NS:
            mine = waiting.setdefault(coming[0], {})
            mine.pop(coming[1], None)
            mine[coming[1]] = coming[3], coming[4]
            coming = next(table, None)
        mine, gone = waiting.get(run, {}), []
        for agent, (until, chat) in reversed(mine.items()):
            if end <= until + _SLACK_NS:
                found[int(tool)] = chat
                break
            if until + _SLACK_NS < begin:
                gone.append(agent)
        for agent in gone:  # they have gone on, and wait for no tool that begins later
            del mine[agent]
    return found


def _following(agents: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return when the next call of the agent of each call begins, in ns."""
    n = len(starts)
    after = np.maximum(ends - _SLACK_NS, starts + 1)
    times, whose = np.concatenate([after, starts]), np.concatenate([agents, agents])
    is_start = np.repeat([False, True], n)
    order = np.lexsort((is_start, times, whose))
    places = np.where(is_start[order], np.arange(2 * n), 2 * n)
    nearest = np.minimum.accumulate(places[::-1])[::-1]
    is_there = nearest < 2 * n
    at = order[np.minimum(nearest, 2 * n - 1)]
    is_there &= whose[at] == whose[order]
    result = np.empty(2 * n, dtype=np.int64)
    result[order] = np.where(is_there, times[at], _NEVER)
    return result[:n]
