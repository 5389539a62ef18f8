"""Searches for the two habits of agents with which simulated teams do what real ones did.

With common random numbers the simulated moments are nearly smooth in the habits: what lies between
few values is nearer to the truth than a simulation with other random numbers. Other processes do
this: it needs neither pandas nor what fits agents to calls (see `matching`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from analysis.calibration.coupling import Counts, Replications
from analysis.calibration.estimates import Estimate
from analysis.calibration.monotone import interpolated
from analysis.calibration.rounding import as_said
from simulator.distributions import Floats
from simulator.scenario import Scenario
from simulator.special import betaincinv

Teams: TypeAlias = "Mapping[int, Replications]"
"""Replications of a team of each size."""

_DEFERENCES, _NOISES = np.linspace(0.0, 1.0, 4), np.linspace(0.0, 1.0, 3)
"""Values of the habits that are simulated; between them moments are interpolated. With five of each
the errors of both habits are as large: chance in few runs, real and simulated, outweighs what lies
between these."""
_FEW = 3
"""Replications of each team where the habits cannot be."""
_IMPOSSIBLE = 1e-3
"""Values are next to impossible if all that lies between their neighbours is less probable."""
_FINE = np.linspace(0.0, 1.0, 65)
_BLIND = (np.arange(25.0) + 0.5) / 25.0
"""Quantiles of how often calls are blind that count the same. The outer two are simulated; moments
are next to linear between them."""
_SURE = 0.05
"""Distance of these two below which only the mean is simulated: it hides less than chance does."""
_LEAST_BETA = 1e-6
"""Least parameter of a beta distribution of which a quantile is asked."""
_LEAST_SPREAD = 0.05
"""Least standard deviation of a moment between runs, relative to its mean."""
UNIFORM_VARIANCE = float(np.var(_FINE))


@dataclass(frozen=True)
class Moments:
    """Of runs: idle share of calls, concurrent writes, blocked share of attempts.

    Attributes
    ----------
    means : ndarray, shape (3,)
        Means over team sizes, so that all count the same, however many runs or calls they have.
    spreads : ndarray, shape (3,)
        Variances between runs of one team size.
    freedom : ndarray, shape (3,)
        Degrees of freedom of these.
    shares : ndarray, shape (3,)
        Variances of the means, as shares of `spreads`.
    """

    means: Floats
    spreads: Floats
    freedom: Floats
    shares: Floats


def moments_of(runs: Mapping[int, Floats]) -> Moments:
    """Return the moments of runs: of each team size, an array of shape (runs, 3).

    Of agents alone only blocked attempts count.
    """
    every = list(runs.values())
    several = [each for size, each in runs.items() if size > 1]
    columns = [[each[:, i] for each in group] for i, group in enumerate((several, several, every))]
    return Moments(*map(np.asarray, zip(*map(_moment, columns), strict=True)))


def _moment(sizes: Sequence[Floats]) -> tuple[float, float, float, float]:
    """Return what `Moments` says of one moment, given its values in the runs of each size."""
    means = [each.mean() for each in sizes]
    freedom = float(sum(len(each) - 1 for each in sizes))
    squares = sum(((each - mean) ** 2).sum() for each, mean in zip(sizes, means, strict=True))
    share = sum(1.0 / len(each) for each in sizes) / len(sizes) ** 2
    return float(np.mean(means)), float(squares) / max(freedom, 1.0), freedom, share


@dataclass(frozen=True)
class Search:
    """What is searched for.

    Attributes
    ----------
    teams : mapping
        Scenario of each team size, as a document; with as many replications as are to be run.
    seen : Moments
        Of real runs.
    blind : (float, float), optional
        Beta parameters of the probability that a call is blind; None where it is known to be that
        of the scenarios.
    """

    teams: Mapping[int, dict[str, Any]]
    seen: Moments
    blind: tuple[float, float] | None = None


@dataclass(frozen=True)
class Found:
    """The habits, the moments of teams that have them, and how many runs were simulated."""

    deference: Estimate
    noise: Estimate
    moments: Floats
    simulated_runs: int


def found_habits(search: Search | None) -> Found | None:
    """Return the habits of which the moments of real runs tell, if they do."""
    if search is None:
        return None
    said = _replications(search.teams)
    shares, alike = _blind_teams(search, said)

    def moments(teams: Teams, place: tuple[float, ...], first: int | None = None) -> Moments:
        deference, noise = map(as_said, place)
        return moments_of(
            {n: _rows(team.counts(deference, noise, first)) for n, team in teams.items()}
        )

    places = list(itertools.product(_DEFERENCES, _NOISES))
    simulated = [[moments(teams, place, _FEW) for place in places] for teams in alike]
    for i in np.flatnonzero(_possible(_weights(simulated, shares, search.seen))):
        for of_teams, teams in zip(simulated, alike, strict=True):
            of_teams[i] = moments(teams, places[i])
    weights = _weights(simulated, shares, search.seen)
    deference, noise = (_posterior(weights.sum(axis=1 - i)) for i in (0, 1))
    matched = moments(said, (deference.value, noise.value))
    simulated_teams = alike if said in alike else [said, *alike]
    made = sum(team.made for teams in simulated_teams for team in teams.values())
    return Found(deference, noise, matched.means, made)


def _blind_teams(search: Search, said: Teams) -> tuple[Floats, list[Teams]]:
    """Return teams that differ in how often their calls are blind, by team size.

    Moments of teams at the quantiles `_BLIND` are between those of the returned ones, and the first
    array says with which shares, shape (quantiles, teams). Where next to nothing is unknown, these
    are the teams that are `said`.
    """
    if search.blind is None:
        return np.ones((1, 1)), [said]
    hits, misses = (max(each, _LEAST_BETA) for each in search.blind)
    at = betaincinv(hits, misses, _BLIND)
    few, most = float(at[0]), float(at[-1])
    if most - few <= _SURE:
        return np.ones((1, 1)), [said]
    of_most = (at - few) / (most - few)
    ends = [{n: _with_blind(x, p) for n, x in search.teams.items()} for p in (few, most)]
    return np.stack([1.0 - of_most, of_most], axis=1), [_replications(each) for each in ends]


def _replications(said: Mapping[int, dict[str, Any]]) -> Teams:
    return {size: Replications(Scenario.model_validate(each)) for size, each in said.items()}


def _with_blind(said: dict[str, Any], probability: float) -> dict[str, Any]:
    """Return a scenario whose agents' calls are blind with another probability."""
    agent = said["team"]["agent"]
    behaviour = {**agent["behaviour"], "blind_calls": as_said(probability)}
    return {**said, "team": {**said["team"], "agent": {**agent, "behaviour": behaviour}}}


def _posterior(weights: Floats) -> Estimate:
    """Return a habit and its standard error, from the posterior probabilities of its values.

    It lies between the likeliest value and the prior's mean, by how much of its variance is left:
    the mean of a normal likelihood with a normal prior. (The mean of the posterior itself is away
    from 0 wherever the likeliest value is 0, in every cell, and pooling would believe it.)
    """
    mean = float(weights @ _FINE)
    variance = float(weights @ (_FINE - mean) ** 2)
    doubt = min(1.0, variance / UNIFORM_VARIANCE)
    likeliest = float(_FINE[int(np.argmax(weights))])
    return Estimate((1.0 - doubt) * likeliest + doubt * 0.5, float(np.sqrt(variance)))


def _weights(alike: Sequence[Sequence[Moments]], shares: Floats, seen: Moments) -> Floats:
    """Return the posterior probabilities of values of both habits, shape (_FINE, _FINE).

    How often calls are blind is integrated over, where it is not known: blind calls are blocked the
    more often the noisier the choice, so that who took their likeliest share for the true one would
    be too sure of the noise.

    Parameters
    ----------
    alike : sequence of sequence of Moments
        Of teams that differ in how often their calls are blind: at `_DEFERENCES`, for
        each of them at `_NOISES`.
    shares : ndarray, shape (B, teams)
        Of their moments in those of teams that are blind as often as is likely, B times.
    seen : Moments
        Of real runs.
    """
    means = np.stack([_between(np.stack([each.means for each in of])) for of in alike])
    variance = np.stack(
        [_between(np.stack([variances(seen, each) for each in of])) for of in alike]
    )
    means, variance = (np.tensordot(shares, each, 1) for each in (means, variance))
    squares = (means - seen.means) ** 2
    unexplained = np.maximum(0.0, (squares - variance).min(axis=(0, 1, 2)))
    logs = -0.5 * (squares / (variance + unexplained)).sum(axis=-1)
    weights = np.exp(logs - logs.max()).sum(axis=0)
    return np.asarray(weights / weights.sum())


def _possible(weights: Floats) -> npt.NDArray[np.bool_]:
    """Return at which simulated places the habits may be: those whose surroundings weigh."""
    by_deference, by_noise = (
        np.abs(_FINE - values[:, None]) < values[1] - values[0] for values in (_DEFERENCES, _NOISES)
    )
    return np.asarray(by_deference @ weights @ by_noise.T >= _IMPOSSIBLE).ravel()


def _between(values: Floats) -> Floats:
    """Return what lies between values at all simulated places, shape (_FINE, _FINE, 3)."""
    deferences, noises, many = len(_DEFERENCES), len(_NOISES), len(_FINE)
    rows = interpolated(_DEFERENCES, values.reshape(deferences, -1), _FINE)
    columns = rows.reshape(many, noises, -1).swapaxes(0, 1).reshape(noises, -1)
    return interpolated(_NOISES, columns, _FINE).reshape(many, many, -1).swapaxes(0, 1)


def variances(real: Moments, simulated: Moments) -> Floats:
    """Return the variances of the differences between means of real and of simulated runs.

    The variance between runs is pooled, as for a t-test of two samples: few real runs may all be
    alike by chance. Simulated ones count as no more than there are real ones, which may vary more
    than the model knows.

    Returns
    -------
    ndarray, shape (3,)
    """
    weight = np.minimum(simulated.freedom, np.maximum(real.freedom, 1.0))
    spread = real.freedom * real.spreads + weight * simulated.spreads
    spread /= real.freedom + weight
    least = np.maximum((_LEAST_SPREAD * real.means) ** 2, 1e-6)
    return np.asarray(np.maximum(spread, least) * (real.shares + simulated.shares))


def _rows(counts: Sequence[Counts]) -> Floats:
    """Return the moments of each of some simulated runs, shape (runs, 3)."""
    return np.asarray(
        [
            (
                row.idle_calls / row.calls,
                row.concurrent_writes,
                row.blocked_claims / max(1, row.attempts),
            )
            for row in counts
        ]
    )
