"""Rows of Logfire's table ``records``, as its query API returns them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import lines, whole

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
COUNTED = {"gen_ai.usage.input_tokens": 900, "gen_ai.usage.output_tokens": 50}


def row(
    identity: int, parent: int | None, times: tuple[float, float], said: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """Return a row: a span, or part of one if `more` says so."""
    start, end = (f"2026-03-01T10:00:{each:09.6f}Z" for each in times)
    return {
        "trace_id": "7" * 32, "span_id": f"{identity:016x}",
        "parent_span_id": None if parent is None else f"{parent:016x}", "kind": "span",
        "span_name": "x", "message": "x", "start_timestamp": start, "end_timestamp": end,
        "duration": times[1] - times[0], "otel_status_code": "UNSET", "otel_status_message": None,
        "exception_type": None, "otel_scope_name": "pydantic-ai", "attributes": said, "tags": [],
        **more,
    }  # fmt: skip


def rows() -> list[dict[str, Any]]:
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "ann"}
    failed = {"otel_status_code": "ERROR", "otel_status_message": "what was asked",
              "exception_type": "RateLimitError"}  # fmt: skip
    return [
        row(1, None, (0, 20), {**agent, **COUNTED}),
        row(2, 1, (1.25, 1.25), CHAT, kind="pending_span"),
        row(2, 1, (1.25, 4), {**CHAT, **COUNTED}),
        row(3, 1, (5, 6), CHAT, **failed),
        row(4, 3, (5.5, 5.5), {"x": 1}, kind="log"),
    ]


def table(path: Path, some: list[dict[str, Any]], lacking: str = "") -> Path:
    """Write rows as CSV, objects in them as JSON."""
    with path.open("w", newline="") as stream:
        names = [name for name in some[0] if name != lacking]
        writer = csv.DictWriter(stream, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(
            {k: json.dumps(v) if isinstance(v, (dict, list)) else v for k, v in each.items()}
            for each in some
        )
    return path


def by_column(some: list[dict[str, Any]]) -> dict[str, Any]:
    return {"columns": [{"name": k, "values": [each[k] for each in some]} for k in some[0]]}


@pytest.mark.parametrize("how", ["lines", "rows", "columns", "csv", "csv without ends"])
def test_rows_of_logfire_are_spans(how: str, tmp_path: Path) -> None:
    path = {
        "lines": lambda: lines(tmp_path / "r.jsonl", rows()),
        "rows": lambda: whole(tmp_path / "r.json", {"columns": [], "rows": rows()}),
        "columns": lambda: whole(tmp_path / "r.json", by_column(rows())),
        "csv": lambda: table(tmp_path / "r.csv", rows()),
        "csv without ends": lambda: table(tmp_path / "r.csv", rows(), "end_timestamp"),
    }[how]()
    found = read_traces([path])
    assert found.skipped == []
    chats = found.chats
    assert set(found.calls["source_format"]) == {"spans"}
    assert chats["agent_id"].tolist() == ["ann", "ann"]
    assert chats["input_tokens"].tolist()[:1] == [900]
    assert ((chats["end_ns"] - chats["start_ns"]) / 1e9).tolist() == [2.75, 1.0]
    assert chats["status"].tolist() == ["ok", "error"]
    assert chats["error_type"].tolist()[1] == "RateLimitError"
