"""All that reads a sweep in which some points never finish, some sometimes, some always."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.breakdown.causes import CAUSES
from analysis.breakdown.speedup_stack import speedup_stacks
from analysis.decisions.economics import (
    at_equal_budget,
    break_even_usd_per_hour,
    marginal_returns,
    pareto_front,
)
from analysis.decisions.production import fit_production
from analysis.decisions.sensitivity import sensitivity
from analysis.plots import (
    plot_sensitivity,
    plot_stack,
    stack_figure,
)
from analysis.report.charts import stack_chart
from analysis.statistics.completion import time_to_success
from analysis.statistics.crossings import crossing
from analysis.statistics.curves import not_known, scaling_curves, with_derived
from analysis.statistics.law_fits import compare_laws, fit_law, fit_power_law
from analysis.validation.findings import statistics
from simulator.errors import TeamsimError
from simulator.experiment import run_sweep
from simulator.scenario import Study, parse_study

SIZES = (1, 2, 4, 8, 16)
TEXT = """\
name: unfinished
question: Is there time enough?
replications: 30
team:
  size: 1
  agent:
    latency: {kind: seconds, base: {kind: lognormal, median: 10, sigma: 0.5}}
    price: {input_per_mtok: 3, output_per_mtok: 15}
topology: {kind: independent, aggregate: false}
coordination: {protocol: pre_assigned, timing: asynchronous}
workload: {kind: parallel_fraction, tasks: 48, parallel_fraction: 1}
sweep:
  - {name: no hurry, team.size: {values: [1, 2, 4, 8, 16]}}
  - {name: 600 s, team.size: {values: [1, 2, 4, 8, 16]}, limits.deadline_s: 560}
  - {name: 95 s, team.size: {values: [1, 2, 4, 8, 16]}, limits.deadline_s: 95}
"""


@pytest.fixture(scope="module")
def study() -> Study:
    return parse_study(TEXT)


@pytest.fixture(scope="module")
def results(study: Study) -> pd.DataFrame:
    return with_derived(run_sweep(study).to_pandas())


METRICS = ["makespan_s", "makespan_s_p50", "makespan_s_p95", "overhead_s", "quality", "success"]
METRICS += ["tokens", "tokens_to_success", "cost_usd_to_success"]


@pytest.fixture(scope="module")
def curves(results: pd.DataFrame) -> pd.DataFrame:
    return scaling_curves(results, METRICS)


def point(table: pd.DataFrame, series: str, n: int) -> pd.Series[Any]:
    size = "n" if "n" in table else "x"
    return table[(table["series"] == series) & (table[size] == n)].iloc[0]


def rows_of(results: pd.DataFrame, series: str, n: int) -> pd.DataFrame:
    return results[(results["series"] == series) & (results["team.size"] == n)]


def test_the_sweep_holds_all_three_kinds_of_points(curves: pd.DataFrame) -> None:
    assert point(curves, "95 s", 4)["finished"] == 0
    assert 0 < point(curves, "95 s", 8)["finished"] < 30
    assert 0 < point(curves, "600 s", 1)["finished"] < 30
    assert (curves.loc[curves["series"] == "no hurry", "finished"] == 30).all()
    assert (curves["runs"] == 30).all()


def test_a_curve_gives_times_to_success_or_nothing(
    curves: pd.DataFrame, results: pd.DataFrame
) -> None:
    some, rows = point(curves, "95 s", 8), rows_of(results, "95 s", 8)
    time = time_to_success(rows)
    assert some["makespan_s"] == time.estimate > 95  # which no run of it took
    assert (some["makespan_s_low"], some["makespan_s_high"]) == (time.low, time.high)
    for metric in ("tokens", "cost_usd"):
        spent = rows[metric].mean() / rows["success"].mean()
        assert some[f"{metric}_to_success"] == pytest.approx(spent)
    assert some["tokens"] == pytest.approx(rows["tokens"].mean())
    assert math.isnan(some["makespan_s_sd"])
    never = point(curves, "95 s", 2)
    unknown = ["makespan_s", "makespan_s_low", "makespan_s_high", "overhead_s", "speedup"]
    assert never[[*unknown, "tokens_to_success"]].isna().all()
    assert 0 < never["quality"] < 1
    always = point(curves, "no hurry", 4)
    done = rows_of(results, "no hurry", 4)
    assert always["makespan_s"] == done["makespan_s"].mean()
    assert always["makespan_s_sd"] == pytest.approx(done["makespan_s"].std())
    assert always["tokens_to_success"] == done["tokens"].mean()


def test_all_time_of_a_failed_run_is_beside_the_work(results: pd.DataFrame) -> None:
    failed = rows_of(results, "95 s", 2)
    np.testing.assert_allclose(failed["overhead_s"], 2 * failed["makespan_s"])
    done = rows_of(results, "no hurry", 2)
    np.testing.assert_allclose(done["overhead_s"], 2 * done["makespan_s"] - done["work_s"])


def test_a_quantile_among_unfinished_runs_is_not_known(curves: pd.DataFrame) -> None:
    share = point(curves, "600 s", 1)["finished"] / 30
    assert 0.5 < share < 0.95
    assert math.isfinite(point(curves, "600 s", 1)["makespan_s_p50"])
    assert point(curves, "600 s", 1)["makespan_s_p95"] == math.inf
    assert not_known(curves, "makespan_s_p95").sum() >= 5


def test_a_speed_up_is_of_times_to_success_and_needs_both(
    curves: pd.DataFrame, results: pd.DataFrame
) -> None:
    team = point(curves, "600 s", 4)
    alone = time_to_success(rows_of(results, "600 s", 1)).estimate
    expected = alone / rows_of(results, "600 s", 4)["makespan_s"].mean()
    assert team["speedup"] == pytest.approx(expected)
    assert team["speedup_low"] < expected < team["speedup_high"]
    # The single agent of the other series never finishes: nobody knows how much sooner they are.
    mine = curves[curves["series"] == "95 s"]
    assert mine["speedup"].isna().all()
    assert (mine["baseline_finished"] == 0).all()
    assert not_known(mine, "speedup").all()


def test_a_curve_crosses_nothing_where_it_is_not_known() -> None:
    x = [1.0, 2.0, 3.0, 4.0]
    first = pd.DataFrame({"x": x, "makespan_s_p95": [math.inf, math.inf, 5.0, 1.0]})
    second = pd.DataFrame({"x": x, "makespan_s_p95": [9.0, 6.0, 3.0, 3.0]})
    assert crossing(first, second, "makespan_s_p95", log_x=False) == pytest.approx(3.5)


def test_laws_are_fitted_to_known_points_only(curves: pd.DataFrame) -> None:
    line = curves[curves["series"] == "no hurry"]
    n, y = line["n"].astype(float), line["speedup"]
    gaps = [*y, math.nan, math.inf], [*n, 32.0, 64.0]
    assert fit_law("amdahl", gaps[1], gaps[0]).estimates == fit_law("amdahl", n, y).estimates
    assert fit_power_law(gaps[1], gaps[0]) == fit_power_law(n, y)
    assert len(fit_law("usl", gaps[1], gaps[0]).n) == 5
    unknown = curves[curves["series"] == "95 s"]
    assert compare_laws(unknown["n"].astype(float), unknown["speedup"]).empty
    with pytest.raises(ValueError, match="positive numbers, all of them known"):
        fit_production("ces", [1.0] * 9, [2.0] * 9, [1.0] * 8 + [math.nan])


def test_failed_runs_are_paid_again(results: pd.DataFrame) -> None:
    alone, team = rows_of(results, "600 s", 1), rows_of(results, "95 s", 8)
    spent = [
        (rows["makespan_s"].mean() / rows["success"].mean() / 3600,
         rows["cost_usd"].mean() / rows["success"].mean())
        for rows in (alone, team)
    ]  # fmt: skip
    price = break_even_usd_per_hour(alone, team)
    expected = (spent[1][1] - spent[0][1]) / (spent[0][0] - spent[1][0])
    assert price.estimate == pytest.approx(expected)
    assert price.low <= expected <= price.high
    never = rows_of(results, "95 s", 1)
    assert math.isnan(break_even_usd_per_hour(never, team).estimate)
    assert math.isnan(break_even_usd_per_hour(alone, never).low)
    table = marginal_returns(results[results["series"] == "95 s"], usd_per_hour=9.0).set_index("n")
    assert table.loc[[2, 4, 8]].isna().all(axis=None)
    last = rows_of(results, "95 s", 16)
    saved = (spent[1][0] - last["makespan_s"].mean() / 3600) / 8
    assert table.loc[16, "saved_s"] == pytest.approx(3600 * saved)
    extra = (last["cost_usd"].mean() - spent[1][1]) / 8
    assert table.loc[16, "net_usd"] == pytest.approx(9.0 * saved - extra)
    assert table.loc[16, "net_usd_low"] < table.loc[16, "net_usd"]


def test_what_never_finishes_is_on_no_front_and_in_no_budget(curves: pd.DataFrame) -> None:
    front = pareto_front(curves, ["makespan_s", "cost_usd_to_success"], ["quality"])
    assert not front[curves["finished"] == 0].any()
    assert front.any()
    bought = at_equal_budget(curves, 1e9)
    assert (bought["finished"] > 0).all()


@pytest.mark.slow
def test_a_stack_is_of_pairs_that_both_finished(study: Study) -> None:
    stacks = speedup_stacks(study.points, 6)
    parts = stacks[["speed-up", *CAUSES]]
    known = stacks["finished"] > 0
    np.testing.assert_allclose(parts[known].sum(axis=1), stacks.loc[known, "n"])
    assert parts[~known].isna().all(axis=None)
    counts = stacks.groupby("series", sort=False)["finished"]
    assert (counts.get_group("no hurry") == 6).all()
    assert counts.get_group("600 s").between(1, 5).all()
    assert (counts.get_group("95 s") == 0).all()
    figure = stack_figure(stacks, "Why?")
    ticks = [[text.get_text() for text in ax.get_xticklabels()] for ax in figure.axes]
    assert ticks[0] == ["2", "4", "8", "16"]
    assert ticks[2] == [f"{n}\n0/6" for n in (2, 4, 8, 16)]
    figure.draw_without_rendering()


def test_the_speed_ups_of_stacks_are_drawn_with_their_intervals(study: Study) -> None:
    stacks = speedup_stacks(study.points, 6)
    table = stacks[stacks["series"] == "no hurry"]
    ends = table[["speed-up_low", "speed-up_high"]].to_numpy()
    (strokes,) = (each for each in plot_stack(table).collections if len(each.get_paths()))
    np.testing.assert_allclose([path.vertices[:, 1] for path in strokes.get_paths()], ends)
    bars = stack_chart(table).data[-1]
    below, above = (np.array(bars["error_y"][end]) for end in ("arrayminus", "array"))
    drawn = [bars["y"] - below, bars["y"] + above]
    np.testing.assert_allclose(np.transpose(drawn), ends)
    none = stacks[stacks["series"] == "95 s"]
    (crosses,) = (line for line in plot_stack(none).lines if line.get_marker() == "x")
    assert list(crosses.get_xdata()) == [0, 1, 2, 3]
    assert (
        len(plot_stack(none).lines) == 1
    )  # and no line for the ideal n, of which nothing is there
    assert not any(len(each.get_paths()) for each in plot_stack(none).collections)
    assert not len(stack_chart(none).data[-1]["y"])


def test_bars_of_one_size_are_told_apart_by_what_was_swept() -> None:
    items = (1, 8, 32)
    rows = [
        {"series": "all alike", "name": f"all alike, workload.items={k}", "n": 4, "runs": 3,
         "finished": min(k, 3), "speed-up": 2.0, "speed-up_low": 1.5, "speed-up_high": 2.5,
         **dict.fromkeys(CAUSES, 2.0 / len(CAUSES))}
        for k in items
    ]  # fmt: skip
    stacks = pd.DataFrame(rows)
    ax = plot_stack(stacks)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1\n1/3", "8", "32"]
    assert ax.get_xlabel() == "workload.items, n = 4"
    assert stack_chart(stacks).data[0]["x"] == ["1<br>1/3", "8", "32"]
    mixed = plot_stack(stacks.assign(n=[2, 4, 4]))
    ticks = [text.get_text() for text in mixed.get_xticklabels()]
    assert ticks == ["1 (n = 2)\n1/3", "8 (n = 4)", "32 (n = 4)"]


def test_sensitivity_of_a_time_says_how_many_finished_or_that_it_is_not_known(
    study: Study,
) -> None:
    base = parse_study(TEXT.replace("size: 1", "size: 8") + "limits: {deadline_s: 95}\n").base
    few = {"workload.tasks": (36.0, 44.0)}
    table = sensitivity(base, few, samples=2, replications=10)
    assert (table["finished"] > 0).all()
    assert (table["finished"] < table["runs"]).all()
    assert table["runs"].unique().tolist() == [40]
    label = plot_sensitivity(table, "makespan_s").get_xlabel()
    assert f"{table['finished'].iloc[0]} of 40 runs finished" in label
    with pytest.raises(TeamsimError, match="makespan_s is not known at 3 of the 4 points"):
        sensitivity(base, {"workload.tasks": (40.0, 400.0)}, samples=2, replications=5)
    assert len(sensitivity(base, few, "success", samples=2, replications=5))


def test_findings_take_an_unfinished_run_for_none_of_its_length() -> None:
    """One agent takes 100 s and always finishes; half of the teams are cut off at 20 s."""
    cell = {"model_dir": "m", "task_type": "t", "p_label": "p"}
    common = {
        **cell,
        "total_tokens": 1000.0,
        "calls": 5,
        "idle_calls": 0,
        "idle_rounds": 0,
        "straggler_gap_s": 1.0,
        "failed_tests": 0,
        "concurrent_writes": 0,
    }
    rows = []
    for mode in ("preassign_nolead", "decentralized"):
        rows += [(mode, 1, 100.0, True)] * 4
        cut = mode == "decentralized"
        rows += [(mode, 2, 20.0 if cut else 50.0, not cut)] * 2 + [(mode, 2, 50.0, True)] * 2
    columns = ["mode", "n_teammates", "wall_clock_seconds", "success"]
    runs = pd.DataFrame(rows, columns=columns).assign(**common)
    found = statistics(runs)
    assert found["median speed-up, pre-assigned"] == 2.0
    assert found["median speed-up, self-claimed"] == 1.0  # between 2 and 0
    assert found["speed-up at n = 2, p, self-claimed"] == 1.0
    # 35 s a run, of which half finish, over 50 s.
    assert found["time, self-claimed over pre-assigned, n = 2"] == pytest.approx(70 / 50)
    done = statistics(runs[runs["success"]])
    assert done["median speed-up, self-claimed"] == 2.0
    assert done["time, self-claimed over pre-assigned, n = 2"] == 1.0
