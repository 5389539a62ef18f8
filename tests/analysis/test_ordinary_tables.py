"""Ordinary tables are read as a careful person would: rules of whole columns do not go too far."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError
from tests.analysis.test_table_columns import CALL, HEAD, column, read


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("subagent", ["true", "false"] * 3),
        ("bot", ["0", "1"] * 3),
        ("assistant", [f"Here is what you asked for, in some {n} words." * 2 for n in range(6)]),
        ("persona", [f"p{n}" for n in range(40)]),
    ],
)
def test_truths_and_texts_are_no_agents(tmp_path: Path, name: str, cells: list[str]) -> None:
    found = read(tmp_path, f"{HEAD},{name}", *(f'{CALL},"{each}"' for each in cells))
    assert found.calls["agent_id"].isna().all()
    assert not any("agent" in note for note in found.notes)


def test_kinds_that_say_no_operation_hide_none_that_do(tmp_path: Path) -> None:
    rows = ["CLIENT,chat,", "INTERNAL,tool,search", "CLIENT,chat,"]
    found = read(tmp_path, f"{HEAD},span_kind,type,name", *(f"{CALL},{each}" for each in rows))
    assert column(found, "operation_name").count("execute_tool") == 1
    assert found.calls["tool_name"].dropna().tolist() == ["search"]


def test_a_call_of_unknown_kind_is_one_of_a_model_if_it_has_written(tmp_path: Path) -> None:
    rows = [f"{CALL},gpt-4o,{kind}" for kind in ("chat", "unknown", "chain")]
    found = read(tmp_path, f"{HEAD},model,type", *rows)
    assert sorted(column(found, "operation_name")) == ["chain", "chat", "chat"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["", "", "throttled"], ["ok", "ok", "error"]),
        (["", "", "KO"], ["ok", "ok", "error"]),
        (["answered", "answered", ""], ["ok", "ok", "ok"]),
        (["UNSET", "OK", "ERROR"], ["ok", "ok", "error"]),
        (["STATUS_CODE_UNSET", "STATUS_CODE_UNSET", "STATUS_CODE_ERROR"], ["ok", "ok", "error"]),
        (["answered", "answered", "error"], ["ok", "ok", "error"]),
        (["pass", "valid", "failed"], ["ok", "ok", "error"]),
        (["ok", "odd", "error"], ["ok", "error", "error"]),
    ],
)
def test_words_for_failures_are_said_alone(
    tmp_path: Path, cells: list[str], expected: list[str]
) -> None:
    found = read(tmp_path, f"{HEAD},status", *(f"{CALL},{each}" for each in cells))
    assert column(found, "status") == expected


@pytest.mark.parametrize(
    ("name", "cells"),
    [("cost_center", ["R&D-12", "HR-1"]), ("cost_currency", ["USD", "USD"]),
     ("low_cost", ["true", "false"]), ("cost_per_1k_tokens", ["0.5", "0.25"]),
     ("total_cost_estimated", ["1", "0"])],
)  # fmt: skip
def test_what_is_no_amount_is_no_cost_that_is_not_read(
    tmp_path: Path, name: str, cells: list[str]
) -> None:
    found = read(tmp_path, f"{HEAD},{name}", *(f"{CALL},{each}" for each in cells))
    assert not any("US dollars" in note for note in found.notes)


def test_prices_of_tokens_are_no_costs_of_calls(tmp_path: Path) -> None:
    rows = [f"{CALL[:-6]}{n},{n},3.0,15.0" for n in (100, 200, 300)]
    found = read(tmp_path, f"{HEAD},input_cost,output_cost", *rows)
    assert found.calls["cost_usd"].isna().all()
    assert any("'input_cost' and 'output_cost' not read" in note for note in found.notes)


def test_a_call_that_wrote_nothing_shows_nothing_of_the_reasoning_of_others(
    tmp_path: Path,
) -> None:
    rows = [f"{CALL},gpt-4o,5,ok", f"{CALL},gpt-4o,4,ok", f"{CALL[:-3]},0,gpt-4o,9,error"]
    found = read(tmp_path, f"{HEAD},model,reasoning_tokens,status", *rows)
    assert column(found, "output_tokens")[:2] == [10, 10]


def test_rows_of_chains_with_tokens_are_said_to_be_no_calls(tmp_path: Path) -> None:
    rows = [f"{CALL},gpt-4o,{kind}" for kind in ("chat", "task", "task")]
    found = read(tmp_path, f"{HEAD},model,type", *rows)
    assert found.notes == [
        "calls.csv: 2 rows with tokens are no calls of models, as 'type' says ('task')"
    ]
    rows = [f"{CALL},gpt-4o,chat", f"{CALL[:-7]},,,chain"]
    assert not read(tmp_path, f"{HEAD},model,type", *rows).notes


def test_runs_in_whole_seconds_are_no_copies_of_each_other(tmp_path: Path) -> None:
    """Four calls of 2 or 3 s, without tokens, are those of another run by chance."""
    for name, lengths in (("a", (2, 3, 3, 2)), ("b", (3, 3, 2, 2)), ("c", (2, 3, 3, 2))):
        rows = [f"1,x,m,{length}" for length in lengths]
        (tmp_path / f"{name}.csv").write_text("\n".join(["run,agent,model,duration_s", *rows]))
    found = read_traces([tmp_path])
    assert len(found.calls) == 12
    assert any("c.csv: its calls are all alike" in note for note in found.notes)


def test_one_call_a_day_at_midnight_has_a_time(tmp_path: Path) -> None:
    rows = [f"2026-03-0{day}T00:00:00Z,4.2,100,10" for day in (1, 2, 3)]
    head = "start_time,duration_s,prompt_tokens,completion_tokens"
    assert not read(tmp_path, head, *rows).notes
    found = read(tmp_path, head, *rows, rows[0].replace("4.2", "5.1"))
    assert any("calls begin at midnight" in note for note in found.notes)


@pytest.mark.parametrize(
    ("cells", "counts"),
    [
        (("1.2k", "12.5K", "1.1M", "345"), [1200, 12_500, 1_100_000, 345]),
        (("1.2k tokens", "2 k", '"1,234k"', '"1,234"'), [1200, 2000, 1_234_000, 1234]),
    ],
)
def test_counts_may_be_in_thousands(
    cells: tuple[str, ...], counts: list[int], tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    rows = [f"2026-03-01T10:0{i}:00Z,3,{cell},10\n" for i, cell in enumerate(cells)]
    path.write_text("start_time,latency_s,prompt_tokens,completion_tokens\n" + "".join(rows))
    traces = read_traces([path])
    assert traces.calls["input_tokens"].tolist() == counts
    assert any("are rounded (3 rows)" in note for note in traces.notes)
    assert not traces.skipped


def test_counts_in_thousands_may_have_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text("latency_s;prompt_tokens;cost_usd\n3,5;1,2k;0,01\n4,5;900;0,02\n")
    assert read_traces([path]).calls["input_tokens"].tolist() == [1200, 900]


NAMES = [
    ("t_start,t_end,tok_in,tok_out,model,agent", "2026-03-01T10:00:0{}Z,2026-03-01T10:00:0{}Z"),
    ("call_start,call_time_ms,input_toks,output_toks,model,worker_id", "2026-03-01T10:00:0{},4000"),
    ("sent_at,received_at,prompt_len,output_len,model,bot_name",
     "2026-03-01T10:00:0{}Z,2026-03-01T10:00:0{}Z"),
    ("event_time,latency_in_ms,request_tokens,response_tokens,model,actor",
     "2026-03-01T10:00:0{},4000"),
    ("created_at,total_duration,prompt_eval_count,eval_count,model,agent_name",
     "2026-03-01T10:00:0{},4000000000"),
    ("start_time,end_time,gen_ai.usage.input_tokens,gen_ai.usage.output_tokens,"
     "gen_ai.request.model,gen_ai.agent.name", "2026-03-01T10:00:0{}Z,2026-03-01T10:00:0{}Z"),
    ("start_time,duration_ms,attributes.llm.token_count.prompt,"
     "attributes.llm.token_count.completion,attributes.llm.model_name,attributes.agent.name",
     "2026-03-01T10:00:0{},4000"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "times"), NAMES)
def test_columns_are_found_by_more_names(head: str, times: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    rows = [f"{times.format(at, at + 4)},{100 + at},10,m,{'pq'[at]}\n" for at in (0, 1)]
    path.write_text(f"{head}\n" + "".join(rows))
    calls = read_traces([path]).calls
    assert ((calls["end_ns"] - calls["start_ns"]) / 1e9).tolist() == [4.0, 4.0]
    assert (calls["start_ns"] / 1e9).tolist() == [1_772_359_200, 1_772_359_201]
    assert calls["input_tokens"].tolist() == [100, 101]
    assert calls["output_tokens"].tolist() == [10, 10]
    assert calls["response_model"].tolist() == ["m", "m"]
    assert calls["agent_id"].tolist() == ["p", "q"]


FRAME: dict[str, list[Any]] = {
    "agent": ["a", "b"],
    "start": ["2026-03-01T10:00:00Z", "2026-03-01T10:00:05Z"],
    "latency_s": [4.0, 5.5],
    "prompt_tokens": [100, 200],
    "completion_tokens": [10, 20],
}


@pytest.mark.parametrize("orient", ["columns", "index", "split", "records", "lists"])
def test_a_data_frame_may_be_one_object_of_json(orient: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.json"
    frame = pd.DataFrame(FRAME)
    path.write_text(json.dumps(FRAME) if orient == "lists" else frame.to_json(orient=orient))
    traces = read_traces([path])
    calls = traces.calls
    assert calls["agent_id"].tolist() == ["a", "b"]
    assert ((calls["end_ns"] - calls["start_ns"]) / 1e9).tolist() == [4.0, 5.5]
    assert calls["input_tokens"].tolist() == [100, 200]
    assert traces.report.rows == 2


def test_a_time_that_is_an_object_is_none(tmp_path: Path) -> None:
    row = {"start": {"seconds": 5}, "latency_s": 4, "prompt_tokens": 1, "completion_tokens": 1}
    path = tmp_path / "calls.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(TeamsimError, match=r"'start'.* is no time"):
        read_traces([path])


def test_texts_of_parquet_may_be_bytes(tmp_path: Path) -> None:
    columns = {**FRAME, "start": [str(each).encode() for each in FRAME["start"]]}
    pq.write_table(pa.table(columns), tmp_path / "calls.parquet")
    calls = read_traces([tmp_path / "calls.parquet"]).calls
    assert (calls["start_ns"] / 1e9).tolist() == [1_772_359_200, 1_772_359_205]


def test_a_weaker_name_of_a_time_hides_no_surer_one(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(
        "agent,start,latency_s,received_at,total_duration,prompt_tokens\n"
        "a,2026-03-01 10:00:00,4,2026-03-01 10:00:00.1,900,100\n"
        "b,2026-03-01 10:00:05,5,2026-03-01 10:00:05.1,900,100\n"
    )
    traces = read_traces([path])
    calls = traces.calls
    assert ((calls["end_ns"] - calls["start_ns"]) / 1e9).tolist() == [4.0, 5.0]
    assert not traces.notes
