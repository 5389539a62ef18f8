"""The two hidden habits of claiming agents: what moments say of them, and what they cannot say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import interpolate, stats

from analysis.calibration import fit_cells
from analysis.calibration.coupling import Replications
from analysis.calibration.habit_search import _SIMULATED, Seen, _possible, _posterior, _weights
from analysis.calibration.matching import _counted, pool_habits, seen_in
from analysis.calibration.monotone import interpolated
from simulator.scenario import Scenario
from tests.analysis.harness import CLAIMING, logged_run, scenario, team_runs

UNIFORM_SD = 1.0 / np.sqrt(12.0)
SURE = np.asarray([1e-4, 1e-4, 1e-4])


def moments(slopes: tuple[float, float, float], offset: float = 0.0) -> list[np.ndarray]:
    """Return moments that are linear in a habit."""
    return [np.asarray(slopes) * x + offset for x in _SIMULATED]


def test_a_moment_that_the_habit_moves_tells_it() -> None:
    found = _posterior(moments((0.5, 0.0, 0.0)), Seen(np.asarray([0.15, 0.0, 0.0]), SURE))
    assert found.value == pytest.approx(0.3, abs=0.01)
    assert found.error == pytest.approx(0.01 / 0.5, rel=0.2)


@pytest.mark.parametrize("offset", [0.0, 0.05, 5.0])
def test_a_moment_that_the_habit_does_not_move_says_nothing_however_far_it_is_off(
    offset: float,
) -> None:
    found = _posterior(moments((0.0, 0.0, 0.0), offset), Seen(np.zeros(3), SURE))
    assert found.value == pytest.approx(0.5, abs=0.01)
    assert found.error == pytest.approx(UNIFORM_SD, rel=0.02)


def test_what_no_value_explains_outweighs_nothing_that_one_does() -> None:
    # The second moment is never as it was seen, and nearest at 1; the first says 0.3.
    simulated = [np.asarray([0.5 * x, 3.0 - 0.05 * x, 0.0]) for x in _SIMULATED]
    found = _posterior(simulated, Seen(np.asarray([0.15, 0.0, 0.0]), SURE))
    assert found.value == pytest.approx(0.3, abs=0.02)


def test_of_two_moments_that_disagree_the_surer_one_counts_more() -> None:
    seen = Seen(np.asarray([0.2, 0.6, 0.0]), np.asarray([1e-4, 4e-4, 1e-4]))
    found = _posterior(moments((1.0, 1.0, 0.0)), seen)
    assert found.value == pytest.approx((4 * 0.2 + 0.6) / 5, abs=0.02)


def curved(x: float) -> np.ndarray:
    """Return moments of which one rises with a habit, less and less."""
    return np.asarray([1.0 - np.exp(-3.0 * x), 0.0, 0.0])


@pytest.mark.parametrize("truth", [0.1, 0.3, 0.6])
def test_a_moment_that_bends_tells_its_habit_twice_as_well_as_by_straight_lines(
    truth: float,
) -> None:
    simulated = [curved(x) for x in _SIMULATED]
    found = _posterior(simulated, Seen(curved(truth), SURE))
    straight = float(np.interp(curved(truth)[0], [each[0] for each in simulated], _SIMULATED))
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


@pytest.mark.parametrize(("truth", "error", "expected"), [
    (0.1, 0.01, [True, True, False, False, False]),
    (0.6, 0.01, [False, False, True, True, False]),
    (0.5, 1.0, [True] * 5),
])  # fmt: skip
def test_values_of_a_habit_are_possible_if_it_may_lie_between_their_neighbours(
    truth: float, error: float, expected: list[bool]
) -> None:
    seen = Seen(np.asarray([truth, 0.0, 0.0]), np.full(3, error**2))
    weights = _weights(moments((1.0, 0.0, 0.0)), seen)
    assert _possible(weights).tolist() == expected


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
    seen = seen_in(runs, calls)
    # Idle: (0.5 + 0) / 2 and 1; writes: 5 and 11; blocked: 0.2, (0 + 0.25) / 2, and none.
    assert seen.means == pytest.approx([(0.25 + 1.0) / 2, 8.0, (0.2 + 0.125 + 0.0) / 3])
    assert (seen.variances > 0.0).all()


def writes_of(**runs: Sequence[float]) -> tuple[float, float]:
    """Return mean and variance of concurrent writes, given those of the runs of each size."""
    rows = [(size, x) for size, found in zip(SIZES, runs.values(), strict=False) for x in found]
    names = [f"run {i}" for i in range(len(rows))]
    table = pd.DataFrame(rows, columns=["n_teammates", "concurrent_writes"]).assign(run_dir=names)
    calls = pd.DataFrame({"run_dir": names, "attempts": 1, "blocked": 0})
    seen = seen_in(table, calls)
    return float(seen.means[1]), float(seen.variances[1])


SIZES = (2, 3, 7)
SIMULATED = 1.0 / 20
"""Means are held against those of 20 simulated runs of each size, which err as well."""


@pytest.mark.theory
def test_means_of_few_runs_are_as_sure_as_their_number_and_the_spread_within_sizes_say() -> None:
    # Squares about the means 5, 12 and 20 are 2, 14 and 0, of six runs of three sizes.
    mean, variance = writes_of(two=[4, 6], three=[10, 11, 15], seven=[20])
    assert mean == pytest.approx((5 + 12 + 20) / 3)
    pooled = (2 + 14) / (6 - 3)
    expected = pooled * (1 / 2 + 1 / 3 + 1 + 3 * SIMULATED) / 3**2
    assert variance == pytest.approx(expected)


def test_one_run_of_each_size_says_nothing_of_the_spread_which_is_taken_to_be_the_mean() -> None:
    mean, variance = writes_of(two=[4], three=[14])
    assert mean == pytest.approx(9.0)
    assert variance == pytest.approx(9.0**2 * (2 + 2 * SIMULATED) / 2**2)


@pytest.mark.parametrize("alike", [10.0, 0.0])
def test_runs_that_are_all_alike_are_not_taken_for_certain(alike: float) -> None:
    _, variance = writes_of(two=[alike] * 4)
    least = max((0.05 * alike) ** 2, 1e-6)
    assert variance == pytest.approx(least * (1 / 4 + SIMULATED))


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
            Replications(Scenario.model_validate(said), 10)
            for said in (fit.scenario(CHAINS, size), _counted(fit, CHAINS, size))
        )
        for deference, noise in ((0.2, 0.3), (0.8, 0.7)):
            assert counted.counts(deference, noise) == whole.counts(deference, noise)
