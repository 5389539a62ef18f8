"""Calls that an agent makes beside its conversation, with contexts of their own.

A large model plans and has a small one apply each edit; a harness has a small model sum up what a
tool has found. Traces give all of these calls to one agent. But its conversation goes on without
them, as large as before: they are those of helpers that it asks. In the twin each begins anew, also
those that go on with a context of their own: what they read, and find in a cache, is so on average.
`analysis.observation.helpers` makes agents of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.requests import ASKS_TOOLS
from analysis.calibration.windows import LEAST_FALL
from analysis.observation.roles import named_agents
from analysis.traces.canonical import CHATS, named_models

_LEFT = 1.0 - LEAST_FALL
"""A call that reads less than this share of what another has read does not go on with it."""

_BACK = 0.95
"""Share of its level to which a conversation comes back after calls beside it."""

_LONGEST = 10
"""Most calls of the conversation's own model in a row that may be beside it. A context that was
compacted grows back, too, but slowly."""

_FALLS = 1.0 / 3.0
"""Share of the calls from which prompts that are shorter than the one before make no conversation
(`analysis.observation.new_contexts`)."""

_PACE = 1.5
"""Models that go on with one conversation read more at the same pace, times this at most: their
tokens are of different lengths."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Calls:
    """The answered calls of one agent in one run, in order, with known inputs."""

    rows: npt.NDArray[Any]
    role: str
    model: npt.NDArray[Any]
    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]
    read: npt.NDArray[np.float64]
    asks: Bools


@dataclass(frozen=True)
class Episode:
    """Calls of one model in a row beside the conversation of an agent.

    Attributes
    ----------
    run, agent, role, model : str
    rows : sequence
        Labels of the calls in the table.
    read : sequence of float
        Tokens that each has read.
    begin, end : float
        Seconds.
    after : object
        Label of the conversation's call before; None if there is none.
    is_asked : bool
        Whether that turn went on, and the conversation after it, as with what a tool does.
    """

    run: str
    agent: str
    role: str
    model: str
    rows: Sequence[Any]
    read: Sequence[float]
    begin: float
    end: float
    after: Any
    is_asked: bool


def episodes_of(calls: pd.DataFrame, role: Mapping[tuple[str, str], str]) -> list[Episode]:
    """Return the calls beside conversations, in the order of runs and agents.

    Parameters
    ----------
    calls : DataFrame
        The canonical table.
    role : mapping
        Role of each agent, by run and agent.
    """
    agents = list(_by_agent(calls, role))
    found: list[Episode] = []
    for name in dict.fromkeys(each.role for _, _, each in agents):
        mine = [each for each in agents if each[2].role == name]
        ways = [_with_main(mine, main) for main in _models(mine)]
        places = [i for i, some in enumerate(ways) if some]
        places.sort(key=[_unasked(some) for some in ways].__getitem__)
        found += ways[places[0]] if places else []
    return found


def _unasked(episodes: list[Episode]) -> int:
    return sum(len(each.rows) for each in episodes if not each.is_asked)


Agents = Sequence[tuple[str, str, "_Calls"]]
"""Run, agent, and its calls."""


def _models(agents: Agents) -> list[str]:
    """Return the models of a role, the one that has read most first."""
    read: Counter[str] = Counter()
    for _, _, calls in agents:
        for model, tokens in zip(calls.model, calls.read, strict=True):
            read[str(model)] += int(tokens)
    return [model for model, _ in read.most_common()]


def _with_main(agents: Agents, main: str) -> list[Episode]:
    """Return the calls beside conversations, if these are with one of a role's models."""
    chosen = _models_beside([calls for _, _, calls in agents], main)
    return [
        episode
        for run, agent, calls in agents
        for episode in _episodes(run, agent, calls, _beside(calls, main, chosen))
    ]


def _by_agent(
    calls: pd.DataFrame, role: Mapping[tuple[str, str], str]
) -> Iterator[tuple[str, str, _Calls]]:
    timed = calls["start_ns"].notna() & calls["end_ns"].notna()
    asked = calls[timed & (calls["operation_name"] == "execute_tool")]
    tools = {
        key: np.sort(some.to_numpy(dtype=float) / 1e9)
        for key, some in asked["start_ns"].groupby(
            [asked["run_id"].astype(str), named_agents(asked["agent_id"])]
        )
    }
    is_known = calls["input_tokens"].notna() & (calls["status"].fillna("ok") == "ok")
    chats = calls[timed & is_known & calls["operation_name"].isin(CHATS)]
    chats = chats.sort_values("start_ns", kind="stable")
    reason = chats["finish_reason"].astype("string").str.lower().isin(ASKS_TOOLS).fillna(False)
    chats = chats.assign(model=named_models(chats), asks=reason.astype(bool))
    keys = [chats["run_id"].astype(str), named_agents(chats["agent_id"])]
    for (run, agent), some in chats.groupby(keys, sort=False):
        start, end, read = (
            some[name].to_numpy(dtype=float) * scale
            for name, scale in (("start_ns", 1e-9), ("end_ns", 1e-9), ("input_tokens", 1.0))
        )
        ran = np.searchsorted(
            tools.get((run, agent), np.zeros(0)), [start, np.append(start[1:], np.inf)]
        )
        yield (
            str(run),
            str(agent),
            _Calls(
                some.index.to_numpy(),
                role.get((str(run), str(agent)), ""),
                some["model"].to_numpy(dtype=object),
                start,
                end,
                read,
                some["asks"].to_numpy(dtype=bool) | (ran[1] > ran[0]),
            ),
        )


def _models_beside(agents: Sequence[_Calls], main: str) -> set[str]:
    """Return the models most of whose calls do not go on with the conversation of the main one.

    They read far less than it, or it goes on with far less than they have read. So it may be only
    now and then where the model goes on with a conversation of its own: at another pace.
    """
    judged, far, fell_back = Counter[str](), Counter[str](), Counter[str]()
    paces: dict[str, list[float]] = {}
    fell = went = 0
    for calls in agents:
        own = np.flatnonzero(calls.model == main)
        went += max(0, len(own) - 1)
        fell += int((np.diff(calls.read[own]) < 0.0).sum())
        pairs: dict[str, list[tuple[float, float]]] = {}
        for i in np.flatnonzero(calls.model != main).tolist():
            key = str(calls.model[i])
            place = int(np.searchsorted(own, i))
            before, after = own[:place][-1:], own[place:][:1]
            if len(before) or len(after):
                judged[key] += 1
                other = before if len(before) else after
                read, level, next_ = calls.read[i], calls.read[other], calls.read[after]
                far[key] += bool((read < _LEFT * level).any() or (next_ < _LEFT * read).any())
                fell_back[key] += bool((read < level).any() or (next_ < read).any())
                if len(before):
                    pairs.setdefault(key, []).append((float(read), float(level[0])))
        for key, some in pairs.items():
            theirs, its = np.subtract(some[-1], some[0])
            known = paces.setdefault(key, [0.0, 0.0])
            known[0], known[1] = known[0] + float(theirs), known[1] + float(its)
    if fell >= _FALLS * max(1, went):
        return set()
    return {
        model
        for model, n in judged.items()
        if 2 * far[model] >= n or (2 * fell_back[model] >= n and _is_another(*paces.get(model, ())))
    }


def _is_another(theirs: float = 0.0, its: float = 0.0) -> bool:
    """Tell whether what two models read grows at different paces, if both do."""
    return min(theirs, its) > 0.0 and max(theirs / its, its / theirs) > _PACE


def _beside(calls: _Calls, main: str, chosen: set[str]) -> Bools:
    """Return which calls are beside the conversation."""
    found = np.asarray([str(model) in chosen for model in calls.model], dtype=bool)
    own = np.flatnonzero(~found & (calls.model == main))
    i = 0
    while i < len(own):
        level = calls.read[own[i]]
        ahead = calls.read[own[i + 1 : i + 2 + _LONGEST]]
        above = np.flatnonzero(ahead >= _LEFT * level)
        back = int(above[0]) if len(above) and calls.asks[own[i]] else 0
        if back and ahead[back] >= _BACK * level:
            found[own[i + 1 : i + 1 + back]] = True
            i += back
        i += 1
    return found


def _episodes(run: str, agent: str, calls: _Calls, beside: Bools) -> Iterator[Episode]:
    """Yield calls beside the conversation, those of one model in a row together."""
    last, i = -1, 0
    while i < len(beside):
        if not beside[i]:
            last, i = i, i + 1
            continue
        end = i + 1
        while end < len(beside) and beside[end] and calls.model[end] == calls.model[i]:
            end += 1
        yield Episode(
            run,
            agent,
            calls.role,
            str(calls.model[i]),
            calls.rows[i:end].tolist(),
            calls.read[i:end].tolist(),
            float(calls.start[i]),
            float(calls.end[end - 1]),
            calls.rows[last] if last >= 0 else None,
            last >= 0 and bool(calls.asks[last]) and not bool(beside[end:].all()),
        )
        i = end
