"""Pooling of similar cells: what they have in common, and intervals that hold the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

from analysis.calibration.estimates import VectorFit, pool, pool_posteriors, prior_of
from analysis.calibration.latency import fit_latencies, mean_log_seconds
from analysis.calibration.logits import Trials, fit_imputed_logits, fit_logits

Array = np.ndarray[Any, Any]


def common_by_quadrature(x: Array, v: Array, most: float) -> tuple[float, float, float]:
    """Return the mean of the true values, their mean variance, and the variance of the mean.

    The standard deviation between cells has a flat prior up to `most`, their mean a flat one.
    """

    def given(sd: float) -> tuple[float, float, float]:
        """Return the density of `x`, and mean and variance of the mean."""
        w = 1 / (v + sd**2)
        mean = (w * x).sum() / w.sum()
        logs = 0.5 * (np.log(w).sum() - np.log(w.sum()) - (w * (x - mean) ** 2).sum())
        return float(np.exp(logs)), float(mean), float(1 / w.sum())

    def over(function: Callable[[float, float, float], float]) -> float:
        """Return the integral of a function of (sd, mean, variance) times the density."""
        inner = lambda sd: given(sd)[0] * function(sd, *given(sd)[1:])  # noqa: E731
        return float(integrate.quad(inner, 0, most, limit=200)[0])

    total = over(lambda *_: 1.0)
    mean = over(lambda _, mean, __: mean) / total
    between = over(lambda sd, *_: sd**2) / total
    about = over(lambda _, other, variance: variance + (other - mean) ** 2) / total
    return mean, between, about


@pytest.mark.parametrize("cells", [2, 3, 8])
@pytest.mark.parametrize("spread", [0.1, 3.0])
def test_cells_of_equal_error_move_to_their_mean_by_the_share_of_their_errors(
    cells: int, spread: float
) -> None:
    x, v = np.random.default_rng(cells).normal(0, spread, cells), 0.5
    mean, between, about = common_by_quadrature(x, np.full(cells, v), 4.0)
    assert mean == pytest.approx(x.mean())
    fits = [VectorFit(np.array([a]), np.array([[v]])) for a in x]
    for value, found in zip(x, pool(fits, np.array([4.0])), strict=True):
        share = between / (between + v)
        assert found.at[0] == pytest.approx(mean + share * (value - mean), rel=1e-3)
        error = share * v + (1 - share) ** 2 * about  # the mean is not known either
        assert found.covariance[0, 0] == pytest.approx(error, rel=1e-3)


def test_pooled_values_of_several_parameters_are_bayes_estimates() -> None:
    rng = np.random.default_rng(8)
    errors = [a @ a.T + 0.1 * np.eye(2) for a in rng.normal(0, 0.5, (5, 2, 2))]
    fits = [VectorFit(rng.normal(0, 2, 2), error) for error in errors]
    x, v = np.array([fit.at for fit in fits]), np.array([np.diag(error) for error in errors])
    most = np.array([2.0, 5.0])
    centre, between, about = np.array(
        [common_by_quadrature(x[:, i], v[:, i], most[i]) for i in range(2)]
    ).T
    prior = np.diag(1 / between)
    for fit, found in zip(fits, pool(fits, most), strict=True):
        posterior = np.linalg.inv(prior + np.linalg.inv(fit.covariance))
        at = posterior @ (prior @ centre + np.linalg.inv(fit.covariance) @ fit.at)
        weight = posterior @ prior  # of the centre, whose own variance is `about`
        covariance = posterior + weight @ np.diag(about) @ weight.T
        assert found.at == pytest.approx(at, abs=1e-3)
        assert found.covariance == pytest.approx(covariance, rel=1e-3)
    assert pool(fits[:1], most) == fits[:1]


def under_prior(x: float, v: float, centre: float, spread: float) -> VectorFit:
    """Return the normal posterior, given a value `x` with error variance `v`."""
    variance = 1 / (1 / v + spread**-2)
    at = variance * (x / v + centre * spread**-2)
    return VectorFit(np.array([at]), np.array([[variance]]))


def test_the_priors_of_first_fits_are_not_what_cells_have_in_common() -> None:
    x, v = np.array([0.2, 1.4, 0.9, -0.3]), np.array([0.3, 0.1, 0.4, 0.2])
    centre, spread = 0.5, 0.8
    fits = [under_prior(a, b, centre, spread) for a, b in zip(x, v, strict=True)]
    ((mean,), (sd,)) = prior_of(fits, np.array([centre]), np.array([spread]))
    # By brute force: the mean has the prior of a first fit, the standard deviation a flat one.
    m, s = np.meshgrid(np.linspace(-5, 6, 1101), (np.arange(400) + 0.5) / 400 * spread)
    density = stats.norm.pdf(m, centre, spread)
    for a, b in zip(x, v, strict=True):
        density = density * stats.norm.pdf(a, m, np.sqrt(b + s**2))
    density /= density.sum()
    wanted = float((density * m).sum())
    assert mean == pytest.approx(wanted, rel=1e-3)
    variance = float((density * (s**2 + (m - wanted) ** 2)).sum())
    assert sd == pytest.approx(np.sqrt(variance), rel=1e-3)


def test_cells_that_say_nothing_have_in_common_what_was_thought_before() -> None:
    centre, spread = np.array([0.5]), np.array([0.8])
    silent = [VectorFit(centre + 0.01 * i, np.diag(spread**2)) for i in range(4)]
    mean, sd = prior_of(silent, centre, spread)
    assert mean == pytest.approx(centre)
    # The mean is as uncertain as it was; a flat standard deviation has a mean square of a third.
    assert sd == pytest.approx(np.sqrt(4 / 3) * spread, rel=1e-3)
    told = [*silent, under_prior(2.0, 0.01, 0.5, 0.8)]
    assert prior_of(told, centre, spread)[0] > mean


def test_many_cells_that_say_nothing_are_no_surer_than_one() -> None:
    centre, spread = np.array([0.5]), np.array([0.3])
    silent = VectorFit(centre, np.diag(spread**2))
    told = under_prior(0.1, 1e-4, 0.5, 0.3)
    for cell in pool_posteriors([silent] * 6, centre, spread):
        assert cell.at == pytest.approx(centre)
        assert np.sqrt(cell.covariance[0, 0]) == pytest.approx(0.3)
    first, *_, last = pool_posteriors([told] * 6 + [silent], centre, spread)
    assert first.at[0] == pytest.approx(0.1, abs=0.01)
    assert last.at[0] == pytest.approx(0.1, abs=0.03)  # it is as the others say
    assert pool_posteriors([told], centre, spread) == [told]


@pytest.mark.theory
@pytest.mark.parametrize("error", [0.1, 0.5, 5.0])
@pytest.mark.parametrize("between", [0.0, 0.15, 0.25])
def test_posteriors_that_are_pooled_are_as_unsure_as_they_say(error: float, between: float) -> None:
    """Six cells: the root mean square of error over standard error is about 1.

    If their prior counts once for each it is 1.8 where they say nothing, and 1.5 to 1.8 with errors
    of 0.5.
    """
    rng, z = np.random.default_rng(6), []
    for _ in range(400):
        truths = rng.normal(0.5, np.sqrt(0.3**2 - between**2)) + between * rng.normal(size=6)
        seen = rng.normal(truths, error)
        fits = [under_prior(x, error**2, 0.5, 0.3) for x in seen]
        for fit, truth in zip(
            pool_posteriors(fits, np.array([0.5]), np.array([0.3])), truths, strict=True
        ):
            z.append((fit.at[0] - truth) / np.sqrt(fit.covariance[0, 0]))
    assert 0.7 < np.sqrt(np.mean(np.square(z))) < 1.2


@pytest.mark.theory
@pytest.mark.parametrize("error", [0.1, 0.3, 0.6])
def test_pooled_intervals_hold_over_all_that_is_thought_of_how_far_cells_differ(
    error: float,
) -> None:
    """Six cells whose spread is drawn from its prior: 80 and 95 % intervals, of 1,800 cells.

    Of cells all alike they hold more (88 and 98 %), and of those that differ most less (70 and
    88 %): how far cells differ is not known, and no interval that uses the others can do without.
    """
    rng, z = np.random.default_rng(67), []
    for _ in range(300):
        spread = 0.3 * rng.random()
        truths = rng.normal(0.5, 0.3) + spread * rng.standard_normal(6)
        seen = rng.normal(truths, error)
        fits = [under_prior(x, error**2, 0.5, 0.3) for x in seen]
        alone = [VectorFit(np.array([x]), np.array([[error**2]])) for x in seen]
        for pooled in (
            pool_posteriors(fits, np.array([0.5]), np.array([0.3])),
            pool(alone, np.array([0.3])),
        ):
            found = zip(pooled, truths, strict=True)
            z.append([(fit.at[0] - truth) / fit.covariance[0, 0] ** 0.5 for fit, truth in found])
    # Cells share an agent: a standard error is 1.5 and 0.8 % at most.
    for level, width in ((0.8, 1.2816), (0.95, 1.96)):
        for some in (z[::2], z[1::2]):
            held = np.mean(np.abs(some) < width)
            assert abs(held - level) < 4 * (0.015 if level < 0.9 else 0.008), (level, held)


@pytest.mark.parametrize("between", [0.05, 0.3])
def test_pooled_intervals_hold_the_truth_though_cells_are_few(between: float) -> None:
    """Intervals of 95 %, 6 cells whose errors are 0.05 to 0.8, first fits under weak priors.

    If the likeliest variance between cells is taken, often 0, 83 % of them hold.
    """
    rng, inside, alone, pooled = np.random.default_rng(3), [], [], []
    errors = np.array([0.05, 0.1, 0.2, 0.3, 0.5, 0.8])
    for _ in range(400):
        centre = rng.normal(0, 0.2)
        truths = rng.normal(0, between, 6)
        seen = rng.normal(truths, errors)
        weak = [under_prior(x, e**2, centre, 1.0) for x, e in zip(seen, errors, strict=True)]
        at, spread = prior_of(weak, np.array([centre]), np.array([1.0]))
        for x, e, truth, first in zip(seen, errors, truths, weak, strict=True):
            found = under_prior(x, e**2, float(at[0]), float(spread[0]))
            inside.append(abs(found.at[0] - truth) < 1.96 * np.sqrt(found.covariance[0, 0]))
            pooled.append(found.at[0] - truth)
            alone.append(first.at[0] - truth)
    # 2,400 intervals, those of six cells correlated: a standard error is below 1 %.
    assert np.mean(inside) > 0.92
    assert np.mean(np.square(pooled)) < 0.7 * np.mean(np.square(alone))


def made_cells(rng: np.random.Generator) -> tuple[list[Array], list[pd.DataFrame]]:
    """Return true latencies of six cells, and the working calls of ten runs of each.

    In half of the cells hardly a call has tasks that it does not edit, so that they say little of
    what a hand-in costs.
    """
    truths, cells = [], []
    for cell in range(6):
        at = rng.normal([0.9, 0.6, -1.5], [0.3, 0.6, 0.5])
        at[2] = min(at[2], 0.0)
        parts = []
        for run in range(10):
            count = int(rng.integers(1, 12))
            others = rng.integers(0, 4, count) * (rng.random(count) < (0.05, 0.9)[cell % 2])
            calls = pd.DataFrame({"edited": rng.integers(1, 8, count), "other": others})
            logs = mean_log_seconds(at, calls) + 0.2 * rng.standard_normal()
            seconds = np.exp(logs + rng.logistic(0, 0.25, count))
            parts.append(calls.assign(latency_s=seconds, run_dir=f"{cell}-{run}"))
        truths.append(at)
        cells.append(pd.concat(parts, ignore_index=True))
    return truths, cells


@pytest.mark.thorough
def test_latencies_of_pooled_cells_are_within_their_intervals() -> None:
    """Intervals of 95 %: of 240 cells they hold 94, 97 and 94 % of the three parameters.

    Shrinking first fits by the likeliest variance between cells, they held 73, 90 and 68 %.
    """
    inside = []
    for seed in range(15):
        truths, cells = made_cells(np.random.default_rng(seed))
        for at, found in zip(truths, fit_latencies(cells), strict=True):
            inside.append(np.abs(found.at - at) < 1.96 * np.sqrt(np.diag(found.covariance)))
    # 90 cells: a standard error is 2.3 %, and more as cells share what they have in common.
    assert (np.mean(inside, axis=0) > 0.86).all()


@pytest.mark.parametrize(("hits", "trials"), [(0, 3), (1, 4), (30, 40)])
def test_imputed_logits_of_one_cell_have_the_posterior_of_a_sum_over_a_grid(
    hits: int, trials: int
) -> None:
    """A normal prior of the agent's logit and a flat one of the cells' spread, by Bayes."""
    mean, sd = -1.0, 0.8
    logits = np.linspace(-15.0, 15.0, 30_001)
    likely = special.expit(logits) ** hits * special.expit(-logits) ** (trials - hits)
    spreads = np.arange(0.2, 2.3, 0.4)  # the middles of equal parts from 0 to 2.4
    joint = sum(stats.norm.pdf(logits, mean, np.hypot(sd, spread)) for spread in spreads) * likely
    weights = joint / joint.sum()
    expected = weights @ logits
    cell = Trials(np.zeros((1, 0)), np.array([float(hits)]), np.array([float(trials)]))
    (found,) = fit_imputed_logits(
        [[cell]] * 60, np.array([mean]), np.array([sd]), np.random.default_rng(1)
    )
    deviation = math.sqrt(weights @ (logits - expected) ** 2)
    assert found.at == pytest.approx([expected], abs=0.08 * deviation)
    assert math.sqrt(found.covariance[0, 0]) == pytest.approx(deviation, rel=0.06)


def test_intervals_of_logits_hold_the_truth_whatever_the_spread_of_cells() -> None:
    """Intervals of 80 and 95 %: of 900 cells they held 82 and 95 % of the intercepts.

    At the likeliest of the spreads they held 70 and 88 %.
    """
    rng = np.random.default_rng(5)
    mean, sd = np.array([-2.0, 1.0]), np.array([2.0, 1.0])
    covariates = np.log(np.repeat([20.0, 10.0, 10.0], 5) / 20.0)[:, None]
    ranks = []
    for _ in range(50):
        spread, (agent, slope) = rng.uniform(0.1, 1.5), rng.normal(mean, sd)
        truths = rng.normal(agent, spread, 6)
        chances = special.expit(truths[:, None] + slope * covariates[:, 0])
        hits = (rng.random(chances.shape) < chances).astype(float)
        cells = [Trials(covariates, each, np.ones(15)) for each in hits]
        for truth, found in zip(truths, fit_logits(cells, mean, sd), strict=True):
            ranks.append(stats.norm.cdf((truth - found.at[0]) / found.covariance[0, 0] ** 0.5))
    # 300 cells: standard errors of 2.3 and 1.3 %, and more as six share an agent.
    assert np.mean(np.abs(np.subtract(ranks, 0.5)) < 0.4) > 0.73
    assert np.mean(np.abs(np.subtract(ranks, 0.5)) < 0.475) > 0.91
