"""Numbers of tables whose cells are apart by semicolons: what stands before decimals."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.traces.reading import read_traces
from analysis.traces.run_tables import read_run_table

RUNS = "protocol;n;wall_s;tokens\n"


def run_table(directory: Path, *rows: str) -> Path:
    path = directory / "runs.csv"
    path.write_text(RUNS + "".join(f"static;2;{row}\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("rows", "seconds", "tokens"),
    [
        (["12,5;1.234"], [12.5], [1234.0]),
        (["12.5;1,234"], [12.5], [1234.0]),
        (["12,5;12,333", "13,5;12,5"], [12.5, 13.5], [12.333, 12.5]),
        (["12,5;1234,567", "13,5;987,654"], [12.5, 13.5], [1234.567, 987.654]),
        (["12.5;12.333", "1.234;12.5"], [12.5, 1.234], [12.333, 12.5]),
        (["1.234;1.234", "12,5;1.234.567"], [1234.0, 12.5], [1234.0, 1234567.0]),
        (["1.234;950,25"], [1234.0], [950.25]),
        (["0.250;1,234.5"], [0.25], [1234.5]),
        (["12.5;950.000", "13.5;120.000"], [12.5, 13.5], [950.0, 120.0]),
        (["12,5;950.000", "13,5;120.000"], [12.5, 13.5], [950000.0, 120000.0]),
    ],
    ids=str,
)
def test_a_column_or_another_shows_what_stands_before_decimals(
    rows: list[str], seconds: list[float], tokens: list[float], tmp_path: Path
) -> None:
    table = read_run_table(run_table(tmp_path, *rows))
    assert table.runs["seconds"].tolist() == seconds
    assert table.runs["tokens"].tolist() == tokens
    assert table.notes == []


def test_what_nothing_shows_is_said(tmp_path: Path) -> None:
    table = read_run_table(run_table(tmp_path, "1.234;12,333", "2.345;1,234"))
    assert table.runs["seconds"].tolist() == [1.234, 2.345]
    assert table.runs["tokens"].tolist() == [12333.0, 1234.0]
    assert [note.partition(":")[0] for note in table.notes] == [
        "numbers of 'wall_s' such as '1.234' are taken as 1.234",
        "numbers of 'tokens' such as '12,333' are taken as 12333",
    ]


def test_counts_against_the_sign_of_other_columns_are_said(tmp_path: Path) -> None:
    table = read_run_table(run_table(tmp_path, "12,5;12,333"))
    assert table.runs["tokens"].tolist() == [12333.0]
    assert "'tokens' such as '12,333' are taken as 12333" in table.notes[0]


def test_calls_in_such_a_table_are_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    head = "model;start;duration_s;input_tokens;cost_usd\n"
    path.write_text(f"{head}m;2026-06-01T09:00:00Z;1.250;1.234;0.125\n")
    found = read_traces([path])
    assert found.chats["cost_usd"].tolist() == [0.125]
    assert found.chats["input_tokens"].tolist() == [1234]
    assert (found.chats["end_ns"] - found.chats["start_ns"]).tolist() == [1_250_000_000]
    (note,) = [each for each in found.notes if "taken as 1234" in each]
    assert "calls.csv: numbers of 'input_tokens' such as '1.234'" in note


def test_durations_may_have_commas_between_thousands(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text('model,latency_ms,input_tokens\nm,"1,250",900\nm,"1,250.5",900\n')
    found = read_traces([path]).chats
    assert (found["end_ns"] - found["start_ns"]).tolist() == [1_250_000_000, 1_250_500_000]


@pytest.mark.parametrize(
    ("durations", "seconds"),
    [
        (["0:00:03,250", "0:01:00,5"], [3.25, 60.5]),
        (["3,25 s", "850 ms"], [3.25, 0.85]),
        (["3,250 s", "12,5 s"], [3.25, 12.5]),
        (["3.250 s", "1 min"], [3.25, 60.0]),
        (["1,250 ms", "850 ms"], [1.25, 0.85]),
        (["1 day, 0:00:03", "0:00:03.5"], [86_403.0, 3.5]),
    ],
    ids=str,
)
def test_durations_with_their_unit_may_have_decimal_commas(
    durations: list[str], seconds: list[float], tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    path.write_text("model;duration\n" + "".join(f"m;{each}\n" for each in durations))
    calls = read_traces([path]).calls
    assert ((calls["end_ns"] - calls["start_ns"]) / 1e9).tolist() == seconds


START = "2026-03-02T10:00:00Z"


@pytest.mark.parametrize(
    ("header", "row", "seconds"),
    [
        ("agent;start;duration_s;input_tokens;version", f"a;{START};4,505;900;2.1", 4.505),
        ("agent;start;duration_s;input_tokens;depends_on", f"a;{START};4.505;900;1,2", 4.505),
        ("agent\tstart\tduration_s\tcost_usd", f"a\t{START}\t3,505\t0,2825", 3.505),
        ("agent\tstart\tduration_s\tcost_usd", f"a\t{START}\t3,505\t0.2825", 3505.0),
    ],
    ids=["version", "list", "tabs and commas", "tabs and points"],
)
def test_only_amounts_show_how_other_amounts_are_written(
    header: str, row: str, seconds: float, tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(f"{header}\n{row}\n")
    calls = read_traces([path]).calls
    assert ((calls["end_ns"] - calls["start_ns"]) / 1e9).tolist() == [seconds]
