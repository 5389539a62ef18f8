"""In a rollout of Codex, what passes until a person asks again is a pause, not a tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.calibration.requests import find_requests
from analysis.calibration.told_requests import with_told_requests
from analysis.observation.activity import PEOPLE, TOOL
from analysis.observation.runs import runs_of
from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import codex_count, codex_line, lines

PAUSE_S = 60.0


def rollout(path: Path, *, runs_tool: bool = False, leaves_tool: bool = False) -> Path:
    """Write three turns, each of a call of 5 s (and a tool), with a minute between them."""
    totals: dict[str, int] = {}
    rows = [codex_line(0, "session_meta", id="P", source="cli")]
    at_s = 0.0
    for i in range(3):
        rows += [codex_line(at_s, "turn_context", model="g"),
                 codex_line(at_s, "event_msg", type="user_message")]  # fmt: skip
        said: dict[str, Any] = {"name": "shell", "call_id": f"f{i}"}
        if runs_tool:
            rows += [codex_line(at_s + 2, "response_item", type="function_call", **said),
                     codex_count(at_s + 2, 900, 0, 9, totals),
                     codex_line(at_s + 5, "response_item", type="function_call_output",
                                call_id=f"f{i}", output="{}")]  # fmt: skip
            at_s += 5
        if leaves_tool:
            rows.append(codex_line(at_s + 5, "response_item", type="function_call", **said))
        else:
            rows.append(codex_line(at_s + 5, "event_msg", type="agent_message"))
        rows.append(codex_count(at_s + 5, 1000, 0, 10, totals))
        at_s += 5 + PAUSE_S
    return lines(path, rows)


def sub_agent(path: Path) -> Path:
    spawn = {"parent_thread_id": "P", "depth": 1}
    return lines(
        path,
        [codex_line(1, "session_meta", id="C", source={"subagent": {"thread_spawn": spawn}}),
         codex_line(1, "turn_context", model="g"), codex_count(3, 100, 0, 7, {})],
    )  # fmt: skip


def seconds(found: Traces) -> dict[str, float]:
    calls = with_told_requests(found.calls)
    (run,) = runs_of(calls)
    return {cause: each for cause, each in run.activity.seconds().items() if each}


@pytest.mark.parametrize("leaves_tool", [False, True])
def test_the_time_until_a_person_asks_again_is_a_pause(leaves_tool: bool, tmp_path: Path) -> None:
    found = read_traces([rollout(tmp_path / "rollout-P.jsonl", leaves_tool=leaves_tool)])
    spent = seconds(found)
    assert spent[PEOPLE] == pytest.approx(2 * PAUSE_S)
    assert not any(cause.startswith(TOOL) for cause in spent)
    assert found.chats["finish_reason"].tolist()[:2] == ["stop", "stop"]


def test_turns_of_a_session_with_a_sub_agent_are_not_one_request(tmp_path: Path) -> None:
    rollout(tmp_path / "rollout-P.jsonl")
    sub_agent(tmp_path / "rollout-C.jsonl")
    found = read_traces([tmp_path])
    assert found.report.runs == 1
    spent = seconds(found)
    assert spent[PEOPLE] == pytest.approx(2 * PAUSE_S)
    requests = find_requests(with_told_requests(found.calls)).table
    assert sorted(requests["turns"]) == [1, 1, 1, 1]


def test_a_tool_that_ran_within_a_turn_is_a_tool(tmp_path: Path) -> None:
    found = read_traces([rollout(tmp_path / "rollout-P.jsonl", runs_tool=True)])
    spent = seconds(found)
    assert spent[TOOL + "shell"] == pytest.approx(9.0)
    assert spent[PEOPLE] == pytest.approx(2 * PAUSE_S)
    assert find_requests(found.calls).table["turns"].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("kind", "said", "status"),
    [
        ("turn_aborted", {"reason": "interrupted"}, "cancelled"),
        ("turn_aborted", {"reason": "replaced"}, "cancelled"),
        ("turn_aborted", {}, "cancelled"),
        ("error", {"message": "stream disconnected"}, "error"),
        ("stream_error", {"message": "request timed out"}, "timeout"),
    ],
)
def test_a_turn_that_its_person_interrupts_is_no_failure(
    tmp_path: Path, kind: str, said: dict[str, Any], status: str
) -> None:
    rows = [codex_line(0, "session_meta", id="P", source="cli"),
            codex_line(0, "turn_context", model="g"), codex_count(5, 1000, 0, 10, {}),
            codex_line(6, "event_msg", type="user_message"),
            codex_line(9, "event_msg", type=kind, **said)]  # fmt: skip
    path = lines(tmp_path / "rollout-1.jsonl", rows)
    assert read_traces([path]).calls["status"].tolist() == ["ok", status]
