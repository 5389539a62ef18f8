"""The estimators of a calibration beside what their definitions give by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from analysis.calibration.cache_life import CacheLife, fit_cache_life
from analysis.calibration.cell import as_said
from analysis.calibration.estimates import BetaEstimate, Estimate
from analysis.calibration.gaps import Gap
from analysis.calibration.latency import (
    _quasi_demeaning,
    anderson_darling,
    between_rounds,
    between_runs,
    fit_residual,
    within_runs,
)

Array = np.ndarray[Any, Any]


def runs_of(*sizes: int) -> pd.Series:
    """Return the run of each call, of runs of such sizes."""
    return pd.Series([f"run {i}" for i, size in enumerate(sizes) for _ in range(size)])


SIZES = [(2, 2), (5, 1, 3), (1, 1, 4), (40, 3, 2, 7), (6, 6, 6, 6)]


@pytest.mark.parametrize("sizes", SIZES)
def test_the_spread_within_runs_is_that_of_an_analysis_of_variance(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(sum(sizes))
    logs, runs = rng.normal(0, 1, sum(sizes)) + 5, runs_of(*sizes)
    groups = [group.to_numpy() for _, group in pd.Series(logs).groupby(runs)]
    squares = sum(((group - group.mean()) ** 2).sum() for group in groups)
    exact = math.sqrt(squares / (len(logs) - len(groups)))
    assert within_runs(logs, runs) == pytest.approx(exact)
    # Levels of runs do not matter.
    moved = logs + runs.map({name: 3.0 * i for i, name in enumerate(runs.unique())}).to_numpy()
    assert within_runs(moved, runs) == pytest.approx(exact)


def test_runs_of_one_call_say_nothing_of_the_spread_within() -> None:
    logs = np.array([1.0, 2.0, 4.0])
    assert within_runs(logs, runs_of(1, 1, 1)) == pytest.approx(logs.std())


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_anderson_and_darlings_distance_is_their_integral(count: int) -> None:
    u = np.sort(np.random.default_rng(count).uniform(size=count))
    edges = np.concatenate([[0.0], u, [1.0]])
    total = 0.0
    for i, (low, high) in enumerate(itertools.pairwise(edges)):
        total += integrate.quad(lambda t, f=i / count: (f - t) ** 2 / (t * (1 - t)), low, high)[0]
    assert anderson_darling(u) == pytest.approx(count * total, rel=1e-6)
    assert math.isfinite(anderson_darling(np.array([0.0, 0.5, 1.0])))


@pytest.mark.parametrize("sigma", [0.0, 0.3, 2.0])
@pytest.mark.parametrize(("runs", "size"), [(3, 2), (5, 4), (20, 3)])
def test_the_spread_between_runs_of_one_size_is_that_of_their_means(
    runs: int, size: int, sigma: float
) -> None:
    """Paule and Mandel's equation is linear there: the variance of means less that within."""
    rng = np.random.default_rng(runs)
    logs = np.repeat(rng.normal(0, sigma, runs), size) + rng.normal(0, 0.5, runs * size)
    which = runs_of(*[size] * runs)
    means = logs.reshape(runs, size).mean(axis=1)
    noise = within_runs(logs, which) ** 2 / size
    exact = max(0.0, means.var(ddof=1) - noise)
    found = between_runs(logs, which)
    assert found.value == pytest.approx(math.sqrt(exact), abs=1e-6)
    spread = math.sqrt(2 / runs) * (exact + noise)  # of the variance
    error = spread / (2 * exact) if found.link == "log" else spread
    assert found.error == pytest.approx(error, rel=1e-6)
    assert (found.link == "log") == (exact > 1.5 * spread)


def test_the_spread_between_runs_solves_paule_and_mandels_equation() -> None:
    rng = np.random.default_rng(4)
    sizes = (2, 9, 4, 30, 3, 5)
    which = runs_of(*sizes)
    logs = np.repeat(rng.normal(0, 1, len(sizes)), sizes) + rng.normal(0, 0.5, sum(sizes))
    means = pd.Series(logs).groupby(which, sort=False).mean().to_numpy()
    noise = within_runs(logs, which) ** 2 / np.array(sizes)
    weights = 1 / (between_runs(logs, which).value ** 2 + noise)
    centre = (weights * means).sum() / weights.sum()
    assert (weights * (means - centre) ** 2).sum() == pytest.approx(len(sizes) - 1)


@pytest.mark.parametrize("sizes", [(4,), (4, 4), (1, 1, 1, 2), (2, 2, 1)])
def test_of_few_runs_nothing_is_said_between_them(sizes: tuple[int, ...]) -> None:
    logs = np.arange(float(sum(sizes))) ** 2
    assert between_runs(logs, runs_of(*sizes)).value == 0.0


@pytest.mark.parametrize("ratio", [0.0, 0.5, 4.0])
@pytest.mark.parametrize("sizes", [(1, 2), (3, 5, 1), (8,)])
def test_quasi_demeaning_leaves_what_is_alike_and_independent(
    sizes: tuple[int, ...], ratio: float
) -> None:
    """Of calls with a run effect of `ratio` times their variance (Fuller and Battese 1973)."""
    which = runs_of(*sizes)
    same = which.to_numpy()[:, None] == which.to_numpy()[None, :]
    covariance = np.eye(len(which)) + ratio * same
    demean = _quasi_demeaning(which, ratio)
    matrix = np.column_stack([demean(column) for column in np.eye(len(which))])
    assert matrix @ covariance @ matrix.T == pytest.approx(np.eye(len(which)), abs=1e-12)


@pytest.mark.parametrize("law", ["lognormal", "log_logistic"])
@pytest.mark.parametrize("sigma", [0.2, 0.8])
def test_a_residual_has_the_scale_and_the_error_of_its_family(law: str, sigma: float) -> None:
    family: Any = stats.norm if law == "lognormal" else stats.logistic
    count = 2000
    logs = family.ppf((np.arange(count) + 0.5) / count, scale=sigma)
    logs = np.random.default_rng(2).permutation(logs)
    found = fit_residual(logs, pd.Series([f"run {i}" for i in range(count)]))
    assert found.kind == law
    assert found.scale.value == pytest.approx(sigma, rel=0.01)
    information = 2.0 if law == "lognormal" else 1.43  # for each call, over the scale squared
    assert found.scale.error == pytest.approx(1 / math.sqrt(information * count), rel=1e-3)
    assert found.ks == pytest.approx(
        stats.kstest(logs, family(scale=found.scale.value).cdf).statistic
    )
    u = np.sort(family(scale=found.scale.value).cdf(logs))
    assert found.ad == pytest.approx(anderson_darling(u))
    other: Any = stats.logistic if law == "lognormal" else stats.norm
    parameter = other.fit(logs, floc=0.0)[1] if law == "lognormal" else math.sqrt((logs**2).mean())
    loss = 2 * (family.logpdf(logs, scale=found.scale.value) - other.logpdf(logs, scale=parameter))
    assert found.aic_gain == pytest.approx(loss.sum())


def test_a_residual_within_runs_is_not_widened_by_their_levels() -> None:
    rng = np.random.default_rng(3)
    level, size, runs = 2.0, 8, 40
    logs = np.repeat(rng.normal(0, level, runs), size) + rng.normal(0, 0.5, runs * size)
    found = fit_residual(logs, runs_of(*[size] * runs))
    # 280 degrees of freedom: the standard error is 4 %, 4 of them.
    assert found.scale.value == pytest.approx(0.5, rel=0.17)
    assert found.scale.error == pytest.approx(1 / math.sqrt(2 * runs * (size - 1)), rel=0.2)
    assert found.run_sigma.value == pytest.approx(level, rel=0.5)


@pytest.mark.parametrize("sigma", [0.0, 0.4])
@pytest.mark.parametrize("team", [2, 3])
def test_the_spread_between_rounds_is_the_covariance_of_a_team(team: int, sigma: float) -> None:
    rng = np.random.default_rng(team)
    runs, rounds = 30, 40
    frame = pd.DataFrame(
        list(itertools.product(range(runs), range(rounds), range(team))),
        columns=["run_dir", "round", "agent"],
    )
    slow = np.repeat(rng.normal(0, sigma, runs * rounds), team)
    logs = slow + rng.normal(0, 0.3, len(frame))
    found = between_rounds(logs, frame)
    centred = pd.Series(logs) - pd.Series(logs).groupby(frame["run_dir"]).transform("mean")
    table = centred.to_numpy().reshape(runs, rounds, team)
    pairs = list(itertools.permutations(range(team), 2))

    def covariance(some: Array) -> float:
        return float(np.mean([(some[..., a] * some[..., b]).mean() for a, b in pairs]))

    exact = covariance(table)
    assert found.at == pytest.approx(exact)
    left = [covariance(np.delete(table, range(k, runs, 10), axis=0)) for k in range(10)]
    assert found.error == pytest.approx(math.sqrt(9 * np.var(left)))
    alone = frame[frame["agent"] == 0]
    assert between_rounds(logs[alone.index], alone).value == 0.0  # no teams


@pytest.mark.parametrize("link", ["identity", "log", "logit", "square"])
def test_an_estimate_gives_back_what_it_was_made_of(link: Any) -> None:
    found = Estimate.of(0.3, 0.2, link)
    assert found.value == pytest.approx(0.3)
    low, high = found.interval(0.9)
    ends = [Estimate(found.at + side * 0.2 * stats.norm.ppf(0.95), 0.0, link) for side in (-1, 1)]
    assert (low, high) == pytest.approx([end.value for end in ends])
    beta = BetaEstimate(3.5, 8.5)
    assert (beta.value, beta.error) == pytest.approx(
        (stats.beta(3.5, 8.5).mean(), stats.beta(3.5, 8.5).std())
    )
    assert beta.interval(0.8) == pytest.approx(stats.beta(3.5, 8.5).interval(0.8))
    assert [as_said(p) for p in (-0.1, 0.25, 1.2)] == [0.0, 0.25, 1.0]


def turns_with_a_life(life_s: float, idle_s: Array, missed: Array) -> pd.DataFrame:
    """Return turns of one agent whose cache loses what is idle for longer, or where it misses."""
    held = (idle_s <= life_s) & ~missed
    sizes = 1000.0 * np.arange(1, len(idle_s) + 2)
    return pd.DataFrame(
        {
            "session": "a",
            "agent": "b",
            "input": sizes,
            "cached": np.concatenate([[0.0], np.where(held, sizes[:-1], 0.0)]),
            "idle_s": np.concatenate([[math.nan], idle_s]),
        }
    )


@pytest.mark.parametrize("life_s", [100.0, 300.0])
def test_the_life_of_a_cache_lies_where_its_losses_jump(life_s: float) -> None:
    rng = np.random.default_rng(6)
    idle_s = rng.permutation(np.geomspace(5, 2000, 300))
    missed = rng.uniform(size=300) < 0.05
    found = fit_cache_life(turns_with_a_life(life_s, idle_s, missed))
    assert isinstance(found, CacheLife)
    short, long = idle_s[idle_s <= life_s].max(), idle_s[idle_s > life_s].min()
    assert found.life_s.value == pytest.approx(math.sqrt(short * long))
    before, after = idle_s <= life_s, idle_s > life_s
    assert found.missed == BetaEstimate(missed[before].sum() + 0.5, (~missed)[before].sum() + 0.5)
    assert found.lost == BetaEstimate(after.sum() + 0.5, 0.5)

    def log_likelihood(hits: float, trials: float) -> float:
        return float(
            stats.binom.logpmf(hits, trials, hits / trials)
            - math.log(math.comb(int(trials), int(hits)))
        )

    ordered = np.sort(idle_s)
    lost = (missed | after)[np.argsort(idle_s)]
    fits = [
        log_likelihood(lost[:n].sum(), n) + log_likelihood(lost[n:].sum(), 300 - n)
        for n in range(1, 300)
    ]
    inside = np.flatnonzero(np.array(fits) >= max(fits) - stats.chi2.ppf(0.95, 1) / 2)
    width = math.log(ordered[inside[-1] + 1] / ordered[inside[0]])
    assert found.life_s.error == pytest.approx(width / (2 * stats.norm.ppf(0.975)))


def test_a_cache_that_loses_nothing_more_after_long_waits_has_no_life() -> None:
    rng = np.random.default_rng(7)
    idle_s = rng.exponential(100, 300)
    for missed in (np.zeros(300, bool), rng.uniform(size=300) < 0.3):
        found = fit_cache_life(turns_with_a_life(math.inf, idle_s, missed))
        assert isinstance(found, Gap)
    few = fit_cache_life(turns_with_a_life(50.0, idle_s[:19], np.zeros(19, bool)))
    assert isinstance(few, Gap)
    assert "19" in str(few)
