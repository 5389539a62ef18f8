"""Files of OpenTelemetry's JavaScript SDK: what it prints, and its own objects as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import START, lines, whole

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
COUNTED = {"gen_ai.usage.input_tokens": 900, "gen_ai.usage.output_tokens": 50}


def pair(second: float) -> list[int]:
    """Return a time as the SDK has it: seconds, and nanoseconds."""
    return [START + int(second), round(second % 1 * 1e9)]


def context(identity: int | None) -> dict[str, Any] | None:
    return None if identity is None else {"traceId": "7" * 32, "spanId": f"{identity:016x}"}


def kept(
    identity: int, parent: int | None, name: str, times: tuple[float, float], **said: Any
) -> dict[str, Any]:
    """Return a span as version 2 of the SDK has it in memory."""
    failed = said.pop("failed", False)
    events = [{"name": "exception", "attributes": {"exception.type": "RateLimitError"},
               "time": pair(times[1])}]  # fmt: skip
    return {
        "_spanContext": context(identity), "parentSpanContext": context(parent), "name": name,
        "kind": 2, "attributes": said, "links": [], "events": events if failed else [],
        "status": {"code": 2 if failed else 0}, "startTime": pair(times[0]),
        "endTime": pair(times[1]), "_ended": True,
        "resource": {"_rawAttributes": [["session.id", "s"]]},
        "instrumentationScope": {"name": "ai"},
    }  # fmt: skip


def spans() -> list[dict[str, Any]]:
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "ann"}
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "ls"}
    return [
        kept(1, None, "invoke_agent ann", (0, 20), **agent),
        kept(2, 1, "chat m", (1.25, 4), **CHAT, **COUNTED),
        kept(3, 1, "chat m", (5, 6), **CHAT, failed=True),
        kept(4, 1, "execute_tool ls", (7, 9.5), **tool),
    ]


def of_version_1(span: dict[str, Any]) -> dict[str, Any]:
    """Return a span as version 1 of the SDK has it in memory, as Gemini CLI writes it to a file."""
    parent = span["parentSpanContext"]
    rest = {key: value for key, value in span.items() if key != "parentSpanContext"}
    return rest | {"parentSpanId": parent and parent["spanId"],
                   "resource": {"_attributes": {"session.id": "s"}}}  # fmt: skip


def printed(span: dict[str, Any], is_new: bool) -> dict[str, Any]:
    """Return what the console exporter prints of a span: times in microseconds."""
    (s, ns), (end_s, end_ns) = span["startTime"], span["endTime"]
    parent = span["parentSpanContext"]
    said = {
        "resource": {"attributes": {"session.id": "s"}}, "name": span["name"], "kind": 2,
        "traceId": "7" * 32, "id": span["_spanContext"]["spanId"], "links": [],
        "timestamp": s * 10**6 + ns // 1000, "duration": (end_s - s) * 1e6 + (end_ns - ns) / 1e3,
        **{name: span[name] for name in ("attributes", "status", "events")},
    }  # fmt: skip
    if is_new:
        return said | {"instrumentationScope": {"name": "ai"}, "parentSpanContext": parent}
    above = {} if parent is None else {"parentId": parent["spanId"]}
    return said | {"instrumentationLibrary": {"name": "ai"}, **above}


def read(directory: Path, how: str) -> Traces:
    rows = {
        "kept": spans(),
        "kept by version 1": [of_version_1(each) for each in spans()],
        "printed": [printed(each, is_new=True) for each in spans()],
        "printed by version 1": [printed(each, is_new=False) for each in spans()],
    }[how]
    if how == "printed":
        return read_traces([lines(directory / "spans.jsonl", rows)])
    if how == "printed by version 1":
        return read_traces([whole(directory / "spans.json", rows)])
    path = directory / "telemetry.log"
    path.write_text("".join(f"{json.dumps(each, indent=2)}\n" for each in rows))
    return read_traces([path])


@pytest.mark.parametrize("how", ["kept", "kept by version 1", "printed", "printed by version 1"])
def test_spans_of_javascript_are_read(how: str, tmp_path: Path) -> None:
    found = read(tmp_path, how)
    assert found.skipped == []
    calls = found.calls[found.calls["operation_name"] != "invoke_agent"]
    assert calls["operation_name"].tolist() == ["chat", "chat", "execute_tool"]
    assert set(calls["run_id"]) == {"s"}
    assert set(calls["agent_id"]) == {"ann"}
    assert ((calls["end_ns"] - calls["start_ns"]) / 1e9).tolist() == [2.75, 1.0, 2.5]
    assert (calls["start_ns"] - START * 10**9).tolist() == [1_250_000_000, 5 * 10**9, 7 * 10**9]
    assert calls["status"].tolist() == ["ok", "error", "ok"]
    assert calls["error_type"].tolist()[1] == "RateLimitError"
    assert calls["input_tokens"].tolist()[0] == 900


def test_a_span_that_has_not_ended_is_left_out_and_said(tmp_path: Path) -> None:
    going_on = spans()[1] | {"endTime": [0, 0], "_ended": False, "_duration": [-1, -1]}
    found = read_traces([lines(tmp_path / "s.jsonl", [spans()[3], going_on])])
    assert len(found.calls) == 1
    assert len(found.skipped) == 1


def test_records_of_logs_are_read_beside_measurements(tmp_path: Path) -> None:
    said = {"session.id": "g", "event.name": "gemini_cli.api_response", "model": "m",
            "duration_ms": 3000, "input_token_count": 1000, "output_token_count": 100,
            "cached_content_token_count": 600, "status_code": 200}  # fmt: skip
    rows = [
        {"hrTime": pair(4), "hrTimeObserved": pair(4), "resource": {"attributes": {}},
         "instrumentationScope": {"name": "gemini-cli"}, "attributes": said, "_body": "API"},
        {"resource": {"attributes": {}}, "scopeMetrics": [{"metrics": []}]},
    ]  # fmt: skip
    path = tmp_path / "telemetry.log"
    path.write_text("".join(f"{json.dumps(each, indent=2)}\n" for each in rows))
    (call,) = read_traces([path]).calls.to_dict("records")
    assert (call["run_id"], call["input_tokens"], call["cache_read_input_tokens"]) == (
        "g", 1000, 600)  # fmt: skip
    assert (call["end_ns"] - call["start_ns"]) == 3 * 10**9
