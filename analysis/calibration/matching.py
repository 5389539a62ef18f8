"""Estimates by simulation the two habits of self-claiming agents that replies do not show.

They are `deference` and the `noise` of their choice. What they lead to is seen: how many calls are
idle and how many writes concurrent in teams of several, and which share of the attempts is blocked,
also of an agent alone. Each habit has the posterior, under a uniform prior, that these moments give
it: their normal likelihood, with the error of their means over runs (a synthetic likelihood: Wood
2010). What no value of a habit explains is an error of the model, and is added to that of the
moment (Kennedy & O'Hagan 2001). So a moment that a habit hardly changes says nothing of it, however
far it is off. The other habits are taken as they were estimated: the errors are those given them.
With common random numbers the simulated moments are nearly smooth in the habits: what lies between
few values is nearer to the truth than a simulation with other random numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from analysis.calibration.cell import CellFit, as_said
from analysis.calibration.coupling import Counts, Replications
from analysis.calibration.estimates import Estimate, VectorFit, pool
from simulator.distributions import Floats
from simulator.scenario import Scenario

_REPLICATIONS, _FEW = 20, 8
"""Replications of each team; and where a few suffice: in the first pass, whose estimates only begin
the second, and at values of a habit that are next to impossible."""
_SIMULATED = np.linspace(0.0, 1.0, 5)
"""Values of a habit that are simulated; between them moments are interpolated."""
_FINE = np.linspace(0.0, 1.0, 129)
_IMPOSSIBLE = 1e-3
"""A value is next to impossible if all that lies between its neighbours is less probable."""
_UNIFORM_VARIANCE = float(np.var(_FINE))
_LEAST_SPREAD = 0.05
"""Least standard deviation of a moment between runs, relative to its mean."""


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


def match_habits(
    fit: CellFit, tasks: list[dict[str, Any]], runs: pd.DataFrame, calls: pd.DataFrame
) -> CellFit:
    """Return `fit` with `deference` and `noise` as idle, concurrent and blocked work tell them.

    Parameters
    ----------
    fit : CellFit
    tasks : list of dict
        The cell's task list.
    runs, calls : DataFrame
        The cell's runs, and its replies with ``stalls``.
    """
    # A stall lasts until the round limit and would outweigh all else: runs without one are matched.
    stalled = calls.groupby("run_dir")["stalls"].any()
    whole = runs[~runs["run_dir"].map(stalled).astype(bool)]
    there = whole["n_teammates"].max() > 1 if len(whole) else False
    runs, alike = (whole, replace(fit, forgetting=None)) if there else (runs, fit)
    sizes = sorted(int(n) for n in runs["n_teammates"].unique())
    if sizes[-1] == 1:
        return fit
    seen = seen_in(runs, calls)
    teams = {
        size: Replications(Scenario.model_validate(_counted(alike, tasks, size)), _REPLICATIONS)
        for size in sizes
    }

    def moments(habits: Sequence[float], first: int) -> Floats:
        deference, noise = map(as_said, habits)
        return _moments({n: team.counts(deference, noise, first) for n, team in teams.items()})

    habits = [fit.deference, fit.noise]
    for replications in (_FEW, _REPLICATIONS):
        for i in (0, 1):
            values = [habit.value for habit in habits]
            places = [[*values[:i], float(x), *values[i + 1 :]] for x in _SIMULATED]
            found = [moments(place, _FEW) for place in places]
            if replications > _FEW:
                for k in np.flatnonzero(_possible(_weights(found, seen))):
                    found[k] = moments(places[k], replications)
            habits[i] = _posterior(found, seen)
    deference, noise = habits
    matched = moments([deference.value, noise.value], _REPLICATIONS)
    names = ("idle", "writes", "blocked")
    return replace(
        fit,
        deference=deference,
        noise=noise,
        matching={
            **{f"{name}_seen": float(x) for name, x in zip(names, seen.means, strict=True)},
            **{f"{name}_matched": float(x) for name, x in zip(names, matched, strict=True)},
            "simulated_runs": float(sum(team.made for team in teams.values())),
        },
    )


def _counted(fit: CellFit, tasks: list[dict[str, Any]], size: int) -> dict[str, Any]:
    """Return the cell's scenario without what changes nothing that is counted.

    Agents talk of nothing, draw no length of their replies, and a harness takes no time between
    rounds, at whose end all agents wait for each other.
    """
    said = fit.scenario(tasks, size)
    agent, coordination = said["team"]["agent"], said["coordination"]
    behaviour = {**agent["behaviour"], "chatter": 0, "talk": 0}
    tokens = {**agent["tokens"], "output": 0}
    return {
        **said,
        "team": {**said["team"], "agent": {**agent, "behaviour": behaviour, "tokens": tokens}},
        "coordination": {**coordination, "round_overhead_s": 0},
    }


def pool_habits(fits: Sequence[CellFit]) -> list[CellFit]:
    """Return the fits of an agent's cells with the two habits moved towards each other's."""
    vectors = [
        VectorFit(
            np.asarray([fit.deference.value, fit.noise.value]),
            np.diag([fit.deference.error**2, fit.noise.error**2]),
        )
        for fit in fits
    ]
    most = np.full(2, np.sqrt(_UNIFORM_VARIANCE))  # cells differ by no more than under the prior
    return [
        replace(
            fit,
            deference=pooled.estimate(0, "identity"),
            noise=pooled.estimate(1, "identity"),
        )
        for fit, pooled in zip(fits, pool(vectors, most), strict=True)
    ]


def seen_in(runs: pd.DataFrame, calls: pd.DataFrame) -> Seen:
    """Return the moments of real runs.

    Parameters
    ----------
    runs : DataFrame
        ``run_dir, n_teammates, concurrent_writes``.
    calls : DataFrame
        Their replies, perhaps others too: ``run_dir, attempts, blocked``.
    """
    replies = calls[calls["run_dir"].isin(runs["run_dir"])]
    by_run = replies.assign(is_idle=replies["attempts"] == 0).groupby("run_dir")
    each = pd.DataFrame(
        {
            "idle": by_run["is_idle"].mean(),
            "writes": runs.set_index("run_dir")["concurrent_writes"].astype(float),
            "blocked": by_run["blocked"].sum() / by_run["attempts"].sum().clip(lower=1),
        }
    )
    sizes = runs.set_index("run_dir")["n_teammates"].reindex(each.index)
    several = sizes > 1
    parts = [each.loc[several, ["idle"]], each.loc[several, ["writes"]], each[["blocked"]]]
    means, variances = [], []
    for part in parts:
        column = part.iloc[:, 0]
        groups = column.groupby(sizes[part.index])
        of_size = groups.mean()
        freedom = len(column) - len(of_size)
        apart = float(((column - groups.transform("mean")) ** 2).sum())
        mean = float(of_size.mean())
        spread = apart / freedom if freedom > 0 else mean**2
        spread = max(spread, (_LEAST_SPREAD * mean) ** 2, 1e-6)
        shares = (1.0 / groups.size() + 1.0 / _REPLICATIONS).sum() / len(of_size) ** 2
        means.append(mean)
        variances.append(spread * float(shares))
    return Seen(np.asarray(means), np.asarray(variances))


def _posterior(moments: Sequence[Floats], seen: Seen) -> Estimate:
    """Return a habit and its standard error, from the moments at the simulated values of it.

    It lies between the likeliest value and the prior's mean, by how much of its variance is left:
    the mean of a normal likelihood with a normal prior. (The mean of the posterior itself is away
    from 0 wherever the likeliest value is 0, in every cell, and pooling would believe it.)
    """
    weights = _weights(moments, seen)
    mean = float(weights @ _FINE)
    variance = float(weights @ (_FINE - mean) ** 2)
    doubt = min(1.0, variance / _UNIFORM_VARIANCE)
    likeliest = float(_FINE[int(np.argmax(weights))])
    return Estimate((1.0 - doubt) * likeliest + doubt * 0.5, float(np.sqrt(variance)))


def _weights(moments: Sequence[Floats], seen: Seen) -> Floats:
    """Return the posterior probabilities of a habit's values in `_FINE`.

    Moments are interpolated by cubic polynomials that rise and fall only where they do (Fritsch &
    Carlson 1980).
    """
    gaps = scipy.interpolate.pchip_interpolate(_SIMULATED, np.stack(moments), _FINE)
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
