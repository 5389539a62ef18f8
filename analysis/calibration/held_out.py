"""Checks call fits on sessions that were not used to make them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.calls import CallFit, fit_calls
from analysis.calibration.families import CONSTANT, FAMILIES
from analysis.calibration.seen_times import Seen
from analysis.calibration.sessions import HORIZON
from analysis.statistics.intervals import Interval, mean_interval, quantile_interval
from simulator.distributions import Floats
from simulator.engine import Simulation
from simulator.errors import TeamsimError
from simulator.scenario import Scenario

_SIMULATED = 4000
_DRAWS = 20
"""Simulated sums for each real one."""
_QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class HeldOut:
    """How well calls of sessions held out are predicted.

    Attributes
    ----------
    sessions, calls : int
        Numbers held out, of the models that were fitted.
    conditional, marginal : float
        Mean log density of a call's duration, given its tokens and under the best family without
        tokens.
    family : str
        That family, fitted to the calls of all models together.
    sums : DataFrame
        For the sessions fitted on and held out: sums of their first `HORIZON` calls, real and
        simulated: variance and quantiles, the real ones with 95 % intervals. An end is infinite
        where sessions are too few for it. Of variances of ten they hold 76 to 92 %, of 50 92 % or
        more.
    """

    sessions: int
    calls: int
    conditional: float
    marginal: float
    family: str
    sums: pd.DataFrame


def split(calls: pd.DataFrame, share: float, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split calls by session: a random `share` of the sessions is held out.

    Sub-agents belong to the session of the agent that started them.
    """
    family = calls["session"].str.partition("\x1f")[0]
    names = np.sort(family.unique())
    held = set(np.random.default_rng(seed).permutation(names)[: round(share * len(names))])
    out = family.isin(held)
    return calls[~out].reset_index(drop=True), calls[out].reset_index(drop=True)


def check_held_out(calls: pd.DataFrame, share: float, seed: int = 0) -> HeldOut:
    """Fit on some sessions and score on the others.

    Parameters
    ----------
    calls : DataFrame
        As `analysis.calibration.calls.usable` returns them.
    share : float
        Share of the sessions that is held out.
    seed : int
        Seed of the choice of these sessions.

    Raises
    ------
    TeamsimError
        If too few calls are left to fit or to score.
    """
    fitted_on, held = split(calls, share, seed)
    fits = fit_calls(fitted_on)
    models = [fit.model for fit in fits]
    held = held[held["model"].isin(models)]
    fitted_on = fitted_on[fitted_on["model"].isin(models)]
    if held.empty:
        raise TeamsimError(
            "too few calls: no model has enough in the fitted and in the other sessions"
        )
    conditional = np.concatenate(
        [fit.log_likelihood(held[held["model"] == fit.model]) for fit in fits]
    )
    family, marginal = best_marginal(fitted_on.assign(model="all"), held.assign(model="all"))
    simulated = {fit.model: SimulatedSums(fit) for fit in fits}
    rows = [
        _sums(name, some, simulated) for name, some in (("fitted", fitted_on), ("held out", held))
    ]
    return HeldOut(
        sessions=held["session"].nunique(),
        calls=len(held),
        conditional=float(conditional.mean()),
        marginal=marginal,
        family=family,
        sums=pd.concat(rows, ignore_index=True),
    )


def best_marginal(calls: pd.DataFrame, held_out: pd.DataFrame) -> tuple[str, float]:
    """Return the family that predicts held-out durations best without tokens, and its score.

    The score is the mean log density of a call. Each family is fitted to `calls` by maximum
    likelihood, for each model separately. Durations that are all equal tell no density: it is NaN.
    """
    if (calls.groupby("model")["duration_s"].nunique() == 1).any():
        return CONSTANT, float("nan")
    scores: dict[str, list[Floats]] = {name: [] for name in FAMILIES}
    for model, some in calls.groupby("model"):
        wanted = held_out.loc[held_out["model"] == model, "duration_s"]
        seen = Seen.of(wanted.to_numpy(dtype=float))
        for name, family in FAMILIES.items():
            with np.errstate(over="ignore"):  # where a family fits badly
                parameters = family.fit(some["duration_s"].to_numpy())
            law = family.law(parameters)
            logs = seen.log_chance(partial(_log_density, law), partial(_log_survival, law))
            scores[name].append(logs - seen.log_seconds)
    means = {name: float(np.concatenate(each).mean()) for name, each in scores.items()}
    best = max(means, key=lambda name: means[name])
    return best, means[best]


def _log_density(law: Any, x: Floats) -> Floats:
    return np.asarray(law.logpdf(np.exp(x)) + x)


def _log_survival(law: Any, x: Floats) -> Floats:
    return np.asarray(law.logsf(np.exp(x)))


class SimulatedSums:
    """The durations of simulated sessions of `HORIZON` calls, each simulated when it is asked for.

    Parameters
    ----------
    fit : CallFit
    """

    def __init__(self, fit: CallFit) -> None:
        self._simulation = Simulation(_session(fit))
        self._known: dict[int, float] = {}

    def of(self, numbers: Iterable[int]) -> Floats:
        """Return the durations of the sessions with these numbers, in seconds."""
        found = []
        for number in numbers:
            if number not in self._known:
                self._known[number] = self._simulation.run(number).makespan_s
            found.append(self._known[number])
        return np.asarray(found, dtype=np.float64)


def simulated_sums(fit: CallFit) -> Floats:
    """Return the durations of simulated sessions of `HORIZON` calls, in seconds."""
    return SimulatedSums(fit).of(range(_SIMULATED))


def _session(fit: CallFit) -> Scenario:
    agent = fit.agent()
    agent["tokens"]["message"] = 0
    scenario = {
        "name": "calls",
        "team": {"size": 1, "agent": {**agent, "behaviour": {"talk": 0}}},
        "topology": "single",
        "coordination": {"protocol": "self_claim", "timing": "asynchronous"},
        "workload": {"kind": "parallel_fraction", "tasks": HORIZON, "parallel_fraction": 1},
    }
    return Scenario.model_validate(scenario)


def _sums(name: str, calls: pd.DataFrame, simulated: dict[str, SimulatedSums]) -> pd.DataFrame:
    """Compare sums, the simulated ones in the models' shares of the real ones."""
    rng = np.random.default_rng(1)
    real, mixed = [], []
    for model, some in calls.groupby("model", sort=True):
        sessions = some.groupby("session", sort=False)["duration_s"]
        is_early = (sessions.cumcount() < HORIZON) & (sessions.transform("size") >= HORIZON)
        sums = some[is_early].groupby("session", sort=False)["duration_s"].sum().to_numpy()
        real.append(sums)
        numbers = rng.choice(_SIMULATED, _DRAWS * len(sums))
        mixed.append(simulated[str(model)].of(numbers.tolist()))
    seen, drawn = np.concatenate(real), np.concatenate(mixed)
    if len(seen) < 2:
        raise TeamsimError(f"too few calls: of the {name} sessions hardly any has {HORIZON}")
    rows = []
    for label, found, expected, within in _statistics(drawn, seen):
        rows.append(
            {
                "sessions": name,
                "sum of 20": label,
                "real": expected,
                "low": max(0.0, within.low),  # no sum is below
                "high": within.high,
                "simulated": found,
                "ratio": found / expected if expected else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def _statistics(drawn: Floats, seen: Floats) -> Iterator[tuple[str, float, float, Interval]]:
    """Yield each statistic of simulated sums and of real ones, with the interval of the latter.

    Resampled sessions show no sum beyond the largest: of ten, such intervals of the 99th percentile
    held 10 %, of the 95th 39 %, and of the variance 51 %.
    """
    count = len(seen)
    squares = (seen - seen.mean()) ** 2 * count / (count - 1)
    variance, of_variance = float(seen.var()), mean_interval(squares)
    low = min(of_variance.low, variance)
    yield "variance", float(drawn.var()), variance, Interval(variance, low, of_variance.high)
    for share in _QUANTILES:
        within = quantile_interval(seen, share)
        yield f"p{share * 100:.0f}", float(np.quantile(drawn, share)), within.estimate, within
