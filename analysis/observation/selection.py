"""Selects parts of traces by session, time, agent or model."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.traces.canonical import CHATS, Traces, model_of
from simulator.errors import TeamsimError, unknown_name


@dataclass(frozen=True)
class Choice:
    """The selection; an empty field selects all.

    Attributes
    ----------
    sessions : sequence of str
        Runs, or sessions of their members.
    since : str
        ISO date or time, in UTC if it names no zone; runs that began earlier are left out.
    agents, models : sequence of str
        Names or ids of agents; names of models.
    """

    sessions: Sequence[str] = ()
    since: str = ""
    agents: Sequence[str] = ()
    models: Sequence[str] = ()


def since_ns(text: str) -> int:
    """Return an ISO date or time in ns since 1970.

    Raises
    ------
    TeamsimError
        If the text is not a date or time.
    """
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise TeamsimError(
            f"--since {text!r}: no date or time (as 2026-03-01 or 2026-03-01T14:30)"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return int(moment.timestamp()) * 10**9


def choose(traces: Traces, choice: Choice) -> Traces:
    """Return the part of the traces that is chosen.

    Raises
    ------
    TeamsimError
        If a session, an agent or a model is not in them, or nothing is left.
    """
    calls = traces.calls
    if choice.sessions:
        calls = _named(calls, "session", choice.sessions, ["run_id", "session_id"])
    if choice.since:
        calls = _since(calls, since_ns(choice.since), choice.since)
    if choice.agents:
        calls = _named(calls, "agent", choice.agents, ["agent_id", "agent_name"])
    if choice.models:
        model = model_of(calls)
        _check("model", choice.models, model[calls["operation_name"].isin(CHATS)].dropna())
        calls = _of_models(calls, model, choice.models)
    if not calls["operation_name"].isin(CHATS).any():
        raise TeamsimError("no calls of a model are left of what was chosen")
    return _restricted(traces, calls.reset_index(drop=True))


def _named(
    calls: pd.DataFrame, what: str, wanted: Sequence[str], columns: list[str]
) -> pd.DataFrame:
    """Return the calls that bear a wanted name in any of some columns."""
    names = calls[columns]
    _check(what, wanted, pd.concat([names[column] for column in columns]).dropna())
    return calls[names.isin(list(wanted)).any(axis=1)]


def _check(what: str, wanted: Sequence[str], known: pd.Series) -> None:
    names = list(dict.fromkeys(known.astype(str)))
    for each in wanted:
        if each not in names:
            raise TeamsimError(unknown_name(what, each, names))


def _since(calls: pd.DataFrame, first_ns: int, said: str) -> pd.DataFrame:
    begins = calls.groupby("run_id")["start_ns"].transform("min")
    kept = calls[(begins >= first_ns).fillna(False).astype(bool)]
    if kept.empty:
        latest = begins.max()
        when = "no run has a time"
        if not pd.isna(latest):
            day = datetime.datetime.fromtimestamp(int(latest) / 1e9, tz=datetime.UTC)
            when = f"the last one began {day:%Y-%m-%d %H:%M} UTC"
        raise TeamsimError(f"--since {said}: no run began then or later; {when}")
    return kept


def _of_models(calls: pd.DataFrame, model: pd.Series, wanted: Sequence[str]) -> pd.DataFrame:
    """Return the calls of some models, and the tools of the agents that made these calls."""
    is_chat = calls["operation_name"].isin(CHATS)
    chosen = is_chat & model.isin(list(wanted)).fillna(False).astype(bool)
    agents = set(zip(calls.loc[chosen, "run_id"], calls.loc[chosen, "agent_id"], strict=True))
    theirs = pd.Series(
        [key in agents for key in zip(calls["run_id"], calls["agent_id"], strict=True)],
        index=calls.index,
    )
    return calls[chosen | (~is_chat & theirs)]


def _restricted(traces: Traces, calls: pd.DataFrame) -> Traces:
    """Return traces with these calls, and the rows of other tables that belong to them."""
    runs = set(calls["run_id"].dropna())
    there = set(zip(calls["run_id"], calls["agent_id"], strict=True))
    agents, messages = traces.agents, traces.messages
    kept = [key in there for key in zip(agents["run_id"], agents["agent_id"], strict=True)]
    between = [
        (run, source) in there and (run, target) in there
        for run, source, target in zip(
            messages["run_id"], messages["src_agent_id"], messages["dst_agent_id"], strict=True
        )
    ]
    return replace(
        traces,
        calls=calls,
        agents=agents[np.asarray(kept, dtype=bool)].reset_index(drop=True),
        messages=messages[np.asarray(between, dtype=bool)].reset_index(drop=True),
        runs=traces.runs[traces.runs["run_id"].isin(runs)].reset_index(drop=True),
        tasks=traces.tasks[traces.tasks["run_id"].isin(runs)].reset_index(drop=True),
    )
