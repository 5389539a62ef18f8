"""Columns of tables that have times in two units: read by their size, or said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import attributes, document, lines

AT = 1_772_359_200  # 1 March 2026, 10:00 UTC


def read(directory: Path, header: str, *rows: str) -> tuple[list[float], list[float], list[str]]:
    """Return starts after `AT` and durations of what a table has, in s, and the notes on it."""
    path = directory / "calls.csv"
    path.write_text(f"model,{header}\n" + "".join(f"m,{row}\n" for row in rows))
    found: Any = read_traces([path])
    assert found.report.errors.count == 0
    starts = (found.calls["start_ns"] / 1e9 - AT).tolist()
    return starts, ((found.calls["end_ns"] - found.calls["start_ns"]) / 1e9).tolist(), found.notes


@pytest.mark.parametrize(
    ("header", "rows", "mixed"),
    [
        ("start,end", [f"{AT},{AT + 3}", f"{AT + 5}000,{AT + 9}000", f"{AT + 10},{AT + 13}"], 2),
        ("start_ms,end", [f"{AT},{AT + 3}", f"{AT + 5}000,{AT + 9}000", f"{AT + 10},{AT + 13}"], 2),
        ("start,end", [f"{AT}000,{AT + 3}", f"{AT + 5}000,{AT + 9}", f"{AT + 10}000,{AT + 13}"], 0),
        ("start,duration_s", [f"{AT},3", f"{AT + 5}000000,4", f"{AT + 10}000000000,3"], 1),
    ],
)
def test_dates_in_several_units_are_each_read_by_their_size(
    header: str, rows: list[str], mixed: int, tmp_path: Path
) -> None:
    starts, durations, notes = read(tmp_path, header, *rows)
    assert starts == [0.0, 5.0, 10.0]
    assert durations == [3.0, 4.0, 3.0]
    assert sum("a date in" in note for note in notes) == mixed


def test_the_note_says_which_row_is_in_another_unit(tmp_path: Path) -> None:
    rows = [f"{AT + i},{AT + i + 3}" for i in range(9)] + [f"{AT + 9},{AT + 12}000"]
    *_, notes = read(tmp_path, "start,end", *rows)
    (note,) = [each for each in notes if "a date in" in each]
    assert f"calls.csv, row 9: 'end' is {AT + 12}000, a date in milliseconds" in note
    assert "1 time in another unit" in note


def test_small_numbers_beside_a_unit_are_times_since_a_start(tmp_path: Path) -> None:
    *_, durations, notes = read(tmp_path, "start_ns,end_ns", "0,2000000000", f"{AT},{4 * AT}")
    assert durations == [2.0, 3 * AT / 1e9]
    assert not any("a date in" in note for note in notes)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([2.5, 3.1, 4, 2500, 3.3, 4100, 1.2], "row 3: 'duration' is 2,500; 2 of 7 are like that"),
        ([2500, 3100, 4000, 2.5, 3300, 4.1, 1200], "row 3: 'duration' is 2.5; 2 of 7"),
        ([2.5, 3.1, 4, 250, 3.3, 41, 1.2], None),
        ([2500, 3100, 4000, 3, 3300, 4, 1200], None),  # milliseconds, two of them of tools
        ([0.002, 0.003, 4, 2.5, 3.3, 4.1, 1.2], None),
    ],
)
def test_durations_some_1000_times_the_others_are_said(
    values: list[float], said: str | None, tmp_path: Path
) -> None:
    *_, notes = read(tmp_path, "duration,input_tokens", *(f"{each},10" for each in values))
    found = [note for note in notes if "one unit" in note]
    assert len(found) == (said is not None)
    assert all(said is not None and said in note for note in found)


def test_a_column_that_is_named_as_the_end_is_no_start(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(f"model,timestamp,latency_ms\nm,{AT + 4},4000\nm,{AT + 9},3000\n")
    calls = read_traces([path], columns={"end_s": "timestamp"}).calls
    assert (calls["start_ns"] / 1e9 - AT).tolist() == [0.0, 6.0]
    assert ((calls["end_ns"] - calls["start_ns"]) / 1e9).tolist() == [4.0, 3.0]


@pytest.mark.parametrize(
    ("name", "gap", "is_said"),
    [("timestamp", 1, True), ("start", 1, False), ("timestamp", 5, False)],
)
def test_times_that_may_be_the_ends_of_calls_are_said(
    name: str, gap: float, is_said: bool, tmp_path: Path
) -> None:
    """Calls of an agent follow each other by their ends, and not by their starts."""
    at, rows = float(AT), []
    for i in range(20):
        length = 2 + 4 * (i % 2)
        at += gap + length
        rows.append(f"{at},{length}")
    *_, notes = read(tmp_path, f"{name},duration_s", *rows)
    found = [note for note in notes if "--column end_s=NAME" in note]
    assert len(found) == is_said
    assert all("'timestamp' is taken as the start of calls; 9 calls begin" in x for x in found)


def test_calls_at_the_same_time_do_not_say_that_times_are_ends(tmp_path: Path) -> None:
    rows = [f"{AT + 10 * (i // 3)},{2 + i % 3}" for i in range(30)]
    *_, notes = read(tmp_path, "timestamp,duration_s", *rows)
    assert not any("end_s" in note for note in notes)


@pytest.mark.parametrize(
    ("first", "second", "word"),
    [
        (1000 * AT, 1000, "milliseconds"),
        (10**6 * AT, 10**6, "microseconds"),
        (10**9 * AT, 10**9, None),
        (0, 10**9, None),  # since the start of a run
        (900 * 10**9, 10**9, None),
    ],
)
def test_spans_that_may_be_in_another_unit_than_ns_are_said(
    first: int, second: int, word: str | None, tmp_path: Path
) -> None:
    said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    spans = [
        {"traceId": "a" * 32, "spanId": f"{i:016x}", "name": "chat m",
         "startTimeUnixNano": str(first + i * second), "attributes": attributes(**said),
         "endTimeUnixNano": str(first + (i + 1) * second)}
        for i in range(1, 4)
    ]  # fmt: skip
    notes = read_traces([lines(tmp_path / "spans.jsonl", [document(*spans)])]).notes
    found = [note for note in notes if "after 1970 began" in note]
    assert len(found) == (word is not None)
    assert all(f"if these are {word}" in note and "2026-03-01" in note for note in found)
