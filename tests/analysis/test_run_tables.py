"""Tables of runs: which columns are found, and which cells are refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.traces.reading import read_traces
from analysis.traces.run_tables import is_run_table, read_run_table
from simulator.errors import TeamsimError

HEADER = "model,condition,team_size,wall_s,total_tokens,total_rounds,ok\n"
ROWS = "m,static,4,12.5,1000,3,true\nm,static,4,20,,4,no\n"


def written(directory: Path, text: str) -> Path:
    path = directory / "runs.csv"
    path.write_text(text)
    return path


def test_columns_are_found_by_their_usual_names_and_by_those_that_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + ROWS)
    assert is_run_table(path, {})
    runs = read_run_table(path, {"success": "ok"}).runs
    assert runs["n"].tolist() == [4, 4]
    assert runs["seconds"].tolist() == [12.5, 20.0]
    assert runs["success"].tolist() == [1.0, 0.0]
    assert runs["rounds"].tolist() == [3.0, 4.0]
    assert np.isnan(runs["tokens"][1])
    assert runs["calls"].isna().all()
    assert runs["task_list"].tolist() == ["", ""]


def test_tokens_are_the_sum_of_both_kinds_where_there_is_no_total(tmp_path: Path) -> None:
    text = "protocol,n,seconds,input_tokens,output_tokens\nstatic,1,2,30,12\n"
    assert read_run_table(written(tmp_path, text)).runs["tokens"].tolist() == [42.0]


def test_a_total_of_0_is_not_known(tmp_path: Path) -> None:
    table = read_run_table(written(tmp_path, "protocol,n,seconds,tokens\nstatic,1,2,0\n"))
    assert table.runs["tokens"].isna().all()
    assert table.notes == ["1 runs have 0 tokens: not known"]


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    csv = written(tmp_path, HEADER + ROWS)
    parquet = tmp_path / "runs.parquet"
    pd.read_csv(csv).convert_dtypes().to_parquet(parquet)
    assert is_run_table(parquet, {})
    one, other = (read_run_table(path, {"success": "ok"}).runs for path in (csv, parquet))
    pd.testing.assert_frame_equal(one, other)


def test_tables_are_read_as_spreadsheets_write_them(tmp_path: Path) -> None:
    text = "Protocol,Team Size,Wall (s),Total Tokens\nstatique été,4,1250.5,1000\n"
    semicolons = text.replace(",", ";").replace("1250.5", "1250,5")
    written_as = {
        "a.csv": text.encode("cp1252"),
        "b.csv": b"\xef\xbb\xbf" + semicolons.encode() + b";;;\r\n",
        "c.tsv": text.replace(",", "\t").encode("utf-16"),
        "d.csv.gz": gzip.compress(("\n\n" + text).encode()),
    }
    for name, data in written_as.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert is_run_table(path, {}), name
        found = read_run_table(path).runs[["protocol", "n", "seconds", "tokens"]]
        assert found.to_numpy().tolist() == [["statique été", 4, 1250.5, 1000.0]], name


@pytest.mark.parametrize("tokens", ["1,234,567", "1 234 567", "1\u202f234\u202f567", "1'234'567"])
def test_thousands_may_be_apart(tokens: str, tmp_path: Path) -> None:
    text = f'sep=,\nprotocol,n,seconds,tokens\nstatic,1,2.5,"{tokens}"\n'
    path = written(tmp_path, text)
    assert is_run_table(path, {})
    assert read_run_table(path).runs["tokens"].tolist() == [1234567.0]


@pytest.mark.parametrize(
    ("above", "line"),
    [("", 2), ("sep=;\r\n", 3), ('"sep=;"\n', 3), ("\ufeffsep=;;;\n\n", 4), (";;;\n", 3)],
)
def test_an_error_has_the_line_that_an_editor_shows(above: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(f"{above}protocol;n;seconds;tokens\nstatic;1;soon;9\n", "utf-8")
    with pytest.raises(TeamsimError, match=f"runs.csv, line {line}: 'seconds' is 'soon', not a"):
        read_run_table(path)


def test_a_table_of_calls_is_none_of_runs(tmp_path: Path) -> None:
    path = written(tmp_path, "session_id,model,start,duration_s\na,m,0,1\n")
    assert not is_run_table(path, {})
    assert not is_run_table(path, {"duration_s": "duration_s"})
    assert is_run_table(path, {"seconds": "duration_s"})


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"second": "wall_s"}, "unknown column of a run 'second'; did you mean 'seconds'?"),
        ({"seconds": "wall"}, "runs.csv: unknown column 'wall'; did you mean 'wall_s'?"),
    ],
)
def test_a_column_that_is_not_there_is_named_with_the_nearest(
    tmp_path: Path, columns: dict[str, str], said: str
) -> None:
    with pytest.raises(TeamsimError) as error:
        read_run_table(written(tmp_path, HEADER + ROWS), columns)
    assert said in str(error.value)


def test_runs_that_are_taken_for_calls_are_said_to_be(tmp_path: Path) -> None:
    path = written(tmp_path, "team_size,seconds,total_tokens\n1,300,1000\n2,200,1500\n")
    (note,) = [each for each in read_traces([path]).notes if "taken for a call" in each]
    assert "needs a column" in note
    assert "--column protocol=NAME" in note
    path = written(tmp_path, HEADER.replace("wall_s", "seconds") + ROWS)  # as `observe` reads it
    (note,) = [each for each in read_traces([path]).notes if "taken for a call" in each]
    assert "give them to `teamsim calibrate`" in note
    path = written(tmp_path, "agent,model,seconds,input_tokens\na,m,3,100\na,m,4,200\n")
    assert not any("taken for a call" in each for each in read_traces([path]).notes)


def test_a_column_that_is_needed_and_not_found_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "protocol,agents,seconds\nstatic,1,2\n")
    with pytest.raises(TeamsimError, match=r"no column says 'n' .*agents.*--column n=NAME"):
        read_run_table(path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("m,static,4,inf,1,1,1", "line 3: 'wall_s' is 'inf', not a number above 0"),
        ("m,static,4,nan,1,1,1", "line 3: 'wall_s' is 'nan', not a number above 0"),
        ("m,static,4,-2,1,1,1", "line 3: 'wall_s' is '-2', not a number above 0"),
        ("m,static,4,0,1,1,1", "line 3: 'wall_s' is '0', not a number above 0"),
        ("m,static,4,1e300,1,1,1", "line 3: 'wall_s' is '1e300', not a number above 0"),
        ("m,static,4,soon,1,1,1", "line 3: 'wall_s' is 'soon', not a number above 0"),
        ("m,static,4,,1,1,1", "line 3: 'wall_s' is empty, and every run must say its seconds"),
        ("m,static,4.5,2,1,1,1", "line 3: 'team_size' is '4.5', not a whole number from 1"),
        ("m,static,0,2,1,1,1", "line 3: 'team_size' is '0', not a whole number from 1"),
        ("m,static,99999,2,1,1,1", "line 3: 'team_size' is '99999', not a whole number"),
        ("m,static,4,2,inf,1,1", "line 3: 'total_tokens' is 'inf', not a number above 0"),
        ("m,static,4,2,-1,1,1", "line 3: 'total_tokens' is '-1', not a number above 0"),
        ("m,static,4,2,1,1.5,1", "line 3: 'total_rounds' is '1.5', not a whole number from 1"),
        ("m,static,4,2,1,1,maybe", "line 3: 'ok' is 'maybe', not true or false"),
        ("m,,4,2,1,1,1", "line 3: 'condition' is empty"),
        ("m,static,4,2", "line 3: 4 cells, and the header has 7"),
    ],
)
def test_a_cell_that_cannot_be_is_named_with_its_line(tmp_path: Path, row: str, said: str) -> None:
    path = written(tmp_path, f"{HEADER}m,static,4,12.5,1000,3,true\n{row}\n")
    with pytest.raises(TeamsimError) as error:
        read_run_table(path, {"success": "ok"})
    assert f"{path}, {said}" in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("protocol,n,seconds\n", "it has no rows"),
        ("protocol,n,n\nstatic,1,1\n", "has the column 'n' twice"),
    ],
)
def test_a_table_without_runs_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TeamsimError, match=said):
        read_run_table(written(tmp_path, text))


def test_a_line_is_counted_as_an_editor_counts_it(tmp_path: Path) -> None:
    text = 'protocol,n,seconds,note\nstatic,1,2,"two\nlines"\n\nstatic,1,-2,x\n'
    with pytest.raises(TeamsimError, match=r"line 5: 'seconds' is '-2'"):
        read_run_table(written(tmp_path, text))


def test_runs_of_some_protocols_and_sizes_are_chosen_by_name(tmp_path: Path) -> None:
    table = read_run_table(written(tmp_path, "protocol,n,seconds\na,1,1\na,2,2\nb,2,3\n"))
    assert table.of(["a"], [2]).runs["seconds"].tolist() == [2.0]
    with pytest.raises(TeamsimError, match=r"unknown protocol of a run 'c'"):
        table.of(["c"])
    with pytest.raises(TeamsimError, match=r"unknown n of a run '3'"):
        table.of(sizes=[3])


def test_empty_columns_hide_no_others(tmp_path: Path) -> None:
    text = "protocol,condition,n,n_agents,seconds,wall_s,tokens,input_tokens,output_tokens\n"
    runs = read_run_table(written(tmp_path, text + ",static,,3,,2.5,,30,12\n")).runs
    assert runs[["protocol", "n", "seconds", "tokens"]].values.tolist() == [
        ["static", 3, 2.5, 42.0]
    ]


def test_a_duration_has_the_unit_in_the_name_of_its_column(tmp_path: Path) -> None:
    path = written(tmp_path, "protocol,n,wall_ms\nstatic,3,2500\n")
    assert read_run_table(path, {"seconds": "wall_ms"}).runs["seconds"].tolist() == [2.5]


def test_what_is_doubtful_of_runs_is_said(tmp_path: Path) -> None:
    rows = "static,3,100000\nstatic,3,120000\nstatic,3,90\nstatic,3,90\n"
    notes = read_run_table(written(tmp_path, "protocol,n,seconds\n" + rows)).notes
    assert "1 row like another one in all columns (first: line 5): each is taken" in notes[0]
    assert "the duration is 100,000; 2 of 4 are like that" in notes[1]


def test_one_column_is_not_two_of_ours(tmp_path: Path) -> None:
    path = written(tmp_path, "protocol,n,s\nstatic,3,100\n")
    with pytest.raises(TeamsimError, match="--column names 's' for two of our columns"):
        read_run_table(path, {"seconds": "s", "tokens": "s"})


def test_success_may_be_a_letter(tmp_path: Path) -> None:
    path = written(tmp_path, "protocol,n,seconds,success\nstatic,3,1,T\nstatic,3,1,n\n")
    assert read_run_table(path).runs["success"].tolist() == [1.0, 0.0]
