"""Exports as further programs write them, each with what it holds, counted by hand."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from analysis.observation.observe import with_opaque_agents
from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError
from tests.analysis.trace_samples import document, lines, otel, stamp


def tokens(read: int, wrote: int) -> dict[str, int]:
    return {"gen_ai__usage__input_tokens": read, "gen_ai__usage__output_tokens": wrote}


def operation(name: str, **said: Any) -> dict[str, Any]:
    return {"gen_ai__operation__name": name, **said}


MODEL = {"gen_ai__request__model": "gpt-4o"}
AGENT = operation("invoke_agent", gen_ai__agent__name="bot")


def spans(path: Path, *some: dict[str, Any]) -> Traces:
    return read_traces([lines(path / "spans.jsonl", [document(*some)])])


def table(path: Path, *rows: str) -> Traces:
    (path / "calls.csv").write_text("\n".join(rows) + "\n")
    return read_traces([path / "calls.csv"])


def summed(found: Traces) -> tuple[int, int, int]:
    chats = found.chats
    return len(chats), int(chats["input_tokens"].sum()), int(chats["output_tokens"].sum())


@pytest.mark.parametrize("word", ["inference", "converse", "acompletion", "process_thread_run"])
def test_an_operation_of_any_word_that_counts_tokens_is_a_call(word: str, tmp_path: Path) -> None:
    found = spans(
        tmp_path,
        otel(1, None, "run", 0, 20, **AGENT, **tokens(1500, 90)),  # the sum of the calls
        otel(2, 1, "a", 1, 4, **operation(word), **MODEL, **tokens(1000, 50)),
        otel(3, 1, "b", 6, 3, **operation(word), **MODEL, **tokens(500, 40)),
        otel(4, 1, "c", 9, 3, **operation("run_tool", gen_ai__tool__name="grep")),
    )
    assert summed(found) == (2, 1500, 90)
    assert found.tools["tool_name"].tolist() == ["grep"]


@pytest.mark.parametrize("word", ["invoke_workflow", "thread_run"])
def test_what_is_around_calls_has_their_sum_and_is_none(word: str, tmp_path: Path) -> None:
    found = spans(
        tmp_path,
        otel(1, None, "flow", 0, 20, **operation(word), **MODEL, **tokens(1000, 50)),
        otel(2, 1, "run", 0, 20, **AGENT),
        otel(3, 2, "chat", 1, 4, **operation("chat"), **MODEL, **tokens(1000, 50)),
    )
    assert summed(found) == (1, 1000, 50)


def test_a_model_that_writes_no_answer_makes_no_call_of_it(tmp_path: Path) -> None:
    found = spans(
        tmp_path,
        otel(1, None, "chat", 1, 4, **operation("chat"), **MODEL, **tokens(1000, 50)),
        otel(2, None, "x", 6, 4, **operation("image_generation"), **MODEL, **tokens(10, 4000)),
    )
    assert summed(found) == (1, 1000, 50)


def test_an_agent_of_which_only_the_whole_is_known_has_its_tokens(tmp_path: Path) -> None:
    said = operation("invoke_agent", gen_ai__agent__name="a")
    found = spans(tmp_path, otel(1, None, "run", 0, 9, **said, **MODEL, **tokens(3000, 200)))
    assert summed(with_opaque_agents(found)[0]) == (1, 3000, 200)


def test_the_announcement_of_a_span_is_none(tmp_path: Path) -> None:
    pending = {"logfire__span_type": "pending_span"}
    found = spans(
        tmp_path,
        otel(11, 2, "chat", 1, 0, **operation("chat"), **MODEL, **pending),
        otel(10, 1, "run", 0, 0, **AGENT, **pending),
        otel(2, 1, "chat", 1, 4, **operation("chat"), **MODEL, **tokens(1000, 50)),
        otel(1, None, "run", 0, 9, **AGENT),
    )
    assert summed(found) == (1, 1000, 50)
    chat = found.chats.iloc[0]
    assert chat["end_ns"] - chat["start_ns"] == 4e9
    assert len(found.calls) == 2


@pytest.mark.parametrize("names", [("safety", "style", "facts"), ("vote 1", "vote 2", "vote 3")])
def test_votes_in_parallel_with_equal_counts_are_calls_of_their_own(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    same = {"traceId": "t", "type": "GENERATION", "model": "gpt-4o"}
    usage = {"usageDetails": {"input": 500, "output": 1}}
    rows = [
        {"id": name, "name": name, "startTime": stamp(i / 100), "endTime": stamp(2 - i / 100)}
        for i, name in enumerate(names)
    ]
    found = read_traces([lines(tmp_path / "x.jsonl", [row | same | usage for row in rows])])
    assert summed(found) == (3, 1500, 3)


def test_a_message_that_answers_what_is_not_there_keeps_its_counts(tmp_path: Path) -> None:
    def line(kind: str, uuid: str, parent: str, at: float, **message: Any) -> dict[str, Any]:
        return {"type": kind, "uuid": uuid, "parentUuid": parent, "sessionId": "S",
                "timestamp": stamp(at), "message": message}  # fmt: skip

    usage = {"input_tokens": 10, "cache_read_input_tokens": 5000, "output_tokens": 60}
    said = {"model": "claude-sonnet-4-5", "stop_reason": "end_turn", "usage": usage}
    rows = [
        line("assistant", "a", "gone", 3, id="m0", **said),
        line("user", "u", "a", 5, content="go on"),
        line("assistant", "b", "u", 9, id="m1", **said),
    ]
    found = read_traces([lines(tmp_path / "S.jsonl", rows)])
    assert summed(found) == (2, 10_020, 120)
    assert found.chats["start_ns"].notna().sum() == 1
    assert any("1 message without the event" in note for note in found.notes)


def test_langsmith_tells_of_cached_tokens_beside_the_sums(tmp_path: Path) -> None:
    usage = {"input_tokens": 1000, "output_tokens": 50, "input_token_details": {"cache_read": 600}}
    run = {
        "id": "r", "trace_id": "r", "run_type": "llm", "name": "ChatOpenAI",
        "start_time": stamp(0), "end_time": stamp(4), "prompt_tokens": 1000,
        "completion_tokens": 50, "events": [{"name": "new_token", "time": stamp(1.5)}],
        "outputs": {"generations": [[{"message": {"kwargs": {"usage_metadata": usage}}}]]},
    }  # fmt: skip
    chat = read_traces([lines(tmp_path / "runs.jsonl", [run])]).chats.iloc[0]
    assert (chat["input_tokens"], chat["cache_read_input_tokens"]) == (1000, 600)
    assert chat["first_chunk_s"] == 1.5


def test_times_in_utc_by_name_and_counts_in_details(tmp_path: Path) -> None:
    details = '"{""prompt_tokens_details"": {""cached_tokens"": 512}}"'
    found = table(
        tmp_path,
        "id,model,duration_ms,datetime_utc,input_tokens,output_tokens,token_details",
        f"a,gpt-4o,4200,2026-06-01T09:00:00.5,900,50,{details}",
        "b,gpt-4o,2200,2026-06-01T09:00:10.5,1000,60,",
    )
    assert found.chats["start_ns"].diff().iloc[1] == 10e9
    assert found.chats["cache_read_input_tokens"].sum() == 512


@pytest.mark.parametrize("mark", [".", "/", "-"])
def test_days_may_stand_before_months(mark: str, tmp_path: Path) -> None:
    days = [f"{day}{mark}06{mark}2026 09:00:00" for day in ("01", "13")]
    found = table(tmp_path, "start_time,latency_s,model", *(f"{day},4,m" for day in days))
    assert found.chats["start_ns"].diff().iloc[1] == 12 * 86_400e9


@pytest.mark.parametrize(
    ("header", "row"),
    [  # 500 read from the cache, 200 written to it, 1000 beside them
        ("input_uncached,cache_read,cache_write,output", "1000,500,200,50"),
        ("input_tokens,cached,cache_creation,output_tokens,total_tokens", "1000,500,200,50,1750"),
        ("input_tokens,cache_read_tokens,cache_creation_input_tokens,output", "1000,500,200,50"),
        ("input,cached,cache_write_tokens,output,total_tokens", "1700,500,200,50,1750"),
        ("prompt_tokens,cached_tokens,cache_creation_input_tokens,output", "1700,500,200,50"),
    ],
)
def test_the_input_of_a_table_holds_the_cached_tokens_whatever_it_calls_them(
    header: str, row: str, tmp_path: Path
) -> None:
    found = table(tmp_path, f"ts_start,ts_end,model,{header}", f"1780300800,1780300804,m,{row}")
    assert summed(found) == (1, 1700, 50)
    chat = found.chats.iloc[0]
    assert (chat["cache_read_input_tokens"], chat["cache_write_input_tokens"]) == (500, 200)


def test_columns_of_counts_that_are_not_read_are_named(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "start_time,duration_s,ttft_s,model,input_tokens,audio_tokens,total_tokens,cache_hit,cached",
        "1780300800,4,1,m,1000,300,1050,false,yes",
    )
    assert [note for note in found.notes if "not read" in note] == [
        "calls.csv: 'audio_tokens' not read; if they are counts of tokens, say which with --column"
    ]


def test_an_archive_is_read_as_its_files_are(tmp_path: Path) -> None:
    said = document(otel(1, None, "x", 0, 4, **operation("chat"), **MODEL, **tokens(100, 10)))
    header, row = "start_time,duration_s,model,input_tokens,output_tokens", "1780300800,4,m,200,20"
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("day/spans.jsonl", json.dumps(said) + "\n")
        archive.writestr("calls.csv", f"{header}\n{row}\n")
        archive.writestr("README.md", "# Traces")
    found = read_traces([path])
    assert summed(found) == (2, 300, 30)
    assert set(found.calls["source"]) == {f"{path}/day/spans.jsonl", f"{path}/calls.csv"}


def test_archives_in_a_directory_are_read_but_not_those_in_archives(tmp_path: Path) -> None:
    header, row = "start_time,duration_s,model,input_tokens,output_tokens", "1780300800,4,m,200,20"
    table = f"{header}\n{row}\n"
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("again.csv", table.replace("200", "900"))
    (tmp_path / "runs" / "monday").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "runs" / "monday" / "export.zip", "w") as archive:
        archive.writestr("calls.csv", table)
        archive.write(inner, "inner.zip")
    (tmp_path / "runs" / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(99))
    (tmp_path / "runs" / "report.docx").write_bytes(inner.read_bytes())  # a zip archive, too
    found = read_traces([tmp_path / "runs"])
    assert summed(found) == (1, 200, 20)
    assert set(found.calls["source"]) == {f"{tmp_path}/runs/monday/export.zip/calls.csv"}
    (tmp_path / "runs" / "monday" / "export.zip").unlink()
    with pytest.raises(TeamsimError, match=r"broken\.zip cannot be unpacked"):
        read_traces([tmp_path / "runs"])


@pytest.mark.parametrize(("early_ns", "calls"), [(1, 1), (10_000_000, 1), (10_000_001, 0)])
def test_a_span_that_ends_a_little_before_it_begins_keeps_its_tokens(
    early_ns: int, calls: int, tmp_path: Path
) -> None:
    span = otel(1, None, "x", 5, 4, **operation("chat"), **MODEL, **tokens(100, 10))
    span["endTimeUnixNano"] = str(int(span["startTimeUnixNano"]) - early_ns)
    other = otel(2, None, "x", 0, 4, **operation("chat"), **MODEL, **tokens(7, 1))
    (tmp_path / "spans.jsonl").write_text(json.dumps(document(span, other)) + "\n")
    found = read_traces([tmp_path / "spans.jsonl"])
    assert summed(found) == (1 + calls, 7 + 100 * calls, 1 + 10 * calls)
    assert len(found.skipped) == 1 - calls
    assert (found.calls["end_ns"] >= found.calls["start_ns"]).all()


def test_an_archive_that_is_damaged_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.traces.archives._MOST_FILES", 1)
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04" + bytes(99))
    with pytest.raises(TeamsimError, match=r"x\.zip cannot be unpacked"):
        read_traces([tmp_path / "x.zip"])
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as archive:
        archive.writestr("a", "")
        archive.writestr("b", "")
    with pytest.raises(TeamsimError, match="2 files"):
        read_traces([tmp_path / "y.zip"])
