"""How often attempts fail, how this varies between runs, and the correlation within a call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.estimates import Estimate, Share


def error_share(calls: pd.DataFrame) -> Share:
    """Return how many of the attempts that could have succeeded failed."""
    table = calls[["tried", "completed"]].groupby(calls["run_dir"].to_numpy()).sum()
    completed = table["completed"].to_numpy(dtype=float)
    tried = np.maximum(table["tried"].to_numpy(dtype=float), completed)
    return Share(tried - completed, tried)


def run_sigma(shares: Sequence[Share]) -> Estimate:
    """Return the spread between runs of the logit of a probability (moments, at most 3)."""
    hits = np.concatenate([share.hits for share in shares])
    trials = np.concatenate([share.trials for share in shares])
    means = np.concatenate([np.full(len(share.hits), share.mean) for share in shares])
    used = (trials > 0) & (means > 0) & (means < 1)
    if used.sum() < 5:
        return Estimate.of(0.0)
    h, n, p = hits[used], trials[used], means[used]
    variance = p * (1.0 - p)
    excess = float(((h - n * p) ** 2 - n * variance).sum() / (n * (n - 1) * variance**2).sum())
    # Var(expit(x)) is about (p q sigma)^2.
    sigma = float(np.sqrt(max(0.0, excess)))
    return Estimate.of(min(3.0, sigma), 0.3 if sigma else 0.0, "log" if sigma else "identity")


def call_correlation(working: Sequence[pd.DataFrame]) -> Estimate:
    """Return the probability that an attempt has the outcome that its call's attempts share.

    Its square is the probability that two attempts both have it, and so their intra-class
    correlation, from which it is estimated (by moments).
    """
    calls = pd.concat(working)
    completed = calls["completed"].to_numpy(dtype=float)
    tried = np.maximum(calls["tried"].to_numpy(dtype=float), completed)
    failed = tried - completed
    several = tried > 1
    t, f = tried[several], failed[several]
    run = pd.factorize(calls["run_dir"].to_numpy()[several])[0]
    if not several.any() or not 0 < f.sum() < t.sum():
        return Estimate.of(0.0)

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
    groups = run % 10
    left_out = np.asarray([correlation(groups != i) for i in np.unique(groups)])
    k = len(left_out)
    error = np.sqrt((k - 1) / k * ((left_out - left_out.mean()) ** 2).sum())
    return Estimate(correlation(np.ones(len(t), dtype=bool)), float(error))
