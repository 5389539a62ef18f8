"""Empty columns of tables hide no others; columns that say who failed, and times of one column."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError

START = "2026-03-01T10:00:00Z"
CALL = f"{START},2026-03-01T10:00:03Z,100,10"
HEAD = "start_time,end_time,prompt_tokens,completion_tokens"


def read(path: Path, head: str, *rows: str, columns: dict[str, str] | None = None) -> Traces:
    file = path / "calls.csv"
    file.write_text("\n".join([head, *rows]) + "\n")
    return read_traces([file], columns=columns)


def column(found: Traces, name: str) -> list[Any]:
    return [None if each is None else each for each in found.calls[name].astype(object)]


def lengths(found: Traces) -> list[float]:
    return ((found.calls["end_ns"] - found.calls["start_ns"]) / 1e9).tolist()


@pytest.mark.parametrize(
    ("names", "cells", "expected"),
    [
        ("error,is_error", [",False", ",True"], ["ok", "error"]),
        ("error,is_error", [",False", ",True", "boom,True"], ["ok", "error", "error"]),
        ("status,success", ["completed,true", "completed,false"], ["ok", "error"]),
        ("finish_reason,cancelled", ["stop,false", ",true"], ["ok", "cancelled"]),
        ("failed", ["no", "yes", "rate limit"], ["ok", "error", "error"]),
        ("status,timed_out", ["200,f", "200,t", "500,f"], ["ok", "timeout", "error"]),
    ],
)
def test_every_column_that_says_of_a_failure_counts(
    tmp_path: Path, names: str, cells: list[str], expected: list[str]
) -> None:
    found = read(tmp_path, f"{HEAD},{names}", *(f"{CALL},{each}" for each in cells))
    assert column(found, "status") == expected


@pytest.mark.parametrize("name", ["failed", "success"])
def test_a_count_of_failures_is_not_read_as_a_truth(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, f"{HEAD},{name}", *(f"{CALL},{n}" for n in (0, 1, 3)))
    assert column(found, "status") == ["ok"] * 3
    assert found.notes == [
        f"calls.csv: '{name}' not read: it counts, and does not say which calls failed"
    ]


def test_words_that_are_no_status_are_not_taken_for_failures(tmp_path: Path) -> None:
    found = read(tmp_path, f"{HEAD},outcome", f"{CALL},resolved", f"{CALL},open")
    assert column(found, "status") == ["ok", "ok"]
    assert "'resolved', 'open', and nothing that is known: not read" in found.notes[0]
    found = read(tmp_path, f"{HEAD},outcome", f"{CALL},success", f"{CALL},odd", f"{CALL},denied")
    assert column(found, "status") == ["ok", "error", "error"]
    assert found.notes == ["calls.csv: column 'outcome' says 'odd': taken for failures"]


def test_an_empty_column_hides_none_that_is_filled(tmp_path: Path) -> None:
    head = "start_time,created_at,end_time,latency_ms,input_tokens,prompt_tokens,output_tokens"
    found = read(tmp_path, head, f",{START},,3000,,100,10", f",{START},,4000,,120,11")
    assert lengths(found) == [3.0, 4.0]
    assert column(found, "input_tokens") == [100, 120]
    assert not found.notes


def test_rows_of_two_apis_have_their_counts_in_two_columns(tmp_path: Path) -> None:
    """One calls the cached tokens a part of its input, the other does not."""
    head = (
        "timestamp,latency_ms,model,input_tokens,cache_creation_input_tokens,"
        "cache_read_input_tokens,output_tokens,prompt_tokens,cached_tokens,completion_tokens"
    )
    rows = [f"{START},3000,claude,5,100,900,10,,,", f"{START},3000,gpt-5,,,,,1000,600,20"]
    found = read(tmp_path, head, *rows)
    assert column(found, "input_tokens") == [1005, 1000]
    assert column(found, "cache_read_input_tokens") == [900, 600]
    assert column(found, "output_tokens") == [10, 20]
    assert "calls.csv: 'prompt_tokens' is read where 'input_tokens' is empty" in found.notes


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (f"{START},,3000", 3.0),
        (",2026-03-01T10:00:03Z,3000", 3.0),
        (f"{START},2026-03-01T10:00:03Z,", 3.0),
    ],
)
def test_a_row_without_an_end_or_a_start_may_have_a_duration(
    tmp_path: Path, row: str, expected: float
) -> None:
    head = "start_time,end_time,latency_ms,prompt_tokens"
    found = read(tmp_path, head, f"{row},1", f"{START},2026-03-01T10:00:02Z,2000,1")
    assert sorted(lengths(found)) == [2.0, expected]


@pytest.mark.parametrize(
    ("one", "other"), [("start_s", "end_s"), ("input_tokens", "output_tokens")]
)
def test_one_column_is_not_two_times_or_two_counts(tmp_path: Path, one: str, other: str) -> None:
    said = f"the column 'ts' cannot be both {one} and {other}"
    with pytest.raises(TeamsimError, match=said):
        read(tmp_path, "ts,latency_ms,x", "1,2,3", columns={one: "ts", other: "ts"})


def test_calls_that_end_when_they_begin_are_said_to_have_no_length(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD, CALL, f"{START},{START},100,10")
    assert any("1 call of 2 of a model end when they begin" in note for note in found.notes)
    head = f"{HEAD},duration_ms"
    found = read(tmp_path, head, *(f"{START},{START},100,10,{n}" for n in (3000, 2000)))
    assert lengths(found) == [3.0, 2.0]


def test_counts_with_a_fraction_are_no_counts(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD, CALL, f"{START},2026-03-01T10:00:03Z,1.25,10.0")
    assert found.calls["input_tokens"].isna().tolist() == [False, True]
    assert column(found, "output_tokens") == [10, 10]
    assert "'1.25' is no whole number" in found.skipped[0]
    found = read(tmp_path, HEAD, f"{START},2026-03-01T10:00:03Z,964.7,0")  # a mean
    assert column(found, "input_tokens") == [965]


@pytest.mark.parametrize(
    "form",
    [
        '"Mar 1, 2026 10:00:0{}"',
        '"Mar 1, 2026 @ 10:00:0{}.000"',
        '"Sun, 01 Mar 2026 10:00:0{} GMT"',
        "1 March 2026 10:00:0{}",
    ],
)
def test_dates_may_have_the_name_of_their_month(tmp_path: Path, form: str) -> None:
    found = read(tmp_path, HEAD, f"{form.format(0)},{form.format(3)},100,10")
    assert lengths(found) == [3.0]
    assert found.calls["start_ns"].tolist() == [1_772_359_200 * 10**9]


def test_a_copy_of_a_table_without_times_counts_once(tmp_path: Path) -> None:
    rows = "".join(f"r,{3000 + i % 7},{100 + i},10\n" for i in range(20))
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("run_id,latency_ms,prompt_tokens,completion_tokens\n" + rows)
    found = read_traces([tmp_path])
    assert len(found.calls) == 20
    assert found.report.duplicates.count == 20
    (tmp_path / "b.csv").write_text((tmp_path / "b.csv").read_text() + "r,9000,1,2\n")
    assert len(read_traces([tmp_path]).calls) == 41  # who knows


def test_calls_that_are_all_alike_are_not_left_out_but_said(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("run_id,latency_ms,prompt_tokens\n" + "r,3000,100\n" * 5)
    found = read_traces([tmp_path])
    assert len(found.calls) == 10
    assert any("b.csv: its calls are all alike" in note for note in found.notes)


def test_times_in_two_zones_do_not_make_calls_hours_long(tmp_path: Path) -> None:
    rows = [f"2026-03-01 10:00:0{i},2026-03-01 12:00:0{i + 3},1,{3000 + i}" for i in range(5)]
    found = read(tmp_path, "start_time,end_time,prompt_tokens,latency_ms", *rows)
    assert lengths(found) == [3.0, 3.001, 3.002, 3.003, 3.004]
    assert any("in different zones: start and duration are used" in note for note in found.notes)


def test_durations_that_are_not_the_times_from_start_to_end_are_said(tmp_path: Path) -> None:
    rows = [f"{START},2026-03-01T10:00:09Z,1,{n}" for n in (3000, 9000, 4000)]
    found = read(tmp_path, "start_time,end_time,prompt_tokens,latency_ms", *rows)
    assert lengths(found) == [9.0, 9.0, 9.0]
    assert any("in 2 rows of 3 the times from start to end are not" in n for n in found.notes)


def test_a_first_token_does_not_come_after_the_end(tmp_path: Path) -> None:
    found = read(tmp_path, f"{HEAD},ttft_s", f"{CALL},400", f"{CALL},0.4")
    assert column(found, "first_chunk_s")[1] == 0.4
    assert found.calls["first_chunk_s"].isna().tolist() == [True, False]
    assert "its first token came after 400 s, and it took 3 s" in found.skipped[0]


def test_dates_that_a_spreadsheet_has_rounded_are_no_dates(tmp_path: Path) -> None:
    head = "start,end,prompt_tokens"
    rows = ("1.77236E+12,1.77237E+12,1", "1772359200000,1772359203000,1")
    found = read(tmp_path, head, *rows)
    assert lengths(found) == [3.0]
    assert "'1.77236E+12' has lost its last digits" in found.skipped[0]
    found = read(tmp_path, "timestamp,duration_ns,prompt_tokens", f"{START},3.2e+09,1")
    assert lengths(found) == [3.2]


def test_costs_of_input_and_output_are_added(tmp_path: Path) -> None:
    found = read(tmp_path, f"{HEAD},input_cost,output_cost", f"{CALL},0.5,0.25", f"{CALL},0.5,")
    assert column(found, "cost_usd")[0] == 0.75
    assert found.calls["cost_usd"].isna().tolist() == [False, True]
    assert found.notes == ["calls.csv: costs are 'input_cost' and 'output_cost', added"]
    found = read(tmp_path, f"{HEAD},input_cost,output_cost,total_cost", f"{CALL},1,1,3")
    assert column(found, "cost_usd") == [3.0]
    found = read(tmp_path, f"{HEAD},cost_usd_micros", f"{CALL},3")
    assert "'cost_usd_micros' not read" in found.notes[0]


def test_outputs_of_one_writer_hold_the_reasoning_or_none_does(tmp_path: Path) -> None:
    head = f"{HEAD},model,reasoning_tokens"
    rows = [f"{CALL},gemini,100", f"{CALL},gemini,4", f"{CALL},gpt,4"]
    found = read(tmp_path, head, *rows)
    assert column(found, "output_tokens") == [110, 14, 10]
    assert found.notes == ["calls.csv: the output of gemini does not hold the reasoning: added"]
    found = read(tmp_path, f"{head},total_tokens", f"{CALL},m,4,114", f"{CALL},m,4,110")
    assert column(found, "output_tokens") == [14, 10]


def test_totals_that_are_no_sum_are_said(tmp_path: Path) -> None:
    head = f"{HEAD},cached_tokens,total_tokens"
    said = read(tmp_path, head, f"{CALL},900,110", f"{CALL},900,50").notes
    assert any("in 1 row of 2 the total of tokens is not the sum" in note for note in said)
    said = read(tmp_path, head, f"{CALL},900,1010", f"{CALL},90,110").notes
    assert not any("the total of tokens" in note for note in said)


def test_a_role_is_an_agent_unless_it_is_that_of_a_message(tmp_path: Path) -> None:
    found = read(tmp_path, f"{HEAD},role", f"{CALL},planner", f"{CALL},coder")
    assert column(found, "agent_id") == ["planner", "coder"]
    assert found.notes == ["calls.csv: 'role' is taken as the agent of each call"]
    found = read(tmp_path, f"{HEAD},role", f"{CALL},assistant", f"{CALL},planner")
    assert found.calls["agent_id"].isna().all()


def test_a_usage_object_may_be_as_python_shows_it(tmp_path: Path) -> None:
    usage = ("CompletionUsage(completion_tokens=70, prompt_tokens=100, completion_tokens_details="
             "Details(audio_tokens=None, reasoning_tokens=64), prompt_tokens_details="
             "PromptTokensDetails(cached_tokens=50))")  # fmt: skip
    rows = f'{START},2026-03-01T10:00:03Z,gpt,"{usage}"'
    found = read(tmp_path, "start_time,end_time,model,usage", rows).calls
    names = ["input_tokens", "cache_read_input_tokens", "output_tokens", "reasoning_output_tokens"]
    assert found[names].values.tolist() == [[100, 50, 70, 64]]


def test_ids_are_the_same_with_and_without_decimals(tmp_path: Path) -> None:
    found = read(tmp_path, f"{HEAD},run_id,model", f"{CALL},1.0,v1.0", f"{CALL},1,v1.0")
    assert set(column(found, "run_id")) == {"1"}
    assert set(column(found, "response_model")) == {"v1.0"}


def test_remarks_above_a_header_are_no_header(tmp_path: Path) -> None:
    found = read(tmp_path, "# calls of March\n\n" + HEAD, CALL)
    assert lengths(found) == [3.0]
    with pytest.raises(TeamsimError, match="no calls in it"):
        read(tmp_path, HEAD)


def test_what_a_gateway_answered_from_its_cache_is_no_call_of_a_model(tmp_path: Path) -> None:
    """Cloudflare's AI Gateway logs `cached`; others say so of prompts that a model read again."""
    found = read(tmp_path, f"{HEAD},cached,cost", f"{CALL},false,0.01", f"{CALL},true,0")
    assert column(found, "operation_name") == ["chat", "cache_hit"]
    found = read(tmp_path, f"{HEAD},cached,cost", f"{CALL},false,0.01", f"{CALL},true,0.005")
    assert column(found, "operation_name") == ["chat", "chat"]
    assert "'cached' not read; if it says that a gateway answered" in found.notes[0]


def test_rows_of_chains_and_agents_are_no_calls_of_models(tmp_path: Path) -> None:
    kinds = ("llm", "chain", "agent", "tool")
    found = read(tmp_path, f"{HEAD},span_kind", *(f"{CALL},{kind}" for kind in kinds))
    assert sorted(column(found, "operation_name")) == [
        "chain", "chat", "execute_tool", "invoke_agent"]  # fmt: skip
    assert column(read(tmp_path, f"{HEAD},type", f"{CALL},task"), "operation_name") == ["chat"]


@pytest.mark.parametrize(
    ("value", "word"),
    [("3", "seconds"), ("3000", "milliseconds"), ("5000000", "microseconds"),
     ("3000000000", "nanoseconds")],
)  # fmt: skip
def test_the_size_of_durations_tells_their_unit(tmp_path: Path, value: str, word: str) -> None:
    found = read(tmp_path, "timestamp,duration,prompt_tokens", f"{START},{value},1")
    assert lengths(found) == [5.0 if value[0] == "5" else 3.0]
    assert any(f"is taken as {word}" in note for note in found.notes)


def test_rows_with_a_number_of_agents_may_be_runs(tmp_path: Path) -> None:
    notes = read(tmp_path, "n_agents,duration_s,prompt_tokens", "3,120,900").notes
    assert any("each row is taken for a call; if they are runs" in note for note in notes)


def test_days_are_dates_but_no_times(tmp_path: Path) -> None:
    said = "calls begin at midnight: only their days are known, and all of a day overlap"
    assert said in read(tmp_path, "date,duration_s,prompt_tokens", "2026-03-01,3,1").notes
    table = pa.table({"date": [dt.date(2026, 3, 1)], "duration_s": [3.0], "agent": [b"a"]})
    pq.write_table(table, tmp_path / "calls.parquet")
    found = read_traces([tmp_path / "calls.parquet"])
    assert lengths(found) == [3.0]
    assert column(found, "agent_id") == ["a"]
    assert said in found.notes


@pytest.mark.parametrize(
    ("head", "cells", "expected"),
    [
        ("finish_reason", ["stop", "error", "cancelled"], ["ok", "error", "cancelled"]),
        ("error", ["No error", "OK", "boom"], ["ok", "ok", "error"]),
        ("error_message", ["Success", "Rate limit"], ["ok", "error"]),
        ("error_code", ["200", "429", "0"], ["ok", "error", "ok"]),
    ],
)
def test_words_of_errors_and_stop_reasons_say_which_calls_failed(
    tmp_path: Path, head: str, cells: list[str], expected: list[str]
) -> None:
    found = read(tmp_path, f"{HEAD},{head}", *(f"{CALL},{each}" for each in cells))
    assert column(found, "status") == expected
    assert found.report.failed.count == len(cells) - expected.count("ok")


@pytest.mark.parametrize(
    ("start", "end"),
    [("20260301100000", "20260301100003"), ("2026-03-01 10:00:00 AM", "2026-03-01 10:00:03 am")],
)
def test_dates_may_be_digits_alone_or_have_halves_of_days(
    tmp_path: Path, start: str, end: str
) -> None:
    found = read(tmp_path, HEAD, f"{start},{end},100,10")
    assert lengths(found) == [3.0]
    assert found.calls["start_ns"].tolist() == [1_772_359_200 * 10**9]


def test_days_may_be_digits_alone(tmp_path: Path) -> None:
    found = read(tmp_path, "date,duration_s,prompt_tokens", "20260301,3,1", "20260302,3,1")
    assert found.calls["start_ns"].tolist() == [day * 86_400 * 10**9 for day in (20_513, 20_514)]
    found = read(tmp_path, "start,end,prompt_tokens", "20260301,20260304,1")  # since some start
    assert lengths(found) == [3.0]
    found = read(tmp_path, "start_ms,end_ms,prompt_tokens", "20260301,20263301,1")
    assert lengths(found) == [3.0]
