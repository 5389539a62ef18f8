"""Prices, fronts and production functions, on numbers with known results."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.decisions.economics import (
    at_equal_budget,
    break_even_usd_per_hour,
    marginal_returns,
    pareto_front,
    total_usd,
    unit_costs,
)
from analysis.decisions.production import fit_production


def replications(makespan: float, cost: float, seed: int = 0, **more: object) -> pd.DataFrame:
    luck = np.random.default_rng(seed).lognormal(0, 0.1, 100)
    rows = {
        "replication": range(100),
        "makespan_s": makespan * luck / luck.mean(),
        "cost_usd": cost * luck / luck.mean(),
        "success": True,
    }
    return pd.DataFrame({**rows, **more})


def test_a_task_costs_what_the_work_cost_over_its_tasks() -> None:
    point = {"point": 0, "point_name": "p", "tasks_done": 20, "tasks_correct": 16}
    row = unit_costs(replications(100, 8.0, **point)).iloc[0]
    assert row["usd_per_task"] == pytest.approx(0.4)
    assert row["usd_per_correct_task"] == pytest.approx(0.5)
    assert row["usd_per_task_low"] < 0.4 < row["usd_per_task_high"]
    nothing = {**point, "tasks_done": 0, "tasks_correct": 0}
    assert unit_costs(replications(100, 8.0, **nothing)).iloc[0]["usd_per_task"] == math.inf


def test_a_price_of_time_turns_makespan_into_money() -> None:
    rows = replications(1800, 2.0)
    assert total_usd(rows, 10.0).mean() == pytest.approx(2.0 + 5.0)


def test_a_team_pays_from_extra_cost_over_time_saved_on() -> None:
    alone, team = replications(3600, 1.0), replications(1800, 3.0)
    price = break_even_usd_per_hour(alone, team)
    assert price.estimate == pytest.approx(4.0)  # two dollars for half an hour
    assert price.low <= 4.0 <= price.high
    assert total_usd(alone, 4.0).mean() == pytest.approx(total_usd(team, 4.0).mean())
    assert break_even_usd_per_hour(team, alone).estimate == math.inf
    assert break_even_usd_per_hour(alone, replications(1800, 0.5)).estimate < 0


def test_each_further_agent_brings_less() -> None:
    sizes = [1, 2, 4, 8]
    sweep = pd.concat(
        [replications(3600 / n + 60 * n, 1.0 + 0.2 * n, **{"team.size": n}) for n in sizes]
    )
    table = marginal_returns(sweep, usd_per_hour=6.0).set_index("n")
    assert table.loc[2, "saved_s"] == pytest.approx(1800 - 60)
    assert table.loc[4, "saved_s"] == pytest.approx((900 - 120) / 2)
    assert table.loc[4, "extra_usd"] == pytest.approx(0.2)
    assert table.loc[4, "net_usd"] == pytest.approx(6 * 390 / 3600 - 0.2)
    assert table["saved_s"].is_monotonic_decreasing
    assert table.loc[8, "net_usd"] < table.loc[2, "net_usd"]


def test_where_any_run_failed_those_of_every_size_may_fail() -> None:
    # All of sizes 1 and 2 finished. One of ten of size 4 did not: so may an eleventh of theirs.
    def saved(last: float) -> pd.Series:
        sweep = pd.concat(
            [replications(3600 / n, 1.0, n, **{"team.size": n}).head(10) for n in (1, 2, 4)]
        )
        sweep.iloc[-1, sweep.columns.get_loc("success")] = last
        return marginal_returns(sweep).set_index("n").loc[2]

    sure, unsure = saved(True), saved(False)
    widths = [row["saved_s_high"] - row["saved_s_low"] for row in (sure, unsure)]
    assert widths[1] > 1.5 * widths[0]


def test_the_front_is_what_nothing_beats() -> None:
    table = pd.DataFrame(
        {
            "makespan_s": [10, 20, 30, 25, 10],
            "cost_usd": [5, 3, 1, 4, 5],
            "quality": [0.9, 0.9, 0.9, 0.9, 0.9],
        },
        index=list("abcde"),
    )
    front = pareto_front(table, ["makespan_s", "cost_usd"], ["quality"])
    assert front.to_dict() == {"a": True, "b": True, "c": True, "d": False, "e": True}
    table.loc["d", "quality"] = 0.95
    assert pareto_front(table, ["makespan_s", "cost_usd"], ["quality"])["d"]


GRID = [(n, k) for n in (1, 2, 3, 5, 8, 13) for k in (1e4, 3e4, 1e5, 3e5)]


def test_a_cobb_douglas_is_found_again() -> None:
    n, k = (np.array(each, dtype=float) for each in zip(*GRID, strict=True))
    noise = np.random.default_rng(1).lognormal(0, 0.02, len(n))
    labour = n / (1 + 0.08 * (n - 1))
    fit = fit_production("cobb_douglas", n, k, 3.0 * labour**0.6 * k**0.3 * noise)
    for name, value in {"agents": 0.6, "tokens": 0.3, "overhead": 0.08}.items():
        assert fit.low[name] <= value <= fit.high[name]
        assert fit.estimates[name] == pytest.approx(value, abs=0.06)
    assert fit.estimates["agents"] + fit.estimates["tokens"] == pytest.approx(0.9, abs=0.05)
    assert fit.r_squared > 0.99


def test_a_ces_is_found_again_and_told_from_cobb_douglas() -> None:
    n, k = (np.array(each, dtype=float) for each in zip(*GRID, strict=True))
    scaled = k / np.exp(np.log(k).mean())
    noise = np.random.default_rng(2).lognormal(0, 0.01, len(n))
    r = 1 - 1 / 0.4
    labour = n / (1 + 0.05 * (n - 1))
    output = 7.0 * (0.4 * labour**r + 0.6 * scaled**r) ** (0.9 / r) * noise
    fit = fit_production("ces", n, k, output)
    assert fit.estimates["substitution"] == pytest.approx(0.4, abs=0.05)
    assert fit.estimates["returns"] == pytest.approx(0.9, abs=0.05)
    assert fit.aic < fit_production("cobb_douglas", n, k, output).aic


def test_the_information_criterion_counts_parameters_and_the_variance() -> None:
    # Hurvich and Tsai 1989: n log(rss / n) + 2 K + 2 K (K + 1) / (n - K - 1), for K = 4 + 1.
    n, k = (np.array(each, dtype=float) for each in zip(*GRID, strict=True))
    noise = np.random.default_rng(1).lognormal(0, 0.02, len(n))
    output = 3.0 * n**0.6 * k**0.3 * noise
    fit = fit_production("cobb_douglas", n, k, output)
    logs = np.log(output)
    rss = (1.0 - fit.r_squared) * ((logs - logs.mean()) ** 2).sum()
    runs, of = len(n), len(fit.estimates) + 1
    expected = runs * np.log(rss / runs) + 2 * of + 2 * of * (of + 1) / (runs - of - 1)
    assert of == 5
    assert fit.aic == pytest.approx(expected, abs=1e-4)


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(ValueError, match="no production function 'leontief'"):
        fit_production("leontief", [1.0], [1.0], [1.0])
    with pytest.raises(ValueError, match="positive"):
        fit_production("ces", [1.0, 2.0], [0.0, 1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="need more points"):
        fit_production("ces", [1.0, 2.0], [1.0, 1.0], [1.0, 1.0])


def test_a_budget_buys_each_series_its_best() -> None:
    table = pd.DataFrame(
        {
            "series": ["one large", "small", "small", "small"],
            "x": [1, 2, 4, 8],
            "cost_usd_to_success": [5.0, 2.0, 4.0, 9.0],
            "makespan_s": [100.0, 90.0, 50.0, 30.0],
            "quality": [0.9, 0.8, 0.8, 0.95],
        }
    )
    bought = at_equal_budget(table, 5.0)
    assert bought[["series", "x"]].to_numpy().tolist() == [["small", 4], ["one large", 1]]
    assert at_equal_budget(table, 1.0).empty
