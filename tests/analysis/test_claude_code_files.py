"""Sessions of Claude Code whose files were split, compressed or written by other programs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import claude_code, claude_event, claude_message, lines

COLUMNS = ["run_id", "agent_id", "agent_name", "operation_name", "start_ns", "end_ns", "tool_name",
           "input_tokens", "output_tokens", "status"]  # fmt: skip


def calls(folder: Path) -> pd.DataFrame:
    return read_traces([folder]).calls[COLUMNS].sort_values(COLUMNS).reset_index(drop=True)


def packed(path: Path) -> None:
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def marked(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def in_utf_16(path: Path) -> None:
    path.write_text(path.read_text(), encoding="utf-16")


@pytest.mark.parametrize("change", [packed, marked, in_utf_16])
def test_what_stands_beside_a_file_is_read_as_the_file_is(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = claude_code(tmp_path)
    expected = calls(folder)
    for path in [each for each in folder.rglob("*") if each.is_file()]:
        change(path)
    pd.testing.assert_frame_equal(calls(folder), expected)


@pytest.mark.parametrize("at", range(3, 10))
def test_a_session_may_be_in_two_files(tmp_path: Path, at: int) -> None:
    """Lines of one message, and a tool and its result, are on both sides of some of the cuts."""
    folder = claude_code(tmp_path)
    expected = calls(folder)
    whole = folder / "S1.jsonl"
    said = whole.read_text().splitlines(keepends=True)
    whole.write_text("".join(said[:at]))
    (folder / "S1-rest.jsonl").write_text("".join(said[at:]))
    pd.testing.assert_frame_equal(calls(folder), expected)


@pytest.mark.parametrize("at", range(3, 10))
def test_a_copy_that_ends_earlier_takes_nothing_away(tmp_path: Path, at: int) -> None:
    folder = claude_code(tmp_path)
    expected = calls(folder)
    said = (folder / "S1.jsonl").read_text().splitlines(keepends=True)
    (folder / "old").mkdir()
    (folder / "old" / "S1.jsonl").write_text("".join(said[:at]))
    pd.testing.assert_frame_equal(calls(folder), expected)


def two_tools(folder: Path, first_result: float) -> Path:
    """Write a message whose two tools have lines of their own, 5 s apart, and their results."""
    uses = [{"type": "tool_use", "id": each, "name": each, "input": {}} for each in ("A", "B")]
    results = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": each}]}
               for each in ("A", "B")]  # fmt: skip
    rows = [
        claude_event(0, "u0", None),
        claude_message(3, "a0", "u0", "m0", uses[0], stop=None),
        claude_message(8, "a1", "a0", "m0", uses[1], stop="tool_use"),
        claude_event(first_result, "u1", "a0", message=results[0]),
        claude_event(12, "u2", "a1", message=results[1]),
        claude_message(15, "a2", "u2", "m1"),
    ]
    return lines(folder / "S1.jsonl", rows)


@pytest.mark.parametrize(("first_result", "began"), [(9.0, 8.0), (8.0, 3.0), (5.0, 3.0)])
def test_tools_begin_when_their_message_has_ended_unless_one_has_ended_before(
    tmp_path: Path, first_result: float, began: float
) -> None:
    """A tool that began with its own line would last as long as the rest of its message, too."""
    traces = read_traces([two_tools(tmp_path, first_result)])
    starts = (
        traces.tools.set_index("tool_name")["start_ns"] - traces.chats["start_ns"].min()
    ) / 1e9
    assert dict(starts) == {"A": began, "B": 8.0}


@pytest.mark.parametrize(
    ("took", "agent_began", "began"),
    [(6000, None, 3.0), (1000, None, 8.0), (None, 3.1, 3.0), (None, 8.0, 8.0)],
)
def test_tools_began_at_once_if_their_length_or_their_sub_agent_says_so(
    tmp_path: Path, took: int | None, agent_began: float | None, began: float
) -> None:
    """The result of a sub-agent comes long after the message, and so does that of a slow tool."""
    session = two_tools(tmp_path, 9.0)
    told = {"agentId": "ag1"} if agent_began is not None else {"durationMs": took}
    rows = [json.loads(each) for each in session.read_text().splitlines()]
    lines(session, [{**each, "toolUseResult": told} if each["uuid"] == "u1" else each
                    for each in rows])  # fmt: skip
    if agent_began is not None:
        side = {"isSidechain": True, "agentId": "ag1"}
        lines(
            tmp_path / "S1" / "subagents" / "agent-ag1.jsonl",
            [claude_event(agent_began, "v0", None, **side),
             claude_message(8.9, "b0", "v0", "n0", **side)],
        )  # fmt: skip
    traces = read_traces([session])
    first = traces.chats["start_ns"].min()
    tools = traces.tools.set_index("tool_name")
    assert (tools.loc["A", "start_ns"] - first) / 1e9 == began
    if agent_began is not None:
        (sent,) = traces.messages.loc[traces.messages["kind"] == "delegate", "sent_ns"]
        assert (sent - first) / 1e9 == began <= agent_began


def test_a_sub_agent_among_the_lines_of_the_session_began_at_once(tmp_path: Path) -> None:
    session = two_tools(tmp_path, 9.0)
    text = session.read_text().replace('"name": "A", "input": {}', '"name": "Task", "input": '
                                       '{"prompt": "look"}')  # fmt: skip
    side = {"isSidechain": True}
    asked = {"role": "user", "content": "look"}
    more = [claude_event(3.1, "v0", None, message=asked, **side),
            claude_message(8.9, "b0", "v0", "n0", **side)]  # fmt: skip
    session.write_text(text + "".join(f"{json.dumps(each)}\n" for each in more))
    traces = read_traces([session])
    tools = traces.tools.set_index("tool_name")
    assert (tools.loc["Task", "start_ns"] - traces.chats["start_ns"].min()) / 1e9 == 3.0
