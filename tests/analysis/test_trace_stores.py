"""Files of stores, gateways, teams and tables are understood in the spellings that people have."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError
from tests.analysis.test_trace_spellings import found_in
from tests.analysis.trace_samples import (
    claude_event,
    claude_message,
    document,
    lines,
    mlflow,
    otel,
    protobuf,
    stamp,
    whole,
)


def table(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows as CSV; objects as JSON."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(k for row in rows for k in row)))
        writer.writeheader()
        for row in rows:
            cells = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in row.items()}
            writer.writerow(cells)
    return path


# --- Langfuse ---------------------------------------------------------------------------------

BUCKETS: dict[str, tuple[dict[str, int], tuple[int, int]]] = {
    "Anthropic's names": (
        {"input": 3, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 50,
         "output": 50, "total": 1003}, (953, 50)),
    "Anthropic's names that input holds": (
        {"input": 953, "cache_read_input_tokens": 900, "output": 50, "total": 1003}, (953, 50)),
    "Anthropic's names without a total": (
        {"input_tokens": 20, "cache_read_input_tokens": 80, "output_tokens": 5}, (100, 5)),
    "parts by the total": (
        {"input": 100, "input_cached_tokens": 80, "output": 50, "output_reasoning_tokens": 30,
         "total": 150}, (100, 50)),
    "all apart by the total": (
        {"input": 20, "input_cached_tokens": 80, "output": 5, "output_reasoning": 3, "total": 108},
        (100, 8)),
    "only the output apart": (
        {"input": 100, "input_cached_tokens": 80, "output": 5, "output_reasoning": 3,
         "total": 108}, (100, 8)),
    "Gemini's names": (
        {"promptTokenCount": 100, "candidatesTokenCount": 5, "cachedContentTokenCount": 80},
        (100, 5)),
}  # fmt: skip


def generation(**said: Any) -> dict[str, Any]:
    return {"id": "o", "traceId": "t", "type": "GENERATION", "startTime": stamp(0),
            "endTime": stamp(4), "model": "m", **said}  # fmt: skip


@pytest.mark.parametrize("name", BUCKETS)
def test_buckets_of_langfuse_add_up_as_their_integration_means_them(
    name: str, tmp_path: Path
) -> None:
    usage, (read, wrote) = BUCKETS[name]
    found = found_in(read_traces([whole(tmp_path / "a.json", [generation(usageDetails=usage)])]))
    assert (found["input"], found["output"]) == (read, wrote)


def test_a_session_of_langfuse_is_a_run(tmp_path: Path) -> None:
    traces = [
        {"id": f"t{i}", "observations": [generation(id=f"o{i}", traceId=f"t{i}")]} for i in "ab"
    ]
    session = {"id": "S", "createdAt": stamp(0), "traces": traces}
    found = found_in(read_traces([whole(tmp_path / "session-S.json", session)]))
    assert (found["calls"], found["runs"]) == (2, ["S"])


@pytest.mark.parametrize("layout", ["list", "lines"])
def test_traces_may_be_texts_of_json_in_json(layout: str, tmp_path: Path) -> None:
    # What MLflow's `to_json` of each trace returns, written by `json.dump`.
    as_they_are = mlflow(tmp_path)
    texts = as_they_are.read_text().splitlines()
    path = tmp_path / "texts.json"
    if layout == "list":
        whole(path, texts)
    else:
        lines(path, texts)
    plain, wrapped = (read_traces([each]) for each in (as_they_are, path))
    wrapped.report.check_complete()
    columns = ["run_id", "operation_name", "start_ns", "end_ns", "input_tokens", "output_tokens"]
    pd.testing.assert_frame_equal(wrapped.calls[columns], plain.calls[columns])


def test_objects_in_cells_may_be_in_pythons_notation(tmp_path: Path) -> None:
    usage = {"input": 100, "input_cached_tokens": 900, "output": 50}
    path = table(tmp_path / "a.csv", [generation(usageDetails=str(usage), output=None)])
    assert found_in(read_traces([path]))["input"] == 1000


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ({"choices": [{"finish_reason": "length"}]}, "length"),
        ({"role": "assistant", "tool_calls": [{"name": "grep"}]}, "tool_calls"),
        ({"content": [{"type": "tool_use", "name": "grep"}]}, "tool_calls"),
        ({"content": [{"type": "text", "text": "finish_reason"}]}, ""),
        ({"candidates": [{"finishReason": "MAX_TOKENS"}]}, "MAX_TOKENS"),
        ({"stop_reason": "The patient asked to stop.", "dose": 3}, ""),
    ],
)
def test_why_an_answer_ended_is_found_in_it(output: Any, reason: str, tmp_path: Path) -> None:
    found = found_in(read_traces([whole(tmp_path / "a.json", [generation(output=output)])]))
    assert found["reasons"] == [reason]


# --- LangSmith --------------------------------------------------------------------------------


def test_an_agent_of_langgraph_is_named_by_the_graph_around_it(tmp_path: Path) -> None:
    spaces = {"langgraph_node": "agent", "langgraph_checkpoint_ns": "researcher:a1|agent:b2"}
    run = {"id": "r", "run_type": "llm", "start_time": stamp(0), "end_time": stamp(1),
           "prompt_tokens": 0, "completion_tokens": 0, "extra": {"metadata": spaces},
           "outputs": {"usage_metadata": {"input_tokens": 9, "output_tokens": 3}}}  # fmt: skip
    found = found_in(read_traces([lines(tmp_path / "a.jsonl", [run])]))
    assert (found["agents"], found["input"], found["output"]) == (["researcher"], 9, 3)


# --- OTLP as protobuf -------------------------------------------------------------------------


def varint(size: int) -> bytes:
    low, rest = size & 0x7F, size >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def test_protobuf_that_breaks_off_yields_the_resources_before(tmp_path: Path) -> None:
    data = protobuf(tmp_path / "a.pb").read_bytes()
    whole_file, cut = read_traces([tmp_path / "a.pb"]), tmp_path / "cut.pb"
    cut.write_bytes(data + data[:-20])
    traces = read_traces([cut])
    assert len(traces.chats) == len(whole_file.chats)
    assert "breaks off" in traces.skipped[0]


def test_protobuf_messages_with_their_lengths_as_protobuf_writes_them(tmp_path: Path) -> None:
    data = protobuf(tmp_path / "a.pb").read_bytes()
    (tmp_path / "b.pb").write_bytes(varint(len(data)) + data + varint(len(data)) + data)
    found, alone = (found_in(read_traces([tmp_path / name])) for name in ("b.pb", "a.pb"))
    assert (found["calls"], found["input"]) == (alone["calls"], alone["input"])


# --- Claude Code's teams ----------------------------------------------------------------------


def team(directory: Path) -> Path:
    """Write a lead without a name and a backend: what they send, get and read, told twice."""

    def send(to: str) -> dict[str, Any]:
        told = {"type": "message", "recipient": to, "content": "go"}
        return {"type": "tool_use", "id": f"to-{to}", "name": "SendMessage", "input": told}

    def heard(*told: tuple[str, str]) -> dict[str, Any]:
        said = [f'<teammate-message teammate_id="{n}" color="blue">\n{t}\n</teammate-message>'
                for n, t in told]  # fmt: skip
        return {"message": {"role": "user", "content": "Another session says:\n" + "\n".join(said)}}

    idle = json.dumps({"type": "idle_notification", "from": "backend"})
    lead = {"sessionId": "T1", "teamName": "crew"}
    backend = {"sessionId": "T2", "teamName": "crew", "agentName": "backend"}
    sessions, inboxes = directory / "projects" / "p", directory / "teams" / "crew" / "inboxes"
    lines(sessions / "T1.jsonl", [
        claude_event(0, "l0", None, **lead),
        claude_message(3, "l1", "l0", "ml1", send("backend"), stop="tool_use", **lead),
        claude_event(30, "l2", "l1", **lead,
                     **heard(("backend", "done"), ("backend", idle), ("tester", "hello"))),
        claude_message(33, "l3", "l2", "ml2", **lead),
    ])  # fmt: skip
    lines(sessions / "T2.jsonl", [
        claude_event(4, "b0", None, **backend, **heard(("team-lead", "go"))),
        claude_message(20, "b1", "b0", "mb1", send("team-lead"), stop="tool_use", **backend),
    ])  # fmt: skip
    inboxes.mkdir(parents=True)
    whole(inboxes / "backend.json", [{"from": "team-lead", "text": "go", "timestamp": stamp(3.1)}])
    told = [("backend", "done", 20.1), ("backend", idle, 22), ("tester", "hello", 25),
            ("tester", '{"type": "shutdown_approved"}', 26)]  # fmt: skip
    whole(
        inboxes / "team-lead.json",
        [{"from": name, "text": said, "timestamp": stamp(at)} for name, said, at in told],
    )
    whole(inboxes.parent / "config.json", {"name": "crew", "members": []})
    return directory


@pytest.mark.parametrize("part", ["", "projects", "projects/p/T1.jsonl"])
def test_messages_of_a_team_count_once_wherever_they_are_told(part: str, tmp_path: Path) -> None:
    traces = read_traces([team(tmp_path) / part])
    found = sorted(
        traces.messages[["src_agent_id", "dst_agent_id", "kind"]].itertuples(index=False, name=None)
    )
    assert found == [
        ("backend", "main", "message"),
        ("backend", "main", "return"),
        ("main", "backend", "message"),
        ("tester", "main", "message"),
    ]
    assert traces.report.unread.count == 0
    came = traces.messages.set_index(["src_agent_id", "kind"])["recv_ns"]
    assert came["tester", "message"] - came["backend", "message"] == 0


# --- Tables -----------------------------------------------------------------------------------

HEAD = "model,start,duration_s,input_tokens,output_tokens\n"
TABLES: dict[str, tuple[str, dict[str, Any]]] = {
    "rows of tools by their kind": (
        "run,agent,kind,name,model,start,end,input_tokens,error\n"
        "r,a,llm,call,m,0,4,100,\nr,a,tool,grep,,4,6,,boom\n",
        {"calls": 1, "input": 100, "names": ["grep"], "tools_failed": 1}),
    "rows of tools by their operation": (
        "run_id,operation,tool,model,start_s,end_s\nr,chat,,m,0,4\nr,tool,grep,,4,6\n",
        {"calls": 1, "names": ["grep"]}),
    "rows of tools by what they have": (
        "run_id,tool,model,start_s,end_s,output_tokens\nr,,m,0,4,9\nr,grep,,4,6,\n",
        {"calls": 1, "names": ["grep"]}),
    "a type that is no operation": (
        "type,model,start,duration_s,input_tokens\nstreaming,m,0,4,9\n", {"calls": 1}),
    "words for nothing": (HEAD + "m,0,4.5,nan,NULL\n", {"calls": 1, "input": None, "errors": 0}),
    "points between thousands": (
        "model;start;latency (ms);input tokens\nm;2026-06-01T09:00:00;4500,5;1.000\n",
        {"calls": 1, "input": 1000, "seconds": [4.5005]}),
    "times that say UTC in words": (
        "model,start,end\nm,2026-06-01 09:00:00 UTC,2026-06-01 09:00:04.25 +0000 UTC\n",
        {"seconds": [4.25], "errors": 0}),
    "days first": (
        "model,start,end,input_tokens\nm,13/06/2026 09:00:00,13/06/2026 09:00:04,9\n"
        "m,02/06/2026 09:00:00,02/06/2026 09:00:03,9\n", {"seconds": [3.0, 4.0]}),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_understood(name: str, tmp_path: Path) -> None:
    content, expected = TABLES[name]
    (tmp_path / "t.csv").write_text(content)
    found = found_in(read_traces([tmp_path / "t.csv"]))
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("inside", ["", "response", "result"])
def test_counts_in_an_object_of_each_row_are_read(inside: str, tmp_path: Path) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 9,
             "prompt_tokens_details": {"cached_tokens": 40}}  # fmt: skip
    said = {inside: {"usage": usage, "id": "r"}} if inside else {"usage": usage}
    row = {"timestamp": stamp(0), "latency_ms": 4000, "request": {"model": "m"}, **said}
    found = found_in(read_traces([lines(tmp_path / "a.jsonl", [row, row])]))
    assert (found["input"], found["cached"], found["output"]) == (200, 80, 18)


def test_a_date_that_may_be_either_is_said_to_be_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(HEAD + "m,6/1/2026 9:00,4.5,9,9\n")
    assert "taken as month/day/year" in read_traces([tmp_path / "t.csv"]).notes[0]


def test_a_time_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(HEAD + "m,at noon,4.5,9,9\n")
    with pytest.raises(TeamsimError, match="column 'start': 'at noon' is no time"):
        read_traces([tmp_path / "t.csv"])


def test_a_directory_of_formats_mixed_is_read_whole(tmp_path: Path) -> None:
    team(tmp_path)
    protobuf(tmp_path / "a.pb")
    (tmp_path / "t.csv").write_text(HEAD + "m,0,4.5,9,9\n")
    whole(tmp_path / "o.json", document(otel(9, None, "chat", 0, 3, gen_ai__request__model="m",
                                             gen_ai__operation__name="chat")))  # fmt: skip
    (tmp_path / "README.md").write_text("Traces of spring.\n")
    traces = read_traces([tmp_path])
    assert set(traces.report.files) == {"claude_code", "otlp", "table"}
    assert (len(traces.chats), traces.report.unread.count) == (3 + 3 + 1 + 1, 0)
