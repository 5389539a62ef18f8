"""Spans in rows of data bases, and in exports of Zipkin, Datadog, Google Cloud and Azure."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError
from tests.analysis.trace_samples import lines, whole

START = 1_772_359_200
"""1 March 2026, 10:00, in s."""

SPANS: list[tuple[str, str, str, float, float, dict[str, Any]]] = [
    ("1", "", "invoke_agent planner", 0.0, 9.0,
     {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}),
    ("2", "1", "chat m", 0.5, 3.0,
     {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m",
      "gen_ai.usage.input_tokens": "1200", "gen_ai.usage.output_tokens": "80"}),
    ("3", "1", "execute_tool search", 4.0, 1.0,
     {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}),
]  # fmt: skip
"""Id, parent, name, start and length in s, attributes; the tool failed."""


def stamp(second: float) -> str:
    return f"2026-03-01 10:00:{second:012.9f}"


def clickhouse() -> list[dict[str, Any]]:
    return [
        {
            "Timestamp": stamp(at),
            "TraceId": "t",
            "SpanId": name,
            "ParentSpanId": parent,
            "SpanName": title,
            "SpanKind": "Internal",
            "ServiceName": "app",
            "ResourceAttributes": {"service.name": "app"},
            "SpanAttributes": said,
            "Duration": round(lasts * 1e9),
            "StatusCode": "Error" if name == "3" else "Unset",
            "StatusMessage": "boom" if name == "3" else "",
        }
        for name, parent, title, at, lasts, said in SPANS
    ]


def clickhouse_csv(directory: Path) -> Path:
    path = directory / "otel_traces.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(clickhouse()[0]), quoting=csv.QUOTE_NONNUMERIC)
        writer.writeheader()
        for row in clickhouse():
            writer.writerow({k: repr(v) if isinstance(v, dict) else v for k, v in row.items()})
    return path


def clickhouse_lines(directory: Path) -> Path:
    rows = [{**row, "Duration": str(row["Duration"])} for row in clickhouse()]
    return lines(directory / "rows.jsonl", rows)


def clickhouse_json(directory: Path) -> Path:
    return whole(directory / "rows.json", {"meta": [], "data": clickhouse(), "rows": 3})


def clickhouse_parquet(directory: Path) -> Path:
    rows, text = clickhouse(), pa.string()
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    maps = {
        name: pa.array([list(each.items()) for each in columns[name]], pa.map_(text, text))
        for name in ("ResourceAttributes", "SpanAttributes")
    }
    pq.write_table(pa.table({**columns, **maps}), directory / "rows.parquet")
    return directory / "rows.parquet"


def postgres(directory: Path) -> Path:
    head = ["trace_id", "span_id", "parent_span_id", "name", "start_time", "duration_ms",
            "attributes", "status"]  # fmt: skip
    with (directory / "spans.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for name, parent, title, at, lasts, said in SPANS:
            status = "error" if name == "3" else "ok"
            writer.writerow(
                ["t", name, parent, title, stamp(at) + "+00", lasts * 1e3, json.dumps(said), status]
            )
    return directory / "spans.csv"


def zipkin(directory: Path) -> Path:
    spans = [
        {
            "traceId": "t",
            "id": name,
            "name": title,
            "timestamp": round((START + at) * 1e6),
            "duration": round(lasts * 1e6),
            "localEndpoint": {"serviceName": "app"},
            "tags": said | ({"error": "boom"} if name == "3" else {}),
        }
        | ({"parentId": parent} if parent else {})
        for name, parent, title, at, lasts, said in SPANS
    ]
    return whole(directory / "zipkin.json", [spans])


def google(directory: Path) -> Path:
    spans = [
        {
            "spanId": name,
            "name": title,
            "startTime": stamp(at).replace(" ", "T") + "Z",
            "endTime": stamp(at + lasts).replace(" ", "T") + "Z",
            "labels": said | ({"error": "true"} if name == "3" else {}),
        }
        | ({"parentSpanId": parent} if parent else {})
        for name, parent, title, at, lasts, said in SPANS
    ]
    return whole(directory / "trace.json", {"traces": [{"traceId": "t", "spans": spans}]})


def azure(directory: Path) -> Path:
    head = ["timestamp [UTC]", "id", "name", "success", "duration", "operation_Id",
            "operation_ParentId", "customDimensions"]  # fmt: skip
    with (directory / "dependencies.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for name, parent, title, at, lasts, said in SPANS:
            moment = f"3/1/2026, 10:00:{at:06.3f} AM"
            writer.writerow(
                [moment, name, title, name != "3", lasts * 1e3, "t", parent, json.dumps(said)]
            )
    return directory / "dependencies.csv"


def datadog(directory: Path) -> Path:
    kinds = {"1": "agent", "2": "llm", "3": "tool"}
    names = {"1": "planner", "2": "generate", "3": "search"}
    data = [
        {
            "id": name,
            "type": "spans",
            "attributes": {
                "trace_id": "t",
                "span_id": name,
                "parent_id": parent or "undefined",
                "name": names[name],
                "span_kind": kinds[name],
                "start_ns": round((START + at) * 1e9),
                "duration": round(lasts * 1e9),
                "status": "error" if name == "3" else "ok",
            }
            | (
                {"model_name": "m", "metrics": {"input_tokens": 1200, "output_tokens": 80}}
                if name == "2"
                else {}
            ),
        }
        for name, parent, _, at, lasts, _ in SPANS
    ]
    return whole(directory / "spans.json", {"data": data})


def told(traces: Traces) -> list[tuple[Any, ...]]:
    calls = traces.calls
    lasts = ((calls["end_ns"] - calls["start_ns"]) / 1e9).round(6)
    columns = [calls[name] for name in ("operation_name", "agent_id", "status")]
    return list(zip(*columns, calls["start_ns"] / 1e9 - START, lasts, strict=True))


@pytest.mark.parametrize(
    "write",
    [clickhouse_csv, clickhouse_lines, clickhouse_json, clickhouse_parquet, postgres, zipkin,
     google, azure, datadog],
)  # fmt: skip
def test_a_row_may_be_a_span_with_its_attributes(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    traces = read_traces([write(tmp_path)])
    assert traces.report.files == {"spans": 1}
    assert told(traces) == [
        ("invoke_agent", "planner", "ok", 0.0, 9.0),
        ("chat", "planner", "ok", 0.5, 3.0),
        ("execute_tool", "planner", "error", 4.0, 1.0),
    ]
    chat = traces.calls.iloc[1]
    assert (chat["response_model"], chat["input_tokens"], chat["output_tokens"]) == ("m", 1200, 80)
    assert traces.calls.iloc[2]["tool_name"] == "search"
    assert not traces.skipped


def test_spans_of_a_whole_service_are_no_calls_but_a_few(tmp_path: Path) -> None:
    row = clickhouse()[0]
    others = [
        {**row, "SpanId": f"h{i}", "SpanName": "GET /", "SpanAttributes": {"http.method": "GET"}}
        for i in range(50)
    ]
    traces = read_traces([lines(tmp_path / "rows.jsonl", [*others, *clickhouse()])])
    assert traces.report.calls == traces.report.tool_calls == 1
    with pytest.raises(TeamsimError, match="read as spans it has 50 rows that are no calls"):
        read_traces([lines(tmp_path / "none.jsonl", others)])


def test_the_input_of_datadog_holds_the_cached_tokens(tmp_path: Path) -> None:
    counts = {"input_tokens": 9600, "cache_read_input_tokens": 9000, "output_tokens": 50,
              "cache_write_input_tokens": 500, "total_tokens": 9650}  # fmt: skip
    span = {"span_id": "2", "trace_id": "t", "parent_id": "undefined", "name": "gen",
            "meta": {"kind": "llm", "model_name": "claude-sonnet-4-5"}, "metrics": counts,
            "start_ns": START * 10**9, "duration": 4 * 10**9}  # fmt: skip
    calls = read_traces([lines(tmp_path / "spans.jsonl", [span])]).calls
    assert calls["input_tokens"].tolist() == [9600]
    assert calls["cache_read_input_tokens"].tolist() == [9000]


def test_calls_with_columns_of_their_own_are_no_spans(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(
        "trace_id,id,name,start_time,end_time,model,input_tokens,output_tokens,attributes\n"
        't,1,a,2026-03-01 10:00:00,2026-03-01 10:00:04,m,100,10,"{""model"": ""x""}"\n'
    )
    calls = read_traces([path]).calls
    assert (calls["input_tokens"].tolist(), calls["response_model"].tolist()) == ([100], ["m"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attributes", {"session.id": "S", "gen_ai.operation.name": "chat"}),
        ("meta", {"gen_ai.system": "openai"}),
        ("metrics", {"score": 1}),
        ("span_kind", "llm"),
    ],
)
def test_calls_that_tell_their_tokens_beside_attributes_are_no_spans(
    name: str, value: object, tmp_path: Path
) -> None:
    row = {"trace_id": "t", "span_id": "1", "name": "call", "start_time": stamp(0.0),
           "end_time": stamp(4.0), "agent": "planner", "prompt_tokens": 100,
           "completion_tokens": 10, name: value}  # fmt: skip
    calls = read_traces([lines(tmp_path / "calls.jsonl", [row])]).calls
    assert (calls["input_tokens"].tolist(), calls["agent_id"].tolist()) == ([100], ["planner"])


def test_a_span_whose_attributes_break_off_is_said(tmp_path: Path) -> None:
    path = clickhouse_csv(tmp_path)
    path.write_text(path.read_text().replace("'search'}", "'sea"))
    traces = read_traces([path])
    assert any("row 2, span '3': column 'span_attributes'" in each for each in traces.skipped)


def test_spans_without_times_are_refused_with_their_place(tmp_path: Path) -> None:
    rows = [{**row, "Timestamp": "soon"} for row in clickhouse()]
    with pytest.raises(TeamsimError, match=r"rows.jsonl:1, span '1': its start is 'soon'"):
        read_traces([lines(tmp_path / "rows.jsonl", rows)])
