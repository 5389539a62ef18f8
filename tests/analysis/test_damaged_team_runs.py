"""Tables of team runs that are damaged, or laid out otherwise: read right, or a clear error."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.traces.readers.llm_teams import read_team_runs
from analysis.traces.reading import read_traces
from analysis.validation import read_predictions, validate
from analysis.validation.compare import write_predictions
from simulator.errors import TeamsimError
from tests.analysis.harness import CLAIMING, DEALT, TASKS, logged_run, scenario, write_runs

Change = Callable[[pd.DataFrame], pd.DataFrame]
_AGENT = {"latency": {"kind": "seconds", "base": 5, "per_work_unit_s": 1}, "batch": 3}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    logged = [
        logged_run(scenario(_AGENT, mode, size, TASKS, 7), mode, replication)
        for mode in (CLAIMING, DEALT)
        for size in (1, 3)
        for replication in (0, 1)
    ]
    return write_runs(tmp_path_factory.mktemp("good"), logged)


@pytest.fixture
def damaged(good: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return what writes the runs anew, with their tables changed."""

    def write(runs: Change | None = None, events: Change | None = None) -> Path:
        directory = tmp_path / "runs"
        shutil.copytree(good, directory)
        for name, change in (("runs", runs), ("events", events)):
            if change is not None:
                path = directory / f"{name}.parquet"
                change(pd.read_parquet(path)).to_parquet(path)
        return directory

    return write


def with_value(name: str, value: object, row: int | None = None) -> Change:
    """Return what puts a value into a row of a column, or into all."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        column = table[name].astype(object)
        if isinstance(value, str):  # a column has one type
            column = column.map(str, na_action="ignore")
        for i in range(len(table)) if row is None else [row]:
            column.iat[i] = value
        return table.assign(**{name: column})

    return change


def interleaved(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events of all runs in turn: those of each stay in their order."""
    return events.iloc[np.argsort(events.groupby("run_dir").cumcount(), kind="stable")]


@pytest.mark.parametrize(
    "changes",
    [
        {"events": lambda events: events.set_axis(np.arange(len(events)) % 10)},
        {"events": lambda events: events.set_index("run_dir")},
        {"events": lambda events: events.set_index(["run_dir", "round"])},
        {"events": interleaved},
        {"events": lambda events: events.astype({"type": "category", "agent": "category"})},
        {"events": lambda events: events.astype({"ts": str, "returncode": "string"})},
        {"runs": lambda runs: runs.set_index("run_dir")},
        {"runs": lambda runs: runs.set_axis(np.zeros(len(runs), dtype=int))},
        {"runs": lambda runs: runs.assign(success=runs["success"].map({True: "True", False: "no"}))
         .replace("no", "false")},
        {"runs": lambda runs: runs.assign(success=runs["success"].astype(int))},
    ],
    ids=["repeated index", "index by run", "two-fold index", "interleaved", "categories",
         "numbers as texts", "runs by name", "runs of one index", "success as text",
         "success as number"],
)  # fmt: skip
def test_the_same_runs_laid_out_otherwise_are_read_as_the_same(
    good: Path, damaged: Callable[..., Path], changes: dict[str, Change]
) -> None:
    plain, other = read_team_runs(good), read_team_runs(damaged(**changes))
    pd.testing.assert_frame_equal(other.runs, plain.runs, check_dtype=False)
    order = ["run_dir", "round", "agent"]
    pd.testing.assert_frame_equal(
        other.calls.sort_values(order, ignore_index=True),
        plain.calls.sort_values(order, ignore_index=True),
        check_dtype=False,
    )
    assert other.skipped == plain.skipped == []


def test_names_may_be_numbers(good: Path, damaged: Callable[..., Path]) -> None:
    numbers = {name: i for i, name in enumerate(read_team_runs(good).runs["run_dir"])}

    def numbered(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(run_dir=table["run_dir"].map(numbers))

    found = read_team_runs(damaged(numbered, numbered))
    assert list(found.runs["run_dir"]) == [str(i) for i in numbers.values()]
    assert len(found.calls) == len(read_team_runs(good).calls)


@pytest.mark.parametrize(
    ("table", "name", "value", "said"),
    [
        ("runs", "task_type", None, "row 3: no 'task_type'"),
        ("runs", "n_teammates", 2.5, "row 3: 'n_teammates' is 2.5, not a whole number from 1"),
        ("runs", "n_teammates", 0, "row 3: 'n_teammates' is 0, not a whole number from 1"),
        ("runs", "n_teammates", "two", "row 3: 'n_teammates' is 'two', not a number"),
        ("runs", "success", "perhaps", "row 3: 'success' is 'perhaps', not true or false"),
        ("runs", "mode", "decentral", "row 3: unknown mode 'decentral'; did you mean 'decentral"),
        ("events", "run_dir", None, "row 3: no 'run_dir'"),
        ("events", "type", None, "row 3: no 'type'"),
        ("events", "ts", "soon", "row 3: 'ts' is 'soon', not a number"),
        ("events", "returncode", "bad", "row 3: 'returncode' is 'bad', not a number"),
        ("events", "agent", " ", "row 3: 'agent' is ' ', not a name"),
    ],
)
def test_a_value_of_a_wrong_kind_is_an_error_with_its_place(
    damaged: Callable[..., Path], table: str, name: str, value: object, said: str
) -> None:
    directory = damaged(**{table: with_value(name, value, 2)})
    with pytest.raises(TeamsimError) as raised:
        read_traces([directory])
    assert f"{directory / table}.parquet, {said}" in str(raised.value)


@pytest.mark.parametrize(
    ("said", "mode"),
    [("Decentralized", CLAIMING), ("self-claim", CLAIMING), ("pre_assigned", DEALT)],
)
def test_a_mode_may_have_its_name_in_the_simulator(
    damaged: Callable[..., Path], said: str, mode: str
) -> None:
    found = read_team_runs(damaged(runs=lambda runs: runs.assign(mode=said)))
    assert set(found.runs["mode"]) == set(found.calls["mode"]) == {mode}


@pytest.mark.parametrize("name", ["run_dir", "agent", "path", "ts", "round", "returncode"])
@pytest.mark.parametrize("value", [[1], pd.Timedelta("1s")], ids=repr)
def test_columns_of_other_types_are_errors(
    damaged: Callable[..., Path], name: str, value: object
) -> None:
    directory = damaged(events=lambda events: events.assign(**{name: [value] * len(events)}))
    with pytest.raises(TeamsimError, match=f"row 1: '{name}' is .*, not a n"):
        read_traces([directory])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"runs": lambda runs: runs.head(0)}, "no usable runs"),
        ({"events": lambda events: events.head(0)}, "no event is of the type 'agent_reply'"),
        ({"events": lambda events: events[events["type"] != "agent_reply"]},
         "no event is of the type 'agent_reply' (types: "),
        ({"runs": lambda runs: runs.drop(columns="mode")}, "lacks the column 'mode'"),
        ({"runs": lambda runs: pd.concat([runs, runs.head(1).assign(total_rounds=99)])},
         "is there twice, and differs"),
        ({"runs": with_value("success", None)}, "does not say whether it succeeded"),
    ],
    ids=["no runs", "no events", "no replies", "no mode", "two of a name", "no success"],
)  # fmt: skip
def test_tables_without_what_is_needed_are_errors(
    damaged: Callable[..., Path], changes: dict[str, Change], said: str
) -> None:
    with pytest.raises(TeamsimError) as raised:
        read_traces([damaged(**changes)])
    assert said in str(raised.value)


def test_a_file_that_is_cut_off_is_an_error(damaged: Callable[..., Path]) -> None:
    events = damaged() / "events.parquet"
    events.write_bytes(events.read_bytes()[:-100])
    with pytest.raises(TeamsimError, match="cannot be read as Parquet"):
        read_traces([events.parent])


@pytest.mark.parametrize(
    ("changes", "runs", "said"),
    [
        ({"runs": lambda runs: pd.concat([runs, runs.head(1)])}, 8, "runs.parquet, row 9: "),
        ({"runs": lambda runs: runs.drop(index=0)}, 7, "events of 1 runs that are not in"),
        ({"events": lambda events: events.iloc[::-1]}, 0, "they are not in order"),
        ({"events": lambda events: events.loc[events.index.repeat(2)]}, 0, "replies twice in"),
        ({"events": with_value("agent", None)}, 0, "nothing says who replied"),
        ({"events": with_value("path", None)}, 8, "nothing says which file was edited"),
    ],
    ids=["a run twice", "runs not listed", "backwards", "rows twice", "no agent", "no path"],
)  # fmt: skip
def test_what_is_left_out_is_said(
    damaged: Callable[..., Path], changes: dict[str, Change], runs: int, said: str
) -> None:
    directory = damaged(**changes)
    if not runs:
        with pytest.raises(TeamsimError, match=said):
            read_team_runs(directory)
        return
    found = read_team_runs(directory)
    assert len(found.runs) == runs
    assert said in found.skipped[0]


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([], "is not a list of tasks"),
        ([{"id": "a", "files": []}], "task 1: no 'dependencies'"),
        ([{"id": 1, "dependencies": [], "files": []}], "task 1: id: should be a text; found 1"),
        ([{"id": "a", "dependencies": "b", "files": []}], "dependencies: should be a list"),
        ([{"id": "a", "dependencies": ["b"], "files": []}], "depends on 'b', which is no task"),
        ([{"id": "a", "dependencies": ["a"], "files": []}], "form a cycle: a -> a"),
    ],
)
def test_a_task_list_that_cannot_be_is_an_error(
    damaged: Callable[..., Path], tasks: object, said: str
) -> None:
    directory = damaged()
    (directory / "tasks/toy/p10.json").write_text(json.dumps(tasks))
    with pytest.raises(TeamsimError) as raised:
        read_team_runs(directory)
    assert str(directory / "tasks/toy/p10.json") in str(raised.value)
    assert said in str(raised.value)


def predicted(runs: pd.DataFrame) -> pd.DataFrame:
    """Return runs as if they had been predicted."""
    tokens = runs["total_input_tokens"] + runs["total_output_tokens"]
    return runs.assign(replication=range(len(runs)), total_tokens=tokens, calls=1)


def test_runs_that_are_scored_have_their_totals(good: Path, damaged: Callable[..., Path]) -> None:
    runs = read_team_runs(good).runs
    directory = damaged(lambda table: table.assign(total_rounds=[0, *table["total_rounds"][1:]]))
    found = validate(predicted(runs), runs, directory)
    assert len(found.skipped) == 1
    assert "row 1: " in found.skipped[0]
    assert found.cells["runs"].max() == 2
    runs_file = directory / "runs.parquet"
    pd.read_parquet(runs_file).assign(total_rounds=0).to_parquet(runs_file)
    with pytest.raises(TeamsimError, match=r"no usable runs; .*row 1: .* has a total"):
        validate(predicted(runs), runs, directory)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("wall_clock_seconds", None, "row 2: 'wall_clock_seconds' is 'nan', not a number"),
        ("mode", None, "row 2: no 'mode'"),
        ("success", None, "row 2: 'success' is 'None', not a number"),
    ],
)
def test_predictions_that_lack_a_value_are_an_error(
    good: Path, tmp_path: Path, name: str, value: object, said: str
) -> None:
    runs = read_team_runs(good).runs
    table, path = predicted(runs).astype({name: object}), tmp_path / "predictions.parquet"
    write_predictions(table, runs, path)
    read, _ = read_predictions(path)
    assert read["total_tokens"].tolist() == table["total_tokens"].tolist()
    write_predictions(with_value(name, value, 1)(table), runs, path)
    with pytest.raises(TeamsimError, match=said):
        read_predictions(path)
