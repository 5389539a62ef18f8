"""The two hidden habits of claiming agents: what moments say of them, and what they cannot say."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import interpolate, stats

from analysis.calibration import fit_cells, habit_search
from analysis.calibration.cells import observed
from analysis.calibration.coupling import Replications
from analysis.calibration.estimates import Estimate
from analysis.calibration.habit_search import (
    _DEFERENCES,
    _NOISES,
    Moments,
    Search,
    _blind_teams,
    _posterior,
    _replications,
    _rows,
    _weights,
    found_habits,
    moments_of,
    variances,
)
from analysis.calibration.matching import _counted, pool_habits, search_for, seen_in
from analysis.calibration.monotone import interpolated
from analysis.calibration.pooled_cells import pooled_fits
from analysis.traces.team_runs import AGENT
from simulator.scenario import Scenario
from tests.analysis.harness import CLAIMING, logged_run, scenario, team_runs

UNIFORM_SD = 1.0 / np.sqrt(12.0)


def of_runs(means: Sequence[float] | np.ndarray, variances: Sequence[float]) -> Moments:
    """Return moments of runs whose means have these variances."""
    return Moments(np.asarray(means), np.ones(3), np.full(3, 10.0), np.asarray(variances))


def seen(means: Sequence[float] | np.ndarray, error: float = 0.01) -> Moments:
    """Return moments of real runs whose means have a standard error."""
    return of_runs(means, [error**2] * 3)


def sure(means: Sequence[float] | np.ndarray) -> Moments:
    """Return moments of simulated runs without an error."""
    return of_runs(means, [0.0] * 3)


def moments(slopes: tuple[float, float, float], offset: float = 0.0) -> list[Moments]:
    """Return moments that are linear in deference."""
    return everywhere(lambda x, _: np.asarray(slopes) * x + offset)


def everywhere(law: Callable[[float, float], Sequence[float] | np.ndarray]) -> list[Moments]:
    """Return moments by deference and noise, wherever they are simulated."""
    return [sure(law(*place)) for place in itertools.product(_DEFERENCES, _NOISES)]


def told(simulated: Sequence[Moments], real: Moments) -> tuple[Estimate, Estimate]:
    """Return deference and noise."""
    weights = _weights([simulated], np.ones((1, 1)), real)
    return _posterior(weights.sum(axis=1)), _posterior(weights.sum(axis=0))


def test_a_moment_that_the_habit_moves_tells_it() -> None:
    found, other = told(moments((0.5, 0.0, 0.0)), seen([0.15, 0.0, 0.0]))
    assert found.value == pytest.approx(0.3, abs=0.01)
    assert found.error == pytest.approx(0.01 / 0.5, rel=0.2)
    assert other.value == pytest.approx(0.5, abs=0.01)
    assert other.error == pytest.approx(UNIFORM_SD, rel=0.02)


@pytest.mark.parametrize("offset", [0.0, 0.05, 5.0])
def test_a_moment_that_the_habit_does_not_move_says_nothing_however_far_it_is_off(
    offset: float,
) -> None:
    for found in told(moments((0.0, 0.0, 0.0), offset), seen([0.0, 0.0, 0.0])):
        assert found.value == pytest.approx(0.5, abs=0.01)
        assert found.error == pytest.approx(UNIFORM_SD, rel=0.02)


def test_what_no_value_explains_outweighs_nothing_that_one_does() -> None:
    # The second moment is never as it was seen, and nearest at 1; the first says 0.3.
    simulated = everywhere(lambda x, _: [0.5 * x, 3.0 - 0.05 * x, 0.0])
    found, _ = told(simulated, seen([0.15, 0.0, 0.0]))
    assert found.value == pytest.approx(0.3, abs=0.02)


def test_of_two_moments_that_disagree_the_surer_one_counts_more() -> None:
    found, _ = told(moments((1.0, 1.0, 0.0)), of_runs([0.2, 0.6, 0.0], [1e-4, 4e-4, 1e-4]))
    assert found.value == pytest.approx((4 * 0.2 + 0.6) / 5, abs=0.02)


BLIND = (6.0, 4.0)
"""Beta parameters of how often calls are blind."""


def blocked_by_noise(blind: float) -> list[Moments]:
    """Return moments of teams of which blind calls are blocked as often as they choose any task."""
    return everywhere(lambda _, noise: [0.0, 0.0, blind * noise])


def alike(blind: tuple[float, float]) -> tuple[np.ndarray, list[list[Moments]]]:
    """Return the moments of teams that differ in how often their calls are blind, and shares."""
    search = Search({2: claims_chains(0.0, 0.5, 2, 1)}, seen([0.0, 0.0, 0.0]), blind)
    shares, teams = _blind_teams(search, _replications(search.teams))
    values = [each[2]._scenario.team.agent.behaviour.blind_calls for each in teams]
    return shares, [blocked_by_noise(value) for value in values]


@pytest.mark.theory
def test_what_is_not_known_of_blind_calls_is_not_known_of_the_noise() -> None:
    """The posterior is the integral of Bayes' over how often calls are blind, by quadrature."""
    shares, moments = alike(BLIND)
    found = _posterior(_weights(moments, shares, seen([0.0, 0.0, 0.24], 0.02)).sum(axis=0))
    blind, noise = np.meshgrid(np.linspace(0.001, 0.999, 400), np.linspace(0.0, 1.0, 401))
    density = stats.beta.pdf(blind, *BLIND) * stats.norm.pdf(0.24, blind * noise, 0.02)
    of_noise = density.sum(axis=1) / density.sum()
    mean = of_noise @ noise[:, 0]
    assert found.error == pytest.approx(np.sqrt(of_noise @ (noise[:, 0] - mean) ** 2), rel=0.15)
    sure, _ = told(blocked_by_noise(0.6), seen([0.0, 0.0, 0.24], 0.02))[::-1]
    assert found.error > 2.5 * sure.error


def test_teams_of_which_it_is_known_how_often_calls_are_blind_are_simulated_once() -> None:
    """A standard deviation of 0.01; the teams of (6, 4) are in the tails."""
    for blind in ((900.0, 900.0), (1e-9, 5.0)):
        shares, moments = alike(blind)
        assert (shares.shape, len(moments)) == ((1, 1), 1)
    shares, moments = alike(BLIND)
    assert len(moments) == 2
    assert shares.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.theory
def test_intervals_of_noise_hold_it_though_it_is_not_known_how_often_calls_are_blind() -> None:
    """Of 300 agents whose calls are blind as often as a fit says: 80 and 95 % intervals.

    They hold 77 and 85 %, as values are drawn to the likeliest one; with the posterior's mean 93 %
    of the latter would. As if how often calls are blind were known, they hold 34 and 50 %.
    """
    rng, inside = np.random.default_rng(65), []
    shares, moments = alike(BLIND)
    for _ in range(300):
        blind, noise = rng.beta(*BLIND), rng.random()
        blocked = blind * noise + 0.02 * rng.standard_normal()
        weights = _weights(moments, shares, seen([0.0, 0.0, blocked], 0.02))
        found = _posterior(weights.sum(axis=0))
        inside.append(abs(found.value - noise) / found.error)
    for least, z in ((0.77, 1.2816), (0.85, 1.96)):
        held = int((np.asarray(inside) < z).sum())
        assert stats.binom.cdf(held, 300, least) > 0.001, (least, held)


def curved(x: float) -> np.ndarray:
    """Return moments of which one rises with a habit, less and less."""
    return np.asarray([1.0 - np.exp(-3.0 * x), 0.0, 0.0])


@pytest.mark.parametrize("truth", [0.1, 0.3, 0.6])
def test_a_moment_that_bends_tells_its_habit_twice_as_well_as_by_straight_lines(
    truth: float,
) -> None:
    found, _ = told(everywhere(lambda x, _: curved(x)), seen(curved(truth)))
    simulated = [curved(x)[0] for x in _DEFERENCES]
    straight = float(np.interp(curved(truth)[0], simulated, _DEFERENCES))
    assert abs(found.value - truth) < abs(straight - truth) / 2.0


@pytest.mark.parametrize("digits", [0, 1, 15])
def test_moments_are_interpolated_as_scipy_does(digits: int) -> None:
    """Few digits make moments that stay or turn."""
    rng = np.random.default_rng(digits)
    x, at = np.linspace(0.0, 1.0, 5), np.linspace(0.0, 1.0, 129)
    for _ in range(50):
        y = rng.normal(size=(5, 3)).round(digits)
        expected = interpolate.pchip_interpolate(x, y, at)
        assert interpolated(x, y, at) == pytest.approx(expected, rel=1e-13, abs=1e-13)


@pytest.mark.theory
def test_each_of_two_habits_that_do_alike_is_as_unsure_as_the_other() -> None:
    """A moment of their sum: the errors are those of two habits that must only add up."""
    found = told(everywhere(lambda x, y: [x + y, 0.0, 0.0]), seen([1.0, 0.0, 0.0]))
    for habit in found:
        assert habit.value == pytest.approx(0.5, abs=0.02)
        assert habit.error == pytest.approx(UNIFORM_SD, rel=0.05)
    # Another moment of one of them tells both.
    law = everywhere(lambda x, y: [x + y, x, 0.0])
    for habit in told(law, seen([1.0, 0.3, 0.0], 0.03)):
        assert habit.error == pytest.approx(0.03, rel=0.5)


def test_moments_of_runs_count_all_team_sizes_alike() -> None:
    runs = pd.DataFrame(
        {
            "run_dir": ["a", "b", "c", "d"],
            "n_teammates": [1, 2, 2, 3],
            "concurrent_writes": [0, 4, 6, 11],
        }
    )
    calls = pd.DataFrame(
        {
            "run_dir": ["a", "a", "b", "b", "c", "d", "d", "elsewhere"],
            "attempts": [4, 1, 2, 0, 4, 0, 0, 9],
            "blocked": [1, 0, 0, 0, 1, 0, 0, 9],
        }
    )
    found = seen_in(runs, calls)
    # Idle: (0.5 + 0) / 2 and 1; writes: 5 and 11; blocked: 0.2, (0 + 0.25) / 2, and none.
    assert found.means == pytest.approx([(0.25 + 1.0) / 2, 8.0, (0.2 + 0.125 + 0.0) / 3])
    # Two of two agents are compared with each other, and no others: there is one of each.
    assert found.spreads == pytest.approx([2 * 0.25**2, 2 * 1.0**2, 2 * 0.125**2])
    assert found.freedom.tolist() == [1.0, 1.0, 1.0]
    assert found.shares == pytest.approx([1.5 / 2**2, 1.5 / 2**2, 2.5 / 3**2])


def writes(*runs: Sequence[float]) -> Moments:
    """Return moments of runs of 2, 3 ... agents, of which the writes are given."""
    return moments_of(
        {i + 2: np.asarray([[0.0, x, 0.0] for x in found]) for i, found in enumerate(runs)}
    )


@pytest.mark.theory
def test_means_are_as_sure_as_the_numbers_of_runs_and_the_spread_within_sizes_say() -> None:
    # Squares about the means 5, 12 and 20 are 2, 14 and 0, of six runs of three sizes.
    real = writes([4, 6], [10, 11, 15], [20])
    # Squares about 3, 4 and 5 are 4 * 2**2, 0 and 4 * 1**2: as sure as 3 of these 9 are.
    simulated = writes([1, 1, 5, 5], [4] * 4, [4, 4, 6, 6])
    assert real.means[1] == pytest.approx((5 + 12 + 20) / 3)
    pooled = (2 + 14 + (16 + 0 + 4) * 3 / 9) / (3 + 3)
    expected = pooled * (1 / 2 + 1 / 3 + 1 + 3 / 4) / 3**2
    assert variances(real, simulated)[1] == pytest.approx(expected)


def test_of_one_run_of_each_size_simulated_ones_say_how_sure_it_is() -> None:
    real, simulated = writes([4], [14]), writes([1, 3], [5, 11])
    spread = (2 + 18) / 2
    expected = spread * (2 + 2 / 2) / 2**2
    assert variances(real, simulated)[1] == pytest.approx(expected)


def test_real_runs_that_are_alike_by_chance_are_not_taken_for_certain() -> None:
    real, simulated = writes([2] * 4), writes([1, 1, 3, 3])
    assert variances(real, simulated)[1] == pytest.approx((4 / 3) / 2 * (1 / 4 + 1 / 4))


@pytest.mark.parametrize("alike", [10.0, 0.0])
def test_runs_that_are_all_alike_as_simulated_ones_are_have_an_error(alike: float) -> None:
    real, simulated = writes([alike] * 4), writes([7.0] * 20)
    least = max((0.05 * alike) ** 2, 1e-6)
    assert variances(real, simulated)[1] == pytest.approx(least * (1 / 4 + 1 / 20))


CHAINS = [
    {"id": f"t{i}", "dependencies": [f"t{i - 4}"] if i >= 4 else [], "files": [f"f{i}.py"]}
    for i in range(20)
]


def logged_team(
    agent: dict[str, Any], noise: float, sizes: Sequence[int], runs: int
) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Yield runs of teams that claim tasks of `CHAINS` in a noisy order."""
    for size in sizes:
        truth = scenario(agent, CLAIMING, size, CHAINS, 3)
        protocol = truth.coordination.protocol.model_copy(update={"noise": noise})
        coordination = truth.coordination.model_copy(update={"protocol": protocol})
        truth = truth.model_copy(update={"coordination": coordination})
        for i in range(runs):
            yield logged_run(truth, CLAIMING, 1000 * size + i)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.15, 0.5, 0.9])
@pytest.mark.parametrize("blind", [0.3, 0.7])
def test_blind_calls_are_found_however_often_they_are_blocked(
    blind: float, noise: float, tmp_path: Path
) -> None:
    """The noisier the choice, the more of the blind calls are blocked: how often is not known."""
    agent = {
        "latency": {"kind": "seconds", "base": 6.0, "per_work_unit_s": 2.0},
        "batch": {"kind": "empirical", "values": [1, 2, 4]},
        "behaviour": {"chatter": 1, "blind_calls": blind},
    }
    team = team_runs(tmp_path, logged_team(agent, noise, (1, 2), 10), CHAINS)
    (fit,) = fit_cells(team, match=False)
    hits, misses = fit.habits.blind
    assert 0.001 < stats.beta.cdf(blind, hits, misses) < 0.999
    if noise >= 0.5:  # hardly any blind call is blocked, or told from another, by a calm choice
        assert hits / (hits + misses) == pytest.approx(blind, abs=0.25)


@pytest.mark.slow
@pytest.mark.parametrize(("deference", "noise"), [(0.0, 0.05), (0.0, 0.9), (0.6, 0.4)])
def test_habits_are_recovered_from_simulated_runs(
    deference: float, noise: float, tmp_path: Path
) -> None:
    agent = {
        "latency": {"kind": "seconds", "base": 6.0, "per_work_unit_s": 2.0},
        "batch": {"kind": "empirical", "values": [1, 2, 4]},
        "tokens": {"message": 0},
        "context": {"board_tokens_per_task": 0},
        "behaviour": {"chatter": 1, "deference": deference, "blind_calls": 0.7},
        "errors": {"probability": 0.1, "detection": 1},
    }
    (fit,) = fit_cells(team_runs(tmp_path, logged_team(agent, noise, (1, 2, 3), 20), CHAINS))
    # Their errors are those given the other habits, whose own errors shift them: the share of
    # blocked attempts depends on the noise and on how many calls are blind.
    assert fit.noise.value == pytest.approx(noise, abs=0.3)
    assert fit.deference.value == pytest.approx(deference, abs=0.3)
    for name in ("idle", "writes", "blocked"):
        seen, matched = fit.matching[f"{name}_seen"], fit.matching[f"{name}_matched"]
        assert matched == pytest.approx(seen, rel=0.25, abs=0.05), name
    (same,) = pool_habits([fit])
    assert same.noise.value == pytest.approx(fit.noise.value)


def claims_chains(deference: float, noise: float, size: int, seed: int) -> dict[str, Any]:
    """Return a team that claims tasks of `CHAINS`, as a document."""
    agent = {
        "latency": {"kind": "seconds", "base": {"kind": "exponential", "mean": 6.0}},
        "batch": {"kind": "empirical", "values": [1, 2, 4]},
        "behaviour": {"blind_calls": 0.7, "deference": deference},
        "errors": {"probability": 0.1, "detection": 1},
    }
    protocol = {"kind": "self_claim", "choice": "noisy", "noise": noise}
    return {
        "name": "chains",
        "seed": seed,
        "replications": 8,
        "team": {"size": size, "agent": agent},
        "topology": "decentralised",
        "coordination": {"protocol": protocol, "timing": "rounds"},
        "workload": {"kind": "dag", "tasks": CHAINS},
        "workspace": {"kind": "last_writer_wins", "loss": 0.0},
        "limits": {"max_rounds": 60},
    }


def test_a_cell_without_a_team_follows_the_others_and_makes_them_no_surer(tmp_path: Path) -> None:
    agent = {"latency": {"kind": "seconds", "base": 6.0}, "batch": 2}
    team = team_runs(tmp_path, logged_team(agent, 0.5, (1,), 2), CHAINS)
    (alone,) = fit_cells(team)
    assert not alone.matching
    assert alone.untold == ["deference", "noise"]  # not 0 ± 0 and 0.5 ± 0
    (pooled,) = pooled_fits(team, [alone])
    assert pooled.untold == alone.untold
    told = replace(
        alone,
        deference=Estimate(0.3, 0.05),
        noise=Estimate(0.8, 0.05),
        matching={"simulated_runs": 1.0},
    )
    first, second = pool_habits([told, alone])
    for habit, value in (("deference", 0.3), ("noise", 0.8)):
        known, guess = getattr(first, habit), getattr(second, habit)
        assert known.value == pytest.approx(value, abs=0.02)
        assert known.error == pytest.approx(0.05, rel=0.1)
        assert 0.1 < guess.error <= UNIFORM_SD * 1.02
        assert min(value, 0.5) < guess.value < max(value, 0.5)
    assert not second.untold
    assert pool_habits([alone, alone]) == [alone, alone]


@pytest.mark.slow
@pytest.mark.theory
def test_errors_of_habits_are_as_large_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """The squares of z of 24 truths are a chi-square's, but for one time in a thousand."""
    rng = np.random.default_rng(5)
    teams = {size: claims_chains(0.0, 0.5, size, size) for size in (1, 2, 3)}
    # All truths are searched for among the same simulated runs: each is run once.
    simulated = {n: Replications(Scenario.model_validate(said)) for n, said in teams.items()}
    monkeypatch.setattr(habit_search, "Replications", lambda said: simulated[said.team.size])
    z = []
    for i in range(24):
        truth = rng.random(2)
        real = {}
        for size in (1, 2, 3):
            said = claims_chains(*truth, size, 100 + 10 * i + size)
            team = Replications(Scenario.model_validate({**said, "replications": 3}))
            real[size] = _rows(team.counts(*truth))
        found = found_habits(Search(teams, moments_of(real)))
        habits = found.deference, found.noise
        z.append([(each.value - t) / each.error for each, t in zip(habits, truth, strict=True)])
    for squares in (np.asarray(z) ** 2).sum(axis=0):
        assert stats.chi2.ppf(0.0005, 24) < squares < stats.chi2.ppf(0.9995, 24)


@pytest.mark.thorough
@pytest.mark.theory
def test_noise_that_is_fitted_to_runs_is_as_unsure_as_their_blind_calls_are(tmp_path: Path) -> None:
    """Of 30 agents, five runs of each size: what `fit_cells` says of them, all habits estimated.

    As if how often calls are blind were known, 73 % of the 95 % intervals hold the noise (60
    agents). A coverage of 0.9 fails with a probability of 0.001, one of 0.7 with 0.4.
    """
    rng, held = np.random.default_rng(8), 0
    for i in range(30):
        deference, noise, blind, errors = rng.random(4) * [1.0, 1.0, 0.8, 0.3]
        weights = rng.dirichlet([2.0, 2.0, 2.0]).tolist()
        agent = {
            "latency": {"kind": "seconds", "base": 6.0, "per_work_unit_s": 2.0},
            "batch": {"kind": "empirical", "values": [1, 2, 4], "weights": weights},
            "tokens": {"message": 0},
            "context": {"board_tokens_per_task": 0},
            "behaviour": {"chatter": 1, "deference": deference, "blind_calls": blind},
            "errors": {"probability": errors, "detection": 1},
        }
        where = tmp_path / str(i)
        where.mkdir()
        (fit,) = fit_cells(team_runs(where, logged_team(agent, noise, (1, 2, 3), 5), CHAINS))
        held += abs(fit.noise.value - noise) < 1.96 * fit.noise.error
    assert stats.binom.cdf(held, 30, 0.9) > 0.001, held


def test_runs_without_replies_say_nothing_of_their_team_size(tmp_path: Path) -> None:
    agent = {"latency": {"kind": "seconds", "base": 6.0}, "batch": 2}
    team = team_runs(tmp_path, logged_team(agent, 0.5, (1, 2, 3), 2), CHAINS)
    (fit,) = fit_cells(team, match=False)
    calls, _ = observed(team, AGENT)
    sizes = calls["n_teammates"]
    search = search_for(fit, CHAINS, team.runs, calls[sizes < 3])
    assert search is not None
    assert set(search.teams) == {1, 2}  # what is simulated is what was seen
    both = seen_in(team.runs[team.runs["n_teammates"] < 3], calls)
    assert search.seen.means == pytest.approx(both.means)
    assert search_for(fit, CHAINS, team.runs, calls[sizes == 1]) is None
    assert search_for(fit, CHAINS, team.runs, calls[sizes > 3]) is None


def test_what_is_counted_is_that_of_the_whole_scenario(tmp_path: Path) -> None:
    """Talk, the length of replies and the harness's time change nothing that habits are told by."""
    agent = {
        "latency": {"kind": "seconds", "base": {"kind": "exponential", "mean": 6.0}},
        "batch": {"kind": "empirical", "values": [1, 2, 4]},
        "behaviour": {"chatter": 1, "blind_calls": 0.5, "idle": 0.1},
        "errors": {"probability": 0.2, "detection": 1},
    }
    (fit,) = fit_cells(team_runs(tmp_path, logged_team(agent, 0.5, (1, 2), 3), CHAINS), match=False)
    for size in (1, 3):
        whole, counted = (
            Replications(Scenario.model_validate({**said, "seed": 1, "replications": 10}))
            for said in (fit.scenario(CHAINS, size), _counted(fit, CHAINS, size, 3))
        )
        for deference, noise in ((0.2, 0.3), (0.8, 0.7)):
            assert counted.counts(deference, noise) == whole.counts(deference, noise)
