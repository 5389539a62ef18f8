"""Curves of tables that are written out, where each number can be found by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.statistics.completion import speedup, time_to_success
from analysis.statistics.crossings import crossing
from analysis.statistics.curves import (
    check_names,
    curves_against,
    interval_of,
    not_known,
    scaling_curves,
    with_derived,
    without_price,
)
from analysis.statistics.intervals import (
    mean_interval,
    quantile_interval,
    ratio_of_means_interval,
)
from simulator.errors import TeamsimError
from simulator.scenario.figure import Figure

COUNT = 40


def rows(
    point: int, size: int, baseline: int | None, seed: int, finished: float = 1.0
) -> pd.DataFrame:
    """Return the replications of a point."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "point": point,
            "baseline_point": math.nan if baseline is None else baseline,
            "series": "",
            "parallel_fraction": 0.75,
            "team.size": size,
            "replication": np.arange(COUNT),
            "makespan_s": rng.lognormal(4 - 0.3 * size, 0.5, COUNT),
            "success": rng.uniform(size=COUNT) < finished,
            "quality": np.round(rng.uniform(0.5, 1, COUNT), 2),
            "agents": size,
            "work_s": rng.uniform(5, 10, COUNT),
            "input_tokens": rng.integers(100, 200, COUNT),
            "output_tokens": rng.integers(10, 20, COUNT),
        }
    )


def sweep(baseline: int | None = None, finished: float = 1.0) -> pd.DataFrame:
    sizes = {0: 1, 1: 2, 2: 5}
    each = [rows(point, size, baseline, point, finished) for point, size in sizes.items()]
    return pd.concat(each, ignore_index=True)


@pytest.mark.parametrize("baseline", [None, 0, 1])
def test_ratios_are_of_the_runs_that_the_baseline_has_too(baseline: int | None) -> None:
    """Their times, and the shares of tasks that are not correct, each run beside its own."""
    table = sweep(baseline)
    table = table[~((table["point"] == 2) & (table["replication"] < 7))]
    shuffled = table.sample(frac=1, random_state=1)
    curves = scaling_curves(shuffled, ["makespan_s", "quality"], 0.9).set_index("n")
    alone = table[table["point"] == (baseline or 0)].iloc[7:]
    team = table[table["point"] == 2]
    time = speedup(alone.reset_index(), team.reset_index(), 0.9)
    errors = ratio_of_means_interval(
        1 - team["quality"], 1 - alone["quality"], 0.9, are_shares=True
    )
    for name, interval in (("speedup", time), ("error_amplification", errors)):
        found = curves.loc[5, [name, f"{name}_low", f"{name}_high"]]
        assert found.tolist() == pytest.approx([interval.estimate, interval.low, interval.high])
    assert curves.loc[5, "error_amplification"] == pytest.approx(
        (1 - team["quality"]).mean() / (1 - alone["quality"]).mean()
    )
    assert curves.loc[5, ["runs", "finished", "baseline_finished"]].tolist() == [33, 33, 33]
    own = (1, 2)[baseline or 0]
    assert curves.index[curves["is_baseline"]].tolist() == ([] if baseline is None else [own])
    assert curves.loc[own, "speedup"] == curves.loc[own, "error_amplification"] == 1


def test_without_a_baseline_there_are_no_ratios() -> None:
    table = sweep()
    none = scaling_curves(table[table["point"] > 0], ["makespan_s"])
    assert none[["speedup", "speedup_low", "error_amplification"]].isna().all(axis=None)
    assert none["baseline_finished"].isna().all()
    assert not none["is_baseline"].any()
    # A single agent is the baseline only where teams are compared by their size.
    other = table.rename(columns={"team.size": "workload.tasks"})
    against = curves_against(other, ["quality"], "workload.tasks")
    assert against["speedup"].isna().all()
    # Nothing is a multiple of no errors.
    right = table.assign(quality=table["quality"].where(table["point"] > 0, 1.0))
    curves = scaling_curves(right, ["quality"])
    assert curves["error_amplification"].isna().all()
    assert curves["speedup"].notna().all()


def test_each_series_has_its_own_single_agent() -> None:
    first, second = sweep().assign(series="a"), sweep().assign(series="b")
    second["point"] += 3
    second["makespan_s"] *= 2
    curves = scaling_curves(pd.concat([first, second], ignore_index=True), ["makespan_s"])
    for name, part in (("a", first), ("b", second)):
        mine = curves[(curves["series"] == name) & (curves["n"] == 2)]
        mean = part.groupby("team.size")["makespan_s"].mean()
        assert mine["speedup"].item() == pytest.approx(mean[1] / mean[2])


@pytest.mark.parametrize("finished", [0.6, 1.0])
def test_a_metric_is_its_mean_its_quantile_or_what_is_spent_until_success(finished: float) -> None:
    table = with_derived(sweep(finished=finished))
    metrics = ["makespan_s", "makespan_s_p50", "quality", "quality_p95", "tokens"]
    metrics += ["tokens_to_success", "makespan_s_to_success", "success"]
    curves = scaling_curves(table, metrics, 0.8)
    for n, some in table.groupby("team.size"):
        row = curves[curves["n"] == n].iloc[0]
        done = some["success"].to_numpy()
        time = time_to_success(some, 0.8)
        if finished == 1.0:  # intervals are of runs that finish, as those of the speed-up are
            time = mean_interval(some["makespan_s"], 0.8)
        for name in ("makespan_s", "makespan_s_to_success"):
            assert row[name] == pytest.approx(time.estimate)
            assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx((time.low, time.high))
        assert row["quality"] == pytest.approx(some["quality"].mean())
        assert row["quality_sd"] == pytest.approx(some["quality"].std())
        assert row["success"] == pytest.approx(done.mean())
        assert row["tokens_to_success"] == pytest.approx(some["tokens"].mean() / done.mean())
        high = quantile_interval(some["quality"], 0.95, 0.8)
        assert row["quality_p95"] == pytest.approx(np.quantile(some["quality"], 0.95))
        assert row["quality_p95_low"] == high.low
        longer = np.sort(np.where(done, some["makespan_s"], math.inf))
        assert row["makespan_s_p50"] == pytest.approx(longer[19:21].mean())
        assert (row["runs"], row["finished"]) == (COUNT, done.sum())
        sd = math.nan if done.sum() < COUNT else some["makespan_s"].std()
        assert row["makespan_s_sd"] == pytest.approx(sd, nan_ok=True)
    assert interval_of(table, "quality_p50", 0.8) == quantile_interval(table["quality"], 0.5, 0.8)


def test_what_the_agents_do_beside_the_work_is_their_time_less_first_attempts() -> None:
    table = sweep(finished=0.5).assign(work_s=1e4)
    table.loc[::2, "work_s"] = 3.0
    found = with_derived(table)
    for (_, row), (_, derived) in zip(table.iterrows(), found.iterrows(), strict=True):
        kept = row["work_s"] if row["success"] else 0.0
        spent = row["agents"] * row["makespan_s"]
        assert derived["overhead_s"] == pytest.approx(max(0.0, spent - kept))
        assert derived["error_rate"] == pytest.approx(1 - row["quality"])
        assert derived["tokens"] == row["input_tokens"] + row["output_tokens"]


def test_what_is_not_known_is_what_needs_a_run_that_finished() -> None:
    curves = pd.DataFrame(
        {
            "finished": [0, 3, 3, 0],
            "baseline_finished": [3, 0, 3, 0],
            "makespan_s_p50": [math.inf, 5.0, 4.0, math.inf],
        }
    )
    expected: dict[str, list[bool]] = {
        "speedup": [True, True, False, True],
        "makespan_s": [True, False, False, True],
        "overhead_s": [True, False, False, True],
        "tokens_to_success": [True, False, False, True],
        "makespan_s_p50": [True, False, False, True],
        "quality": [False] * 4,
        "error_amplification": [False] * 4,
        "quality_p95": [False] * 4,
    }
    for metric, unknown in expected.items():
        assert not_known(curves, metric).tolist() == unknown, metric


def test_money_is_not_known_without_a_price_and_known_where_the_price_is_0() -> None:
    nan = math.nan
    curves = pd.DataFrame(
        {
            "finished": [3, 3, 0, 0],
            "cost_usd": [nan, 0.0, nan, 2.0],
            "wasted_usd_p95": [nan, 0.0, nan, 2.0],
            "cost_usd_to_success": [nan, 0.0, nan, math.inf],
        }
    )
    assert not_known(curves, "cost_usd").tolist() == [True, False, True, False]
    assert not_known(curves, "wasted_usd_p95").tolist() == [True, False, True, False]
    assert not_known(curves, "cost_usd_to_success").tolist() == [True, False, True, True]
    # Where no run finished, that is the reason.
    assert without_price(curves, "cost_usd_to_success").tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("y", "axes", "said"),
    [
        ("makespan_s_p95", ["team.size"], None),
        ("tokens_to_success", ["team.size"], None),
        ("speedup", ["team.size"], None),
        ("quality", None, None),
        ("speedup_p95", ["team.size"], "metric 'speedup_p95'"),
        ("makespan", None, "did you mean 'makespan_s'?"),
        ("quality", ["workload.tasks"], "swept field 'team.size'"),
    ],
)
def test_a_picture_names_metrics_and_swept_fields_that_there_are(
    y: str, axes: list[str] | None, said: str | None
) -> None:
    figure = Figure(x="team.size", y=(y,))
    if said is None:
        check_names(figure, axes)
        return
    with pytest.raises(TeamsimError) as refused:
        check_names(figure, axes)
    assert said in str(refused.value)


def crossed(x: Any, first: Any, second: Any, log_x: bool = False) -> float | None:
    tables = [pd.DataFrame({"x": x, "y": y})[::-1] for y in (first, second)]
    return crossing(*tables, "y", log_x)


@pytest.mark.parametrize("log_x", [False, True])
def test_curves_cross_where_the_lines_between_their_points_do(log_x: bool) -> None:
    """As on a fine grid; curves that touch and part on the same side do not cross."""
    x = np.array([1.0, 2.0, 5.0, 9.0])
    axis = np.log(x) if log_x else x
    fine = np.linspace(axis[0], axis[-1], 20_001)
    for gaps in list(itertools.product((-2.0, 0.0, 1.0), repeat=4))[log_x :: 1 + 4 * log_x]:
        found = crossed(x, 3.0 + np.array(gaps), np.full(4, 3.0), log_x)
        signs = np.sign(np.interp(fine, axis, gaps))
        apart = np.flatnonzero(signs)
        changes = np.flatnonzero(np.diff(signs[apart]))
        if not len(changes):
            assert found is None, gaps
            continue
        end = fine[apart[changes[0]]]  # the last place where it is on the first side
        assert found is not None, gaps
        assert (math.log(found) if log_x else found) == pytest.approx(end, abs=1e-3), gaps


def test_curves_cross_only_between_points_that_both_have_and_that_are_known() -> None:
    x = [1.0, 2.0, 3.0, 4.0]
    assert crossed(x, [1, math.nan, 3, 3], [2, 2, 2, 2]) is None
    assert crossed(x, [2, 2, 2, 2], [1, 3, 1, 1]) == crossed(x, [1, 3, 1, 1], [2, 2, 2, 2]) == 1.5
    assert crossed(x, [1, math.inf, 3, 1], [2, 2, 2, 2]) == pytest.approx(3.5)
    one = pd.DataFrame({"x": [1.0, 3.0, 4.0], "y": [0.0, 2.0, 2.0]})
    other = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [1.0, 9.0, 1.0]})
    assert crossing(one, other, "y", log_x=False) == pytest.approx(2.0)
    assert crossing(one[:1], other, "y", log_x=False) is None
