"""How far the calls of a session depend on each other, beside sums over all pairs of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from analysis.calibration.dependence import Dependence, dependence, fit_lags, without_effects
from analysis.calibration.estimates import Estimate

Array = np.ndarray[Any, Any]

LAGS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 19)


def sessions_of(*sizes: int) -> Array:
    return np.repeat(np.arange(len(sizes)), sizes)


def made(seed: int, sizes: tuple[int, ...], session: float, phase: float) -> tuple[Array, Array]:
    """Return logarithms with effects of sessions and of phases (of four calls), and sessions."""
    rng = np.random.default_rng(seed)
    logs = []
    for size in sizes:
        z = [rng.standard_normal()]
        keep = math.exp(-1 / 4)
        for _ in range(size - 1):
            z.append(keep * z[-1] + math.sqrt(1 - keep**2) * rng.standard_normal())
        own = 0.3 * rng.standard_normal(size)
        logs.append(session * rng.standard_normal() + phase * np.array(z) + own)
    return np.concatenate(logs), sessions_of(*sizes)


def covariances(
    values: Array, which: Array, weights: Array | None = None
) -> list[tuple[float, float]]:
    """Return the mean product and the weight of the pairs of a session that are a lag apart."""
    found = []
    for lag in LAGS:
        later = [i for i in range(lag, len(values)) if which[i] == which[i - lag]]
        mass = [1.0 if weights is None else float(weights[i]) for i in later]
        total = sum(m * values[i] * values[i - lag] for m, i in zip(mass, later, strict=True))
        found.append((total / sum(mass) if later else 0.0, sum(mass)))
    return found


def best_fit(seen: Array, pairs: Array, longest: float = 60.0) -> tuple[float, float, float]:
    """Return s^2, a^2 >= 0 and the length, 1 to 60, whose curve is nearest, lags by their pairs."""
    lags, root = np.array(LAGS, dtype=float), np.sqrt(pairs)

    def solved(length: float) -> tuple[Array, float]:
        design = np.column_stack([np.ones(len(lags)), np.exp(-lags / length)])
        found: tuple[Array, float] = optimize.nnls(design * root[:, None], seen * root)
        return found

    rough = min(np.geomspace(1, longest, 60), key=lambda length: solved(length)[1])
    fine = optimize.minimize_scalar(
        lambda length: solved(length)[1],
        bounds=(max(1.0, rough / 1.1), min(longest, rough * 1.1)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    (shared, phase), _ = solved(fine.x)
    return float(shared), float(phase), float(fine.x)


def by_hand(values: Array, which: Array, mean: float) -> tuple[float, float, float]:
    table = covariances(values - mean, which)
    covariance, pairs = (np.array(each) for each in zip(*table, strict=True))
    return best_fit(np.log(1 + covariance / mean**2), pairs)


SIZES = [(40,) * 12, (7, 30, 2, 55, 1, 80, 16), tuple(range(1, 46))]


@pytest.mark.parametrize("sizes", SIZES)
def test_effects_are_those_whose_covariances_are_nearest_to_the_calls(
    sizes: tuple[int, ...],
) -> None:
    logs, which = made(len(sizes), sizes, 0.4, 0.6)
    values = 5 * np.exp(logs)
    found = dependence(values, pd.Series(which), np.ones(len(values)))
    shared, phase, length = by_hand(values, which, values.mean())
    assert found.why_not is None
    assert found.session.value == pytest.approx(math.sqrt(shared), abs=2e-3)
    assert found.phase.value == pytest.approx(math.sqrt(phase), abs=2e-3)
    assert found.length == pytest.approx(length, rel=1e-2)
    # In another unit they are the same.
    scaled = dependence(1000 * values, pd.Series(which), np.ones(len(values)))
    assert scaled.session.value == pytest.approx(found.session.value, abs=1e-4)
    assert scaled.length == pytest.approx(found.length, rel=1e-3)


@pytest.mark.parametrize("sessions", [3, 12, 20, 25])
def test_errors_of_effects_are_no_less_than_tukeys_of_twenty_groups(sessions: int) -> None:
    """Of the variances: chance, and what either effect could explain, may make them larger."""
    logs, which = made(9, (30,) * sessions, 0.5, 0.5)
    values = np.exp(logs)
    found = dependence(values, pd.Series(which).astype(str), np.ones(len(values)))
    groups = min(20, sessions)
    left = []
    for group in range(groups):
        kept = which % 20 != group
        left.append(by_hand(values[kept], which[kept], values.mean())[:2])
    errors = np.sqrt((groups - 1) * np.var(left, axis=0))
    for estimate, error in zip((found.session, found.phase), errors, strict=True):
        # d(log s) = d(s^2) / (2 s^2); near 0 the square itself is what is estimated.
        scale = 2.0 * estimate.value**2 if estimate.link == "log" else 1.0
        assert estimate.error * scale >= 0.98 * error
        assert (estimate.link == "log") == (estimate.value**2 > 1.5 * estimate.error * scale)


@pytest.mark.parametrize(
    ("values", "sizes", "said"),
    [
        ("any", (1, 1, 60, 1, 60), "sessions of several calls: 2, 3 are needed"),
        ("any", (5,) * 19, "pairs of calls: 190, 200 are needed"),
        ("any", (5,) * 20, None),  # 4 + 3 + 2 + 1 pairs a session
        ("any", (60, 1, 60, 2), None),
        ("equal", (60, 60, 60), "all values are equal"),
        ("any", (), "sessions of several calls: 0, 3 are needed"),
    ],
)
def test_from_few_calls_no_effect_is_estimated_and_the_reason_is_said(
    values: str, sizes: tuple[int, ...], said: str | None
) -> None:
    which = sessions_of(*sizes)
    drawn = np.random.default_rng(1).lognormal(0, 0.5, len(which))
    if not sizes:
        drawn, which = np.ones(1), np.zeros(1, dtype=int)
    taken = np.full(len(which), 3.0) if values == "equal" else drawn
    found = dependence(taken, pd.Series(which), np.ones(len(which)))
    assert found.why_not == said
    if said is not None:
        assert (found.session.value, found.phase.value) == (0.0, 0.0)
        assert math.isnan(found.session.error)
        assert math.isnan(found.phase.error)
        assert found.spec() == {}


def effects(session: float, phase: float) -> Dependence:
    return Dependence(Estimate.of(session), Estimate.of(phase), 6.5)


def test_a_scenario_says_the_effects_that_there_are() -> None:
    assert effects(0.3, 0.2).spec() == {
        "agent_sigma": 0.3,
        "phase_sigma": 0.2,
        "phase_length": 6.5,
    }
    assert effects(0.3, 0.004).spec() == {"agent_sigma": 0.3}
    assert effects(0.004, 0.006).spec() == {"phase_sigma": 0.006, "phase_length": 6.5}


@pytest.mark.parametrize(("session", "phase"), [(0.0, 0.0), (0.3, 0.0), (0.2, 0.4), (3.0, 1.0)])
def test_what_is_left_without_the_effects_has_their_variance_less_and_gives_the_mean_again(
    session: float, phase: float
) -> None:
    """The mean of the effects is exp((s^2 + a^2) / 2), by which what is left is multiplied."""
    rng = np.random.default_rng(4)
    values, weights = rng.lognormal(3, 0.8, 400), rng.uniform(0.2, 2, 400)
    left = without_effects(values, effects(session, phase), weights)

    def moments(some: Array) -> tuple[float, float]:
        logs = np.log(some)
        centre = np.average(logs, weights=weights)
        return float(np.average(some, weights=weights)), float(
            np.average((logs - centre) ** 2, weights=weights)
        )

    shared = session**2 + phase**2
    mean, variance = moments(values)
    left_mean, left_variance = moments(left)
    assert left_mean * math.exp(shared / 2) == pytest.approx(mean)
    assert left_variance == pytest.approx(max(variance - shared, 0.1 * variance))
    assert (np.argsort(left) == np.argsort(values)).all()
    equal = np.full(5, 2.0)
    assert without_effects(equal, effects(session, phase), np.ones(5)).tolist() == [2.0] * 5


@pytest.mark.parametrize("sums", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_effects_of_turns_are_those_nearest_to_their_weighted_covariances(
    sizes: tuple[int, ...], sums: bool
) -> None:
    logs, which = made(2 + len(sizes), sizes, 0.4, 0.6)
    weights = np.random.default_rng(3).uniform(0.5, 1.5, len(logs))
    centred = logs - np.average(logs, weights=weights)
    values, log = centred, _same
    if sums:
        relative = np.exp(centred)
        values, log = relative / np.average(relative, weights=weights) - 1, np.log1p
    table = covariances(values, which, weights)
    counts = [sum(max(0, size - lag) for size in sizes) for lag in LAGS]
    pairs = np.array([mass if n >= 30 else 0.0 for (_, mass), n in zip(table, counts, strict=True)])
    seen = np.where(pairs > 0, log(np.maximum([c for c, _ in table], -0.95)), 0.0)
    exact = best_fit(seen, pairs)
    found = fit_lags(centred, which, weights, sums)
    assert found[:2] == pytest.approx(exact[:2], abs=2e-3)
    assert found[2] == pytest.approx(exact[2], rel=2e-2)


_same: Callable[[Array], Array] = np.asarray


@pytest.mark.parametrize("calls", [30, 31])
def test_a_lag_counts_from_thirty_pairs_on(calls: int) -> None:
    found = fit_lags(np.ones(calls), np.zeros(calls, dtype=np.int64), np.ones(calls))
    assert (found == (0.0, 0.0, 1.0)) == (calls == 30)


def test_no_phase_lasts_longer_than_sixty_calls() -> None:
    """Longer ones are told from effects of sessions by no lag that is looked at."""
    which = sessions_of(*(300,) * 10)
    logs = np.tile(np.linspace(-1, 1, 300), 10)
    found = dependence(np.exp(logs), pd.Series(which), np.ones(len(logs)))
    assert found.length == pytest.approx(60, abs=0.01)
    assert fit_lags(logs, which, np.ones(len(logs)))[2] == pytest.approx(60, abs=0.01)
