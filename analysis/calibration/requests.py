"""Requests: what an agent does from a question to its answer, turn by turn.

A request is a run of consecutive calls of one agent in one session. Each call but the last ends by
asking for tools; the last one ends the model's turn. The request lasts from its first start to its
last end. Between two of its calls its tools run. Their time is that of the rows of tools, if there
are any; otherwise it is the time until the next call, which then includes people who are asked, and
absences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.tool_order import run_alone
from analysis.traces.canonical import CHATS, named_models
from simulator.distributions import Floats

ASKS_TOOLS = frozenset({"tool_use", "tool_calls", "tool_call", "function_call", "tool-calls"})
"""Finish reasons of calls that ask for tools."""

ENDS = frozenset({"end_turn", "stop", "stop_sequence", "end", "completed", "complete"})
"""Finish reasons of calls that end the model's turn."""

UNNAMED = "tool"
"""Name of tools whose own name is not known."""

_NS = 1e9


@dataclass(frozen=True)
class Requests:
    """The requests of a table of calls.

    Attributes
    ----------
    turns : DataFrame
        A row for each call that succeeded, in the order of session, agent and start: ``session,
        agent, model, request`` (number of its request), ``turn`` (from 0), ``is_last`` (it ended
        the request), ``is_whole`` (the request was seen from its first call to its end),
        ``seconds``, ``input, cached, uncached, output`` (tokens, NaN where unknown), ``gap_s``
        (from its end to the start of the request's next call, without failed attempts; NaN after
        the last), ``tool_s`` (seconds of the gap in which a tool ran; NaN without rows of tools),
        ``tools`` (calls of tools; NaN without rows of tools), ``growth`` (tokens that the next
        call of the request reads beyond those that this one has read and written; NaN after the
        last) and ``idle_s`` (from the end of the agent's previous call, of any request, to the
        start of this one; NaN for the first).
    tools : DataFrame
        A row for each call of a tool between two calls of a request: ``session, request, turn,
        tool, seconds, failed, result_size, alone`` (see `run_alone`).
    table : DataFrame
        A row for each request, also those cut short: ``session, agent, model, request, name`` (its
        session, agent, and number among the agent's requests, from 0), ``is_whole, turns,
        context_tokens`` (input of its first call), ``seconds, llm_s, tool_s`` (seconds without
        those of the model), ``input_tokens, uncached_tokens, output_tokens`` (NaN unless those of
        every turn are known).
    """

    turns: pd.DataFrame
    tools: pd.DataFrame
    table: pd.DataFrame

    @property
    def whole(self) -> pd.DataFrame:
        """The requests that were seen from their first call to their end."""
        return self.table[self.table["is_whole"]].reset_index(drop=True)

    def of_model(self, model: str) -> Requests:
        """Return the requests that a model began."""
        table = self.table[self.table["model"] == model].reset_index(drop=True)
        mine = set(table["request"])
        turns, tools = (
            rows[rows["request"].isin(mine)].reset_index(drop=True)
            for rows in (self.turns, self.tools)
        )
        return Requests(turns, tools, table)

    def named(self) -> pd.DataFrame:
        """Return the whole requests as a table to be written: ``request`` is their name."""
        table = self.whole.drop(columns=["request", "is_whole", "agent"])
        table = table.rename(columns={"name": "request"})
        return table[["request", *table.columns.drop("request")]]


def find_requests(calls: pd.DataFrame, without_failed: bool = False) -> Requests:
    """Find the requests in a canonical table of calls (chats and, if known, calls of tools).

    Parameters
    ----------
    calls : DataFrame
    without_failed : bool
        Whether the time after a turn (``gap_s``) ends when the next one is first tried. Else what
        passes with calls that failed belongs to it.
    """
    chats = _chats(calls)
    chats["tried"] = _first_tried(chats) if without_failed else chats["start"]
    tools = _tools(calls, chats)
    chats = chats[chats["ok"]].reset_index(drop=True)
    chats["asks"] = chats["asks"] | chats["position"].isin(tools["position"])
    turns = _turns(chats)
    place = turns.set_index("position")[["request", "turn", "is_last"]]
    tools = tools.join(place, on="position", how="inner")
    tools = tools[~tools["is_last"]].reset_index(drop=True)
    turns = _with_tools(turns, tools)
    tools["alone"] = run_alone(tools)
    columns = ["session", "request", "turn", "tool", "seconds", "failed", "result_size", "alone"]
    table = _table(turns)
    turns = turns.drop(
        columns=["position", "start", "tried", "end", "asks", "ends", "ok", "failed"]
    )
    return Requests(turns, tools[columns], table)


def _chats(calls: pd.DataFrame) -> pd.DataFrame:
    """Return the calls of models that have times, in order, including failed ones."""
    kind = calls["operation_name"].fillna("chat")
    frame = calls[kind.isin(CHATS) & calls["start_ns"].notna() & calls["end_ns"].notna()]
    reason = frame["finish_reason"].astype("string").str.lower().fillna("")
    numbers = ["input_tokens", "cache_read_input_tokens", "output_tokens"]
    tokens = frame[numbers].astype("Float64").astype(float)
    tokens[(frame["quality_tokens"].fillna("exact") == "placeholder").to_numpy(dtype=bool)] = np.nan
    chats = pd.DataFrame(
        {
            "session": frame["run_id"].astype("string").fillna("").astype(str),
            "agent": frame["agent_id"].astype("string").fillna("").astype(str),
            "model": named_models(frame),
            "start": frame["start_ns"].astype(float) / _NS,
            "end": frame["end_ns"].astype(float) / _NS,
            "ok": (frame["status"].fillna("ok") == "ok").to_numpy(dtype=bool),
            "failed": frame["status"].isin(["error", "timeout"]).to_numpy(dtype=bool),
            "asks": reason.isin(ASKS_TOOLS).to_numpy(dtype=bool),
            "ends": reason.isin(ENDS).to_numpy(dtype=bool),
            "input": tokens["input_tokens"],
            "cached": tokens["cache_read_input_tokens"].fillna(0.0),
            "output": tokens["output_tokens"],
        }
    )
    chats = chats.sort_values(["session", "agent", "start"], kind="stable", ignore_index=True)
    return chats.assign(position=np.arange(len(chats)))


def _first_tried(chats: pd.DataFrame) -> pd.Series[float]:
    """Return when each call that was answered was first tried: calls before it may have failed."""
    agent = [chats["session"], chats["agent"]]
    answered = chats["ok"].astype(int)
    before = answered.groupby(agent, sort=False).cumsum() - answered
    tried = chats["start"].where(chats["ok"] | chats["failed"])
    return tried.groupby([*agent, before], sort=False).transform("min")


def _tools(calls: pd.DataFrame, chats: pd.DataFrame) -> pd.DataFrame:
    """Return the calls of tools, with the position of the call that asked for them.

    It is the same agent's last successful call that began before.
    """
    rows = calls[calls["operation_name"] == "execute_tool"]
    rows = rows[rows["start_ns"].notna() & rows["end_ns"].notna()]
    tools = pd.DataFrame(
        {
            "session": rows["run_id"].astype("string").fillna("").astype(str),
            "agent": rows["agent_id"].astype("string").fillna("").astype(str),
            "begin": rows["start_ns"].astype(float) / _NS,
            "finish": rows["end_ns"].astype(float) / _NS,
            "tool": rows["tool_name"].fillna(UNNAMED).astype(str),
            "failed": rows["status"].fillna("ok").isin(["error", "timeout"]).to_numpy(dtype=bool),
            "result_size": rows["result_size"].astype("Float64").astype(float),
        }
    )
    tools["seconds"] = (tools["finish"] - tools["begin"]).clip(lower=0.0)
    asked = chats.loc[chats["ok"], ["session", "agent", "start", "position"]]
    if tools.empty or asked.empty:
        return tools.iloc[:0].assign(position=np.zeros(0, dtype=np.int64))
    found = pd.merge_asof(
        tools.sort_values("begin", kind="stable"),
        asked.sort_values("start", kind="stable"),
        left_on="begin",
        right_on="start",
        by=["session", "agent"],
    )
    found = found[found["position"].notna()].astype({"position": np.int64})
    return found.drop(columns="start").reset_index(drop=True)


def _turns(chats: pd.DataFrame) -> pd.DataFrame:
    """Return calls with their place in requests."""
    agent = [chats["session"], chats["agent"]]
    before = chats.groupby(["session", "agent"], sort=False)
    asks = chats["asks"].to_numpy(dtype=bool)
    is_last = (chats["ends"] & ~chats["asks"]).to_numpy(dtype=bool)
    is_first = (before.cumcount() == 0).to_numpy()
    went_on = asks[:-1] if len(asks) else asks
    begins = is_first | np.concatenate((np.ones(min(1, len(asks)), dtype=bool), ~went_on))
    number = np.cumsum(begins) - 1
    request = chats.groupby(number, sort=False)
    turns = chats.assign(
        request=number,
        turn=request.cumcount(),
        is_last=is_last,
        is_whole=request["ends"].transform("last") & ~request["asks"].transform("last"),
        seconds=chats["end"] - chats["start"],
        uncached=(chats["input"] - chats["cached"]).clip(lower=0.0),
        idle_s=(chats["start"] - chats["end"].groupby(agent, sort=False).shift()).clip(lower=0.0),
    )
    after = turns.groupby("request", sort=False)
    turns["gap_s"] = (after["tried"].shift(-1) - turns["end"]).clip(lower=0.0)
    turns["growth"] = after["input"].shift(-1) - turns["input"] - turns["output"]
    return turns


def _with_tools(turns: pd.DataFrame, tools: pd.DataFrame) -> pd.DataFrame:
    """Return turns with the seconds in which tools ran, if there are rows of tools."""
    if tools.empty:
        return turns.assign(tool_s=np.nan, tools=np.nan)
    number = tools.groupby("position").size()
    busy = pd.Series(
        {
            position: _union(some["begin"].to_numpy(), some["finish"].to_numpy())
            for position, some in tools.groupby("position")
        },
        dtype=float,
    )
    inside = turns["gap_s"].notna()
    ran = turns["position"].map(busy).fillna(0.0)
    return turns.assign(
        tool_s=ran.clip(upper=turns["gap_s"]).where(inside),
        tools=turns["position"].map(number).fillna(0.0).where(inside),
    )


def _union(begin: Floats, finish: Floats) -> float:
    """Return the seconds covered by at least one of some intervals."""
    order = np.argsort(begin)
    begin, finish = begin[order], np.maximum.accumulate(finish[order])
    reached = np.concatenate(([-np.inf], finish[:-1]))
    return float(np.maximum(0.0, finish - np.maximum(begin, reached)).sum())


def _table(turns: pd.DataFrame) -> pd.DataFrame:
    each = turns.groupby("request", sort=False)
    table = pd.DataFrame(
        {
            "session": each["session"].first(),
            "agent": each["agent"].first(),
            "model": each["model"].first(),
            "is_whole": each["is_whole"].first(),
            "turns": each.size(),
            "context_tokens": _first(turns["input"], turns),
            "seconds": each["end"].last() - each["start"].first(),
            "llm_s": each["seconds"].sum(),
        }
    )
    # A sum of the turns whose tokens are known would be too small: it is unknown.
    tokens = each[["input", "uncached", "output"]]
    known = tokens.sum().where(tokens.count().eq(table["turns"], axis=0))
    table = table.join(known.add_suffix("_tokens"))
    table["tool_s"] = (table["seconds"] - table["llm_s"]).clip(lower=0.0)
    number = table.groupby(["session", "agent"], sort=False).cumcount().astype(str)
    table["name"] = table["session"] + "/" + table["agent"] + "/" + number
    return table.reset_index(names="request")


def _first(values: pd.Series, turns: pd.DataFrame) -> pd.Series:
    """Return the value of each request's first turn, unknown or not."""
    is_first = (turns["turn"] == 0).to_numpy(dtype=bool)
    return pd.Series(values[is_first].to_numpy(), index=turns.loc[is_first, "request"].to_numpy())


def clusters(sessions: pd.Series) -> npt.NDArray[np.int64]:
    """Return the number of each row's session, from 0."""
    return np.asarray(pd.factorize(sessions)[0], dtype=np.int64)
