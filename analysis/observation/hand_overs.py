"""Hand-overs end the turn of who hands over, although they are written as calls of tools."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from analysis.calibration.requests import ASKS_TOOLS
from analysis.traces.canonical import CHATS, Traces
from simulator.words import counted


def with_hand_overs(traces: Traces) -> tuple[Traces, list[str]]:
    """Take tools that hand over to another agent for the end of a turn.

    The call of the model that asked for such a tool ended its agent's work: what this agent does
    when it is handed the work again is another unit. Where the agent goes on before any other has
    worked, the tool stays.

    Returns
    -------
    Traces, list of str
        The traces without these tools, and a note of how many they were.
    """
    said = traces.messages
    said = said[(said["kind"] == "handoff") & ~said["inferred"].fillna(False).astype(bool)]
    told = set(zip(said["run_id"], said["span_id"], strict=True))
    calls = traces.calls
    is_tool = (calls["operation_name"] == "execute_tool") & calls["start_ns"].notna()
    names = zip(calls["run_id"], calls["span_id"], strict=True)
    tools = is_tool & pd.Series([name in told for name in names], index=calls.index, dtype=bool)
    if not tools.any():
        return traces, []
    chats = calls[calls["operation_name"].isin(CHATS) & calls["start_ns"].notna()]
    by_run = dict(iter(chats.sort_values("start_ns", kind="stable").groupby("run_id")))
    gone, ended = [], []
    for label, tool in calls[tools].iterrows():
        run = by_run.get(tool["run_id"], chats[:0])
        after = run[run["start_ns"] >= tool["start_ns"]]
        if len(after) and after["agent_id"].iloc[0] == tool["agent_id"]:
            continue
        own = run[run["agent_id"] == tool["agent_id"]]
        gone.append(label)
        ended += own.index[own["start_ns"] < tool["start_ns"]][-1:].tolist()
    asks = calls["finish_reason"].astype("string").str.lower().isin(ASKS_TOOLS).fillna(False)
    ends = calls.index.isin(ended) & asks.to_numpy(dtype=bool)
    calls = calls.assign(finish_reason=calls["finish_reason"].where(~ends, "stop")).drop(gone)
    tool_calls = counted(len(gone), "tool call")
    note = f"{tool_calls} to hand over to another agent: each ends a turn of its agent"
    return replace(traces, calls=calls.reset_index(drop=True)), [note] if gone else []
