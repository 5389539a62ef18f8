"""Rows that could be read as something else than what they say: skipped, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis.traces.reading import read_traces
from analysis.traces.run_tables import read_run_table
from simulator.errors import TeamsimError
from tests.analysis.trace_samples import (
    attributes,
    claude_event,
    claude_message,
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


def streamed(directory: Path, *ends: str, grows: int = 10) -> Path:
    """Return a table of a call that is told of again and again, and of another one."""
    path = directory / "calls.csv"
    path.write_text(
        "request_id,agent,model,start,duration_ms,input_tokens,output_tokens,finish_reason\n"
        + "".join(
            f"r1,a,m,2026-03-01T10:00:00Z,{1000 + i},100,{30 + grows * i},{end}\n"
            for i, end in enumerate(ends)
        )
        + "r2,a,m,2026-03-01T10:00:10Z,3000,100,30,stop\n"
    )
    return path


@pytest.mark.parametrize(
    ("ends", "grows", "outputs", "said"),
    [
        (("", "", "stop"), 10, [50, 30], "2 parts of streamed answers left out"),
        (("", "", "stop"), 0, [30, 30], "2 parts of streamed answers left out"),
        (("", "", ""), 10, [30, 40, 50, 30], "2 calls with the id, start and input of another"),
        (("stop", "stop", "stop"), 10, [30, 40, 50, 30], None),  # several answers to one request
        (("", "stop", ""), 10, [30, 40, 50, 30], None),
        (("", "", "stop"), -10, [30, 20, 10, 30], None),
    ],
)
def test_an_answer_that_is_told_of_while_it_grows_is_one_call(
    ends: tuple[str, ...], grows: int, outputs: list[int], said: str | None, tmp_path: Path
) -> None:
    found = read_traces([streamed(tmp_path, *ends, grows=grows)])
    assert found.calls["output_tokens"].tolist() == outputs
    notes = [note for note in found.notes if "streamed answers" in note]
    assert len(notes) == (said is not None)
    assert all(said is not None and note.startswith(said) for note in notes)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("03/02/2026 23:59:59,04/02/2026 00:00:02\n12/02/2026 23:59:59,13/02/2026 00:00:02", None),
        ("03/02/2026 09:00:00,03/02/2026 09:00:03\n13/02/2026 09:00:00,13/02/2026 09:00:03", None),
        ("03/02/2026 09:00:00,03/02/2026 09:00:03\n02/13/2026 09:00:00,13/02/2026 09:00:03",
         "'start' and 'end' have dates that begin with the day and others that begin with the"),
        ("03/02/2026 09:00:00,03/02/2026 09:00:03\n02/03/2026 09:00:00,02/03/2026 09:00:03",
         "'start' and 'end' taken as month/day/year"),
    ],
)  # fmt: skip
def test_dates_of_all_columns_begin_alike(rows: str, said: str | None, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text("start,end\n" + rows + "\n")
    found = read_traces([path])
    assert (found.calls["end_ns"] - found.calls["start_ns"]).tolist() == [3_000_000_000] * 2
    notes = [note for note in found.notes if "begin with" in note or "month" in note]
    assert len(notes) == (said is not None)
    assert all(said is not None and said in note for note in notes)


def test_dates_with_points_say_nothing_of_dates_with_strokes(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    row = "03/02/2026 09:00:00,{}.03.2026 09:00:03\n"
    path.write_text("start,end\n" + row.format("02") * 2)
    calls = read_traces([path]).calls
    assert (calls["end_ns"] - calls["start_ns"]).tolist() == [3_000_000_000] * 2


@pytest.mark.parametrize(
    ("names", "first", "second"),
    [
        ("status", "error", "ok"),
        ("attempt,status", "1,error", "2,ok"),
        ("http_status", "429", "200"),
    ],
)
def test_tries_with_one_id_are_no_parts_of_an_answer(
    names: str, first: str, second: str, tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    row = "a,r1,2026-03-02T10:00:00Z,2026-03-02T10:00:0{},100,{},{},{}\n"
    path.write_text(
        f"agent,request_id,start,end,input_tokens,output_tokens,finish_reason,{names}\n"
        + row.format("1Z", 0, "", first)
        + row.format("3Z", 50, "stop", second)
    )
    calls = read_traces([path]).calls
    assert sorted(calls["status"]) == ["error", "ok"]


def test_one_name_in_two_forms_of_unicode_is_one_agent(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    rows = "caf\u00e9,m,0,3\ncafe\u0301,m,4,7\n"
    path.write_text(f"agent,model,start_s,end_s\n{rows}", "utf-8")
    assert read_traces([path]).calls["agent_id"].tolist() == ["caf\u00e9"] * 2


def test_lines_of_a_session_may_be_in_any_order(tmp_path: Path) -> None:
    use = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {}}
    done = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
    told = [
        claude_event(0, "u0", None),
        claude_message(2, "a0", "u0", "m0", stop=None),
        claude_message(4, "a1", "a0", "m0", use, stop="tool_use"),
        claude_event(6, "u1", "a1", message={"role": "user", "content": [done]}),
        claude_message(9, "a2", "u1", "m1"),
    ]
    found = []
    for order in ((0, 1, 2, 3, 4), (2, 0, 4, 1, 3), (4, 3, 2, 1, 0)):
        calls = read_traces([lines(tmp_path / "S1.jsonl", [told[i] for i in order])]).calls
        found.append(((calls["end_ns"] - calls["start_ns"]) / 1e9).tolist())
    assert found == [[4.0, 2.0, 3.0]] * 3


@pytest.mark.parametrize(
    ("name", "fine", "failed"),
    [
        ("is_error", ["0", "false", "no", "FALSCH", ""], ["1", "true", "yes", "WAHR"]),
        ("failed", ["False", "0.0", "f", "n", "off", "nein"], ["True", "1.0", "t", "y"]),
        ("success", ["1", "true", "yes", "WAHR", "t", "ja"], ["0", "false", "no", "FALSCH", "f"]),
    ],
)
def test_a_column_says_yes_or_no_to_whether_calls_failed(
    name: str, fine: list[str], failed: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    rows = "".join(f"m,{4 * i},{4 * i + 3},{said}\n" for i, said in enumerate([*fine, *failed]))
    path.write_text(f"model,start_s,end_s,{name}\n{rows}")
    found = read_traces([path]).calls["status"].tolist()
    assert found == ["ok"] * len(fine) + ["error"] * len(failed)


@pytest.mark.parametrize("word", ["None", "null", "NULL", "nan", "<NA>", "\\N"])
def test_a_word_for_nothing_is_no_name(word: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    head = "agent,model,start_s,end_s,tool,finish_reason,error\n"
    path.write_text(f"{head}{word},m,0,3,{word},{word},{word}\na,m,4,7,,stop,\n")
    calls = read_traces([path]).calls
    assert calls["operation_name"].tolist() == ["chat"] * 2
    assert calls["status"].tolist() == ["ok"] * 2
    assert calls["agent_id"].isna().tolist() == [True, False]
    assert calls["finish_reason"].isna().tolist() == [True, False]


@pytest.mark.parametrize(("total", "output"), [(1100, 100), (1050, 50), ("", 50), (1234, 50)])
def test_a_total_shows_that_the_output_is_without_the_reasoning(
    total: int | str, output: int, tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    head = "model,start_s,end_s,input_tokens,output_tokens,reasoning_tokens,total_tokens\n"
    path.write_text(f"{head}m,0,3,1000,50,50,{total}\n")
    calls = read_traces([path]).calls
    assert calls["output_tokens"].tolist() == [output]
    assert calls["input_tokens"].tolist() == [1000]


COUNTED = "run_id,agent,start,end,model,input_tokens,output_tokens\n"


def counted_table(directory: Path, *rows: str) -> Path:
    path = directory / "calls.csv"
    path.write_text(COUNTED + "".join(f"{row}\n" for row in rows))
    return path


PARTS = ("r,a,2026-03-01 10:00:00,2026-03-01 10:00:04,m,1200,100",
         "r,b,2026-03-01 10:00:05,2026-03-01 10:00:09,m,1500,200")  # fmt: skip


@pytest.mark.parametrize(
    "total",
    [
        "r,Total,2026-03-01 10:00:00,2026-03-01 10:00:09,,2700,300",
        "r,Total,,,,2700,300",
        "r,the run,2026-03-01 10:00:00,2026-03-01 10:00:12,m,2700,300",
        "Total,,2026-03-01 10:00:00,2026-03-01 10:00:09,,2700,300",
    ],
)
def test_a_row_with_the_sums_of_the_others_is_no_call(total: str, tmp_path: Path) -> None:
    traces = read_traces([counted_table(tmp_path, *PARTS, total)])
    assert traces.calls["input_tokens"].tolist() == [1200, 1500]
    assert traces.report.duplicates.count == 1
    assert any("1 row with the sums" in note and "(row 2)" in note for note in traces.notes)


def test_each_run_may_have_its_sum(tmp_path: Path) -> None:
    total = "r,run,2026-03-01 10:00:00,2026-03-01 10:00:09,,2700,300"
    rows = [*PARTS, total]
    more = [row.replace("r,", "s,", 1).replace("10:0", "11:0") for row in rows]
    whole_table = "all,all,2026-03-01 10:00:00,2026-03-01 11:00:09,,5400,600"
    traces = read_traces([counted_table(tmp_path, *rows, *more, whole_table)])
    assert traces.calls["input_tokens"].tolist() == [1200, 1500] * 2


def test_a_call_with_as_many_tokens_as_those_before_it_is_one(tmp_path: Path) -> None:
    last = "r,c,2026-03-01 10:00:10,2026-03-01 10:00:19,m,2700,300"
    assert len(read_traces([counted_table(tmp_path, *PARTS, last)]).calls) == 3


@pytest.mark.parametrize("length", ["h", "day"])
def test_reports_of_usage_are_no_calls(length: str, tmp_path: Path) -> None:
    ends = {"h": ("10:00:00", "11:00:00"), "day": ("00:00:00", "00:00:00")}[length]
    days = (1, 1) if length == "h" else (1, 2)
    span = ",".join(f"2026-03-0{day} {at}" for day, at in zip(days, ends, strict=True))
    path = counted_table(tmp_path, f"r,a,{span},m,100,10", f"r,b,{span},m,200,20")
    with pytest.raises(TeamsimError, match="its rows are of whole hours or days"):
        read_traces([path])


def test_kinds_of_rows_that_are_not_known_are_no_calls(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(
        "type,start,end,model,input_tokens,output_tokens,name\n"
        "llm_call,2026-03-01 10:00:00,2026-03-01 10:00:04,m,100,10,x\n"
        "tool_use,2026-03-01 10:00:05,2026-03-01 10:00:06,,,,search\n"
        "step,2026-03-01 10:00:00,2026-03-01 10:00:06,,,,s1\n"
    )
    traces = read_traces([path])
    assert (traces.report.calls, traces.report.tool_calls) == (1, 1)


@pytest.mark.parametrize("name", ["data", "results", "calls"])
def test_rows_may_be_in_pages_with_their_run_around_them(name: str, tmp_path: Path) -> None:
    rows = [
        {"start": f"2026-03-01T10:00:0{i}Z", "end": f"2026-03-01T10:00:0{i + 1}Z", "agent": "a",
         "input_tokens": 100 + i, "output_tokens": 10}
        for i in range(2)
    ]  # fmt: skip
    pages = [{"session_id": f"s{i}", "duration": 99, name: [row]} for i, row in enumerate(rows)]
    calls = read_traces([whole(tmp_path / "pages.json", pages)]).calls
    assert calls["run_id"].tolist() == ["s0", "s1"]
    assert calls["input_tokens"].tolist() == [100, 101]


def appended(path: Path, times: int = 1, first: int = 0) -> Path:
    """Append the rows of a table to it."""
    head, *rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([head, *rows, *rows[first:] * times]))
    return path


MORE = "r,a,2026-03-01 10:00:10,2026-03-01 10:00:13,m,900,80"


@pytest.mark.parametrize("times", [1, 2])
def test_a_table_that_was_appended_to_itself_counts_once(times: int, tmp_path: Path) -> None:
    traces = read_traces([appended(counted_table(tmp_path, *PARTS, MORE), times)])
    assert traces.calls["input_tokens"].tolist() == [1200, 1500, 900]
    assert traces.report.duplicates.count == 3 * times
    assert any("that stand above already left out (row 3)" in note for note in traces.notes)


def test_an_overlap_within_a_table_counts_once(tmp_path: Path) -> None:
    start = "r,z,2026-03-01 09:00:10,2026-03-01 09:00:13,m,70,7"
    traces = read_traces([appended(counted_table(tmp_path, start, *PARTS, MORE), first=1)])
    assert traces.calls["input_tokens"].tolist() == [70, 1200, 1500, 900]


def test_two_calls_alike_are_two_and_said(tmp_path: Path) -> None:
    traces = read_traces([counted_table(tmp_path, *PARTS, PARTS[0], PARTS[0])])
    assert len(traces.calls) == 4
    assert any("2 rows the same as others in all cells (row 2)" in note for note in traces.notes)


def test_rows_without_dates_that_are_there_twice_are_said(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    rows = [f"a,{3 + i},{i + 1},1\n" for i in range(10)]
    path.write_text("agent,latency_s,input_tokens,output_tokens\n" + "".join(rows))
    traces = read_traces([appended(path)])
    assert len(traces.calls) == 20
    assert any("each row is there several times" in note for note in traces.notes)


def test_a_further_table_in_a_file_may_have_its_columns_in_another_order(tmp_path: Path) -> None:
    path = counted_table(tmp_path, *PARTS)
    more = "model,end,start,agent,run_id,output_tokens,input_tokens\n"
    row = "m,2026-03-01 10:00:14,2026-03-01 10:00:10,c,r,90,700\n"
    path.write_text(path.read_text() + COUNTED + more + row)
    traces = read_traces([path])
    assert traces.calls["input_tokens"].tolist() == [1200, 1500, 700]
    assert traces.calls["agent_id"].tolist() == ["a", "b", "c"]
    assert not traces.skipped
