"""Rows that could be read as something else than what they say: skipped, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis.traces.reading import read_traces
from analysis.traces.run_tables import read_run_table
from tests.analysis.trace_samples import (
    attributes,
    codex,
    document,
    gateway_table,
    lines,
    observation,
    whole,
)

HEAD = "start_time,end_time,prompt_tokens,completion_tokens,agent\n"
GOOD = "2026-03-01T10:00:06Z,2026-03-01T10:00:09Z,100,10,a\n"


def table(directory: Path) -> Path:
    path = directory / "calls.csv"
    path.write_text(HEAD + "1970-01-01T00:00:00Z,2026-03-01T10:00:05Z,7,7,a\n" + GOOD)
    return path


def numbers(directory: Path) -> Path:
    path = directory / "calls.csv"
    path.write_text(HEAD + "0,1772359205,7,7,a\n1772359206,1772359209,100,10,a\n")
    return path


def spans(directory: Path) -> Path:
    said = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}
    said |= {"gen_ai.operation.name": "chat"}
    span = {
        "traceId": "a" * 32,
        "name": "chat m",
        "endTimeUnixNano": "1772359209000000000",
        "attributes": attributes(**said),
    }
    ids = [
        {"spanId": f"{i:016x}", "startTimeUnixNano": at}
        for i, at in enumerate(("0", "1772359206000000000"))
    ]
    return lines(directory / "spans.jsonl", [document(*({**span, **each} for each in ids))])


def observations(directory: Path) -> Path:
    said = {"model": "m", "usageDetails": {"input": 100, "output": 10}}
    rows = [observation(name, "GENERATION", 6, 3, **said) for name in ("unset", "set")]
    rows[0]["startTime"] = "1970-01-01T00:00:00.000Z"
    return whole(directory / "trace.json", rows)


@pytest.mark.parametrize("write", [table, numbers, spans, observations])
def test_a_call_with_a_date_at_its_end_alone_did_not_last_since_1970(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    traces = read_traces([write(tmp_path)])
    calls = traces.calls
    assert ((calls["end_ns"] - calls["start_ns"]) / 1e9).tolist() == [3.0]
    assert len(traces.skipped) == 1
    assert "after 1970 began" in traces.skipped[0]
    assert traces.report.errors.count == 1


def test_times_from_the_start_of_a_run_may_begin_at_0(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text("start_s,end_s,prompt_tokens,completion_tokens\n0,5,100,10\n6,9,100,10\n")
    assert len(read_traces([path]).calls) == 2


def test_a_row_with_more_cells_than_names_is_skipped(tmp_path: Path) -> None:
    """A comma in a text that is not quoted moved what stands behind it into other columns."""
    path = tmp_path / "calls.csv"
    path.write_text(
        "start_time,duration_s,prompt,completion_tokens,prompt_tokens\n"
        "2026-03-01T10:00:00Z,3,Hello, 20,10,100\n"
        "2026-03-01T10:00:05Z,4,Hello,10,100,\n"  # an empty cell at the end is none
    )
    traces = read_traces([path])
    assert traces.calls["input_tokens"].tolist() == [100]
    assert traces.skipped == [f"{path}, row 0: it has 6 cells, and the header 5 names"]


def test_a_last_row_that_breaks_off_is_skipped(tmp_path: Path) -> None:
    """It has a start and an end, but its agent is lost: a call of nobody."""
    path = tmp_path / "calls.csv"
    path.write_text(HEAD + GOOD + GOOD.removesuffix(",10,a\n"))
    traces = read_traces([path])
    assert traces.calls["agent_id"].tolist() == ["a"]
    assert traces.skipped == [f"{path}, row 1: it breaks off"]
    path.write_text(HEAD + GOOD + GOOD.removesuffix("\n"))
    assert len(read_traces([path]).calls) == 2


def test_words_for_nothing_are_nothing_in_tables_of_runs(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(
        "protocol,n,seconds,tokens,calls,success\nstatic,1,2,NA,N/A,null\nstatic,1,2,5,,nan\n"
    )
    runs = read_run_table(path).runs
    assert runs["tokens"].tolist()[1:] == [5.0]
    assert runs[["calls", "success"]].isna().all().all()


@pytest.mark.parametrize(
    ("start", "end", "is_noted"),
    [
        ("2026-03-01T10:00:00Z", "2026-03-01 10:00:05", True),
        ("2026-03-01T12:00:00.5+02:00", "2026-03-01T10:00:05,25", True),
        ("2026-03-01T10:00:00Z", "2026-03-01T12:00:05+0200", False),
        ("2026-03-01T10:00:00", "2026-03-01 10:00:05.123", False),
        ("1772359200", "1772359205", False),
    ],
)
def test_times_of_which_only_some_say_their_zone_are_noted(
    tmp_path: Path, start: str, end: str, is_noted: bool
) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(f'{HEAD}"{start}","{end}",100,10,a\n')
    notes = read_traces([path]).notes
    said = f"{path}: some times say their zone; the others are taken as UTC"
    assert (said in notes) is is_noted


SESSION = "start_time,end_time,prompt_tokens,completion_tokens,agent,session\n"
CALL = "2026-03-01T10:00:0{}Z,2026-03-01T10:00:0{}Z,100,10,a,s\n"


def test_tables_that_overlap_tell_of_each_call_once(tmp_path: Path) -> None:
    one, two = CALL.format(1, 2), CALL.format(3, 4)
    (tmp_path / "january.csv").write_text(SESSION + one + two + two)  # two of one second are two
    (tmp_path / "february.csv").write_text(SESSION + two + two + two + CALL.format(5, 6))
    traces = read_traces([tmp_path])
    starts = (traces.calls["start_ns"] // 10**9 % 10).tolist()
    assert starts == [1, 3, 3, 3, 5]
    assert traces.report.duplicates.count == 2
    assert "2 calls left out that other files, or rows, tell of too" in traces.notes


@pytest.mark.parametrize("write", [codex, gateway_table])
def test_a_copy_of_a_file_adds_nothing(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    path = write(tmp_path)
    for file in [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]:
        file.with_stem(f"{file.stem}-copy").write_bytes(file.read_bytes())
    alone, both = read_traces([path]), read_traces([tmp_path])
    if path.is_dir():
        alone = read_traces([each for each in path.rglob("*") if "-copy" not in each.name])
    columns = ["run_id", "agent_id", "start_ns", "input_tokens", "output_tokens"]
    pd.testing.assert_frame_equal(both.calls[columns], alone.calls[columns])


def test_a_duration_that_is_an_object_is_none(tmp_path: Path) -> None:
    rows = [{"start_time": f"2026-03-01T10:00:0{i}Z", "latency_s": at, "prompt_tokens": 9}
            for i, at in enumerate(({"p50": 2}, 3.0, [1, 2], 4.0))]  # fmt: skip
    traces = read_traces([lines(tmp_path / "calls.jsonl", rows)])
    lengths = (traces.calls["end_ns"] - traces.calls["start_ns"]) / 1e9
    assert lengths.tolist() == [3.0, 4.0]
    places = {each.removeprefix(f"{tmp_path / 'calls.jsonl'}:")[0] for each in traces.skipped}
    assert places == {"1", "3"}
