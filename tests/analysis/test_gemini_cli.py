"""Chats that Gemini CLI records: one object, or lines of messages; and those of sub-agents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.traces.reading import read_traces
from analysis.traces.values import nanoseconds
from tests.analysis.trace_samples import lines, stamp, whole

Row = dict[str, Any]
BEGAN = nanoseconds(stamp(0))
ABOUT: Row = {
    "sessionId": "s1",
    "projectHash": "h",
    "startTime": stamp(0),
    "lastUpdated": stamp(99),
}


def asked(identity: str, at: float) -> Row:
    return {"id": identity, "timestamp": stamp(at), "type": "user", "content": [{"text": "secret"}]}


def tool(identity: str, name: str, at: float, status: str = "success", **said: Any) -> Row:
    return {"id": identity, "name": name, "args": {}, "status": status, "timestamp": stamp(at),
            "result": [{"functionResponse": {"id": identity}}], **said}  # fmt: skip


def answer(identity: str, at: float, counts: tuple[int, ...], *tools: Row, **said: Any) -> Row:
    """Return an answer with its input, output, cached tokens, thoughts and tokens of tools."""
    read, wrote, cached, thought, of_tools = counts
    tokens = {"input": read, "output": wrote, "cached": cached, "thoughts": thought,
              "tool": of_tools, "total": read + wrote + thought + of_tools}  # fmt: skip
    return {"id": identity, "timestamp": stamp(at), "type": "gemini", "content": "secret",
            "model": "gemini-x", "tokens": tokens, "toolCalls": list(tools), **said}  # fmt: skip


def messages() -> list[Row]:
    quota = {"id": "e1", "timestamp": stamp(63), "type": "error",
             "content": "[API Error: RESOURCE_EXHAUSTED]"}  # fmt: skip
    return [
        asked("u1", 0),
        answer("g1", 4, (1000, 50, 600, 20, 0), tool("c1", "run_shell_command", 9, "error"),
               thoughts=[{"subject": "secret", "timestamp": stamp(1.5)}]),
        answer("g2", 12, (1200, 80, 1000, 0, 0), tool("c2", "investigator", 40, agentId="sub1")),
        answer("g3", 45, (1500, 100, 1000, 0, 30)),
        asked("u2", 60),
        quota,
        {"id": "i1", "timestamp": stamp(64), "type": "info", "content": "secret"},
    ]  # fmt: skip


def recorded(directory: Path) -> Path:
    return whole(directory / "chats" / "session-1.json", {**ABOUT, "messages": messages()})


def in_lines(directory: Path) -> Path:
    """Write lines: answers before their tokens are told, a history that begins anew, a rewind."""
    said = messages()
    begun = {**said[1], "tokens": None, "toolCalls": []}
    history = [{**asked("h1", 1), "content": "what came before"}, said[3]]
    rows = [{**ABOUT, "kind": "main"}, said[0], begun, *said[1:5], {"$rewindTo": "u2"},
            {"$set": {"messages": history}}, *said[4:]]  # fmt: skip
    return lines(directory / "chats" / "session-1.jsonl", rows)


@pytest.mark.parametrize("write", [recorded, in_lines])
def test_an_answer_ends_when_it_is_recorded_and_begins_at_what_it_answers(
    write: Any, tmp_path: Path
) -> None:
    found = read_traces([write(tmp_path)])
    assert found.skipped == []
    chats = found.chats
    assert ((chats["start_ns"] - BEGAN) / 1e9).tolist() == [0, 9, 40, 60]
    assert ((chats["end_ns"] - BEGAN) / 1e9).tolist() == [4, 12, 45, 63]
    assert chats["first_chunk_s"].tolist()[0] == 1.5
    assert chats["input_tokens"].tolist()[:3] == [1000, 1200, 1530]
    assert chats["output_tokens"].tolist()[:3] == [70, 80, 100]
    assert chats["cache_read_input_tokens"].tolist()[:3] == [600, 1000, 1000]
    assert chats["status"].tolist() == ["ok", "ok", "ok", "error"]
    assert chats["error_type"].tolist()[3] == "rate_limit"
    tools = found.tools
    assert tools["tool_name"].tolist() == ["run_shell_command", "investigator"]
    assert ((tools["end_ns"] - tools["start_ns"]) / 1e9).tolist() == [5, 28]
    assert tools["status"].tolist() == ["error", "ok"]


def test_a_sub_agent_has_a_chat_of_its_own_below(tmp_path: Path) -> None:
    path = in_lines(tmp_path)
    about = {**ABOUT, "sessionId": "sub1", "kind": "subagent"}
    answers = answer("b1", 20, (500, 40, 0, 0, 0)), answer("b2", 39, (700, 200, 0, 0, 0))
    below = [about, asked("a1", 12), *answers]
    lines(path.parent / "s1" / "sub1.jsonl", below)
    found = read_traces([tmp_path])
    assert found.calls["run_id"].unique().tolist() == ["s1"]
    agents = found.agents.set_index("agent_id")
    assert agents["name"].to_dict() == {"s1": "main", "sub1": "investigator"}
    assert agents.loc["sub1", "parent_agent_id"] == "s1"
    assert (found.chats["agent_id"] == "sub1").sum() == 2


def test_a_chat_that_was_resumed_counts_once(tmp_path: Path) -> None:
    alone = read_traces([in_lines(tmp_path / "a")])
    recorded(tmp_path / "b")
    in_lines(tmp_path / "b")
    assert len(read_traces([tmp_path / "b"]).calls) == len(alone.calls)


def test_a_line_that_breaks_off_is_said_and_what_came_before_is_read(tmp_path: Path) -> None:
    path = in_lines(tmp_path)
    path.write_text(path.read_text() + json.dumps(answer("g9", 90, (1, 1, 0, 0, 0)))[:40])
    found = read_traces([path])
    assert len(found.skipped) == 1
    assert len(found.chats) == 4


def test_a_message_without_a_time_is_left_out_and_named(tmp_path: Path) -> None:
    said = messages()
    said[1]["timestamp"] = "soon"
    path = whole(tmp_path / "session-1.json", {**ABOUT, "messages": said})
    found = read_traces([path])
    assert len(found.chats) == 3
    (skipped,) = found.skipped
    assert "session-1.json" in skipped
    assert "timestamp is 'soon'" in skipped
