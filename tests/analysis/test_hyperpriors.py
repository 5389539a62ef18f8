"""Hyperpriors: they are those that agents were drawn from, and those that ship are in use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.calibration import hyperpriors
from analysis.calibration.estimates import VectorFit, common_of
from analysis.calibration.forgetting import fit_forgetting
from analysis.calibration.hyperprior_fits import fit_priors, in_common, of_a_cell
from analysis.calibration.hyperpriors import (
    FILE,
    PARAMETERS,
    Hyperpriors,
    Prior,
    hyperpriors_in,
    shipped,
    text_of,
)
from analysis.calibration.latency import fit_latencies
from analysis.calibration.styles import fit_styles
from analysis.calibration.tokens import fit_tokens
from analysis.calibration.waits import fit_waits
from analysis.traces.readers.llm_teams import read_team_runs
from simulator.distributions import Floats
from tests.analysis.test_forgetting import LISTS, WAITING, log_of, truth_of
from tests.analysis.test_token_fits import cell as token_cell
from tests.conftest import first_in_ci

VAGUE = Prior(np.asarray([0.0]), np.asarray([3.0]))


def fits_of(truths: Floats, errors: Floats, rng: np.random.Generator) -> list[VectorFit]:
    """Return fits under the vague prior of values that are seen with errors."""
    (centre,), (spread,) = VAGUE.mean, VAGUE.sd
    variance = 1.0 / (errors**-2 + spread**-2)
    at = variance * (rng.normal(truths, errors) / errors**2 + centre / spread**2)
    return [VectorFit(np.array([a]), np.array([[v]])) for a, v in zip(at, variance, strict=True)]


def planted(
    agents: int, between: float, within: float, rng: np.random.Generator
) -> tuple[float, Prior]:
    """Return the mean of all agents, and the prior of a cell fitted to some with six cells each."""
    mean = rng.normal(0.0, 1.0)
    found = []
    for _ in range(agents):
        cells = rng.normal(rng.normal(mean, between), within, 6)
        found.append(in_common(fits_of(cells, rng.uniform(0.1, 0.5, 6), rng), VAGUE))
    return mean, of_a_cell(found, VAGUE)


@pytest.mark.parametrize("agents", first_in_ci(1, [3, 6, 24]))
@pytest.mark.parametrize(("between", "within"), [(0.2, 0.8), (0.8, 0.4)])
def test_planted_hyperparameters_are_recovered(agents: int, between: float, within: float) -> None:
    """Of 200 sets: no bias of the mean, a standard deviation that is not too small, and coverage.

    Intervals of 80 % hold a cell of another agent at least as often; not much more often where
    agents are many. A standard error of 200 shares is below 3 %.
    """
    rng = np.random.default_rng(11)
    off, sds, held = [], [], []
    for _ in range(200):
        mean, prior = planted(agents, between, within, rng)
        new = rng.normal(rng.normal(mean, between), within)
        off.append(prior.mean[0] - mean)
        sds.append(prior.sd[0])
        held.append(abs(new - prior.mean[0]) < 1.2816 * prior.sd[0])
    assert abs(np.mean(off)) < 4.0 * np.std(off) / np.sqrt(200)
    truth = float(np.hypot(between, within))
    assert np.median(sds) > 0.95 * truth
    assert np.mean(held) > 0.8 - 3 * (0.8 * 0.2 / 200) ** 0.5
    if agents == 24:
        assert np.median(sds) < 1.2 * truth
        assert np.mean(held) < 0.8 + 4 * (0.8 * 0.2 / 200) ** 0.5


def test_the_spread_has_a_half_cauchy_prior() -> None:
    """By brute force: three values, their mean under the vague prior."""
    x, v = np.array([0.4, -0.3, 1.5]), np.array([0.2, 0.1, 0.3])
    (centre,), (spread,) = VAGUE.mean, VAGUE.sd
    variance = 1.0 / (1.0 / v + spread**-2)
    fits = [
        VectorFit(np.array([s * (a / b + centre / spread**2)]), np.array([[s]]))
        for a, b, s in zip(x, v, variance, strict=True)
    ]
    found = common_of(fits, VAGUE.mean, VAGUE.sd, 3.0 * VAGUE.sd, scale=1.0)
    m, s = np.meshgrid(np.linspace(-12, 12, 2401), (np.arange(900) + 0.5) / 100)
    density = stats.norm.pdf(m, centre, spread) * stats.halfcauchy.pdf(s, scale=spread)
    for a, b in zip(x, v, strict=True):
        density = density * stats.norm.pdf(a, m, np.sqrt(b + s**2))
    density /= density.sum()
    mean = float((density * m).sum())
    assert found.mean[0] == pytest.approx(mean, rel=1e-2)
    variance_of_another = float((density * (s**2 + (m - mean) ** 2)).sum())
    assert found.sd[0] == pytest.approx(np.sqrt(variance_of_another), rel=1e-2)


def moved(prior: Prior, i: int) -> Prior:
    """Return a prior with one mean elsewhere."""
    return Prior(prior.mean + np.eye(len(prior.mean))[i] * 2.0 * prior.sd, prior.sd)


def no_calls() -> pd.DataFrame:
    return pd.DataFrame(
        {"run_dir": [], "agent": [], "left": [], "ready": [], "attempts": []}
    ).astype({"left": int, "ready": int, "attempts": int})


def timed_calls() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    edited, other = rng.integers(1, 6, 40), rng.integers(0, 4, 40)
    seconds = (4.0 + 2.0 * (edited + 0.2 * other)) * np.exp(0.3 * rng.standard_normal(40))
    runs = np.repeat(np.arange(8), 5).astype(str)
    return pd.DataFrame({"latency_s": seconds, "edited": edited, "other": other, "run_dir": runs})


def fitted(group: str, prior: Prior | None) -> Floats:
    """Return a group of parameters fitted to a small pilot of one cell."""
    if group == "latency":
        return fit_latencies([timed_calls()], prior)[0].at
    if group == "tokens":
        at = np.asarray([7.0, 7.3, 2.0, 3.1, 5.5, 5.0])
        return fit_tokens([token_cell(0, at, 8, np.random.default_rng(4))], prior)[0].fit.at
    if group == "forgetting":
        truth = truth_of(np.random.default_rng(4))
        log = log_of(np.random.default_rng(5), truth, WAITING[1], 8)
        return fit_forgetting([[(log, LISTS[1])]], fit_waits(log), prior)[0].logit.at
    return fit_styles([no_calls()], prior)[0].at


@pytest.mark.parametrize(
    "group",
    [pytest.param(g, marks=pytest.mark.slow) if g == "forgetting" else g for g in PARAMETERS],
)
def test_every_prior_that_ships_is_used(group: str) -> None:
    prior = shipped().priors[group]
    assert fitted(group, None) == pytest.approx(fitted(group, prior), abs=1e-12)
    for i, name in enumerate(PARAMETERS[group]):
        assert np.abs(fitted(group, moved(prior, i)) - fitted(group, prior)).max() > 1e-6, name


def test_an_agent_that_has_runs_is_led_by_them() -> None:
    """Priors whose means are wrong by two standard deviations move a fit to eight runs little."""
    prior = shipped().priors["latency"]
    (fit,) = fit_latencies([timed_calls()], prior)
    (other,) = fit_latencies([timed_calls()], moved(prior, 0))
    assert abs(other.at[0] - fit.at[0]) < 0.5 * np.sqrt(fit.covariance[0, 0])


def test_what_is_written_is_read_again() -> None:
    known = shipped()
    shipping = Path(hyperpriors.__file__).with_name(FILE).read_text("utf-8")
    assert text_of(known) == shipping
    again = hyperpriors_in(json.loads(shipping))
    assert isinstance(again, Hyperpriors)
    assert known.made["source"]
    assert known.made["runs"] > 0
    for prior in known.priors.values():
        assert (prior.sd > 0.0).all()


@pytest.mark.thorough
def test_the_file_that_ships_is_what_the_command_makes(real_data: Path) -> None:
    from docs.hyperpriors import SIZES, fit

    made = fit(read_team_runs(real_data).of_sizes(SIZES))
    known = shipped()
    assert {**made.made, "date": known.made["date"]} == known.made
    for group, prior in known.priors.items():  # to the last digit but one: libraries round
        assert made.priors[group].mean == pytest.approx(prior.mean, rel=0.01, abs=0.01)
        assert made.priors[group].sd == pytest.approx(prior.sd, rel=0.01)


@pytest.mark.thorough
def test_each_list_alone_says_about_the_same_of_agents(real_data: Path) -> None:
    """Each list's means are within two of the standard deviations that ship."""
    team = read_team_runs(real_data)
    for name in team.runs["task_type"].unique():
        for group, prior in fit_priors(team.on_list(str(name))).items():
            known = shipped().priors[group]
            assert (np.abs(prior.mean - known.mean) < 2.0 * known.sd).all()
