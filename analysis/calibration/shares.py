"""Shares that were observed run by run, and the probabilities of similar cells pooled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.calibration.estimates import BetaEstimate
from simulator.distributions import Floats
from simulator.special import betaln


@dataclass(frozen=True, slots=True)
class Share:
    """An observed share: the trials of each run, and how many of them were hits."""

    hits: Floats
    trials: Floats

    @classmethod
    def of(cls, happened: pd.Series, runs: pd.Series) -> Share:
        """Count, run by run, how often something happened."""
        run, _ = pd.factorize(runs.to_numpy(), sort=True)
        hits = np.bincount(run[happened.to_numpy(dtype=bool)], minlength=run.max(initial=-1) + 1)
        return cls(hits.astype(float), np.bincount(run).astype(float))

    @property
    def mean(self) -> float:
        """Share of all trials that were hits; NaN without trials."""
        return float(self.hits.sum() / self.trials.sum()) if self.trials.sum() else float("nan")


def design_effect(shares: Sequence[Share]) -> float:
    """Return by how much runs' shares vary more than independent trials would, at least 1.

    Pearson's statistic over its degrees of freedom, each cell with its own mean.
    """
    statistic, freedom = 0.0, 0
    for share in shares:
        p = share.mean
        if not 0.0 < p < 1.0 or len(share.trials) < 2:
            continue
        residual = share.hits - share.trials * p
        statistic += float((residual**2 / (share.trials * p * (1.0 - p))).sum())
        freedom += len(share.trials) - 1
    return max(1.0, statistic / freedom) if freedom else 1.0


def concentration(counts: Floats) -> float:
    """Return the concentration of the Dirichlet distribution that cells' shares come from.

    Kleinman's (1973) moments, summed over the categories; kept between 2 and 1,000.

    Parameters
    ----------
    counts : ndarray, shape (cells, categories)
    """
    trials = counts.sum(axis=1)
    counts, trials = counts[trials > 0], trials[trials > 0]
    if len(trials) < 2:
        return 2.0
    mean = counts.sum(axis=0) / trials.sum()
    noise = float((mean * (1.0 - mean)).sum())
    if noise == 0.0:
        return 1000.0
    spread = float((trials[:, None] * (counts / trials[:, None] - mean) ** 2).sum())
    freedom = len(trials) - 1
    typical = trials.sum() - float((trials**2).sum()) / trials.sum()
    excess = (spread - freedom * noise) / (noise * max(typical - freedom, 1.0))
    return float(np.clip(1.0 / max(excess, 1e-9) - 1.0, 2.0, 1000.0))


_PARTS = (np.arange(50.0) + 0.5) / 50.0 / 3.0**0.5
"""Standard deviations between cells that are tried, as shares of that of cells that always or never
do it: up to a concentration of 2, with which any probability is as likely as another."""
_MEANS = (np.arange(100.0) + 0.5) / 100.0
"""Means of all cells that are tried; the logarithm of Jeffreys' prior is added to their weight."""


def pool_shares(shares: Sequence[Share]) -> list[BetaEstimate]:
    """Return the probability of each cell, pooled as beta-binomial.

    How far cells differ and their mean are integrated over: the standard deviation has a flat
    prior up to the largest that is possible (Gelman 2006), the mean has Jeffreys'. An estimate has
    the mean and the variance of the posterior. If trials of one run are correlated, they count as
    fewer (`design_effect`).
    """
    effect = design_effect(shares)
    hits = np.asarray([share.hits.sum() for share in shares], dtype=np.float64) / effect
    trials = np.asarray([share.trials.sum() for share in shares], dtype=np.float64) / effect
    if len(shares) == 1:  # there are no other cells to pool with: Jeffreys' prior
        return [BetaEstimate(float(hits[0]) + 0.5, float(trials[0] - hits[0]) + 0.5)]
    strength = (_PARTS**-2 - 1.0)[:, None, None]
    a, b = strength * _MEANS[:, None], strength * (1.0 - _MEANS[:, None])
    told = betaln(a + hits, b + trials - hits) - betaln(a, b)
    logs = told.sum(axis=2) - 0.5 * np.log(_MEANS * (1.0 - _MEANS))
    chance = np.exp(logs - logs.max())[:, :, None]
    chance /= chance.sum()
    means = (a + hits) / (strength + trials)
    squares = means * (1.0 - means) / (strength + trials + 1.0) + means**2
    mean = (chance * means).sum(axis=(0, 1))
    variance = (chance * squares).sum(axis=(0, 1)) - mean**2
    total = mean * (1.0 - mean) / variance - 1.0
    return [
        BetaEstimate(float(m * n), float((1.0 - m) * n)) for m, n in zip(mean, total, strict=True)
    ]
