"""Fits the habits of agents (see `habits`) to their calls.

A call takes the smaller of the habit and the number of tasks that it can take. So a call that takes
all of these shows only that the habit is not smaller (a censored observation). A blind call can
take all tasks that are left, any other call only those that can start. How often a blind call is
blocked depends on how agents choose, which is not known: few blocked claims may be of few blind
calls, or of blind ones that choose well. So how often calls are blind has the posterior that is
left when the noise of the choice is integrated over. The other habits are, for each pair of values
of the two, estimates maximum a posteriori by expectation-maximisation (Baum, Petrie, Soules & Weiss
1970; Dempster, Laird & Rubin 1977).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.choices import Choices, choices_of
from analysis.calibration.habit_chain import Turns, forward_backward, in_turns, log_likelihood
from analysis.calibration.habits import Habits, normal
from simulator.distributions import Floats
from simulator.special import expit

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_STEPS = 20
_EDGES = np.asarray([0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0])
"""Edges of the parts of the noise of the choice, each of which its middle stands for. Noise has a
uniform prior; the smallest values differ most in how often blind calls are blocked."""
_IMPROBABLE = 12.0
"""A noise is left out if its logarithm of the likelihood is less than the largest by this."""
_ASIDE = np.asarray([-2.0, 0.0, 2.0])
"""Values of how often calls are blind at which the other habits are fitted, in errors from where it
is likeliest; what lies between takes the likelier fit."""
_LEAST_ASIDE, _MOST_ASIDE = 0.02, 0.3
"""Least and largest such error, in the angle whose squared sine is how often calls are blind."""
_REACH, _APART = 2.5, 0.4
"""How far, and how close to each other, are values at which the likelihood is calculated, in the
distance between those of two fits aside."""
_FEWEST_VALUES, _MOST_VALUES = 16, 64
"""How many values there are of these."""
_AT_ONCE = 4_000_000
"""Probabilities of calls that are in memory at once."""
_LEAST_TOTAL = 0.1
"""Least sum of the parameters of a beta distribution with given moments."""
_SLIP = 0.001
"""Probability of a call that fits no habit: logs are not perfect."""


def fit_habits(calls: pd.DataFrame, prior: Habits) -> Habits:
    """Fit the habits to working calls.

    Parameters
    ----------
    calls : DataFrame
        Working calls in order within each agent: ``run_dir, agent, attempts, blocked`` and what
        they could take (see `finished.COULD_TAKE`).
    prior : Habits
    """
    if calls.empty:
        return prior
    by_agent = calls.groupby(["run_dir", "agent"], sort=False)
    order, turns = in_turns(by_agent.ngroup().to_numpy(), by_agent.cumcount().to_numpy())
    chosen = choices_of(calls.iloc[order], prior.sizes)
    tells = int(chosen.tells.sum())
    noise = _middles(_EDGES) if tells else _EDGES[:1]
    fits = _from_prior(chosen, turns, prior, noise).improved(prior, chosen.tells)
    if not tells:
        return _weighted(prior.sizes, fits.improved(prior, None), np.ones(1), prior.blind)
    logs = fits.log_likelihoods()
    likely = logs > logs.max() - _IMPROBABLE
    width = np.diff(_EDGES)[likely]
    fits = fits.aside(likely).improved(prior, None)
    values, density = _values(fits, prior.blind)
    logs = fits.log_likelihoods_at(values).reshape(-1, len(_ASIDE), len(values))
    chances = _of_the_likeliest(logs + density + np.log(width)[:, None, None])
    blind = _beta(values, chances.sum(axis=(0, 1)))
    return _weighted(prior.sizes, fits, chances.sum(axis=2).ravel(), blind)


def _weighted(sizes: Ints, fits: _Fits, weights: Floats, blind: tuple[float, float]) -> Habits:
    """Return the weighted mean of fits."""
    kept = weights @ fits.persistences()
    first, later = weights @ fits.first, weights @ fits.later
    return Habits(sizes, first, later, (float(kept[0]), float(kept[1])), blind)


def _middles(edges: Floats) -> Floats:
    return np.asarray((edges[1:] + edges[:-1]) / 2.0)


def _values(fits: _Fits, prior: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return values of how often calls are blind, and the log prior of each, both of shape (V,).

    They are evenly spaced in the angle whose squared sine they are, as far as is likely.
    """
    low, middle, high = np.arcsin(np.sqrt(fits.often)).reshape(-1, len(_ASIDE)).T
    start = max(float((middle - _REACH * (middle - low)).min()), 0.0)
    end = min(float((middle + _REACH * (high - middle)).max()), np.pi / 2.0)
    narrowest = float(np.maximum(middle - low, high - middle).min())
    count = int(np.clip((end - start) / (_APART * narrowest), _FEWEST_VALUES, _MOST_VALUES))
    angles = _middles(np.linspace(start, end, count + 1))
    hits, misses = prior
    density = (2.0 * hits - 1.0) * np.log(np.sin(angles))
    density += (2.0 * misses - 1.0) * np.log(np.cos(angles))
    return np.sin(angles) ** 2, density


def _of_the_likeliest(logs: Floats) -> Floats:
    """Return probabilities that add up to 1, given their logarithms, shape (noises, fits, values).

    Of the fits of one noise only the likeliest at each value counts: it is a profile likelihood.
    """
    best = logs.argmax(axis=1)[:, None]
    counted = np.exp(np.take_along_axis(logs, best, axis=1) - logs.max())
    chances = np.zeros_like(logs)
    np.put_along_axis(chances, best, counted / counted.sum(), axis=1)
    return chances


def _beta(values: Floats, weights: Floats) -> tuple[float, float]:
    """Return the beta distribution with the mean and the variance of weighted values."""
    mean = float(weights @ values)
    variance = float(weights @ (values - mean) ** 2)
    total = max(mean * (1.0 - mean) / max(variance, 1e-300) - 1.0, _LEAST_TOTAL)
    return mean * total, (1.0 - mean) * total


@dataclass(frozen=True)
class _Fits:
    """Habits fitted side by side, each given a noise of the choice.

    Attributes
    ----------
    seeing, blind : ndarray, shapes (K, calls) and (B, K, calls)
        Probability of each call under each habit, if it is not blind, and if it is.
    turns : Turns
        The order of the calls.
    often : ndarray, shape (B,)
        How often calls are blind.
    first, later : ndarray, shape (B, K)
        As in `Habits`.
    kept : ndarray, shape (B, 2)
        Expected numbers of habits kept and not kept, prior included.
    """

    seeing: Floats
    blind: Floats
    turns: Turns
    often: Floats
    first: Floats
    later: Floats
    kept: Floats

    def improved(self, prior: Habits, tells: Bools | None) -> _Fits:
        """Return the fits after some steps of expectation-maximisation.

        Parameters
        ----------
        prior : Habits
        tells : ndarray of bool, shape (calls,), or None
            Calls that tell of how often calls are blind; None if that stays as it is.
        """
        often, first, later, kept = self.often, self.first, self.later, self.kept
        for _ in range(_STEPS):
            chance = _mixed(self.seeing, self.blind, often)
            begun, drawn, stayed, states = forward_backward(
                chance, self.turns, normal(first), normal(later), kept[:, 0] / kept.sum(axis=1)
            )
            if tells is not None:
                states *= tells / chance
                told = often * np.einsum("bkn,bkn->b", states, self.blind)
                saw = (1.0 - often) * np.einsum("bkn,kn->b", states, self.seeing)
                often = (prior.blind[0] + told) / (sum(prior.blind) + told + saw)
            first, later = prior.first + begun, prior.later + drawn
            kept = np.asarray(prior.persistence) + np.stack([stayed, drawn.sum(axis=1)], axis=1)
        return replace(self, often=often, first=first, later=later, kept=kept)

    def aside(self, likely: Bools) -> _Fits:
        """Return the likely fits with calls that are blind less often, as often, and more often."""
        fits = self._of(np.flatnonzero(likely))
        angle = np.arcsin(np.sqrt(fits.often))
        logs = [fits.log_likelihoods(_often(angle + move)) for move in (-0.05, 0.0, 0.05)]
        curvature = -(logs[0] - 2.0 * logs[1] + logs[2]) / 0.05**2
        error = np.clip(1.0 / np.sqrt(np.maximum(curvature, 1e-9)), _LEAST_ASIDE, _MOST_ASIDE)
        moved = _often(angle[:, None] + error[:, None] * _ASIDE)
        every = fits._of(np.repeat(np.arange(len(angle)), len(_ASIDE)))
        return replace(every, often=moved.ravel())

    def log_likelihoods(self, often: Floats | None = None) -> Floats:
        """Return how likely the calls are, shape (B,), if as often blind as each fit or `often`."""
        chance = _mixed(self.seeing, self.blind, self.often if often is None else often)
        return self._law(chance)(self.kept[:, 0] / self.kept.sum(axis=1))

    def log_likelihoods_at(self, often: Floats) -> Floats:
        """Return how likely the calls are by each fit, if blind as each value says, (B, V)."""
        logs = np.empty((len(self.often), len(often)))
        many = max(1, _AT_ONCE // self.seeing.size)
        for i in range(len(self.often)):
            for start in range(0, len(often), many):
                part = often[start : start + many]
                each = self._of(np.full(len(part), i))
                logs[i, start : start + many] = each.log_likelihoods(part)
        return logs

    def persistences(self) -> Floats:
        """Return beta parameters of the persistence, shape (B, 2), as sure as the calls tell."""
        total = self.kept.sum(axis=1)
        law = self._law(_mixed(self.seeing, self.blind, self.often))
        return np.stack(_as_sure_as_told(self.kept[:, 0] / total, total, law), axis=1)

    def _law(self, chance: Floats) -> Callable[[Floats], Floats]:
        """Return the log likelihood of persistences."""
        first, later = normal(self.first), normal(self.later)
        return partial(log_likelihood, chance, self.turns, first, later)

    def _of(self, rows: npt.NDArray[np.intp]) -> _Fits:
        names = ("blind", "often", "first", "later", "kept")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def _from_prior(chosen: Choices, turns: Turns, prior: Habits, noise: Floats) -> _Fits:
    """Return fits that say what the prior says, one for each noise."""
    each = np.ones((len(noise), 1))
    return _Fits(
        seeing=chosen.if_seeing,
        blind=chosen.if_blind(noise),
        turns=turns,
        often=np.full(len(noise), _mean(prior.blind)),
        first=each * prior.first,
        later=each * prior.later,
        kept=each * np.asarray(prior.persistence),
    )


def _often(angle: Floats) -> Floats:
    """Return the squared sine of angles within what is possible."""
    return np.asarray(np.sin(np.clip(angle, 0.02, np.pi / 2.0 - 0.02)) ** 2)


def _mixed(seeing: Floats, blind: Floats, often: Floats) -> Floats:
    """Return the probability of each call under each habit, shape (B, K, calls).

    `blind` may be that of all B, with a first axis of one.
    """
    often = often[:, None, None]
    return np.asarray(often * blind + (1.0 - often) * seeing + _SLIP)


def _as_sure_as_told(
    p: Floats, most: Floats, log_likelihood: Callable[[Floats], Floats]
) -> tuple[Floats, Floats]:
    """Return the beta parameters of the persistence, with the error that the likelihood gives.

    The expected counts of the hidden states would give too small an error, as if the states had
    been observed. The curvature of the likelihood (in the logit) does not.

    Parameters
    ----------
    p : ndarray, shape (B,)
        Means.
    most : ndarray, shape (B,)
        Expected counts: they count as no more than that.
    log_likelihood : callable
        Of persistences.
    """
    step = 0.1
    centre = np.log(p / (1.0 - p))
    around = [log_likelihood(expit(centre + move)) for move in (-step, 0.0, step)]
    curvature = -(around[0] - 2.0 * around[1] + around[2]) / step**2
    told = curvature / (p * (1.0 - p)) - 1.0  # of a beta with that variance on the logit
    total = np.clip(told, 1.0, most)
    return p * total, (1.0 - p) * total


def _mean(beta: Sequence[float]) -> float:
    return beta[0] / (beta[0] + beta[1])
