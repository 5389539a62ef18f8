"""How often attempts fail, how this varies between runs, and the correlation within a call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.estimates import NOT_SEEN, Estimate
from analysis.calibration.logit_normal import median_of_logit_normal
from analysis.calibration.shares import Share
from analysis.statistics import optimisers
from simulator import special
from simulator.special import expit, logit

_MOST = 3.0
"""Largest spread between runs."""
_STEP = 0.05
"""Least spread that is told from none, and the step of differences."""
_VAGUE = 1.0
"""Largest standard error of the spread."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(41)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_NEWTON = 12
"""Steps to a run's likeliest logit, about which the nodes are: it need not be exact."""


def error_share(calls: pd.DataFrame) -> Share:
    """Return how many of the attempts that could have succeeded failed, runs counted alike.

    A run in which more attempts fail has more of them, so that the share of all attempts would be
    more than the mean of the runs' probabilities. A run tries until all has succeeded, so its own
    probability is estimated as one of inverse sampling (Haldane 1945).
    """
    table = calls[["tried", "completed"]].groupby(calls["run_dir"].to_numpy()).sum()
    completed = table["completed"].to_numpy(dtype=float)
    tried = np.maximum(table["tried"].to_numpy(dtype=float), completed)
    failed, tried = (tried - completed)[tried > 0.0], tried[tried > 0.0]
    each = np.full(len(tried), tried.mean() if len(tried) else 0.0)
    return Share(each * np.minimum(1.0, failed / np.maximum(1.0, tried - 1.0)), each)


def independent(calls: pd.DataFrame, correlation: float) -> Share:
    """Return the same, with attempts that a call lets succeed or fail together counted as fewer.

    They count as many as there would have to be independent ones to say as much of the probability
    (Kish 1965).

    Parameters
    ----------
    calls : DataFrame
        Working calls: ``run_dir, tried, completed``.
    correlation : float
        Probability that an attempt has the outcome that its call's attempts share.
    """
    completed = calls["completed"].to_numpy(dtype=float)
    tried = np.maximum(calls["tried"].to_numpy(dtype=float), completed)
    counted = 1.0 / (1.0 + np.maximum(0.0, tried - 1.0) * correlation**2)
    failed = pd.DataFrame({"hits": counted * (tried - completed), "trials": counted * tried})
    table = failed.groupby(calls["run_dir"].to_numpy()).sum()
    return Share(table["hits"].to_numpy(), table["trials"].to_numpy())


def run_sigma(shares: Sequence[Share]) -> Estimate:
    """Return the spread between runs of the logit of a probability (at most 3).

    The likeliest, if a run's logit is normal and every share's mean is as observed. It is not known
    of fewer than five runs, nor where nothing fails, or everything.

    Parameters
    ----------
    shares : sequence of Share
        Of independent trials, a cell each.
    """
    known = [share for share in shares if 0.0 < share.mean < 1.0]
    if sum(len(share.hits) for share in known) < 5:
        return NOT_SEEN

    def loss(sigma: float) -> float:
        return -sum(_log_likelihood(share, sigma) for share in known)

    sigma = float(optimisers.fminbound(loss, 0.0, _MOST))
    if sigma < _STEP:
        return Estimate.of(0.0)
    bend = (loss(sigma + _STEP) - 2.0 * loss(sigma) + loss(sigma - _STEP)) / _STEP**2
    error = 1.0 / np.sqrt(max(bend, 1.0 / _VAGUE**2)) / sigma
    return Estimate.of(sigma, float(error), "log")


def _log_likelihood(share: Share, sigma: float) -> float:
    """Integrate over each run's logit, by nodes about its likeliest one (Liu & Pierce 1994).

    Nodes about the mean of all would miss what a run of many trials shows of its own.
    """
    centre = logit(median_of_logit_normal(share.mean, sigma))
    hits, trials = share.hits[:, None], share.trials[:, None]
    # The likeliest z of the logit centre + sigma z is where z is sigma (hits - trials p): by
    # Newton's steps or, where one leads out of the stretch in which it lies, by halving that.
    low, high, at = sigma * (hits - trials), sigma * hits, np.zeros_like(hits)
    for _ in range(_NEWTON):
        p = expit(centre + sigma * at)
        slope, bend = sigma * (hits - trials * p) - at, 1.0 + sigma**2 * trials * p * (1.0 - p)
        low, high = np.where(slope > 0.0, at, low), np.where(slope > 0.0, high, at)
        step = at + slope / bend
        at = np.where((low <= step) & (step <= high), step, (low + high) / 2.0)
    p = expit(centre + sigma * at)
    width = 1.0 / np.sqrt(1.0 + sigma**2 * trials * p * (1.0 - p))
    z = at + width * _NODES
    logits = centre + sigma * z
    logs = hits * logits - trials * np.logaddexp(0.0, logits) + (_NODES**2 - z**2) / 2.0
    return float(special.logsumexp(logs, b=width * _WEIGHTS, axis=1).sum())


def call_correlation(working: Sequence[pd.DataFrame]) -> Estimate:
    """Return the probability that an attempt has the outcome that its call's attempts share.

    Its square is the probability that two attempts both have it, and so their intra-class
    correlation, from which it is estimated (by moments). One run alone says nothing of how far runs
    differ: the error is that of any value from 0 to 1. It is not known if no call tries several
    times, or all attempts of such calls end alike.
    """
    calls = pd.concat(working)
    completed = calls["completed"].to_numpy(dtype=float)
    tried = np.maximum(calls["tried"].to_numpy(dtype=float), completed)
    failed = tried - completed
    several = tried > 1
    t, f = tried[several], failed[several]
    run = pd.factorize(calls["run_dir"].to_numpy()[several])[0]
    if not several.any() or not 0 < f.sum() < t.sum():
        return NOT_SEEN

    def correlation(keep: npt.NDArray[np.bool_]) -> float:
        tries, misses = t[keep], f[keep]
        p = misses.sum() / tries.sum()
        if not 0.0 < p < 1.0:
            return 0.0
        own = tries * p * (1.0 - p)
        pairs = float((tries * (tries - 1.0)).sum())
        icc = float(((misses - tries * p) ** 2 - own).sum()) / (pairs * p * (1.0 - p))
        return float(np.sqrt(np.clip(icc, 0.0, 1.0)))

    # A jackknife over ten groups of runs.
    found, groups = correlation(np.ones(len(t), dtype=bool)), run % 10
    if not groups.any():
        return Estimate(found, 12.0**-0.5)
    left_out = np.asarray([correlation(groups != i) for i in np.unique(groups)])
    k = len(left_out)
    error = np.sqrt((k - 1) / k * ((left_out - left_out.mean()) ** 2).sum())
    return Estimate(found, float(error))
