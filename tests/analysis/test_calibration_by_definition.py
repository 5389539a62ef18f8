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
from analysis.calibration.estimates import BetaEstimate, Estimate
from analysis.calibration.gaps import Gap
from analysis.calibration.goodness import anderson_darling
from analysis.calibration.latency import (
    _quasi_demeaning,
    between_rounds,
    between_runs,
    fit_latencies,
    fit_residual,
    mean_log_seconds,
    within_runs,
)
from analysis.calibration.logit_normal import median_of_logit_normal
from analysis.calibration.rounding import as_said
from analysis.calibration.shares import Share, concentration, design_effect, pool_shares

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


@pytest.mark.parametrize(
    "sizes",
    [
        (2,) * 40,
        (1, 2, 3) * 15,
        (7,) * 6,
        (1,) * 50 + (4,) * 3,
        (2,) * 15,
        (2,) * 14 + (3,),
    ],
)
def test_the_freedom_of_a_residual_is_what_runs_of_several_calls_leave(
    sizes: tuple[int, ...],
) -> None:
    rng = np.random.default_rng(len(sizes))
    runs = runs_of(*sizes)
    logs = np.repeat(rng.normal(0, 1, len(sizes)), sizes) + rng.normal(0, 0.5, len(runs))
    found = fit_residual(logs, runs)
    calls = sum(size for size in sizes if size > 1)
    freedom = calls - sum(size > 1 for size in sizes)
    groups = [group.to_numpy() for _, group in pd.Series(logs).groupby(runs, sort=False)]
    within = np.concatenate([group - group.mean() for group in groups if len(group) > 1])
    if calls <= 30:  # too few to look within runs
        within, freedom, calls = logs, len(logs), len(logs)
    else:
        within = within * math.sqrt(calls / freedom)
        within -= np.median(within)
    information = 2.0 if found.kind == "lognormal" else 1.43
    assert found.scale.error == pytest.approx(1 / math.sqrt(information * freedom))
    if found.kind == "lognormal":
        assert found.scale.value == pytest.approx(math.sqrt((within**2).mean()))
    else:
        assert found.scale.value == pytest.approx(stats.logistic.fit(within, floc=0.0)[1])


def calls_of_seconds(base: float, per_task: float, hand_in: float, sigma: float) -> pd.DataFrame:
    """Return twelve runs of twenty calls; each edits one to three tasks and hands in others."""
    rng = np.random.default_rng(12)
    edited, other = rng.integers(1, 4, 240), rng.integers(0, 4, 240)
    seconds = base + per_task * (edited + hand_in * other)
    return pd.DataFrame(
        {
            "latency_s": seconds * rng.lognormal(0, sigma, 240),
            "edited": edited,
            "other": other,
            "run_dir": runs_of(*[20] * 12),
        }
    )


@pytest.mark.parametrize("cells", [1, 3])
@pytest.mark.parametrize("hand_in", [0.2, 1.0, 1.5])
def test_seconds_of_calls_are_those_of_their_work_and_no_hand_in_costs_more_than_a_task(
    hand_in: float, cells: int
) -> None:
    calls = calls_of_seconds(4.0, 20.0, min(1.0, hand_in), 0.02)
    if hand_in > 1.0:  # what costs more cannot be told from what costs as much
        calls["latency_s"] += 20.0 * (hand_in - 1.0) * calls["other"]
    for fit in fit_latencies([calls] * cells):
        found = np.exp(fit.at)
        assert found[2] <= 1.0 + 1e-6
        if hand_in <= 1.0:
            assert found == pytest.approx([4.0, 20.0, hand_in], rel=0.12)
            assert mean_log_seconds(fit.at, calls) == pytest.approx(
                np.log(4 + 20 * (calls["edited"] + hand_in * calls["other"])), abs=0.01
            )


def test_calls_that_are_as_expected_are_known_as_if_they_differed_by_5_percent() -> None:
    """The information is that of logarithms of such a spread, and of the prior of other cells."""
    calls = calls_of_seconds(4.0, 20.0, 0.2, 0.0)
    (fit,) = fit_latencies([calls])
    work = calls["edited"] + 0.2 * calls["other"]
    mean = 4 + 20 * work
    slope = np.column_stack([4 / mean, 20 * work / mean, 20 * 0.2 * calls["other"] / mean])
    prior = np.diag(1 / np.array([1.0, 1.0, 1.5]) ** 2)
    exact = np.linalg.inv(slope.T @ slope / 0.05**2 + prior)
    assert fit.covariance == pytest.approx(exact, rel=0.02)


def test_seconds_below_a_twentieth_count_as_a_twentieth() -> None:
    def fitted(shortest: float) -> Array:
        calls = calls_of_seconds(0.02, 0.1, 0.2, 0.3)
        calls.loc[calls.index % 5 == 0, "latency_s"] = shortest
        at: Array = fit_latencies([calls])[0].at
        return at

    assert fitted(0.01) == pytest.approx(fitted(0.05), abs=1e-12)
    assert np.abs(fitted(0.055) - fitted(0.05)).max() > 1e-3


@pytest.mark.parametrize("sigma", [0.0, 0.4])
@pytest.mark.parametrize("team", [2, 3])
def test_the_spread_between_rounds_is_that_of_a_nested_analysis_of_variance(
    team: int, sigma: float
) -> None:
    rng = np.random.default_rng(team)
    runs, rounds = 30, 40
    frame = pd.DataFrame(
        list(itertools.product(range(runs), range(rounds), range(team))),
        columns=["run_dir", "round", "agent"],
    )
    slow = np.repeat(rng.normal(0, sigma, runs * rounds), team)
    logs = slow + rng.normal(0, 0.3, len(frame))
    found = between_rounds(logs, frame)
    table = logs.reshape(runs, rounds, team)

    def nested(some: Array) -> float:
        means = some.mean(axis=2)
        of_rounds = team * means.var(axis=1, ddof=1).mean()
        return float((of_rounds - some.var(axis=2, ddof=1).mean()) / team)

    assert found.at == pytest.approx(nested(table))
    left = [nested(np.delete(table, range(k, runs, 10), axis=0)) for k in range(10)]
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


@pytest.mark.parametrize("mean", [0.03, 0.5, 0.9])
@pytest.mark.parametrize("sigma", [0.3, 1.5])
def test_the_median_of_a_logit_normal_probability_has_the_wanted_mean(
    mean: float, sigma: float
) -> None:
    median = median_of_logit_normal(mean, sigma)
    centre = math.log(median / (1 - median))
    law = stats.norm(centre, sigma)
    found, _ = integrate.quad(lambda t: law.pdf(t) / (1 + math.exp(-t)), centre - 12, centre + 12)
    assert found == pytest.approx(mean, rel=1e-4)
    assert [median_of_logit_normal(m, s) for m, s in ((mean, 0.0), (0.0, 1.0), (1.0, 1.0))] == [
        mean,
        0.0,
        1.0,
    ]


def test_the_design_effect_is_pearsons_statistic_over_its_freedom() -> None:
    first = Share(np.array([9.0, 1.0, 6.0]), np.array([10.0, 12.0, 9.0]))
    second = Share(np.array([2.0, 8.0]), np.array([20.0, 15.0]))
    all_hit, alone = (
        Share(np.array([5.0, 5.0]), np.array([5.0, 5.0])),
        Share(np.array([2.0]), np.array([9.0])),
    )
    tests = [
        stats.chi2_contingency([share.hits, share.trials - share.hits], correction=False)
        for share in (first, second)
    ]
    exact = sum(test.statistic for test in tests) / sum(test.dof for test in tests)
    assert design_effect([first, second, all_hit, alone]) == pytest.approx(exact)
    even = Share(np.array([5.0, 5.0]), np.array([10.0, 10.0]))
    assert design_effect([even]) == design_effect([alone]) == design_effect([]) == 1.0
    assert math.isnan(Share(np.zeros(0), np.zeros(0)).mean)
    assert Share.of(pd.Series([1, 0, 1]), pd.Series(["a", "b", "a"])).hits.tolist() == [2.0, 0.0]


@pytest.mark.parametrize("cells", [2, 5])
@pytest.mark.parametrize("trials", [10, 40])
def test_the_concentration_of_cells_of_one_size_is_that_of_their_intraclass_correlation(
    cells: int, trials: int
) -> None:
    """One over rho less one, where rho is (F - 1) / (n - 1) by the variance over the binomial's."""
    hits = np.round(trials * np.linspace(0.2, 0.7, cells))
    shares = hits / trials
    p = shares.mean()
    ratio = trials * shares.var(ddof=1) / (p * (1 - p))
    exact = 1 / ((ratio - 1) / (trials - 1)) - 1
    counts = np.stack([hits, trials - hits], axis=1)
    assert concentration(counts) == pytest.approx(min(max(exact, 2.0), 1000.0))
    empty = np.vstack([counts, [[0.0, 0.0]]])
    assert concentration(empty) == concentration(counts)
    assert concentration(np.array([[3.0, 4.0], [0.0, 0.0]])) == 2.0
    assert concentration(np.array([[3.0, 0.0], [9.0, 0.0]])) == 1000.0


def test_shares_are_pooled_as_the_posterior_of_cells_that_differ_as_much_as_any() -> None:
    """By the definition: cells drawn from the prior, weighted by the likelihood of what was seen.

    Cells differ by a beta distribution. Its standard deviation, as a share of the largest that its
    mean allows, is uniform up to that of a concentration of 2; its mean has Jeffreys' prior.
    """
    rng, count = np.random.default_rng(1), 1_000_000
    hits = np.array([2.0, 9.0, 13.0])
    shares = [Share(np.array([h]), np.array([20.0])) for h in hits]
    part, mean = rng.uniform(0, 3**-0.5, count), rng.beta(0.5, 0.5, count)
    strength = part**-2 - 1
    cells = rng.beta(strength * mean, strength * (1 - mean), (3, count)).clip(1e-12, 1 - 1e-12)
    weight = np.exp(hits @ np.log(cells) + (20 - hits) @ np.log1p(-cells) + 30)
    weight /= weight.sum()
    effective = 1 / (weight**2).sum()
    assert effective > 5000
    for cell, found in zip(cells, pool_shares(shares), strict=True):
        exact = weight @ cell
        sd = np.sqrt(weight @ (cell - exact) ** 2)
        assert found.value == pytest.approx(exact, abs=4 * sd / np.sqrt(effective))
        assert found.error == pytest.approx(sd, rel=4 / np.sqrt(2 * effective))
    assert pool_shares(shares[:1]) == [BetaEstimate(2.5, 18.5)]  # Jeffreys
    uneven = Share(np.array([9.0, 1.0]), np.array([10.0, 10.0]))
    effect = design_effect([uneven])
    assert effect > 2
    assert pool_shares([uneven]) == [BetaEstimate(10 / effect + 0.5, 10 / effect + 0.5)]


def turns_with_losses(idle_s: Array, lost: Array) -> pd.DataFrame:
    """Return turns of one agent, whose cache holds the prompt before but where it is lost."""
    sizes = 1000.0 * np.arange(1, len(idle_s) + 2)
    return pd.DataFrame(
        {
            "session": "a",
            "agent": "b",
            "model": "m",
            "input": sizes,
            "cached": np.concatenate([[0.0], np.where(lost, 0.0, sizes[:-1])]),
            "idle_s": np.concatenate([[math.nan], idle_s]),
        }
    )


def log_likelihood(hits: float, trials: float) -> float:
    """Return the logarithm of p^hits (1 - p)^misses at its largest."""
    p = hits / trials
    return sum(n * math.log(q) for n, q in ((hits, p), (trials - hits, 1 - p)) if n)


@pytest.mark.parametrize("kept", [0.0, 0.3])
@pytest.mark.parametrize("life_s", [100.0, 300.0])
def test_the_life_of_a_cache_lies_where_its_losses_jump(life_s: float, kept: float) -> None:
    rng = np.random.default_rng(6)
    count = 300
    idle_s = np.geomspace(5, 2000, count)
    lost = np.where(
        idle_s <= life_s, rng.uniform(size=count) < 0.05, rng.uniform(size=count) >= kept
    )
    order = rng.permutation(count)
    found = fit_cache_life(turns_with_losses(idle_s[order], lost[order]))
    assert isinstance(found, CacheLife)
    fits = np.array(
        [
            log_likelihood(lost[:n].sum(), n) + log_likelihood(lost[n:].sum(), count - n)
            for n in range(1, count)
        ]
    )
    best = int(fits.argmax())
    assert idle_s[best] == pytest.approx(life_s, rel=0.2)
    assert found.life_s.value == pytest.approx(math.sqrt(idle_s[best] * idle_s[best + 1]))
    before, after = lost[: best + 1], lost[best + 1 :]
    assert found.missed == BetaEstimate(before.sum() + 0.5, (~before).sum() + 0.5)
    assert found.lost == BetaEstimate(after.sum() + 0.5, (~after).sum() + 0.5)
    inside = np.flatnonzero(fits >= fits.max() - stats.chi2.ppf(0.95, 1) / 2)
    assert kept == 0.0 or len(inside) > 1
    width = math.log(idle_s[inside[-1] + 1] / idle_s[inside[0]])
    assert found.life_s.error == pytest.approx(width / (2 * stats.norm.ppf(0.975)))


@pytest.mark.parametrize(
    ("long", "lost", "has_life"), [(9, 9, False), (11, 11, True), (40, 18, False)]
)
def test_a_life_has_ten_losses_beyond_it_and_more_than_half_of_what_is_idle_so_long(
    long: int, lost: int, has_life: bool
) -> None:
    idle_s = np.concatenate([np.linspace(1, 50, 200), np.linspace(500, 600, long)])
    is_lost = np.zeros(200 + long, bool)
    is_lost[200 : 200 + lost] = True
    is_lost[200:] = np.random.default_rng(3).permutation(is_lost[200:])
    found = fit_cache_life(turns_with_losses(idle_s, is_lost))
    assert isinstance(found, CacheLife) == has_life


def test_a_life_lies_between_two_idle_times_and_never_at_one() -> None:
    idle_s = np.repeat([10.0, 100.0, 300.0, 900.0], (60, 60, 40, 60))
    # Of the prompts that were idle for 300 s, those that are listed first were held.
    lost = np.arange(220) >= 140
    found = fit_cache_life(turns_with_losses(idle_s, lost))
    assert isinstance(found, CacheLife)
    between = [math.sqrt(100 * 300), math.sqrt(300 * 900)]
    assert min(abs(found.life_s.value - each) for each in between) < 1e-6


@pytest.mark.parametrize(("share", "has_life"), [(0.85, True), (0.9, False), (0.95, False)])
def test_a_prompt_is_lost_if_the_cache_holds_less_than_nine_tenths(
    share: float, has_life: bool
) -> None:
    idle_s = np.concatenate([np.linspace(1, 50, 100), np.linspace(500, 600, 40)])
    turns = turns_with_losses(idle_s, np.zeros(140, bool))
    long = turns["idle_s"] > 100
    turns.loc[long, "cached"] = share * turns["input"].shift()[long]
    assert isinstance(fit_cache_life(turns), CacheLife) == has_life


def test_prompts_that_have_shrunk_or_whose_idle_time_is_unknown_say_nothing() -> None:
    idle_s = np.concatenate([np.linspace(1, 50, 100), np.linspace(500, 600, 40)])
    turns = turns_with_losses(idle_s, idle_s > 100)
    whole = fit_cache_life(turns)
    more = turns.iloc[[60, 120]].assign(input=[2.0, 1.0], cached=0.0)  # new conversations
    unknown = turns.iloc[[30]].assign(idle_s=math.nan, cached=0.0, input=1e9)
    mixed = fit_cache_life(pd.concat([turns, unknown, more], ignore_index=True))
    assert isinstance(whole, CacheLife)
    assert mixed == whole
    nothing = fit_cache_life(turns.assign(cached=0.0))
    assert isinstance(nothing, Gap)
    assert nothing.why == "calls that read the cache again: 140"


def test_what_another_model_has_read_says_nothing_of_a_cache() -> None:
    # A small model's calls between those of a large one lose no prompt, and take no time to begin.
    idle_s = np.concatenate([np.zeros(60), np.linspace(1, 50, 60)])
    turns = turns_with_losses(idle_s, idle_s > 0)
    alike = fit_cache_life(turns)
    assert isinstance(alike, CacheLife)
    assert math.isfinite(alike.life_s.value)  # no life of no time
    mixed = turns.assign(model=["m" if i % 2 else "small" for i in range(len(turns))])
    found = fit_cache_life(mixed)
    assert isinstance(found, Gap)
    assert found.why == "calls that read the cache again: 0"


@pytest.mark.parametrize(("held", "lost"), [(9, 10), (10, 9), (10, 10), (11, 9), (30, 10)])
def test_a_life_needs_twenty_calls_and_ten_losses_beyond_it(held: int, lost: int) -> None:
    idle_s = np.repeat([10.0, 500.0], (held, lost))
    found = fit_cache_life(turns_with_losses(idle_s, idle_s > 100))
    assert isinstance(found, CacheLife) == (held + lost >= 20 and lost >= 10)


@pytest.mark.parametrize(("lost", "has_life"), [(19, False), (20, True), (21, True)])
def test_half_of_the_prompts_that_are_idle_for_longer_must_be_lost(
    lost: int, has_life: bool
) -> None:
    idle_s = np.repeat([10.0, 500.0], (200, 40))
    is_lost = np.arange(240) >= 240 - lost
    assert isinstance(fit_cache_life(turns_with_losses(idle_s, is_lost)), CacheLife) == has_life


@pytest.mark.parametrize("long", [16, 25])
def test_a_life_must_gain_ten_of_akaikes_criterion_for_its_two_parameters(long: int) -> None:
    """It has two shares and a time in place of one share."""
    seen = set()
    idle_s = np.repeat([10.0, 500.0], (60, long))
    for before, after in itertools.product(range(10, 50), range((long + 1) // 2, long + 1)):
        apart = log_likelihood(before, 60) + log_likelihood(after, long)
        gain = 2 * (apart - log_likelihood(before + after, 60 + long)) - 2 * 2
        if before / 60 > after / long or not (8.5 < gain < 11.5) or after < 10:
            continue
        is_lost = np.concatenate([np.arange(60) < before, np.arange(long) < after])
        found = fit_cache_life(turns_with_losses(idle_s, is_lost))
        assert isinstance(found, CacheLife) == (gain >= 10), gain
        seen.add(math.floor(gain))
    assert seen == {8, 9, 10, 11}


def test_the_interval_of_a_life_holds_all_jumps_that_are_nearly_as_likely() -> None:
    count, widths = 120, set()
    idle_s = np.geomspace(5, 2000, count)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        lost = rng.uniform(size=count) < 1 / (1 + (200 / idle_s) ** 2)
        found = fit_cache_life(turns_with_losses(idle_s, lost))
        assert isinstance(found, CacheLife)
        fits = np.array(
            [
                log_likelihood(lost[:n].sum(), n) + log_likelihood(lost[n:].sum(), count - n)
                for n in range(1, count)
            ]
        )
        inside = np.flatnonzero(2 * (fits.max() - fits) <= stats.norm.ppf(0.975) ** 2)
        width = math.log(idle_s[inside[-1] + 1] / idle_s[inside[0]])
        assert found.life_s.error == pytest.approx(width / (2 * stats.norm.ppf(0.975)))
        widths.add(len(inside))
    assert len(widths) > 2


def test_a_cache_that_loses_nothing_more_after_long_waits_has_no_life() -> None:
    rng = np.random.default_rng(7)
    idle_s = rng.exponential(100, 300)
    for missed in (np.zeros(300, bool), rng.uniform(size=300) < 0.3):
        found = fit_cache_life(turns_with_losses(idle_s, missed))
        assert isinstance(found, Gap)
    few = fit_cache_life(turns_with_losses(idle_s[:19], np.zeros(19, bool)))
    assert isinstance(few, Gap)
    assert "19" in str(few)
