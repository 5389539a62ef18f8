"""Fits how long the provider's cache keeps a prompt: the idle time beyond which it is lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from analysis.calibration.estimates import BetaEstimate, Estimate
from analysis.calibration.gaps import Gap
from simulator.distributions import Floats
from simulator.words import percent

FEWEST = 20
"""Fewest calls from which a life is fitted; half as many must have lost their prompt beyond it."""

_HELD = 0.9
"""The cache has failed if it holds less than this share of what the call before has read."""

_LOST = 0.5
"""There is a life only if at least this share of the prompts is lost beyond it."""

_GAIN = 10.0
"""Least gain of AIC by a life."""


@dataclass(frozen=True)
class CacheLife:
    """How long the cache keeps a prompt.

    Attributes
    ----------
    life_s : Estimate
        The idle time beyond which prompts are lost.
    missed : BetaEstimate
        Probability that the cache fails within its life.
    lost : BetaEstimate
        Probability that a prompt is lost beyond it.
    """

    life_s: Estimate
    missed: BetaEstimate
    lost: BetaEstimate


def fit_cache_life(turns: pd.DataFrame) -> CacheLife | Gap:
    """Fit the life of the cache, or return why there is no estimate.

    The share of calls that find their prompt lost jumps at the life. The estimate is where a jump
    gives the greatest log likelihood; its interval is where this is less by at most 1.92.

    Parameters
    ----------
    turns : DataFrame
        `turns` of `analysis.calibration.requests.Requests`.
    """
    agent = turns.groupby(["session", "agent"], sort=False)
    before = agent["input"].shift()
    # Each model has a cache of its own: what another has read says nothing.
    is_known = before.notna() & turns["idle_s"].notna() & (turns["input"] >= before)
    is_known &= turns["model"] == agent["model"].shift()
    idle = turns.loc[is_known, "idle_s"].to_numpy(dtype=float)
    is_lost = (turns["cached"] < _HELD * before)[is_known].to_numpy(dtype=float)
    instead = "none: the cache keeps prompts for ever"
    what = "life of the cache"
    if len(idle) < FEWEST or not (turns["cached"] > 0.0).any():
        return Gap(what, f"calls that read the cache again: {len(idle)}", instead)
    order = np.argsort(idle, kind="stable")
    idle, is_lost = idle[order], is_lost[order]
    n = np.arange(1.0, len(idle))
    hits = np.asarray(np.cumsum(is_lost)[:-1], dtype=float)
    after = np.asarray(is_lost.sum() - hits, dtype=float)
    after_n = np.asarray(len(idle) - n, dtype=float)
    likelihood = _log_likelihood(hits, n) + _log_likelihood(after, after_n)
    # A life lies between two idle times, neither of which is 0.
    likelihood[(idle[1:] <= idle[:-1]) | (idle[:-1] <= 0.0)] = -np.inf
    best = int(likelihood.argmax())
    alone = float(_log_likelihood(np.asarray([is_lost.sum()]), np.asarray([len(idle)]))[0])
    share = float(after[best] / after_n[best])
    gain = 2.0 * (float(likelihood[best]) - alone) - 4.0
    if share < _LOST or gain < _GAIN or after[best] < FEWEST / 2:
        long = idle >= np.quantile(idle, 0.99)  # most may be idle for as long as the longest
        why = (
            f"of prompts idle for {idle[long].min():,.0f} s or more ({long.sum():,} of "
            f"{len(idle):,}), {percent(is_lost[long].mean())} are lost"
        )
        return Gap(what, why, instead)
    inside = np.flatnonzero(likelihood >= likelihood[best] - scipy.stats.chi2.ppf(0.95, 1) / 2.0)
    low, high = np.log(idle[inside.min()]), np.log(idle[inside.max() + 1])
    middle = np.log(idle[best] * idle[best + 1]) / 2.0
    error = max(float(high - low), 1e-6) / (2.0 * float(scipy.special.ndtri(0.975)))
    return CacheLife(
        Estimate(float(middle), error, "log"),
        BetaEstimate(float(hits[best]) + 0.5, float(n[best] - hits[best]) + 0.5),
        BetaEstimate(float(after[best]) + 0.5, float(after_n[best] - after[best]) + 0.5),
    )


def _log_likelihood(hits: Floats, trials: Floats) -> Floats:
    """Return the greatest log likelihood of so many hits."""
    return np.asarray(
        scipy.special.xlogy(hits, hits)
        + scipy.special.xlogy(trials - hits, trials - hits)
        - scipy.special.xlogy(trials, trials)
    )
