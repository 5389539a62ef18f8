"""Estimates how many tasks agents take on in a call, and how long they keep the habit.

An agent's habit is a hidden Markov chain: the number of tasks that it would take on in a call. The
habit stays from one working call to the next with probability `persistence`, and is otherwise drawn
anew. An agent's first call, before it has read anything, has a distribution of its own.
A call takes the smaller of the habit and the number of tasks that it can take. So a call that takes
all of these shows only that the habit is not smaller (a censored observation). A blind call can
take all tasks that are left, any other call only those that can start. How often a blind call is
blocked is not known: few blocked claims may be of few blind calls, or of blind ones that choose
well. So the estimate is the mean over its values, weighted by their likelihood, of estimates
maximum a posteriori by expectation-maximisation (Baum, Petrie, Soules & Weiss 1970; Dempster, Laird
& Rubin 1977).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.habit_chain import forward_backward, in_turns, log_likelihood
from simulator import special
from simulator.distributions import Floats
from simulator.special import expit

Ints = npt.NDArray[np.int64]

_STEPS = 40
_BLOCKED = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Probabilities of being blocked, for a blind call that takes no more tasks than could start: the
middles of equal parts of what is possible. It depends on how agents choose and on the task list."""
_SLIP = 0.01
"""Probability of a call that fits no habit: logs are not perfect."""


@dataclass(frozen=True)
class Habits:
    """How many tasks agents take on.

    Attributes
    ----------
    sizes : ndarray of int, shape (K,)
        Numbers of tasks that a call takes on; the largest stands for all tasks.
    first : ndarray, shape (K,)
        Dirichlet parameters of their probabilities in an agent's first call: expected draws,
        prior included.
    later : ndarray, shape (K,)
        The same for a habit taken on later.
    persistence : (float, float)
        Beta parameters of the probability that the next working call keeps the habit.
    blind : (float, float)
        Beta parameters of the probability that a call overlooks dependencies.
    """

    sizes: Ints
    first: Floats
    later: Floats
    persistence: tuple[float, float]
    blind: tuple[float, float]

    def draw(self, rng: np.random.Generator) -> Habits:
        """Return habits drawn from the uncertainty."""

        def drawn(pair: tuple[float, float]) -> tuple[float, float]:
            p = float(rng.beta(*pair))
            return p, 1.0 - p

        return Habits(
            self.sizes,
            rng.dirichlet(self.first),
            rng.dirichlet(self.later),
            drawn(self.persistence),
            drawn(self.blind),
        )

    def weakened(self, strength: float) -> Habits:
        """Return these habits as a prior that counts as `strength` observations of each kind."""

        def scaled(pair: tuple[float, float]) -> tuple[float, float]:
            share = strength / sum(pair)
            return pair[0] * share, pair[1] * share

        return Habits(
            self.sizes,
            strength * _normal(self.first),
            strength * _normal(self.later),
            scaled(self.persistence),
            scaled(self.blind),
        )


def _normal(counts: Floats) -> Floats:
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


def size_grid(most: int) -> Ints:
    """Return sizes from 1 to `most`, every one at first and then in steps of about a third."""
    sizes = [1]
    while sizes[-1] < most:
        sizes.append(min(most, max(sizes[-1] + 1, round(sizes[-1] * 4 / 3))))
    return np.asarray(sizes, dtype=np.int64)


def vague(most: int) -> Habits:
    """Return a very vague prior."""
    sizes = size_grid(most)
    little = np.full(len(sizes), 0.5 / len(sizes))
    return Habits(sizes, little, little, (0.5, 0.5), (0.5, 0.5))


def fit_habits(calls: pd.DataFrame, prior: Habits) -> Habits:
    """Fit the habits to working calls.

    Parameters
    ----------
    calls : DataFrame
        Working calls in order within each agent: ``run_dir, agent, attempts, blocked, left``
        (what a blind call could take) and ``ready`` (what another could).
    prior : Habits
    """
    if calls.empty:
        return prior
    tells = (calls["left"] > calls["ready"].clip(lower=1)).any()
    if not tells:
        return _fits_given(calls, prior, _BLOCKED[:1])[0][0]
    fits, logs = zip(*_fits_given(calls, prior, _BLOCKED), strict=True)
    return _mixture(fits, special.softmax(logs))


def _mixture(fits: Sequence[Habits], chances: Floats) -> Habits:
    """Return the mean of fits; `blind` is a beta with the mean and variance of their mixture."""
    means = np.asarray([_mean(fit.blind) for fit in fits])
    totals = np.asarray([sum(fit.blind) for fit in fits])
    mean = float(chances @ means)
    variance = float(chances @ (means * (1.0 - means) / (totals + 1.0) + (means - mean) ** 2))
    total = max(mean * (1.0 - mean) / variance - 1.0, 0.1)
    kept = chances @ np.asarray([fit.persistence for fit in fits])
    return Habits(
        fits[0].sizes,
        chances @ np.stack([fit.first for fit in fits]),
        chances @ np.stack([fit.later for fit in fits]),
        (float(kept[0]), float(kept[1])),
        (mean * total, (1.0 - mean) * total),
    )


def _fits_given(
    calls: pd.DataFrame, prior: Habits, often: Sequence[float]
) -> list[tuple[Habits, float]]:
    """Return, for each of B values of how often blind calls are blocked, fit and log likelihood.

    They are fitted side by side (see `habit_chain`).
    """
    by_agent = calls.groupby(["run_dir", "agent"], sort=False)
    order, turns = in_turns(by_agent.ngroup().to_numpy(), by_agent.cumcount().to_numpy())
    emission = _emissions(calls.iloc[order], prior.sizes, often)
    if_blind, if_seeing = emission.blind * emission.tells, emission.seeing * emission.tells
    each = np.ones(len(often))
    stays, blind = each * _mean(prior.persistence), each * _mean(prior.blind)
    first, later = each[:, None] * prior.first, each[:, None] * prior.later
    for _ in range(_STEPS):
        chance = _chance(emission, blind)
        begun, drawn, stayed, states = forward_backward(
            chance, turns, _normal(first), _normal(later), stays
        )
        states /= chance
        told = blind * np.einsum("bkn,bkn->b", states, if_blind)
        saw = (1.0 - blind) * np.einsum("bkn,kn->b", states, if_seeing)
        first, later = prior.first + begun, prior.later + drawn
        kept = prior.persistence[0] + stayed, prior.persistence[1] + drawn.sum(axis=1)
        blindly = prior.blind[0] + told, prior.blind[1] + saw
        stays, blind = (pair[0] / (pair[0] + pair[1]) for pair in (kept, blindly))
    law = partial(log_likelihood, _chance(emission, blind), turns, _normal(first), _normal(later))
    lasting, logs = _as_sure_as_told(stays, kept[0] + kept[1], law), law(stays)
    return [
        (
            Habits(prior.sizes, first[i], later[i], _pair(lasting, i), _pair(blindly, i)),
            float(logs[i]),
        )
        for i in range(len(often))
    ]


def _pair(pairs: tuple[Floats, Floats], i: int) -> tuple[float, float]:
    return float(pairs[0][i]), float(pairs[1][i])


def _chance(emission: _Emissions, blind: Floats) -> Floats:
    """Return the probability of each call under each habit, shape (B, K, calls)."""
    blind = blind[:, None, None]
    return blind * emission.blind + (1.0 - blind) * emission.seeing + _SLIP / 10


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


@dataclass(frozen=True)
class _Emissions:
    """Probability of each call under each habit, if blind and if not.

    Shapes are (B, K, calls) and (K, calls).
    """

    blind: Floats
    seeing: Floats
    tells: npt.NDArray[np.bool_]
    """Calls in which a blind agent would act otherwise than one that is not blind."""


def _emissions(calls: pd.DataFrame, sizes: Ints, often: Sequence[float]) -> _Emissions:
    taken = calls["attempts"].to_numpy(dtype=np.int64)
    blocked = calls["blocked"].to_numpy() > 0
    left = np.maximum(calls["left"].to_numpy(dtype=np.int64), 1)
    ready = np.clip(calls["ready"].to_numpy(dtype=np.int64), 1, left)
    tells = left > ready
    seeing = _takes(taken, ready, sizes) * ~blocked
    # A blind call that takes no more tasks than could start may have taken just those; one that
    # takes more has not.
    chances = np.asarray(often)[:, None, None]
    within = np.where(blocked, chances, 1.0 - chances)
    shows = np.where(sizes[:, None] <= ready, within, np.where(blocked, 1.0, 0.05))
    blind = _takes(taken, left, sizes) * np.where(tells, shows, ~blocked)
    return _Emissions(blind, seeing, tells)


def _takes(taken: Ints, there: Ints, sizes: Ints) -> Floats:
    """Return 1 where a habit explains the number of tasks taken, shape (K, calls)."""
    upper = np.append(np.sqrt(sizes[:-1] * sizes[1:]), np.inf)
    lower = np.insert(upper[:-1], 0, 0.0)
    lower, upper = lower[:, None], upper[:, None]
    in_bin = (taken > lower) & (taken <= upper)
    return np.asarray(np.where(taken >= there, upper >= there, in_bin), dtype=np.float64)


def _mean(beta: Sequence[float]) -> float:
    return beta[0] / (beta[0] + beta[1])
