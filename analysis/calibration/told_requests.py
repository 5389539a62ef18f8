"""Requests that a trace tells of, where the stop reasons of calls do not.

Some models end every answer with ``stop``, also where their agent goes on: Gemini's when they ask
for tools, others where a program calls them several times for one question. Which calls belong
together is then told by the task that calls name, by the invocation of the agent that they lie in,
or by their trace. Where one of these has several calls of an agent, all but the last ask for more.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.calibration.requests import ASKS_TOOLS
from analysis.traces.answers import ASKS
from analysis.traces.canonical import CHATS

_ENDED = "stop"
_AGENT = ["run_id", "agent_id"]


def with_told_requests(calls: pd.DataFrame) -> pd.DataFrame:
    """Return the canonical calls with the stop reasons that the told requests imply.

    A call asks if another of its request follows, or if a tool of its agent ran before the agent's
    next call. The last call of a told request ends it if no reason is said. Runs whose trace says
    no reasons and tells of no requests stay without reasons.
    """
    kind = calls["operation_name"]
    is_chat = kind.isin(CHATS) & calls["start_ns"].notna()
    chats = calls.loc[is_chat, [*_AGENT, "trace_id", "task_id", "start_ns", "finish_reason"]]
    chats = chats.assign(
        agent_id=chats["agent_id"].fillna(""), ok=calls["status"].fillna("ok") == "ok"
    )
    chats = chats[chats["ok"]].sort_values([*_AGENT, "start_ns"], kind="stable")
    if chats.empty:
        return calls
    request = _requests(chats, calls[kind == "invoke_agent"])
    agent = chats.groupby(_AGENT, sort=False).ngroup()
    follows = (agent == agent.shift(-1)) & (request == request.shift(-1)) & (request != "")
    used = _with_tools(chats, calls[(kind == "execute_tool") & calls["start_ns"].notna()])
    reason = chats["finish_reason"].astype("string").str.lower()
    asks = reason.isin(ASKS_TOOLS).fillna(False)
    goes_on = follows | (used & bool(reason.notna().any()))
    found = chats["finish_reason"].mask(goes_on & ~asks, ASKS)
    found = found.mask(~follows & found.isna() & (request != ""), _ENDED)
    is_other = ~calls.index.isin(found.index)
    reasons = calls["finish_reason"].where(is_other, found.reindex(calls.index))
    return calls.assign(finish_reason=reasons)


def _requests(chats: pd.DataFrame, invoked: pd.DataFrame) -> pd.Series:
    """Return a name for the request of each call; empty where none is told."""
    task = chats["task_id"].astype("string").fillna("")
    within = _invocations(chats, invoked)
    traced = _traces(chats)
    return pd.Series(("task " + task).where(task != "", within.where(within != "", traced)))


def _invocations(chats: pd.DataFrame, invoked: pd.DataFrame) -> pd.Series:
    """Return the invocation around each call, of agents that were invoked more than once in a run.

    One that is invoked once may live as long as the run, and get its work by other ways.
    """
    none = pd.Series("", index=chats.index, dtype=object)
    invoked = invoked[invoked["start_ns"].notna() & invoked["agent_id"].notna()]
    invoked = invoked.sort_values([*_AGENT, "start_ns", "end_ns"], kind="stable")
    if invoked.empty:
        return none
    reached = invoked.groupby(_AGENT)["end_ns"].cummax().groupby([invoked[n] for n in _AGENT])
    before = reached.shift()
    outer = invoked[before.isna() | (invoked["start_ns"] >= before)]
    several = outer.groupby(_AGENT)["start_ns"].transform("size") > 1
    outer = outer[several].assign(invocation=np.arange(int(several.sum())).astype(str))
    if outer.empty:
        return none
    found = pd.merge_asof(
        chats[[*_AGENT, "start_ns"]].reset_index(names="row").sort_values("start_ns"),
        outer[[*_AGENT, "start_ns", "end_ns", "invocation"]].sort_values("start_ns"),
        on="start_ns",
        by=_AGENT,
    )
    found = found[found["invocation"].notna() & (found["start_ns"] < found["end_ns"])]
    named = ("invocation " + found["invocation"]).to_numpy(dtype=object)
    return pd.Series(named, index=found["row"], dtype=object).reindex(chats.index).fillna("")


def _traces(chats: pd.DataFrame) -> pd.Series:
    """Return the trace of each call, in runs of several, if one agent made all calls of it."""
    trace = chats["trace_id"].astype("string").fillna("")
    by_run = trace.groupby(chats["run_id"]).transform("nunique")
    agents = chats.groupby(["run_id", trace], sort=False)["agent_id"].transform("nunique")
    is_told = (by_run > 1) & (agents == 1) & (trace != "")
    return pd.Series(("trace " + trace).where(is_told, ""), dtype=object)


def _with_tools(chats: pd.DataFrame, tools: pd.DataFrame) -> pd.Series:
    """Return whether a tool of its agent began after each call did, and before the next call."""
    if tools.empty:
        return pd.Series(False, index=chats.index)
    found = pd.merge_asof(
        tools[[*_AGENT, "start_ns"]].fillna({"agent_id": ""}).sort_values("start_ns"),
        chats[[*_AGENT, "start_ns"]].reset_index(names="row").sort_values("start_ns"),
        on="start_ns",
        by=_AGENT,
    )
    return pd.Series(chats.index.isin(found["row"].dropna()), index=chats.index)
