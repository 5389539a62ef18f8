"""Searches for the two habits of agents with which simulated teams do what real ones did.

With common random numbers the simulated moments are nearly smooth in the habits: what lies between
few values is nearer to the truth than a simulation with other random numbers. Other processes do
this: it needs neither pandas nor what fits agents to calls (see `matching`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.calibration.coupling import Counts, Replications
from analysis.calibration.estimates import BetaEstimate, Estimate
from analysis.calibration.monotone import interpolated
from analysis.calibration.rounding import as_said
from simulator.distributions import Floats
from simulator.scenario import Scenario

REPLICATIONS, _FEW = 20, 8
"""Replications of each team; and where a few suffice: in the first pass, whose estimates only begin
the second, and at values of a habit that are next to impossible."""
_SIMULATED = np.linspace(0.0, 1.0, 5)
"""Values of a habit that are simulated; between them moments are interpolated."""
_FINE = np.linspace(0.0, 1.0, 129)
_IMPOSSIBLE = 1e-3
"""A value is next to impossible if all that lies between its neighbours is less probable."""
UNIFORM_VARIANCE = float(np.var(_FINE))


@dataclass(frozen=True)
class Seen:
    """Moments of real runs: idle share of calls, concurrent writes, blocked share of attempts.

    Attributes
    ----------
    means : ndarray, shape (3,)
        Means over team sizes, so that all count the same, however many runs or calls they have.
    variances : ndarray, shape (3,)
        Of these means, and of those of the simulated runs.
    """

    means: Floats
    variances: Floats


@dataclass(frozen=True)
class Search:
    """What is searched for.

    Attributes
    ----------
    teams : mapping
        Scenario of each team size, as a document.
    seen : Seen
    deference, noise : Estimate or BetaEstimate
        Where the search begins.
    """

    teams: Mapping[int, dict[str, Any]]
    seen: Seen
    deference: Estimate | BetaEstimate
    noise: Estimate | BetaEstimate


@dataclass(frozen=True)
class Found:
    """The habits, the moments of teams that have them, and how many runs were simulated."""

    deference: Estimate | BetaEstimate
    noise: Estimate | BetaEstimate
    moments: Floats
    simulated_runs: int


def found_habits(search: Search | None) -> Found | None:
    """Return the habits of which the moments of real runs tell, if they do."""
    if search is None:
        return None
    teams = {
        size: Replications(Scenario.model_validate(said), REPLICATIONS)
        for size, said in search.teams.items()
    }

    def moments(habits: Sequence[float], first: int) -> Floats:
        deference, noise = map(as_said, habits)
        return _moments({n: team.counts(deference, noise, first) for n, team in teams.items()})

    habits = [search.deference, search.noise]
    for replications in (_FEW, REPLICATIONS):
        for i in (0, 1):
            values = [habit.value for habit in habits]
            places = [[*values[:i], float(x), *values[i + 1 :]] for x in _SIMULATED]
            found = [moments(place, _FEW) for place in places]
            if replications > _FEW:
                for k in np.flatnonzero(_possible(_weights(found, search.seen))):
                    found[k] = moments(places[k], replications)
            habits[i] = _posterior(found, search.seen)
    deference, noise = habits
    matched = moments([deference.value, noise.value], REPLICATIONS)
    return Found(deference, noise, matched, sum(team.made for team in teams.values()))


def _posterior(moments: Sequence[Floats], seen: Seen) -> Estimate:
    """Return a habit and its standard error, from the moments at the simulated values of it.

    It lies between the likeliest value and the prior's mean, by how much of its variance is left:
    the mean of a normal likelihood with a normal prior. (The mean of the posterior itself is away
    from 0 wherever the likeliest value is 0, in every cell, and pooling would believe it.)
    """
    weights = _weights(moments, seen)
    mean = float(weights @ _FINE)
    variance = float(weights @ (_FINE - mean) ** 2)
    doubt = min(1.0, variance / UNIFORM_VARIANCE)
    likeliest = float(_FINE[int(np.argmax(weights))])
    return Estimate((1.0 - doubt) * likeliest + doubt * 0.5, float(np.sqrt(variance)))


def _weights(moments: Sequence[Floats], seen: Seen) -> Floats:
    """Return the posterior probabilities of a habit's values in `_FINE`."""
    gaps = interpolated(_SIMULATED, np.stack(moments), _FINE)
    squares = (gaps - seen.means) ** 2
    unexplained = np.maximum(0.0, squares.min(axis=0) - seen.variances)
    logs = -0.5 * (squares / (seen.variances + unexplained)).sum(axis=1)
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())


def _possible(weights: Floats) -> npt.NDArray[np.bool_]:
    """Return which of the simulated values may be the habit's: those whose surroundings weigh."""
    reach = _SIMULATED[1] - _SIMULATED[0]
    near = np.abs(_FINE - _SIMULATED[:, None]) < reach
    return np.asarray(near @ weights >= _IMPOSSIBLE)


def _moments(teams: dict[int, list[Counts]]) -> Floats:
    """Return the moments of simulated runs, means over team sizes."""
    idle, writes, blocked = [], [], []
    for size, rows in teams.items():
        blocked.append(np.mean([row.blocked_claims / max(1, row.attempts) for row in rows]))
        if size > 1:
            idle.append(np.mean([row.idle_calls / row.calls for row in rows]))
            writes.append(np.mean([row.concurrent_writes for row in rows]))
    return np.asarray([np.mean(idle), np.mean(writes), np.mean(blocked)])
