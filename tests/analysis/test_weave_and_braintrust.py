"""Exports of W&B Weave and of Braintrust: spans, and which of them are calls of models."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from analysis.traces.values import nanoseconds
from tests.analysis.trace_samples import lines, stamp, whole

Row = dict[str, Any]
BEGAN = nanoseconds(stamp(0))


def call(identity: str, parent: str | None, op: str, start: float, end: float, **said: Any) -> Row:
    """Return a call of Weave."""
    return {"id": identity, "project_id": "e/p", "op_name": f"weave:///e/p/op/{op}:hash",
            "trace_id": "t", "parent_id": parent, "started_at": stamp(start),
            "ended_at": stamp(end), "attributes": {}, "inputs": {}, "output": None,
            "exception": None, "summary": {}, **said}  # fmt: skip


def used(read: int, cached: int, wrote: int, cost: float) -> Row:
    usage = {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote,
             "requests": 1, "prompt_tokens_details": {"cached_tokens": cached}}  # fmt: skip
    costs = {"prompt_tokens_total_cost": cost / 2, "completion_tokens_total_cost": cost / 2}
    return {
        "usage": {"gpt-4.1": usage},
        "weave": {"status": "success", "costs": {"gpt-4.1": costs}},
    }


def calls() -> list[Row]:
    kind = {"weave": {"kind": "tool"}}
    return [
        call("a", None, "Agent.run", 0, 30, summary=used(1900, 600, 80, 0.02)),
        call("b", "a", "openai.chat.completions.create", 1, 4, summary=used(900, 600, 50, 0.01)),
        call("c", "a", "openai.chat.completions.create", 5, 6,
             exception="RateLimitError: Error code: 429"),
        call("d", "a", "search", 7, 9.5, attributes=kind),
        call("e", "a", "helper", 9.5, 9.75),
        call("f", "a", "my_model.predict", 10, 14, summary=used(1000, 0, 30, 0.01)),
    ]  # fmt: skip


def span(identity: str, parent: str | None, kind: str, name: str, **said: Any) -> Row:
    """Return a span of Braintrust."""
    start, end = said.pop("times")
    metrics = {"start": BEGAN / 1e9 + start, "end": BEGAN / 1e9 + end, **said.pop("metrics", {})}
    return {"id": f"row-{identity}", "span_id": identity, "root_span_id": "a",
            "span_parents": [parent] if parent else None, "is_root": parent is None,
            "span_attributes": {"name": name, "type": kind}, "metrics": metrics,
            "metadata": {"model": "gpt-4.1"} if kind == "llm" else {}, "error": None,
            "input": "secret", "output": "secret", "created": stamp(start), **said}  # fmt: skip


def spans() -> list[Row]:
    first = {"prompt_tokens": 900, "completion_tokens": 50, "tokens": 950,
             "prompt_cached_tokens": 600, "estimated_cost": 0.01}  # fmt: skip
    last = {"prompt_tokens": 1000, "completion_tokens": 30, "tokens": 1030, "estimated_cost": 0.01}
    return [
        span("a", None, "task", "agent", times=(0, 30)),
        span("b", "a", "llm", "Chat Completion", times=(1, 4), metrics=first),
        span("c", "a", "llm", "Chat Completion", times=(5, 6),
             error="RateLimitError: Error code: 429"),
        span("d", "a", "tool", "search", times=(7, 9.5)),
        span("e", "a", "function", "helper", times=(9.5, 9.75)),
        span("f", "a", "llm", "Chat Completion", times=(10, 14), metrics=last),
    ]  # fmt: skip


def flat(value: Any, name: str = "") -> Row:
    """Return an object as columns, as Weave's page exports it."""
    if not isinstance(value, dict):
        return {name: value}
    return {k: v for key, each in value.items() for k, v in
            flat(each, f"{name}.{key}" if name else key).items()}  # fmt: skip


def table(path: Path, rows: list[Row]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(
            {k: json.dumps(v) if isinstance(v, (dict, list)) else v for k, v in row.items()}
            for row in rows
        )
    return path


def of(directory: Path, how: str) -> Traces:
    path = {
        "weave": lambda: lines(directory / "calls.jsonl", calls()),
        "weave, a table": lambda: table(directory / "calls.csv", [flat(each) for each in calls()]),
        "braintrust": lambda: lines(directory / "spans.jsonl", spans()),
        "braintrust, a page": lambda: whole(directory / "page.json", {"data": spans()}),
        "braintrust, a table": lambda: table(directory / "spans.csv", spans()),
    }[how]()
    return read_traces([path])


@pytest.mark.parametrize(
    "how", ["weave", "weave, a table", "braintrust", "braintrust, a page", "braintrust, a table"]
)
def test_calls_and_tools_are_read(how: str, tmp_path: Path) -> None:
    found = of(tmp_path, how)
    assert found.skipped == []
    chats, tools = found.chats, found.tools
    assert ((chats["start_ns"] - BEGAN) / 1e9).round(3).tolist() == [1, 5, 10]
    assert ((chats["end_ns"] - chats["start_ns"]) / 1e9).round(3).tolist() == [3, 1, 4]
    assert chats["response_model"].dropna().unique().tolist() == ["gpt-4.1"]
    assert chats["input_tokens"].dropna().tolist() == [900, 1000]
    assert chats["output_tokens"].dropna().tolist() == [50, 30]
    assert chats["cost_usd"].dropna().round(6).tolist() == [0.01, 0.01]
    assert chats["status"].tolist() == ["ok", "error", "ok"]
    assert chats["error_type"].tolist()[1] == "rate_limit"
    assert tools["tool_name"].tolist() == ["search"]
    assert chats["cache_read_input_tokens"].tolist()[0] == 600


def test_an_error_of_braintrust_may_be_an_object(tmp_path: Path) -> None:
    error = {"name": "APITimeoutError", "message": "Request timed out"}
    path = lines(tmp_path / "x.jsonl", [span("b", None, "llm", "c", times=(0, 2), error=error)])
    found = read_traces([path]).chats
    assert found["status"].tolist() == ["timeout"]
    assert found["error_type"].tolist() == ["APITimeoutError"]


def test_an_operation_that_asked_two_models_has_the_tokens_of_both(tmp_path: Path) -> None:
    usage = {"a": {"prompt_tokens": 10, "completion_tokens": 2}, "b": {"prompt_tokens": 5}}
    one = call("a", None, "litellm.completion", 0, 9, summary={"usage": usage})
    found = read_traces([lines(tmp_path / "x.jsonl", [one])]).chats
    assert found["input_tokens"].tolist() == [15]
    assert found["output_tokens"].tolist() == [2]
    assert found["response_model"].isna().all()
