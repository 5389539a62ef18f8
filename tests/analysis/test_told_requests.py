"""Calls of one request are one loop where the trace tells of it, whatever reasons they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.calibration.requests import find_requests
from analysis.calibration.told_requests import with_told_requests
from analysis.observation.neutral_names import anonymised
from analysis.observation.observe import observe
from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import document, lines, otel, whole

CHAT = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "m",
        "gen_ai__usage__input_tokens": 100, "gen_ai__usage__output_tokens": 20}  # fmt: skip
STOP = {"gen_ai__response__finish_reasons": '["stop"]', **CHAT}


def agent(number: int, parent: int | None, name: str, at: float, lasts: float) -> dict[str, Any]:
    return otel(number, parent, f"invoke_agent {name}", at, lasts, gen_ai__agent__name=name,
                gen_ai__operation__name="invoke_agent")  # fmt: skip


def tasks(directory: Path) -> Path:
    """Write two tasks of three calls each, all by one agent that is invoked once."""
    spans = [agent(1, None, "w", 0, 90)]
    for task in range(2):
        number, at = 10 * (task + 1), 40.0 * task
        spans.append(otel(number, 1, "work", at, 30, gen_ai__task__id=f"t{task}"))
        spans += [otel(number + i, number, "chat", at + 5 * i, 4, **STOP) for i in (1, 2, 3)]
    return whole(directory / "a.json", document(*spans))


def invocations(directory: Path) -> Path:
    """Write an agent that is invoked twice in a run, for three calls each."""
    spans = [otel(1, None, "workflow", 0, 90)]
    for turn in range(2):
        number, at = 10 * (turn + 1), 40.0 * turn
        spans.append(agent(number, 1, "w", at, 30))
        spans += [otel(number + i, number, "chat", at + 5 * i, 4, **STOP) for i in (1, 2, 3)]
    return whole(directory / "a.json", document(*spans))


def own_traces(directory: Path) -> Path:
    """Write a conversation whose requests have a trace each."""
    rows = []
    for turn in range(2):
        calls = [otel(10 * turn + i, None, "chat", 40.0 * turn + 5 * i, 4, **STOP)
                 for i in (1, 2, 3)]  # fmt: skip
        rows += [call | {"traceId": f"{turn + 1:032x}"} for call in calls]
    return lines(directory / "a.jsonl", [document(*rows, session__id="S")])


TOLD = (tasks, invocations, own_traces)


@pytest.mark.parametrize("write", TOLD)
def test_calls_of_a_told_request_are_one_loop(write: Any, tmp_path: Path) -> None:
    calls = with_told_requests(read_traces([write(tmp_path)]).calls)
    requests = find_requests(calls).table
    assert requests["turns"].tolist() == [3, 3]
    assert requests["is_whole"].tolist() == [True, True]


@pytest.mark.parametrize("write", TOLD)
@pytest.mark.usefixtures("hardly_tuned")
def test_the_twin_of_told_requests_has_loops(write: Any, tmp_path: Path) -> None:
    found = observe(read_traces([write(tmp_path)]), "x", 10)
    agent = found.twin.document["team"]["agent"]
    assert "loop" in agent
    assert found.twin.tasks == 2
    assert found.table["turns"].tolist() == [4]


@pytest.mark.parametrize("write", TOLD)
def test_neutral_names_keep_told_requests(write: Any, tmp_path: Path) -> None:
    calls = with_told_requests(anonymised(read_traces([write(tmp_path)])).calls)
    assert find_requests(calls).table["turns"].tolist() == [3, 3]


def once(directory: Path) -> Path:
    """Write an agent that is invoked once: what it does may be many requests."""
    calls = [otel(i, 1, "chat", 5.0 * i, 4, **STOP) for i in range(2, 8)]
    return whole(directory / "a.json", document(agent(1, None, "w", 0, 90), *calls))


def test_calls_that_end_are_requests_where_nothing_else_is_told(tmp_path: Path) -> None:
    calls = with_told_requests(read_traces([once(tmp_path)]).calls)
    assert find_requests(calls).table["turns"].tolist() == [1] * 6


def with_tools(directory: Path) -> Traces:
    """Write calls of a model that ends with STOP also where it asks for tools."""
    tool = {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": "grep"}
    spans = [otel(1, None, "chat", 0, 4, **STOP), otel(2, None, "execute_tool grep", 5, 2, **tool),
             otel(3, None, "chat", 8, 4, **STOP), otel(4, None, "chat", 99, 4, **STOP)]  # fmt: skip
    return read_traces([whole(directory / "a.json", document(*spans))])


@pytest.mark.usefixtures("hardly_tuned")
def test_a_call_whose_tools_ran_goes_on_whatever_it_says(tmp_path: Path) -> None:
    found = observe(with_tools(tmp_path), "x", 10)
    assert found.table["turns"].tolist() == [1]
    assert found.traces.calls["finish_reason"].dropna().tolist() == ["tool_calls", "stop", "stop"]
    assert found.twin.tasks == 2


def test_runs_that_say_no_reasons_stay_without_them(tmp_path: Path) -> None:
    spans = [otel(i, None, "chat", 5.0 * i, 4, **CHAT) for i in range(1, 5)]
    traces = read_traces([whole(tmp_path / "a.json", document(*spans))])
    assert with_told_requests(traces.calls)["finish_reason"].isna().all()
