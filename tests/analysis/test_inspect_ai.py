"""Logs of Inspect AI."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError
from tests.analysis.trace_samples import stamp


def begun(at: float, identity: str, parent: str | None, kind: str, name: str) -> dict[str, Any]:
    return {"event": "span_begin", "timestamp": stamp(at), "working_start": at, "id": identity,
            "span_id": identity, "parent_id": parent, "type": kind, "name": name}  # fmt: skip


def ended(at: float, identity: str) -> dict[str, Any]:
    return {"event": "span_end", "timestamp": stamp(at), "working_start": at, "id": identity,
            "span_id": identity}  # fmt: skip


def model(at: float, end: float, span: str, stop: str, **said: Any) -> dict[str, Any]:
    usage = {"input_tokens": 100, "output_tokens": 60, "total_tokens": 1060,
             "input_tokens_cache_read": 800, "input_tokens_cache_write": 100,
             "reasoning_tokens": 20}  # fmt: skip
    output = {"model": "m-1", "choices": [{"message": {"role": "assistant", "content": "x"},
                                           "stop_reason": stop}],
              "usage": usage, "time": end - at}  # fmt: skip
    return {"event": "model", "timestamp": stamp(at), "completed": stamp(end), "span_id": span,
            "working_time": end - at, "model": "p/m-1", "input": [], "tools": [],
            "tool_choice": "auto", "config": {}, "output": output} | said  # fmt: skip


def tool(at: float, end: float, span: str, name: str, **said: Any) -> dict[str, Any]:
    return {"event": "tool", "type": "function", "timestamp": stamp(at), "completed": stamp(end),
            "span_id": span, "id": f"call-{at}", "function": name, "arguments": {},
            "result": "four", "working_time": end - at} | said  # fmt: skip


def sample() -> dict[str, Any]:
    """Return a solver whose tool hands to an agent, and a scorer whose model grades."""
    events = [
        {"event": "sample_init", "timestamp": stamp(0), "sample": {}, "state": {}},
        begun(0, "sv", None, "solver", "react"),
        begun(0, "ag", "sv", "agent", "lead"),
        model(1, 5, "ag", "tool_calls"),
        begun(5, "t1", "ag", "tool", "ask"),
        tool(5, 20, "ag", "ask", agent_span_id="h"),
        begun(5, "h", "t1", "agent", "helper"),
        # Sent three times: 1 s of waiting, 2 s of attempts that failed, and 3 s of the last.
        model(6, 12, "h", "tool_calls", retries=2, working_time=3.0),
        begun(12, "t2", "h", "tool", "bash"),
        tool(12, 14, "h", "bash", error={"type": "timeout", "message": "after 2 s"}),
        ended(14, "t2"),
        model(14, 19, "h", "stop"),
        ended(20, "h"),
        ended(20, "t1"),
        model(20, 20.001, "ag", "stop", cache="read"),
        model(21, 24, "ag", "stop"),
        ended(24, "ag"),
        ended(24, "sv"),
        begun(24, "sc", None, "scorer", "model_graded_qa"),
        model(24, 26, "sc", "stop", role="grader", error="RateLimitError(429)"),
        model(26, 28, "sc", "stop", role="grader"),
        begun(28, "sc2", None, "scorer", "includes"),  # which asks no model
        ended(28.1, "sc2"),
        ended(28, "sc"),
        {**model(28, 29, "sc", "stop"), "pending": True, "completed": None},
    ]
    return {"id": "q7", "epoch": 2, "uuid": "u-1", "input": "x", "target": "y", "messages": [],
            "scores": {}, "events": events}  # fmt: skip


HEADER = {"version": 2, "status": "success", "eval": {"task": "t", "model": "p/m-1"}}


def as_json(directory: Path) -> Path:
    path = directory / "log.json"
    path.write_text(json.dumps(HEADER | {"samples": [sample()]}, indent=2))
    return path


def as_eval(directory: Path) -> Path:
    path = directory / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps({"version": 2, "eval": {}, "plan": {}}))
        archive.writestr("_journal/summaries/1.json", json.dumps([{"id": "q7", "epoch": 2}]))
        archive.writestr("samples/q7_epoch_2.json", json.dumps(sample()))
        archive.writestr("summaries.json", json.dumps([{"id": "q7", "epoch": 2}]))
        archive.writestr("header.json", json.dumps(HEADER))
    return path


@pytest.mark.parametrize("write", [as_json, as_eval])
def test_a_sample_is_a_run_with_its_agents_calls_and_tools(tmp_path: Path, write: Any) -> None:
    traces = read_traces([write(tmp_path)])
    assert not traces.report.unread.count
    assert [each.partition(": ")[2] for each in traces.skipped] == [
        "it had not ended when the log was written"
    ]
    (run,) = traces.runs.to_dict("records")
    assert (run["run_id"], run["task_id"], run["trial"]) == ("u-1", "q7", 2)
    chats = traces.chats.sort_values("start_ns")
    assert chats["agent_id"].tolist() == ["lead", "helper", "helper", "lead", "grader", "grader"]
    lasted = (chats["end_ns"] - chats["start_ns"]) / 1e9
    assert lasted.tolist() == [4, 3, 5, 3, 2, 2]
    assert chats["status"].tolist() == ["ok", "ok", "ok", "ok", "error", "ok"]
    assert chats["attempt"].fillna(1).tolist() == [1, 3, 1, 1, 1, 1]
    reasons = ["tool_calls", "tool_calls", "stop", "stop"]
    assert chats["finish_reason"].tolist()[:4] == reasons
    known = chats[chats["status"] == "ok"]
    assert set(known["input_tokens"]) == {1000}
    assert set(known["cache_read_input_tokens"]) == {800}
    assert set(known["cache_write_input_tokens"]) == {100}
    assert set(known["output_tokens"]) == {60}
    assert set(known["reasoning_output_tokens"]) == {20}
    assert chats.loc[chats["status"] == "error", "input_tokens"].isna().all()
    assert set(traces.agents["agent_id"]) == {"lead", "helper", "grader"}
    tools = traces.tools.set_index("tool_name")
    assert tools["agent_id"].to_dict() == {"ask": "lead", "bash": "helper"}
    assert tools["status"].to_dict() == {"ask": "ok", "bash": "timeout"}
    parents = traces.agents.set_index("agent_id")["parent_agent_id"]
    assert parents["helper"] == "lead"
    assert pd.isna(parents["lead"])
    assert traces.report.cache_hits.count == 1


def test_a_directory_of_logs_is_read(tmp_path: Path) -> None:
    as_eval(tmp_path)
    traces = read_traces([tmp_path])
    assert (traces.report.calls, traces.report.unread.count) == (6, 0)


def test_the_sub_agent_of_a_tool_is_started_by_it(tmp_path: Path) -> None:
    traces = read_traces([as_json(tmp_path)])
    told = traces.messages[["src_agent_id", "dst_agent_id", "kind"]]
    assert ("lead", "helper", "delegate") in set(told.itertuples(index=False, name=None))


def test_an_input_that_holds_its_cached_tokens_is_told_by_the_total(tmp_path: Path) -> None:
    event = model(1, 5, "x", "stop")
    event["output"]["usage"] = {"input_tokens": 1000, "output_tokens": 60, "total_tokens": 1060,
                                "input_tokens_cache_read": 800}  # fmt: skip
    path = tmp_path / "log.json"
    path.write_text(json.dumps(HEADER | {"samples": [sample() | {"events": [event]}]}))
    (call,) = read_traces([path]).chats.to_dict("records")
    assert (call["input_tokens"], call["cache_read_input_tokens"]) == (1000, 800)


def test_archives_may_be_compressed_with_zstandard(tmp_path: Path) -> None:
    """As Inspect AI's are; Python's own module reads that from 3.14 on."""
    held = json.dumps(sample()).encode()
    packed = pa.Codec("zstd").compress(held, asbytes=True)
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", json.dumps(HEADER))
        archive.writestr("samples/q7_epoch_2.json", packed)
        at = archive.infolist()[1].header_offset
    written = bytearray(path.read_bytes())
    central = written.rfind(b"PK\x01\x02")
    # The local header, and the entry of the directory: method, CRC, sizes.
    for start, skip in ((at, 8), (central, 10)):
        written[start + skip : start + skip + 2] = (93).to_bytes(2, "little")
        crc = start + skip + 6
        written[crc : crc + 4] = zlib.crc32(held).to_bytes(4, "little")
        written[crc + 8 : crc + 12] = len(held).to_bytes(4, "little")
    path.write_bytes(written)
    assert read_traces([path]).report.calls == 6
    written[crc] ^= 1
    path.write_bytes(written)
    with pytest.raises(TeamsimError, match="cannot be unpacked: Bad CRC-32"):
        read_traces([path])


ROW = {"start": 1_780_000_000, "duration_s": 2.0, "model": "m", "input_tokens": 10}


@pytest.mark.parametrize(
    "rows",
    [
        [{"id": 1, "epoch": 1, "input": "x", "target": "y", **ROW}],
        [{"version": 3, "status": "ok", "eval": 0.9, **ROW}],
        [{"version": "v3", "status": "ok", "eval": "good", **ROW}],
        {"version": 2, "status": "ok", "eval": "humaneval", "calls": [ROW]},
        {"version": 2, "status": "ok", "eval": {"name": "x"}, "data": [ROW]},
    ],
)
def test_tables_with_columns_of_these_names_are_tables(tmp_path: Path, rows: Any) -> None:
    """They were read as logs without samples: "no calls in it; read as inspect_ai"."""
    path = tmp_path / "calls.json"
    path.write_text(json.dumps(rows))
    (call,) = read_traces([path]).calls.to_dict("records")
    assert (call["input_tokens"], call["end_ns"] - call["start_ns"]) == (10, 2e9)


@pytest.mark.parametrize("header", [{"title": "x"}, HEADER])
def test_a_header_beside_them_hides_no_files(tmp_path: Path, header: dict[str, Any]) -> None:
    """Files of no known format beside any ``header.json`` were left out without a word."""
    (tmp_path / "calls.json").write_text(json.dumps([ROW]))
    (tmp_path / "header.json").write_text(json.dumps(header))
    (tmp_path / "odd.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "odd.csv").write_text("a,b\n1,2\n")
    report = read_traces([tmp_path]).report
    assert report.unread.count == (2 if header is HEADER else 3)


def test_summaries_of_samples_are_no_calls(tmp_path: Path) -> None:
    path = as_eval(tmp_path)
    known = {"id": "q7", "epoch": 2, "input": "x", "target": "y", "model_usage": {},
             "started_at": stamp(0), "completed_at": stamp(29), "uuid": "u-1"}  # fmt: skip
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("_journal/summaries/2.json", json.dumps([known]))
        archive.writestr("reductions.json", json.dumps([{"scorer": "x"}]))
    traces = read_traces([path])
    assert (traces.report.calls, traces.report.unread.count, len(traces.runs)) == (6, 0, 1)


def test_what_is_no_zstandard_is_an_archive_that_cannot_be_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "log.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", "x" * 40)
    written = bytearray(path.read_bytes())
    for start, skip in ((0, 8), (written.rfind(b"PK\x01\x02"), 10)):
        written[start + skip : start + skip + 2] = (93).to_bytes(2, "little")
    path.write_bytes(written)
    with pytest.raises(TeamsimError, match="cannot be unpacked"):
        read_traces([path])
