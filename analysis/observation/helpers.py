"""Gives calls beside an agent's conversation to helpers: sub-agents, or agents who work in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from analysis.calibration.profile_names import profile_name
from analysis.calibration.requests import ASKS_TOOLS
from analysis.observation.calls_beside import Episode, episodes_of
from analysis.observation.roles import named_agents
from analysis.traces.canonical import CALLS, CHATS, Traces
from simulator.words import counted, percent

_FEWEST = 3
"""Fewest times that a role asks a model beside its conversation for which it is told."""

_GOES_ON = "tool_use"
"""The reason for which a call ends that is not the last of its loop."""

_OFTEN = 0.1
"""Share of a role's calls from which those that no turn asks for are the work of an agent that
works in turn with it. Fewer (a title of each session) are left out of the twin."""


@dataclass(frozen=True)
class Helped:
    """Traces with helpers.

    Attributes
    ----------
    traces : Traces
    notes : list of str
        How many calls of which model are those of helpers.
    asked : Traces
        The same without the calls beside conversations that nothing in the twin could ask for.
    lacks : list of str
        What these are, if there are any.
    """

    traces: Traces
    notes: list[str]
    asked: Traces
    lacks: list[str]


def with_helpers(traces: Traces, role: Mapping[tuple[str, str], str]) -> Helped:
    """Take calls beside an agent's conversation for those of helpers.

    Where they follow turns that went on, a tool of the agent starts each of these helpers, as a
    sub-agent. Where they come between its requests, the helper is an agent that works in turn with
    it, if it often does.

    Parameters
    ----------
    traces : Traces
    role : mapping
        Role of each agent, by run and agent.
    """
    traces = replace(traces, calls=traces.calls.reset_index(drop=True))
    found: dict[tuple[str, str], list[Episode]] = {}
    for each in episodes_of(traces.calls, role):
        found.setdefault((each.role, each.model), []).append(each)
    is_chat = traces.calls["operation_name"].isin(CHATS)
    keys = zip(
        traces.calls["run_id"][is_chat].astype(str),
        named_agents(traces.calls["agent_id"][is_chat]),
        strict=True,
    )
    calls = Counter(role.get(key, "") for key in keys)
    started: list[Episode] = []
    in_turn: list[Episode] = []
    unasked: list[Episode] = []
    notes = []
    for (of, model), some in found.items():
        asked = [each for each in some if each.is_asked]
        others = [each for each in some if not each.is_asked]
        n = _count(asked)
        # What begins a session is no work in turn.
        between = _count([each for each in others if each.after is not None])
        if between > n and between >= _OFTEN * calls[of]:
            in_turn += some
            notes.append(
                f"{_count(some):,} calls of {model} beside the conversation of {of}: those of an "
                "agent that works in turn with it"
            )
            continue
        unasked += others
        if len(asked) >= _FEWEST:
            started += asked
            notes.append(
                f"{counted(n, 'call')} of {model} beside the conversation of {of}: those of "
                "helpers that it asks"
            )
    traces = _ended(traces, started + in_turn, [*in_turn, *unasked])
    traces = _started(_in_turn(traces, in_turn), started)
    if not unasked:
        return Helped(traces, notes, traces, [])
    rows = [row for each in unasked for row in each.rows]
    tokens = traces.calls["input_tokens"].astype("Float64").fillna(0.0)
    tokens = tokens.where(traces.calls["operation_name"].isin(CHATS), 0.0)
    share = float(tokens[rows].sum() / tokens.sum())
    lack = (
        f"calls beside a conversation that no turn of it asked for: {len(rows):,}, with "
        f"{percent(share, 1)} of the input; in their place: none"
    )
    rest_of = traces.calls.drop(index=rows).reset_index(drop=True)
    return Helped(traces, notes, replace(traces, calls=rest_of), [lack])


def _count(episodes: Sequence[Episode]) -> int:
    return sum(len(each.rows) for each in episodes)


def _name(episode: Episode) -> str:
    return f"{episode.role or episode.agent}-{profile_name(episode.model)}"


def _ended(traces: Traces, helped: Sequence[Episode], last: Sequence[Episode]) -> Traces:
    """Let the last call of each helper end its turn: what it asked for, the conversation got.

    Those before it go on. The calls before those that are `last` end theirs, too: they asked for
    what is no part of their loop.
    """
    calls = traces.calls
    asks = calls["finish_reason"].astype("string").str.lower().isin(ASKS_TOOLS).fillna(False)
    labels = {each.rows[-1] for each in helped} | {each.after for each in last}
    ends = calls.index.isin(list(labels - {None})) & asks.to_numpy(dtype=bool)
    goes_on = calls.index.isin([row for each in helped for row in each.rows[:-1]])
    reason = calls["finish_reason"].where(~ends, "stop").where(~(goes_on & ~asks), _GOES_ON)
    return replace(traces, calls=calls.assign(finish_reason=reason))


def _in_turn(traces: Traces, episodes: Sequence[Episode]) -> Traces:
    """Give calls to an agent of their own, in each run the same one for a model."""
    identity = dict[Any, str]()
    agents = []
    for each in episodes:
        agent = f"{each.agent}/{profile_name(each.model)}"
        identity |= dict.fromkeys(each.rows, agent)
        agents.append(
            {"run_id": each.run, "agent_id": agent, "name": _name(each), "role": _name(each),
             "model": each.model, "depth": 0}
        )  # fmt: skip
    changed = pd.Series(identity, dtype="string").reindex(traces.calls.index)
    calls = traces.calls.assign(agent_id=changed.fillna(traces.calls["agent_id"].astype("string")))
    return replace(traces, calls=calls, agents=_with_agents(traces.agents, agents))


def _with_agents(agents: pd.DataFrame, more: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    both = _with_rows(agents, more, dict(agents.dtypes))
    return both.drop_duplicates(["run_id", "agent_id"], ignore_index=True)


def _started(traces: Traces, episodes: Sequence[Episode]) -> Traces:
    """Give calls to sub-agents, with a call of a tool around each where there is none."""
    calls, agents = traces.calls, traces.agents
    tools = calls[calls["operation_name"] == "execute_tool"].dropna(subset=["start_ns", "end_ns"])
    owners = [tools["run_id"].astype(str), named_agents(tools["agent_id"])]
    by_agent = dict(iter(tools.groupby(owners)))
    identity, parents = dict[Any, str](), dict[Any, str]()
    around: list[dict[str, Any]] = []
    helpers: list[dict[str, Any]] = []
    for number, each in enumerate(episodes, start=1):
        short = profile_name(each.model)
        rows, holds = list(each.rows), False
        some = by_agent.get((each.run, each.agent))
        if some is not None:
            start, end = (some[at].to_numpy(dtype=float) / 1e9 for at in ("start_ns", "end_ns"))
            rows += some.index[(start >= each.begin) & (end <= each.end)].tolist()
            holds = bool(((start <= each.begin) & (end >= each.end)).any())
        identity |= dict.fromkeys(rows, f"{each.agent}/{short} #{number}")
        parents |= dict.fromkeys(rows, each.agent)
        helpers.append(
            {"run_id": each.run, "agent_id": f"{each.agent}/{short} #{number}", "name": _name(each),
             "role": _name(each), "model": each.model, "parent_agent_id": each.agent, "depth": 1}
        )  # fmt: skip
        if not holds:
            first = calls.loc[each.rows[0]]
            kept = (
                "source",
                "source_format",
                "run_id",
                "session_id",
                "trace_id",
                "agent_id",
                "parent_agent_id",
                "agent_name",
                "parent_span_id",
                "quality_time",
                "start_ns",
            )
            around.append(
                {**{name: first[name] for name in kept}, "operation_name": "execute_tool",
                 "tool_name": f"ask_{short}", "status": "ok",
                 "end_ns": calls.loc[each.rows[-1], "end_ns"]}
            )  # fmt: skip
    changed, above = (
        pd.Series(some, dtype="string").reindex(calls.index) for some in (identity, parents)
    )
    calls = calls.assign(
        agent_id=changed.fillna(calls["agent_id"].astype("string")),
        parent_agent_id=above.fillna(calls["parent_agent_id"].astype("string")),
    )
    return replace(
        traces,
        calls=_with_rows(calls, around, CALLS),
        agents=_with_agents(agents, helpers),
    )


def _with_rows(
    table: pd.DataFrame, rows: Sequence[Mapping[str, Any]], dtypes: Mapping[str, Any]
) -> pd.DataFrame:
    more = pd.DataFrame(
        {
            name: pd.Series([row.get(name) for row in rows], dtype=dtypes[name])
            for name in table.columns
        }
    )
    return pd.concat([table, more], ignore_index=True) if rows else table
