"""Sessions of opencode, as it stores them, keeps them in its data base, and exports them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.observation.observe import observe
from analysis.observation.structure import SUBAGENTS
from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError
from tests.analysis.trace_samples import START, compressed, whole

Row = dict[str, Any]


def ms(second: float) -> int:
    return START * 1000 + round(second * 1000)


def part(message: str, name: str, session: str, kind: str, **said: Any) -> Row:
    return {"id": f"prt_{message}{name}", "sessionID": session, "messageID": f"msg_{message}",
            "type": kind, **said}  # fmt: skip


def wrote(message: str, name: str, session: str, start: float, end: float) -> Row:
    times = {"start": ms(start), "end": ms(end)}
    return part(message, name, session, "text", text="secret", time=times)


def ran(
    message: str, name: str, session: str, tool: str, start: float, end: float, **metadata: Any
) -> Row:
    state = {"status": "completed", "input": {}, "output": "abcd", "metadata": metadata,
             "time": {"start": ms(start), "end": ms(end)}}  # fmt: skip
    return part(message, name, session, "tool", callID=f"call_{message}", tool=tool, state=state)


def tokens(read: int, cached: int, written: int, output: int, thought: int = 0) -> Row:
    """Return counts as newer versions have them: all apart, and a total."""
    total = read + cached + written + output + thought
    return {"total": total, "input": read, "output": output, "reasoning": thought,
            "cache": {"read": cached, "write": written}}  # fmt: skip


def answer(
    message: str, session: str, times: tuple[float, float], parts: list[Row], **said: Any
) -> Row:
    """Return an assistant's message with its parts: one step of the model, if it was answered."""
    counted = said.setdefault("tokens", tokens(0, 0, 0, 0))
    info = {"id": f"msg_{message}", "sessionID": session, "role": "assistant",
            "time": {"created": ms(times[0]), "completed": ms(times[1])}, "modelID": "m",
            "providerID": "anthropic", "agent": "build", "cost": 0.01, **said}  # fmt: skip
    ends = []
    if "finish" in said:
        ends = [part(message, "z", session, "step-finish", reason=said["finish"], cost=0.01,
                     tokens=counted)]  # fmt: skip
    begins = part(message, "a", session, "step-start")
    return {"info": info, "parts": [begins, *parts, *ends]}


def question(message: str, session: str, at: float) -> Row:
    info = {"id": f"msg_{message}", "sessionID": session, "role": "user",
            "time": {"created": ms(at)}}  # fmt: skip
    return {"info": info, "parts": []}


def session(identity: str, **said: Any) -> Row:
    return {"id": identity, "projectID": "p", "directory": "/x", "version": "1", "title": "secret",
            "time": {"created": ms(0), "updated": ms(99)}, **said}  # fmt: skip


def sessions() -> list[tuple[Row, list[Row]]]:
    """Return a session with a tool that fails, a retry and errors, and that of its sub-agent."""
    overloaded = {"name": "APIError", "data": {"message": "Overloaded", "statusCode": 529,
                  "isRetryable": True, "responseHeaders": {"retry-after": "3"}}}  # fmt: skip
    main = [
        question("01", "ses_1", 0),
        answer("02", "ses_1", (0.5, 9),
               [wrote("02", "b", "ses_1", 1, 4), ran("02", "c", "ses_1", "bash", 4.5, 9, exit=1)],
               tokens=tokens(100, 8000, 900, 50, 20), finish="tool-calls"),
        answer("03", "ses_1", (10, 40),
               [ran("03", "b", "ses_1", "task", 12, 40, sessionId="ses_2")],
               tokens=tokens(10, 9000, 100, 60), finish="tool-calls"),
        answer("04", "ses_1", (41, 50),
               [part("04", "b", "ses_1", "retry", attempt=1, error=overloaded,
                     time={"created": ms(42)}), wrote("04", "c", "ses_1", 46, 50)],
               tokens=tokens(10, 9000, 100, 60), finish="stop"),
        answer("05", "ses_1", (60, 62), [],
               error={"name": "ContextOverflowError", "data": {"message": "too long"}}),
        answer("06", "ses_1", (70, 72), [wrote("06", "b", "ses_1", 71, 72)],
               error={"name": "MessageAbortedError", "data": {"message": "aborted"}}),
    ]  # fmt: skip
    below = [
        answer("12", "ses_2", (12, 20),
               [wrote("12", "b", "ses_2", 13, 15), ran("12", "c", "ses_2", "grep", 15, 20)],
               tokens=tokens(500, 0, 1000, 30), finish="tool-calls", agent="explore"),
        answer("13", "ses_2", (20, 39), [wrote("13", "b", "ses_2", 22, 39)],
               tokens=tokens(50, 1500, 100, 300), finish="stop", agent="explore"),
    ]  # fmt: skip
    return [(session("ses_1"), main), (session("ses_2", parentID="ses_1"), below)]


def stored(directory: Path) -> Path:
    for about, messages in sessions():
        whole(directory / "storage" / "session" / "p" / f"{about['id']}.json", about)
        for each in messages:
            named = f"{each['info']['id']}.json"
            whole(directory / "storage" / "message" / about["id"] / named, each["info"])
            for one in each["parts"]:
                place = directory / "storage" / "part" / each["info"]["id"]
                whole(place / f"{one['id']}.json", one)
    whole(directory / "storage" / "project" / "p.json", {"id": "p", "worktree": "/x"})
    return directory / "storage"


def exported(directory: Path) -> Path:
    for about, messages in sessions():
        whole(directory / f"{about['id']}.json", {"info": about, "messages": messages})
    return directory


def data_base(directory: Path) -> Path:
    path = directory / "opencode.db"
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE session (id, project_id, parent_id, directory, version)")
        base.execute("CREATE TABLE message (id, session_id, data)")
        base.execute("CREATE TABLE part (id, message_id, session_id, data)")
        for about, messages in sessions():
            row = (about["id"], "p", about.get("parentID"), "/x", "1")
            base.execute("INSERT INTO session VALUES (?, ?, ?, ?, ?)", row)
            for each in messages:
                ids, said = apart(each["info"], "id", "sessionID")
                base.execute("INSERT INTO message VALUES (?, ?, ?)", (*ids, said))
                for one in each["parts"]:
                    ids, said = apart(one, "id", "messageID", "sessionID")
                    base.execute("INSERT INTO part VALUES (?, ?, ?, ?)", (*ids, said))
        base.commit()
    return path


def apart(row: Row, *names: str) -> tuple[list[Any], str]:
    return [row[name] for name in names], json.dumps(
        {name: value for name, value in row.items() if name not in names}
    )


def packed(directory: Path) -> Path:
    return compressed(data_base(directory))


WAYS = {"storage": stored, "export": exported, "data base": data_base, "compressed": packed}


@pytest.fixture(params=WAYS)
def found(request: pytest.FixtureRequest, tmp_path: Path) -> Traces:
    return read_traces([WAYS[request.param](tmp_path)])


def seconds(calls: pd.DataFrame) -> list[tuple[float, float]]:
    starts = (calls["start_ns"] - START * 10**9) / 1e9
    return list(zip(starts, (calls["end_ns"] - calls["start_ns"]) / 1e9, strict=True))


def test_calls_of_the_model_end_when_their_tools_begin(found: Traces) -> None:
    assert found.skipped == []
    assert found.report.unread.count == 0
    assert seconds(found.chats) == [
        (0.5, 4.0), (10.0, 2.0), (12.0, 3.0), (20.0, 19.0), (41.0, 1.0), (45.0, 5.0), (60.0, 2.0),
        (70.0, 2.0),
    ]  # fmt: skip
    assert seconds(found.tools) == [(4.5, 4.5), (12.0, 28.0), (15.0, 5.0)]
    assert found.tools["status"].tolist() == ["error", "ok", "ok"]


def test_the_input_has_the_cached_tokens_and_the_output_the_reasoning(found: Traces) -> None:
    first = found.chats.iloc[0]
    assert first["input_tokens"] == 9000
    assert first["cache_read_input_tokens"] == 8000
    assert first["cache_write_input_tokens"] == 900
    assert (first["output_tokens"], first["reasoning_output_tokens"]) == (70, 20)
    assert first["cost_usd"] == 0.01
    assert found.chats["output_tokens"].sum() == 70 + 60 + 60 + 30 + 300


def test_errors_and_attempts_have_names(found: Traces) -> None:
    failed = found.chats[found.chats["status"] != "ok"]
    assert failed["status"].tolist() == ["error", "error", "cancelled"]
    assert failed["error_type"].tolist() == [
        "overloaded", "ContextOverflowError", "MessageAbortedError"]  # fmt: skip
    assert failed["http_status"].tolist()[0] == 529
    assert found.chats["attempt"].dropna().tolist() == [1, 2]


def test_a_sub_agent_is_below_who_started_it(found: Traces) -> None:
    assert found.calls["run_id"].unique().tolist() == ["ses_1"]
    agents = found.agents.set_index("agent_id")
    assert agents["name"].to_dict() == {"ses_1": "build", "ses_2": "explore"}
    assert agents.loc["ses_2", "parent_agent_id"] == "ses_1"
    assert found.messages["kind"].tolist() == ["delegate", "return"]


@pytest.mark.slow
def test_the_twin_of_a_session_has_its_sub_agents(tmp_path: Path) -> None:
    assert observe(read_traces([exported(tmp_path)]), "x", 2).structure.kind == SUBAGENTS


def test_an_older_message_holds_several_steps_and_reasoning_in_its_output(tmp_path: Path) -> None:
    older = {"input": 10, "output": 70, "reasoning": 20, "cache": {"read": 90, "write": 0}}

    def ended(name: str, reason: str) -> Row:
        return part("02", name, "s", "step-finish", reason=reason, cost=0.02, tokens=older)

    message = answer("02", "s", (0, 20), [
        wrote("02", "b", "s", 1, 4), ran("02", "c", "s", "bash", 4, 9), ended("d", "tool-calls"),
        wrote("02", "f", "s", 12, 20), ended("g", "stop"),
    ], cost=0.04, tokens=older)  # fmt: skip
    found = read_traces([whole(tmp_path / "s.json", {"info": session("s"), "messages": [message]})])
    assert seconds(found.chats) == [(0.0, 4.0), (9.0, 11.0)]
    assert found.chats["output_tokens"].tolist() == [70, 70]
    assert found.chats["input_tokens"].tolist() == [100, 100]
    assert found.chats["cost_usd"].tolist() == [0.02, 0.02]


def test_messages_of_two_sessions_may_have_one_id(tmp_path: Path) -> None:
    for name in ("s1", "s2"):
        message = answer("02", name, (0, 9), [wrote("02", "b", name, 1, 4)], finish="stop")
        whole(tmp_path / f"{name}.json", {"info": session(name), "messages": [message]})
    found = read_traces([tmp_path])
    assert found.chats["run_id"].tolist() == ["s1", "s2"]


def test_a_data_base_that_breaks_off_is_named(tmp_path: Path) -> None:
    path = data_base(tmp_path)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(TeamsimError, match="cannot be read as a data base of opencode"):
        read_traces([path])


def test_another_data_base_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE things (id)")
        base.commit()
    with pytest.raises(TeamsimError, match="no known trace format"):
        read_traces([path])


def test_a_damaged_text_of_a_data_base_takes_no_other_row_with_it(tmp_path: Path) -> None:
    path = data_base(tmp_path)
    with closing(sqlite3.connect(path)) as base:
        base.execute("UPDATE session SET directory = CAST(x'ff41' AS TEXT)")
        base.commit()
    assert len(read_traces([path]).chats) == 8
