"""Tells apart the agents of one name whose calls of the model ran at the same time.

A graph that sends a part of its work to each of many nodes, or a program that works through a list
five items at a time, gives all of them one name and often no span around each. An agent waits for
its call of the model; so calls that overlap are those of several agents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.requests import ASKS_TOOLS
from analysis.observation.roles import named_agents
from analysis.observation.started_again import with_more_agents
from analysis.traces.canonical import CHATS, Traces
from simulator.words import counted

_SHARE = 0.05
"""Share of an agent's time in the model, in all runs, that must overlap. Less is a call or two
beside its work, such as one that finds a title."""

_TOUCH_S = 0.002
"""Calls that overlap by no more follow each other: clocks are read at different places."""


@dataclass(frozen=True)
class _Rows:
    """The operations of one agent name in one run, in the order of their starts."""

    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]
    is_chat: npt.NDArray[np.bool_]
    asks: npt.NDArray[np.bool_]
    read: npt.NDArray[np.float64]
    above: Sequence[object]


@dataclass
class _Lane:
    """One of the agents.

    Attributes
    ----------
    chat : int
        Its last call of the model.
    until : float
        When all that it has done has ended.
    is_open : bool
        Whether its last call asked for tools, or a tool has run since.
    """

    chat: int
    until: float
    is_open: bool


def with_agents_at_once(traces: Traces) -> tuple[Traces, list[str]]:
    """Give each of several agents of one name that called the model at once an id of its own.

    Returns
    -------
    Traces, list of str
        The traces, and a note of how many names these were.
    """
    calls = traces.calls
    kind = calls["operation_name"]
    timed = calls["start_ns"].notna() & calls["end_ns"].notna()
    some = calls[(kind.isin(CHATS) | (kind == "execute_tool")) & timed]
    some = some.sort_values(["start_ns", "end_ns"], kind="stable")
    names = named_agents(some["agent_id"])
    of_chats = some["operation_name"].isin(CHATS)
    several = _at_once(some[of_chats], names[of_chats])
    identity: dict[object, str] = {}
    new: dict[tuple[str, str], tuple[str, str | None]] = {}
    taken = set(zip(some["run_id"].astype(str), names, strict=True))
    chosen = some[names.isin(several)]
    for (run, name), mine in chosen.groupby([chosen["run_id"].astype(str), names]):
        lanes = _lanes(_rows(mine))
        ids = [str(name)]
        while len(ids) <= max(lanes):
            number = len(ids) + 1
            while (str(run), f"{name}#{number}") in taken:
                number += 1
            ids.append(f"{name}#{number}")
            taken.add((str(run), ids[-1]))
            new[str(run), ids[-1]] = str(name), None
        identity |= {
            row: ids[lane] for row, lane in zip(mine.index, lanes, strict=True) if lane > 0
        }
    if not identity:
        return traces, []
    changed = pd.Series(identity, dtype="string").reindex(calls.index)
    calls = calls.assign(agent_id=changed.fillna(calls["agent_id"].astype("string")))
    note = (
        f"{counted(len(several), 'name')} of agents that called the model several times at once: "
        "each is taken for as many agents as worked at a time"
    )
    return replace(traces, calls=calls, agents=with_more_agents(traces.agents, new)), [note]


def _at_once(chats: pd.DataFrame, names: pd.Series) -> list[str]:
    """Return the names whose calls overlap each other by more than a little."""
    start, end = (chats[column].astype(float) / 1e9 for column in ("start_ns", "end_ns"))
    each = [chats["run_id"].astype(str), names]
    reached = end.groupby(each).cummax().groupby(each).shift()
    shared = (end.where(end < reached, reached) - start - _TOUCH_S).clip(lower=0.0).fillna(0.0)
    shares = shared.groupby(names).sum() / (end - start).groupby(names).sum().clip(lower=1e-9)
    return [str(name) for name in shares.index[shares > _SHARE]]


def _rows(mine: pd.DataFrame) -> _Rows:
    reason = mine["finish_reason"].astype("string").str.lower()
    return _Rows(
        (mine["start_ns"] / 1e9).to_numpy(dtype=float),
        (mine["end_ns"] / 1e9).to_numpy(dtype=float),
        mine["operation_name"].isin(CHATS).to_numpy(dtype=bool),
        (reason.isin(ASKS_TOOLS) | reason.isna()).to_numpy(dtype=bool),
        np.asarray(mine["input_tokens"].astype("Float64").astype(float), dtype=np.float64),
        list(zip(mine["trace_id"], mine["parent_span_id"].fillna(""), strict=True)),
    )


def _lanes(rows: _Rows) -> list[int]:
    """Return the number of the agent of each operation.

    A tool belongs to the agent whose call ended last before it began. A call of the model goes on
    with the work of an agent that has ended what it did before, had asked for tools, and had read
    no more: under the same span, if there is one, else the one that ended last. If none can go
    on, it is the first call of an agent that is free.
    """
    lanes: list[_Lane] = []
    found = []
    for i in range(len(rows.start)):
        begin = rows.start[i] + _TOUCH_S
        if rows.is_chat[i]:
            number = _goes_on(rows, lanes, i)
            if number is None:
                free = [k for k, lane in enumerate(lanes) if lane.until <= begin]
                ended = [k for k in free if not lanes[k].is_open]
                number = (ended or free or [len(lanes)])[0]
            if number == len(lanes):
                lanes.append(_Lane(i, 0.0, False))
            lanes[number] = _Lane(i, float(rows.end[i]), bool(rows.asks[i]))
        else:
            asked = [k for k, lane in enumerate(lanes) if rows.end[lane.chat] <= begin]
            number = max(asked, key=lambda k: _nearness(rows, lanes[k], i), default=0)
            if lanes:
                lane = lanes[number]
                lanes[number] = _Lane(lane.chat, max(lane.until, float(rows.end[i])), True)
        found.append(number)
    return found


def _goes_on(rows: _Rows, lanes: Sequence[_Lane], i: int) -> int | None:
    able = [
        k
        for k, lane in enumerate(lanes)
        if lane.is_open
        and lane.until <= rows.start[i] + _TOUCH_S
        and not rows.read[i] < rows.read[lane.chat]
    ]
    return max(able, key=lambda k: _nearness(rows, lanes[k], i), default=None)


def _nearness(rows: _Rows, lane: _Lane, i: int) -> tuple[bool, float]:
    """Return what tells how likely an agent is to have gone on: more is likelier."""
    end = lane.until if rows.is_chat[i] else float(rows.end[lane.chat])
    return rows.above[lane.chat] == rows.above[i], end
