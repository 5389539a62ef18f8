"""Logistic regressions of an agent's cells together: common slopes, an intercept for each cell.

The intercepts of an agent's cells are normal around its own. Their standard deviation is not known:
it has a flat prior (Gelman 2006), and counts by its marginal likelihood (Laplace's approximation).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import scipy

from analysis.calibration.draws import draws_of
from analysis.calibration.estimates import VectorFit
from simulator.distributions import Floats
from simulator.special import expit

_SPREADS = (0.2, 0.6, 1.0, 1.4, 1.8, 2.2)
"""Standard deviations of cells' logits: the middles of equal parts of what is possible."""
_DRAWS = 400
"""Draws from the posterior of each imputation."""
_MOST_STEPS = 100
_EXACT = 1e-12
"""Twice what a step would take off the loss, as a share of it, at which the least is found."""


@dataclass(frozen=True, slots=True)
class Trials:
    """What a regression is fitted to, in one cell.

    Attributes
    ----------
    covariates : ndarray, shape (n, K)
    hits, trials : ndarray, shape (n,)
        Of so many trials of one probability, how many were hits; hits may be expected numbers.
    of : ndarray, shape (n,), optional
        Each trial is a hit if any of so many independent ones is, which have the probability; 1.
    unknown : ndarray, shape (U, n), optional
        Further hits of which the row is not known: for each, with which weight it is which.
    """

    covariates: Floats
    hits: Floats
    trials: Floats
    of: Floats | None = None
    unknown: Floats | None = None


def joined(parts: Sequence[Trials]) -> Trials:
    """Return the trials of all parts, at least one, as those of one cell."""
    return Trials(
        np.concatenate([part.covariates for part in parts]),
        np.concatenate([part.hits for part in parts]),
        np.concatenate([part.trials for part in parts]),
        np.concatenate([_of(part) for part in parts]),
        scipy.linalg.block_diag(*map(_unknown, parts)),
    )


def _of(part: Trials) -> Floats:
    return np.ones(len(part.hits)) if part.of is None else part.of


def _unknown(part: Trials) -> Floats:
    return np.empty((0, len(part.hits))) if part.unknown is None else part.unknown


def fit_logits(cells: Sequence[Trials], mean: Floats, sd: Floats) -> list[VectorFit]:
    """Return for each cell its intercept and the common slopes.

    Parameters
    ----------
    cells : sequence of Trials
    mean, sd : ndarray, shape (1 + K,)
        Of the normal prior of the agent's intercept and of the slopes.
    """
    return _of_cells(_fit(cells, mean, sd), len(mean), len(cells))


def fit_agent_logits(cells: Sequence[Trials], mean: Floats, sd: Floats) -> VectorFit:
    """Return the agent's own intercept, around which those of its cells are, and the slopes.

    Parameters
    ----------
    cells, mean, sd
        As of `fit_logits`.
    """
    return _of_agent(_fit(cells, mean, sd), len(mean))


def _of_agent(whole: VectorFit, known: int) -> VectorFit:
    """Return the agent's own intercept and the slopes."""
    return VectorFit(whole.at[:known], whole.covariance[:known, :known])


def _fit(cells: Sequence[Trials], mean: Floats, sd: Floats) -> VectorFit:
    """Return all parameters of `_Regression`, whatever the spread of the cells."""
    fits, chances = _of_spreads(cells, mean, sd)
    ats = np.stack([fit.posterior.at for fit in fits])
    at = chances @ ats
    covariance = np.average([fit.posterior.covariance for fit in fits], axis=0, weights=chances)
    return VectorFit(at, covariance + (ats - at).T @ ((ats - at) * chances[:, None]))


def fit_imputed_logits(
    imputed: Sequence[Sequence[Trials]], mean: Floats, sd: Floats, rng: np.random.Generator
) -> list[VectorFit]:
    """Return what `fit_logits` does, where hits are not observed but drawn from what they may be.

    Parameters
    ----------
    imputed, mean, sd, rng
        As of `_of_imputed`.
    """
    whole = _of_imputed(imputed, mean, sd, rng)
    return _of_cells(whole, len(mean), len(imputed[0]))


def fit_imputed_agent_logits(
    imputed: Sequence[Sequence[Trials]], mean: Floats, sd: Floats, rng: np.random.Generator
) -> VectorFit:
    """Return what `fit_agent_logits` does, where hits are drawn from what they may be.

    Parameters
    ----------
    imputed, mean, sd, rng
        As of `_of_imputed`.
    """
    return _of_agent(_of_imputed(imputed, mean, sd, rng), len(mean))


def _of_imputed(
    imputed: Sequence[Sequence[Trials]], mean: Floats, sd: Floats, rng: np.random.Generator
) -> VectorFit:
    """Return all parameters of `_Regression` where hits are drawn from what they may be.

    It is the mean and the covariance of the posterior: within each imputation, at a spread of the
    cells that is drawn from its own posterior, by importance sampling, and between them (Rubin
    1987). Few hits lean a posterior to one side, so that its mode and curvature would not do.

    Parameters
    ----------
    imputed : sequence of sequence of Trials
        The trials of all cells, once for each drawn set of hits.
    mean, sd : ndarray, shape (1 + K,)
    rng : Generator
    """
    parts = []
    for cells in imputed:
        fits, chances = _of_spreads(cells, mean, sd)
        fit = fits[int(rng.choice(len(fits), p=chances))]
        at, covariance = fit.posterior.at, fit.posterior.covariance
        drawn = draws_of(fit.regression.log_densities, at, covariance, _DRAWS, rng)
        parts.append(drawn.moments())
    ats = np.stack([part.at for part in parts])
    within = np.mean([part.covariance for part in parts], axis=0)
    off = ats - ats.mean(axis=0)
    between = off.T @ off / max(1, len(parts) - 1) * (1.0 + 1.0 / len(parts))
    return VectorFit(ats.mean(axis=0), within + between)


def _of_spreads(cells: Sequence[Trials], mean: Floats, sd: Floats) -> tuple[list[_Fitted], Floats]:
    """Return the fits at all `_SPREADS`, and the posterior probabilities of these."""
    fits: list[_Fitted] = []
    regression = _Regression(cells, mean, sd)
    for spread in _SPREADS:
        begin = fits[-1].posterior.at if fits else None
        fits.append(regression.with_spread(spread).fit(begin))
    evidence = np.asarray([fit.evidence for fit in fits])
    chances = np.exp(evidence - evidence.max())
    return fits, np.asarray(chances / chances.sum())


def _of_cells(whole: VectorFit, known: int, cells: int) -> list[VectorFit]:
    """Return the intercept of each cell, with the common slopes."""
    picked = [np.eye(known, len(whole.at)) for _ in range(cells)]
    for i, pick in enumerate(picked):
        pick[0, known + i] = 1.0
    return [VectorFit(pick @ whole.at, pick @ whole.covariance @ pick.T) for pick in picked]


class _Regression:
    """The posterior of the regressions of some cells.

    The parameters are the agent's intercept, the slopes, and what each cell's intercept is above
    the agent's, which `with_spread` says the standard deviation of.
    """

    _precision: Floats

    def __init__(self, cells: Sequence[Trials], mean: Floats, sd: Floats) -> None:
        rows = np.repeat(np.arange(len(cells)), [len(cell.hits) for cell in cells])
        whole = joined(cells)
        own = np.eye(len(cells))[rows].reshape(len(rows), len(cells))
        self._design = np.column_stack([np.ones(len(rows)), whole.covariates, own])
        self._hits, self._trials = whole.hits, whole.trials
        self._of, self._unknown = _of(whole), _unknown(whole)
        self._means = np.concatenate([mean, np.zeros(len(cells))])
        self._sd, self._cells = sd, len(cells)

    def with_spread(self, spread: float) -> _Regression:
        """Return the same with this standard deviation of the cells' intercepts."""
        other = copy(self)
        other._precision = np.concatenate([self._sd, np.full(self._cells, spread)]) ** -2.0
        return other

    def fit(self, begin: Floats | None = None) -> _Fitted:
        """Return the posterior by Laplace's approximation; its mode may be looked for near some."""
        at = self._mode(self._means if begin is None else begin)
        design = self._design
        logit = design @ at
        some = np.expm1(self._of * np.logaddexp(0.0, logit))
        trials = self._trials + self._unknown.sum(axis=0)
        weights = trials * (self._of * expit(logit)) ** 2 / some
        curvature = design.T @ (design * weights[:, None]) + np.diag(self._precision)
        evidence = -self._loss(at) + 0.5 * (
            np.log(self._precision).sum() - np.linalg.slogdet(curvature)[1]
        )
        posterior = VectorFit(at, np.asarray(np.linalg.inv(curvature), dtype=np.float64))
        return _Fitted(self, float(evidence), posterior)

    def log_densities(self, at: Floats) -> Floats:
        """Return the log posterior densities, up to a constant, of points of shape (P, K)."""
        none = -self._of * np.logaddexp(0.0, at @ self._design.T)
        some = (self._hits > 0.0) | self._unknown.any(axis=0)  # few rows may have hits
        hit, hits, unknown = -np.expm1(none[:, some]), self._hits[some], self._unknown[:, some]
        likelihood = np.log(hit) @ hits + none @ (self._trials - self._hits)
        likelihood = likelihood + np.log(hit @ unknown.T).sum(axis=-1)
        return np.asarray(likelihood - 0.5 * (at - self._means) ** 2 @ self._precision)

    def _mode(self, at: Floats) -> Floats:
        """Return where the loss is least, by Newton's method with steps halved until it falls."""
        loss = self._loss(at)
        for _ in range(_MOST_STEPS):
            slope, hessian = self._derivatives(at)
            values, vectors = np.linalg.eigh(hessian)
            # Where it curves downwards or hardly at all, the prior's precision is the least.
            values = np.maximum(np.abs(values), self._precision.min())
            step = vectors @ ((vectors.T @ slope) / values)
            falls = float(slope @ step)
            if falls <= _EXACT * max(1.0, abs(loss)):
                return np.asarray(at - step)
            share = 1.0
            while (new := self._loss(at - share * step)) > loss - 1e-4 * share * falls:
                share *= 0.5
                if share < _EXACT:
                    return at
            at, loss = at - share * step, new
        return at

    def _loss(self, at: Floats) -> float:
        """Return minus the log posterior density, up to a constant."""
        off = at - self._means
        none = -self._of * np.logaddexp(0.0, self._design @ at)
        hit = -np.expm1(none)
        likelihood = self._hits @ np.log(hit) + (self._trials - self._hits) @ none
        likelihood += np.log(self._unknown @ hit).sum()
        return float(0.5 * (self._precision * off**2).sum() - likelihood)

    def _derivatives(self, at: Floats) -> tuple[Floats, Floats]:
        """Return the gradient and the Hessian of the loss."""
        logit = self._design @ at
        p = expit(logit)
        slope, bend = self._of * p, self._of * p * (1.0 - p)
        none = -self._of * np.logaddexp(0.0, logit)
        # For each hit of which the row is known, and for the shares of each row in the others.
        odds = 1.0 / np.expm1(-none)
        missed = np.exp(none) * self._unknown / (self._unknown @ -np.expm1(none))[:, None]
        of_unknown = missed.sum(axis=0)
        misses = self._trials - self._hits
        by_row = slope * (misses - self._hits * odds - of_unknown)
        curved = bend * (misses - self._hits * odds - of_unknown)
        curved += slope**2 * (self._hits * odds * (1.0 + odds) + of_unknown)
        design = self._design
        apart = (missed * slope) @ design
        hessian = design.T @ (design * curved[:, None]) + apart.T @ apart
        return (
            design.T @ by_row + self._precision * (at - self._means),
            hessian + np.diag(self._precision),
        )


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A regression, its log evidence, and the mode and covariance of its posterior."""

    regression: _Regression
    evidence: float
    posterior: VectorFit
