"""Gateways' logs: answers from their caches, costs in cents, and tables that lack something."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from analysis.calibration.calls import usable
from analysis.traces.reading import read_traces
from analysis.traces.run_tables import is_run_table, read_run_table
from simulator.errors import TeamsimError
from tests.analysis.trace_samples import START, lines, stamp


def litellm_row(number: int, lasts: float, **said: Any) -> dict[str, Any]:
    return {"id": str(number), "call_type": "acompletion", "model": "m", "trace_id": "w",
            "startTime": START + 10 * number, "endTime": START + 10 * number + lasts,
            "prompt_tokens": 600, "completion_tokens": 60, "status": "success", **said}  # fmt: skip


def portkey_row(number: int, lasts_ms: float, **said: Any) -> dict[str, Any]:
    return {"created_at": stamp(10 * number), "is_success": 1, "ai_org": "openai",
            "ai_model": "gpt-4o", "req_units": 1000, "res_units": 50, "total_units": 1050,
            "cost": 0.3, "cost_currency": "USD", "response_status_code": 200,
            "response_time": lasts_ms, "cache_status": "MISS", "trace_id": "w", **said}  # fmt: skip


@pytest.mark.parametrize("hit", [True, "True"])
def test_an_answer_from_the_cache_of_litellm_is_no_call_of_a_model(
    hit: object, tmp_path: Path
) -> None:
    rows = [litellm_row(i, 4.0, cache_hit=miss) for i, miss in enumerate((False, None, "None", ""))]
    rows += [litellm_row(9, 0.01, cache_hit=hit)]
    found = read_traces([lines(tmp_path / "spend.jsonl", rows)])
    assert usable(found.calls)["duration_s"].tolist() == [4.0] * 4
    assert (len(found.chats), len(found.calls), found.report.calls) == (4, 5, 4)
    assert "answered by a gateway's cache: 1 (first: " in found.report.line()
    found.report.check_complete()  # nothing is left out: the row is in the table


def test_rows_of_portkey_cost_cents_and_last_milliseconds(tmp_path: Path) -> None:
    rows = [portkey_row(0, 80.0), portkey_row(1, 90.0, is_success=0, response_status_code=429),
            portkey_row(2, 1.0, cache_status="SEMANTIC HIT", cost=0),
            portkey_row(3, 60.0, cost_currency="EUR")]  # fmt: skip
    found = read_traces([lines(tmp_path / "export.jsonl", rows)])
    # All last less than 100: by their size alone these were seconds.
    chats = found.chats
    assert ((chats["end_ns"] - chats["start_ns"]) / 1e6).tolist() == [80.0, 90.0, 60.0]
    assert chats["cost_usd"].tolist()[:2] == [0.003, 0.003]
    assert pd.isna(chats["cost_usd"][2])
    assert "'EUR' is not USD" in found.skipped[0]
    assert chats["status"].tolist() == ["ok", "error", "ok"]
    assert (chats["response_model"][0], chats["input_tokens"][0]) == ("gpt-4o", 1000)
    assert found.report.cache_hits.count == 1


def test_costs_are_dollars_unless_cents_are_said(tmp_path: Path) -> None:
    for column, wanted in (("cost", 0.3), ("cost_cents", 0.003), ("Cost (cents)", 0.003)):
        path = tmp_path / f"{len(column)}.csv"
        path.write_text(f"model,duration_s,input_tokens,{column}\nm,2,10,0.3\n")
        assert read_traces([path]).chats["cost_usd"].tolist() == [wanted]


@pytest.mark.parametrize(
    ("heads", "cells", "wanted"),
    [
        ("cost,currency", ("0.3,EUR", "0.4,usd", "0.5,"), [None, 0.4, 0.5]),
        ("cost,currency", ("0.3,EUR", ",EUR", ",EUR"), [None, None, None]),  # only one is wrong
        ("cost_cents,Currency", ("30,GBP", "40,USD", "50,$"), [None, 0.4, 0.5]),
        ("cost_usd,currency", ("0.3,EUR", "0.4,EUR", "0.5,EUR"), [0.3, 0.4, 0.5]),
        ("cost_eur,agent", ("0.3,a", "0.4,a", "0.5,a"), [None, None, None]),
    ],
)
def test_costs_in_another_currency_are_no_dollars(
    heads: str, cells: tuple[str, ...], wanted: list[float | None], tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(f"model,duration_s,input_tokens,{heads}\n" + "".join(
        f"m,{2 + i},10,{each}\n" for i, each in enumerate(cells)))  # fmt: skip
    found = read_traces([path])
    costs = found.chats.sort_values("end_ns")["cost_usd"]
    assert [None if pd.isna(each) else each for each in costs] == wanted
    assert found.report.errors.count == (1 if "urrency" in heads and None in wanted else 0)
    assert any("'cost_eur' not read" in note for note in found.notes) == ("eur" in heads)


@pytest.mark.parametrize(
    ("heads", "rows"),
    [
        ("start,end", ("46110.5,46110.500058", "46110.5001,46110.5002")),
        ("start,latency_s", ("46110.5,5.011", "46110.5001,8.64")),
        ("start,end", ("46110.5,2026-03-29T12:00:05.011", "46110.5001,2026-03-29T12:00:17.28")),
        ("start,end", ("2026-03-29T12:00:00,46110.500058", "2026-03-29T12:00:08.64,46110.5002")),
        ("start,end", ("46110.5,29.3.2026 12:00:05.011", "46110.5001,29.3.2026 12:00:17.28")),
    ],
)
def test_dates_may_be_the_numbers_of_a_spreadsheet(
    heads: str, rows: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(f"model,input_tokens,{heads}\n" + "".join(f"m,10,{each}\n" for each in rows))
    found = read_traces([path])
    noon = pd.Timestamp("2026-03-29T12:00:00Z").value
    starts = found.calls["start_ns"] - noon
    assert [round(each / 1e6) for each in starts] == [0, 8640]
    lengths = found.calls["end_ns"] - found.calls["start_ns"]
    assert [round(each / 1e6) for each in lengths] == [5011, 8640]
    assert any("as spreadsheets count them" in note for note in found.notes)
    # Nor is a column of days whose name says milliseconds.
    path.write_text("model,input_tokens,start,end_ms\n" + "".join(
        f"m,10,46110.5{i},1774785605011\n" for i in range(3)))  # fmt: skip
    assert any("'start' taken as days" in note for note in read_traces([path]).notes)
    # Twelve hours into a run, calls of seconds are no dates, also of agents who begin at once.
    path.write_text("model,input_tokens,start,latency_s\n" + "".join(
        f"m,10,{46110.5 + 37 * (i // 4)},{20 + i}\n" for i in range(12)))  # fmt: skip
    assert read_traces([path]).calls["start_ns"].max() == 46184500000000
    path.write_text("model,input_tokens,start,end\nm,10,46110.5,46115.5\nm,10,46116,46117\n")
    assert read_traces([path]).calls["start_ns"].tolist() == [46110500000000, 46116000000000]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_that_a_european_spreadsheet_wrote_is_read(mark: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    counts = ("1 234", "1.234", "1'234", "1\u202f234")
    rows = "".join(f"m;2 500,5;{each};1 000,25\n" for each in counts)
    path.write_text(f"{mark}sep=;\nmodel;duration_ms;input_tokens;cost\n{rows}", "utf-8")
    found = read_traces([path])
    assert found.chats["input_tokens"].tolist() == [1234] * 4
    assert found.chats["cost_usd"].tolist() == [1000.25] * 4
    assert set(found.chats["end_ns"] - found.chats["start_ns"]) == {2_500_500_000}
    assert found.report.errors.count == 0


@pytest.mark.parametrize("start", ["", "\n\n", "\r\n", " \n", ";;\n\n", "\ufeff\n;;\n"])
def test_blank_lines_and_separators_of_thousands_change_nothing(start: str, tmp_path: Path) -> None:
    """No count of tokens is 1.234, so that a comma in it stands before thousands."""
    path = tmp_path / "calls.csv"
    path.write_text(f'{start}model;duration_s;input_tokens\nm;2,5;"1,234"\nm;1,234;"1.234"\n')
    found = read_traces([path]).chats
    assert found["input_tokens"].tolist() == [1234, 1234]
    assert (found["end_ns"] - found["start_ns"]).tolist() == [2_500_000_000, 1_234_000_000]


def test_a_header_with_a_name_twice_is_said_to_have_it(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text("model;duration_s;input_tokens;input_tokens\nm;2;10;5\n")
    with pytest.raises(TeamsimError, match="It has the column 'input_tokens' twice"):
        read_traces([path])


def test_words_of_a_status_say_whether_a_call_was_answered(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    words = {"200 OK": "ok", "http 201": "ok", "end_turn": "ok", "length": "ok", "STOP": "ok",
             "HTTP/1.1 200 OK": "ok", "tool-calls": "ok", "function_call": "ok", "pause_turn": "ok",
             "STATUS_CODE_OK": "ok", "HTTP/2 503": "error", "content_filter": "error",
             "429 Too Many Requests": "error", "500": "error", "refused": "error"}  # fmt: skip
    path.write_text("model,duration_s,output_tokens,status\n" + "".join(
        f"m,5,10,{word}\n" for word in words))  # fmt: skip
    assert read_traces([path]).calls["status"].tolist() == list(words.values())


def zstd(data: bytes) -> bytes:
    return pa.compress(data, "zstd", asbytes=True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "sep=;;;", "sep=", '"sep=;";;', "sep=; "])
@pytest.mark.parametrize("packed", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd])
def test_a_first_line_for_excel_is_no_header_however_it_is_written(
    encoding: str, line: str, packed: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    text = f"{line}\r\nmodel;duration_ms;input_tokens\r\n" + "m;2500,5;1234\r\n" * 3
    path = tmp_path / "calls.csv"
    path.write_bytes(packed(mark + text.encode(encoding)))
    found = read_traces([path])
    assert found.chats["input_tokens"].tolist() == [1234] * 3
    assert found.report.errors.count == 0
    runs = text.replace("model;duration_ms;input_tokens", "protocol;seconds;n").replace("1234", "2")
    path.write_bytes(packed(mark + runs.encode(encoding)))
    assert is_run_table(path, {})
    assert read_run_table(path).runs["seconds"].tolist() == [2500.5] * 3


SAID = "a,m,2026-03-01T10:00:00Z,2026-03-01T10:00:03Z,100,5\n"
LATER = "a,m,2026-03-01T10:00:09Z,2026-03-01T10:00:12Z,100,5\n"


@pytest.mark.parametrize(
    ("rows", "copies"),
    [
        (f"r1,{SAID}r2,{SAID}r1,{SAID}", 1),
        (f"r1,{SAID}r1,{SAID}r1,{SAID}", 2),
        (f"r1,{SAID}r2,{SAID}r3,{SAID}", 0),  # votes in parallel, with equal counts
        (f",{SAID},{SAID},{SAID}", 0),
        (f"r1,{SAID}r1,{SAID}r1,{LATER}", 0),  # the id is of what its calls are for
    ],
)
def test_a_row_that_is_there_twice_with_its_id_counts_once(
    rows: str, copies: int, tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(f"request_id,agent,model,start,end,input_tokens,output_tokens\n{rows}")
    report = read_traces([path]).report
    assert (report.calls, report.duplicates.count) == (3 - copies, copies)


TIMELESS = {"model": "m", "prompt_tokens": 3, "agent": "a"}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("also", "missing", "there"),
    [
        ({}, "a duration, or start and end", "no column has times"),
        ({"timestamp": "2026-01-01"}, "a duration, or end", "'timestamp' has times"),
        ({"end_time": "2026-01-01"}, "a duration, or start", "'end_time' has times"),
    ],
)
def test_a_table_without_times_is_told_what_it_lacks(
    kind: str, also: dict[str, Any], missing: str, there: str, tmp_path: Path
) -> None:
    row, path = TIMELESS | also, tmp_path / f"calls.{kind}"
    if kind == "csv":
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([row.keys(), row.values()])
    elif kind == "jsonl":
        lines(path, [row])
    else:
        pd.DataFrame([row]).to_parquet(path)
    with pytest.raises(TeamsimError) as refused:
        read_traces([path])
    said = str(refused.value)
    assert f"it lacks {missing} ({there})" in said
    assert "latency" in said
    assert "--column duration_s=NAME" in said


def test_a_table_of_something_else_has_no_known_format(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("name,city\nx,y\n")
    with pytest.raises(TeamsimError, match="no known trace format"):
        read_traces([path])


def test_requests_of_litellm_with_one_id_are_told_apart_by_what_they_were(tmp_path: Path) -> None:
    again = {"startTime": START + 3, "endTime": START + 9.5}
    rows = [
        litellm_row(0, 2.0, status="failure", error_str="429", prompt_tokens=0,
                    completion_tokens=0),
        litellm_row(0, 4.0, **again),  # the second attempt
        litellm_row(0, 4.0, **again, completion_tokens=61),  # another one at the same time
        litellm_row(0, 4.0, **again | {"endTime": START + 9.5004}),  # an export in milliseconds
    ]  # fmt: skip
    found = read_traces([lines(tmp_path / "calls.jsonl", rows)])
    assert found.chats["status"].tolist() == ["error", "ok", "ok"]
    assert found.chats["output_tokens"].fillna(0).tolist() == [0, 60, 61]
    assert found.report.duplicates.count == 1
