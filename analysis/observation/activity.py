"""What every agent did when: in the model, in a tool, waiting for others, for people, or idle.

An agent is present from its first operation to its last. Time in a call of the model is ``model``,
whatever else the agent does meanwhile. Otherwise it is the time of the tool that it runs; but if
the tool only waits for an agent that it started, the agent waits. In a gap between operations, the
agent waits for others if any of them is at work. If none is, it waits for people if its last call
had ended its turn, for a tool that is not in the trace if that call had asked for one, and is idle
otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.requests import ASKS_TOOLS, ENDS, UNNAMED
from analysis.observation.roles import named_agents
from analysis.traces.canonical import CHATS

MODEL, WAITING, PEOPLE, IDLE = "model", "waiting for others", "people", "idle"
TOOL = "tool: "
"""Prefix of the causes of tools."""

_CLOCK_S, _CLOCK_SHARE = 0.05, 0.01
"""How far the times of a tool and of what it starts may be off: seconds, and share of the call."""

_MOST_NESTED = 20
"""Most spans of agents, one in another, that are looked through."""

_AWAY, _GAP, _ASKED, _ENDED, _MODEL, _FIRST_TOOL = range(6)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Operations:
    """The operations of one run, in the order of their starts.

    Attributes
    ----------
    start, end : ndarray, shape (n,)
        Seconds since the first start.
    agent : ndarray of int, shape (n,)
        Place in `agents`.
    tool : list of str or None
        Name of the tool; None for a call of the model.
    ends, asks, failed, cut : ndarray of bool, shape (n,)
        Whether a call of the model ended its turn, asked for tools, was not answered, or was
        cancelled before it could be.
    agents : list of str
        Ids, in the order of their first operations.
    parents : mapping of int to int
        Who started whom.
    waits : ndarray of bool, shape (n,)
        Whether it is a tool that only waits for an agent that it has started.
    rows : ndarray, shape (n,)
        Labels of their rows in the table of calls.
    starters : mapping of int to int
        By the place of an agent, the operation that has started it, where the calls name it.
    """

    start: Array
    end: Array
    agent: npt.NDArray[np.int64]
    tool: list[str | None]
    ends: npt.NDArray[np.bool_]
    asks: npt.NDArray[np.bool_]
    failed: npt.NDArray[np.bool_]
    cut: npt.NDArray[np.bool_]
    agents: list[str]
    parents: Mapping[int, int]
    waits: npt.NDArray[np.bool_]
    rows: npt.NDArray[Any]
    starters: Mapping[int, int] = field(default_factory=dict)

    @property
    def makespan_s(self) -> float:
        """From the first start to the last end."""
        return float(self.end.max()) if len(self.end) else 0.0


def operations_by_run(calls: pd.DataFrame) -> list[tuple[str, Operations]]:
    """Return each run with its calls of models and tools that have times."""
    runs = list(_by_run(calls))
    names = delegating_tools([run for _, run in runs])
    return [
        (name, replace(run, waits=np.asarray([tool in names for tool in run.tool], dtype=bool)))
        for name, run in runs
    ]


def delegating_tools(runs: Sequence[Operations]) -> list[str]:
    """Return the tools that wait for agents: during most of their calls an agent came and went.

    The caller has started this agent, and it worked during the call, but neither when the call
    began nor when it ended.
    """
    calls, waits = Counter[str](), Counter[str]()
    for run in runs:
        found = np.zeros(len(run.start), dtype=bool)
        for child, parent in run.parents.items():
            mine = np.flatnonzero(run.agent == child)
            start, end = run.start[mine], run.end[mine]
            for i in np.flatnonzero(run.agent == parent):
                if run.tool[i] is not None and not found[i]:
                    begin, over = around(run, int(i))
                    inside = (start >= begin) & (end <= over)
                    # What only touches the call, as clocks differ, is within another call.
                    slack = float(run.start[i]) - begin
                    across = (start < over - 2 * slack) & (end > begin + 2 * slack) & ~inside
                    found[i] = bool(inside.any() and not across.any())
        for tool, waited in zip(run.tool, found.tolist(), strict=True):
            if tool is not None:
                calls[tool] += 1
                waits[tool] += waited
    return [tool for tool, n in calls.items() if waits[tool] > n / 2]


def around(run: Operations, i: int) -> tuple[float, float]:
    """Return the beginning and the end of a call of a tool, as widely as clocks may differ.

    Whoever writes a trace notes the call of a tool and what the tool starts one after the other.
    """
    slack = max(_CLOCK_S, _CLOCK_SHARE * (run.end[i] - run.start[i]))
    return float(run.start[i] - slack), float(run.end[i] + slack)


def _by_run(calls: pd.DataFrame) -> Iterator[tuple[str, Operations]]:
    kind = calls["operation_name"]
    timed = calls["start_ns"].notna() & calls["end_ns"].notna()
    some = calls[(kind.isin(CHATS) | (kind == "execute_tool")) & timed]
    some = some.sort_values(["start_ns", "end_ns"], kind="stable")
    is_chat = some["operation_name"].isin(CHATS).to_numpy(dtype=bool)
    reason = some["finish_reason"].astype("string").str.lower().fillna("")
    status = some["status"].fillna("ok")
    names = some["tool_name"].fillna(UNNAMED).astype(str).to_numpy()
    columns = {
        "start": some["start_ns"].to_numpy(dtype=np.int64),
        "end": some["end_ns"].to_numpy(dtype=np.int64),
        "agent": named_agents(some["agent_id"]).to_numpy(dtype=object),
        "parent": some["parent_agent_id"].astype(object).where(some["parent_agent_id"].notna(), "")
        .to_numpy(dtype=object),
        "tool": np.asarray([None if chat else name
                            for chat, name in zip(is_chat, names, strict=True)], dtype=object),
        "ends": is_chat & reason.isin(ENDS).to_numpy(dtype=bool),
        "asks": is_chat & reason.isin(ASKS_TOOLS).to_numpy(dtype=bool),
        "failed": is_chat & (status != "ok").to_numpy(dtype=bool),
        "cut": is_chat & (status == "cancelled").to_numpy(dtype=bool),
        "rows": some.index.to_numpy(),
        "span": some["span_id"].to_numpy(dtype=object),
        "above": _above(some, calls[kind == "invoke_agent"]),
    }  # fmt: skip
    runs = some["run_id"].astype(str).reset_index(drop=True)
    for run, places in runs.groupby(runs, sort=False).indices.items():
        yield str(run), _operations({name: each[places] for name, each in columns.items()})


def _operations(rows: Mapping[str, npt.NDArray[Any]]) -> Operations:
    number, agents = pd.factorize(rows["agent"])
    place = {name: i for i, name in enumerate(agents)}
    parents: dict[int, int] = {}
    for child, parent in zip(number.tolist(), rows["parent"].tolist(), strict=True):
        if parent in place and place[parent] != child:
            parents.setdefault(child, place[parent])
    first = int(rows["start"].min())
    return Operations(
        (rows["start"] - first) / 1e9,
        (rows["end"] - first) / 1e9,
        np.asarray(number, dtype=np.int64),
        rows["tool"].tolist(),
        rows["ends"],
        rows["asks"],
        rows["failed"],
        rows["cut"],
        [str(agent) for agent in agents],
        parents,
        np.zeros(len(number), dtype=bool),
        rows["rows"],
        _starters(rows, number, parents),
    )


def _above(some: pd.DataFrame, invoked: pd.DataFrame) -> npt.NDArray[Any]:
    """Return the span above each operation that is not the work of an agent as a whole."""
    above = dict(
        zip(
            zip(invoked["trace_id"], invoked["span_id"], strict=True),
            invoked["parent_span_id"],
            strict=True,
        )
    )
    found = some["parent_span_id"].to_numpy(dtype=object).copy()
    for i, trace in enumerate(some["trace_id"]) if above else ():
        for _ in range(_MOST_NESTED):
            if (trace, found[i]) not in above:
                break
            found[i] = above[trace, found[i]]
    return found


def _starters(
    rows: Mapping[str, npt.NDArray[Any]],
    agent: npt.NDArray[np.int64],
    parents: Mapping[int, int],
) -> dict[int, int]:
    """Return the parent's operation above the first operation of each agent, if there is one."""
    if not parents:
        return {}
    place = {span: i for i, span in enumerate(rows["span"]) if isinstance(span, str)}
    found = {}
    for child, parent in parents.items():
        first = int(np.argmax(agent == child))
        start = place.get(rows["above"][first])
        if start is not None and agent[start] == parent:
            found[child] = start
    return found


@dataclass(frozen=True)
class Activity:
    """What every agent of one run did between every two moments at which something changed.

    Attributes
    ----------
    edges : ndarray, shape (m + 1,)
        Moments, in seconds since the first start.
    causes : list of str
        Names of the states, `MODEL` first; state ``k`` is ``causes[k]``.
    states : ndarray of int, shape (agents, m)
        State of each agent; -1 where it was not present.
    """

    edges: Array
    causes: list[str]
    states: npt.NDArray[np.int64]

    def seconds(self) -> dict[str, float]:
        """Return the agents' seconds by cause."""
        lengths = np.diff(self.edges)
        return {
            cause: float(((self.states == k) * lengths).sum())
            for k, cause in enumerate(self.causes)
        }

    def at_work(self) -> Array:
        """Return how many agents are in the model or in a tool, shape (m,)."""
        busy = np.asarray([c == MODEL or c.startswith(TOOL) for c in self.causes])
        return np.asarray((busy[self.states] & (self.states >= 0)).sum(axis=0), dtype=float)


def activity(run: Operations) -> Activity:
    """Return what every agent of a run did when."""
    tools = sorted({name for name in run.tool if name is not None} | {UNNAMED})
    number = {name: _FIRST_TOOL + i for i, name in enumerate(tools)}
    edges = np.unique(np.concatenate([run.start, run.end]))
    m = max(0, len(edges) - 1)
    first, last = np.searchsorted(edges, run.start), np.searchsorted(edges, run.end)
    raw = np.full((len(run.agents), m), _AWAY, dtype=np.int64)
    for agent in range(len(run.agents)):
        _fill(raw[agent], np.flatnonzero(run.agent == agent), run, number, first, last)
    if run.waits.any():
        _await_children(
            raw,
            run,
            [
                number[name]
                for name in set(run.tool)
                if name is not None and run.waits[run.tool.index(name)]
            ],
        )
    busy = raw >= _MODEL
    others = busy.sum(axis=0)[None, :] - busy
    causes = [MODEL, *(TOOL + name for name in tools), WAITING, PEOPLE, IDLE]
    waiting = len(causes) - 3
    states = np.full_like(raw, -1)
    states[busy] = raw[busy] - _MODEL
    gap = (raw > _AWAY) & ~busy
    states[gap & (others > 0)] = waiting
    alone = gap & (others == 0)
    states[alone & (raw == _ASKED)] = causes.index(TOOL + UNNAMED)
    states[alone & (raw == _ENDED)] = waiting + 1
    states[alone & (raw == _GAP)] = waiting + 2
    return Activity(edges, causes, states)


def _fill(
    row: npt.NDArray[np.int64],
    mine: npt.NDArray[np.int64],
    run: Operations,
    number: Mapping[str, int],
    first: npt.NDArray[np.int64],
    last: npt.NDArray[np.int64],
) -> None:
    """Write one agent's states: gaps first, tools over them, calls of the model over these."""
    row[first[mine].min() : last[mine].max()] = _GAP
    chats = [i for i in mine if run.tool[i] is None]
    for i, following in zip_longest(chats, chats[1:]):  # none follows the last
        kind = _ASKED if run.asks[i] else _ENDED if run.ends[i] else _GAP
        row[last[i] : len(row) if following is None else first[following]][
            : max(0, last[mine].max() - last[i])
        ] = kind
    for i in mine:
        name = run.tool[i]
        if name is not None:
            row[first[i] : last[i]] = number[name]
            after = row[last[i] :]
            # The time from the end of a tool to the next call is the harness's, not the tool's.
            stop = np.flatnonzero(after != _ASKED)
            after[: stop[0] if len(stop) else len(after)] = _GAP
    for i in chats:
        row[first[i] : last[i]] = _MODEL


def _await_children(raw: npt.NDArray[np.int64], run: Operations, delegating: Sequence[int]) -> None:
    """Turn a delegating tool into a gap, while an agent that its agent started is at work."""
    at_work = raw >= _MODEL
    for child, parent in run.parents.items():
        raw[parent, np.isin(raw[parent], delegating) & at_work[child]] = _GAP
