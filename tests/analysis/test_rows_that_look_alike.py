"""Calls that look like sums, copies or reports of usage, and are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError

NO_START = "agent,latency_s,input_tokens,output_tokens\n"
DATED = "timestamp,latency_s,model,input_tokens,output_tokens\n"


def written(directory: Path, said: str) -> Path:
    path = directory / "calls.csv"
    path.write_text(said)
    return path


@pytest.mark.parametrize(
    "said",
    [
        NO_START + "planner,9,2000,200\ncoder,4,1000,100\nreviewer,4,1000,100\n",
        NO_START + "planner,9,2000,200\ncoder,4,1000,100\ncoder,4,1000,100\n",
        "run_id,latency_s,input_tokens,output_tokens\na,9,200,20\nb,4,100,10\nc,4,100,10\n",
        "date,latency_s,input_tokens,output_tokens\n"
        "2026-03-01,9,200,20\n2026-03-01,4,100,10\n2026-03-01,5,100,10\n",
        # All at once, as where a coordinator asks three.
        DATED + "2026-03-01T10:00:00Z,9,m,200,20\n"
        "2026-03-01T10:00:00Z,4,m,100,10\n2026-03-01T10:00:01Z,5,m,100,10\n",
        # Agents that are called as sums often are.
        "agent,start_s,latency_s,input_tokens,output_tokens\n"
        "total,0,4,500,50\nall,5,4,300,30\nsummary,10,3,200,20\n",
    ],
)  # fmt: skip
def test_a_call_that_has_as_many_tokens_as_two_others_is_one(said: str, tmp_path: Path) -> None:
    assert len(read_traces([written(tmp_path, said)]).calls) == 3


@pytest.mark.parametrize(
    ("moments", "copies"),
    [
        (["2026-03-01"] * 3, 4),
        (["2026-03-01 12:30"] * 3, 4),
        (["2026-03-01 12:30:07"] * 3, 2),
    ],
)
def test_calls_alike_of_one_moment_are_no_copies(
    moments: list[str], copies: int, tmp_path: Path
) -> None:
    rows = [f"{at},{3 + i},m,{100 + i},10\n" for i, at in enumerate(moments)]
    traces = read_traces([written(tmp_path, DATED + "".join(rows) * copies)])
    assert len(traces.calls) == 3 * copies
    assert any("the same as others" in note for note in traces.notes)


@pytest.mark.parametrize(("fraction", "n"), [("", 8), (".25", 4)])
def test_calls_that_were_made_twice_at_once_are_copies_if_times_are_finer_than_seconds(
    fraction: str, n: int, tmp_path: Path
) -> None:
    """Two votes of one token each are alike in times of whole seconds."""
    rows = [f"2026-03-01 12:30:0{i}{fraction},1,m,{100 + i},1\n" * 2 for i in range(4)]
    assert len(read_traces([written(tmp_path, DATED + "".join(rows))]).calls) == n


@pytest.mark.parametrize(
    "said",
    [
        NO_START + "a,3600,100,10\n" * 3,
        "start_s,end_s,input_tokens,output_tokens\n0,3600,100,10\n",
        "date,latency_s,input_tokens,output_tokens\n" + "2026-03-01,3600,100,10\n" * 2,
    ],
)
def test_calls_of_an_hour_are_no_report_of_usage(said: str, tmp_path: Path) -> None:
    assert len(read_traces([written(tmp_path, said)]).calls) == said.count("\n") - 1


@pytest.mark.parametrize("inside", [[], [{"tool": "search", "ok": True}]])
@pytest.mark.parametrize("name", ["events", "results", "data"])
def test_lists_in_rows_of_calls_are_no_pages(name: str, inside: object, tmp_path: Path) -> None:
    row = {"start": 0, "latency_s": 3, "input_tokens": 100, "output_tokens": 5, name: inside}
    path = tmp_path / "calls.jsonl"
    path.write_text(f"{json.dumps(row)}\n{json.dumps({**row, 'start': 5})}\n")
    assert read_traces([path], "table").calls["input_tokens"].tolist() == [100] * 2


AT = "2026-03-01T10:00:00Z"


@pytest.mark.parametrize(
    ("names", "cells"),
    [
        ("op_name,started_at,ended_at,summary,agent", f"f,{AT},{AT[:-2]}3Z,did it,a"),
        ("timestamp,event,properties,user_id,duration_ms,agent", f"{AT},call,x,u,3000,a"),
        ("start_time,end_time,results,object,agent", f"{AT},{AT[:-2]}3Z,good,o,a"),
        ("timestamp,duration_s,eval.score,status,version", f"{AT},3,1,ok,2"),
    ],
)
def test_tables_with_agents_are_read_whatever_else_their_columns_are_called(
    names: str, cells: str, tmp_path: Path
) -> None:
    calls = read_traces([written(tmp_path, f"{names}\n{cells}\n")]).calls
    assert (calls["end_ns"] - calls["start_ns"]).tolist() == [3 * 10**9]


@pytest.mark.parametrize("told", ["", ",100"])
def test_kinds_that_are_not_known_are_calls_where_nothing_shows_the_contrary(
    told: str, tmp_path: Path
) -> None:
    """A table without models and tokens has none for calls either; and an input shows a call."""
    rows = [f"{AT},3,{kind}{told}\n" for kind in ("chat", "plan", "review")]
    head = f"timestamp,latency_s,type{',input_tokens' if told else ''}\n"
    calls = read_traces([written(tmp_path, head + "".join(rows))]).calls
    assert calls["operation_name"].tolist() == ["chat"] * 3


def test_roles_are_surer_names_of_agents_than_senders_and_addresses_are_none(
    tmp_path: Path,
) -> None:
    rows = "".join(f"{AT},3,{sender},{role}\n" for sender, role in (("bot", "p"), ("bot", "q")))
    calls = read_traces([written(tmp_path, f"timestamp,latency_s,sender,role\n{rows}")]).calls
    assert calls["agent_id"].tolist() == ["p", "q"]
    rows = "".join(f"{AT},3,m,{name}@example.com\n" for name in ("ann", "bob"))
    calls = read_traces([written(tmp_path, f"timestamp,latency_s,model,sender\n{rows}")]).calls
    assert calls["agent_id"].isna().all()


def test_lengths_that_may_be_of_texts_are_said_to_be_taken_as_tokens(tmp_path: Path) -> None:
    found = read_traces(
        [written(tmp_path, f"timestamp,latency_s,prompt_len,output_len\n{AT},3,400,30\n")]
    )
    assert any("'prompt_len' and 'output_len' are taken as counts" in each for each in found.notes)


@pytest.mark.parametrize("day", ["2026-03-01 00:00:00", "2026-03-01T00:00:00Z", "2026-03-01"])
def test_dates_beside_clocks_may_have_a_midnight(day: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"date,start,latency_s,model\n{day},10:00:00,3,m\n")
    assert read_traces([path]).calls["start_ns"].tolist() == [1_772_359_200 * 10**9]


def test_a_time_that_is_none_is_not_said_to_be_in_a_zone_whose_clocks_are_set(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "start,latency_s,model\n2026/03/01 10:00:00 UTC,3,m\n")
    with pytest.raises(TeamsimError, match=r"is no time$"):
        read_traces([path])


@pytest.mark.parametrize(
    ("names", "cells"),
    [
        ("timestamp,duration_hours,duration_s", f"{AT},0.0,3.25"),
        ("timestamp,latency_minutes,response_time_ms", f"{AT},0.05,3250"),
        ("timestamp,duration_minutes,elapsed_s", f"{AT},0.05,3.25"),
    ],
)
def test_durations_in_finer_units_are_surer_than_those_in_hours(
    names: str, cells: str, tmp_path: Path
) -> None:
    calls = read_traces([written(tmp_path, f"{names},model\n{cells},m\n")]).calls
    assert (calls["end_ns"] - calls["start_ns"]).tolist() == [3_250_000_000]


def test_the_date_of_a_start_is_surer_than_that_of_a_row(tmp_path: Path) -> None:
    said = "date,start_date,start_time,latency_s,model\n2026-03-02,2026-03-01,10:00:00,3,m\n"
    calls = read_traces([written(tmp_path, said)]).calls
    assert calls["start_ns"].tolist() == [1_772_359_200 * 10**9]
