"""What programs give beside a scenario: it is taken as one means it, or refused in our words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import simulator as ts
from simulator.errors import TeamsimError
from tests.test_api import LARGER, SAID

SWEPT = {**SAID, "sweep": {"team.size": [1, 2]}}
RUNS = {"replications": ("x", 0, -1, 2.0, True, [3], 10**13), "seed": ("x", -1, 1.5, 2**63)}
WORKERS = {"workers": ("2", None, -1, 10**6, 0.5)}
WRONG: list[tuple[Callable[..., object], dict[str, tuple[Any, ...]]]] = [
    (lambda **more: ts.run(SAID, **more), RUNS | WORKERS),
    (lambda **more: ts.sweep(SWEPT, **more), RUNS | WORKERS),
    (lambda **more: ts.compare(SAID, LARGER, **more), RUNS | WORKERS | {"replications": (1, "x")}),
    (
        lambda **more: ts.advise(SAID, **{"replications": 10, "sizes": [2]} | more),
        RUNS
        | WORKERS
        | {"sizes": ("2,3", 2.5, [0], ["2"], None), "wish": (20, {"usd_per_hour": 20}, "cheap")},
    ),
    (lambda **more: ts.observe("traces", **more), {"replications": (1, "x", None)}),
    (lambda **more: ts.replicate(ts.load(SAID).base, **more), {"replications": (0, -1, "x")}),
    (lambda **more: ts.run_sweep(ts.load(SAID), **more), {"workers": (0, "2"), "out": (3, [])}),
    (
        lambda **more: ts.Simulation(ts.load(SAID).base).run(**{"replication": 0} | more),
        {"replication": (-1, "x", 0.5, None), "trace": (3, [])},
    ),
    (
        lambda path: ts.run(SAID).save(path),
        {"path": (None, 3, "no/such/directory/x.csv", "x", "", "\x00.csv", "/proc/no.csv")},
    ),
    (
        lambda **more: ts.sweep(SWEPT, **more),
        {"out": (3, [], "", " ", "\x00", "a" * 300, "/dev/null/x")},
    ),
    (
        ts.Wish,
        {
            "usd_per_hour": ("x", -1, np.inf, True, [1]),
            "min_quality": ("x", 2, np.nan),
            "indifference": (None, 0.9),
        },
    ),
    (lambda **more: ts.load_study("quickstart", **more), {"settings": (3, [3], "team.size=3")}),
    (lambda **more: ts.load(SAID, **more), {"settings": (3, [3], "x", {3: 3}, {"": 3})}),
    (
        lambda **more: ts.sweep(SWEPT).plot(**{"x": "team.size", "y": "makespan_s"} | more),
        {"x": (3, ["team.size"] * 2), "y": (3, [3]), "series": (None, {"a": 1})},
    ),
]


@pytest.mark.parametrize(
    ("called", "name", "wrong"),
    [(called, *each) for called, names in WRONG for each in names.items()],
)
def test_what_is_wrong_is_refused_by_its_name(
    called: Callable[..., object], name: str, wrong: tuple[Any, ...]
) -> None:
    for each in wrong:
        said = name
        if isinstance(each, str) and name in ("path", "out"):
            said = r"no/such/directory|ending|cannot be|is empty|null byte|too long"
        with pytest.raises(TeamsimError, match=said):
            called(**{name: each})


@pytest.mark.parametrize("wrong", [3, None, ["makespan_s.mean < 3"]])
def test_an_expectation_is_a_text(wrong: Any) -> None:
    result = ts.run(SAID)
    for called in (result.expect, result.findings):
        with pytest.raises(TeamsimError, match="an expectation is a text"):
            called(wrong)


def test_numbers_of_numpy_are_numbers() -> None:
    of_numpy = ts.run(SAID, replications=np.int64(2), seed=np.uint32(7))
    pd.testing.assert_frame_equal(of_numpy.table, ts.run(SAID, replications=2, seed=7).table)


def test_0_workers_are_as_many_as_there_are_cores() -> None:
    pd.testing.assert_frame_equal(ts.run(SAID, workers=0).table, ts.run(SAID).table)


def test_a_name_of_a_picture_may_stand_alone() -> None:
    result = ts.sweep(SWEPT)
    alone = result.plot(x="team.size", y="makespan_s")
    listed = result.plot(x="team.size", y=["makespan_s"])
    assert [each.get_ylabel() for each in alone.axes] == [each.get_ylabel() for each in listed.axes]


@pytest.mark.slow
@pytest.mark.usefixtures("few_turning_points")
def test_advice_is_for_a_size_a_wish_and_a_seed() -> None:
    price = {"input_per_mtok": 3, "output_per_mtok": 15}
    priced = ts.load(SAID, {"team.agent.price": price})
    wish = ts.Wish(usd_per_hour=20)
    result = ts.advise(priced, wish, 2, replications=10, seed=5)
    assert result.table.attrs["seed"] == 5
    seeded = ts.load(SAID, {"team.agent.price": price, "seed": 5})
    again = ts.advise(seeded, wish, sizes=[2], replications=10)
    pd.testing.assert_frame_equal(result.table, again.table)


@pytest.mark.parametrize("wish", [{"usd_per_hour": 20.0}, {"budget_usd": 1.0}])
def test_costs_that_are_not_known_are_no_wish(wish: dict[str, float]) -> None:
    with pytest.raises(TeamsimError, match=r"what a run costs is not known.*give a price"):
        ts.advise(SAID, ts.Wish(**wish), sizes=[2], replications=10)


def test_a_table_is_saved_where_there_is_a_directory(tmp_path: Path) -> None:
    ts.run(SAID).save(tmp_path / "runs.csv")
    assert len(pd.read_csv(tmp_path / "runs.csv")) == 6


@pytest.mark.parametrize(
    ("teams", "said"),
    [
        ((SAID,), "two teams or more"),
        (({"a": SAID},), "two teams or more"),
        (([],), "two teams or more"),
        ((SAID, ""), "the text is empty"),
        ((SAID, "a" * 5000), "no such file"),
        ((SAID, "\x00:1"), "no such file"),
        ((SAID, None), "a scenario is a file"),
        ((SAID, [SAID]), "a scenario is a file"),
        ((SAID, 3), "a scenario is a file"),
        ((SAID, pd.DataFrame()), "a scenario is a file"),
    ],
)
def test_what_is_no_team_is_not_compared(teams: tuple[Any, ...], said: str) -> None:
    with pytest.raises(TeamsimError, match=said):
        ts.compare(*teams)


def test_teams_of_names_that_read_alike_are_all_compared() -> None:
    names: Any = {1: SAID, "1": LARGER}
    assert list(ts.compare(names, replications=4).table["team"].unique()) == ["1 (2)"]
