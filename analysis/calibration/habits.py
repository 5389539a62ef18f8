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

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from simulator.distributions import Floats

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
    return _mixture(fits, scipy.special.softmax(logs))


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

    They are fitted side by side, in arrays with an axis of length B.
    """
    emission = _emissions(calls, prior.sizes, often)
    tells = emission.tells
    by_agent = calls.groupby(["run_dir", "agent"], sort=False)
    agent, turn = by_agent.ngroup().to_numpy(), by_agent.cumcount().to_numpy()
    padded = np.ones((turn.max() + 1, len(often), agent.max() + 1, len(prior.sizes)))
    real = np.zeros((len(padded), 1, agent.max() + 1, 1))
    real[turn, 0, agent] = 1.0
    each = np.ones((len(often), 1))
    stays, blind = each * _mean(prior.persistence), each * _mean(prior.blind)
    first, later = each * prior.first, each * prior.later
    for _ in range(_STEPS):
        chance = _chance(emission, blind)
        padded[turn, :, agent] = chance
        begun, drawn, stayed, posterior = _forward_backward(
            padded, real, _normal(first), _normal(later), stays
        )
        states = posterior[turn, :, agent]
        told = states * blind * emission.blind / chance
        saw = states * (1.0 - blind) * emission.seeing / chance
        first, later = prior.first + begun, prior.later + drawn
        kept = prior.persistence[0] + stayed, prior.persistence[1] + drawn.sum(axis=1)
        blindly = prior.blind[0] + _sums(told[tells]), prior.blind[1] + _sums(saw[tells])
        stays, blind = ((pair[0] / (pair[0] + pair[1]))[:, None] for pair in (kept, blindly))
    padded[turn, :, agent] = _chance(emission, blind)
    found = []
    for i in range(len(often)):
        law = padded[:, i], _normal(first)[i], _normal(later)[i]
        lasting = _as_sure_as_told((float(kept[0][i]), float(kept[1][i])), *law)
        seen = float(blindly[0][i]), float(blindly[1][i])
        habits = Habits(prior.sizes, first[i], later[i], lasting, seen)
        found.append((habits, _log_likelihood(*law, float(stays[i, 0]))))
    return found


def _chance(emission: _Emissions, blind: Floats) -> Floats:
    """Return the probability of each call under each habit, shape (calls, B, K)."""
    return blind * emission.blind + (1.0 - blind) * emission.seeing + _SLIP / 10


def _sums(values: Floats) -> Floats:
    """Return the sum for each of the second axis, added in the order of one of them alone."""
    return np.asarray([values[:, i].copy().sum() for i in range(values.shape[1])])


def _as_sure_as_told(
    kept: tuple[float, float], chance: Floats, first: Floats, later: Floats
) -> tuple[float, float]:
    """Return the beta parameters of the persistence, with the error that the likelihood gives.

    The expected counts of the hidden states would give too small an error, as if the states had
    been observed. The curvature of the likelihood (in the logit) does not.
    """
    p = _mean(kept)
    step = 0.1
    centre = np.log(p / (1.0 - p))
    around = [
        _log_likelihood(chance, first, later, float(scipy.special.expit(centre + move)))
        for move in (-step, 0.0, step)
    ]
    curvature = -(around[0] - 2.0 * around[1] + around[2]) / step**2
    told = curvature / (p * (1.0 - p)) - 1.0  # of a beta with that variance on the logit
    total = float(np.clip(told, 1.0, fsum(kept)))
    return p * total, (1.0 - p) * total


def _log_likelihood(chance: Floats, first: Floats, later: Floats, stays: float) -> float:
    prediction: Floats = np.broadcast_to(first, chance[0].shape)
    total = 0.0
    for here in chance:
        joint = prediction * here
        scale = joint.sum(axis=1)
        total += float(np.log(scale).sum())
        prediction = stays * joint / scale[:, None] + (1.0 - stays) * later
    return total


@dataclass(frozen=True)
class _Emissions:
    """Probability of each call under each habit, if blind and if not.

    Shapes are (calls, B, K) and (calls, 1, K).
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
    seeing = _takes(taken, ready, sizes) * (1.0 - blocked)[:, None]
    # A blind call that takes no more tasks than could start may have taken just those; one that
    # takes more has not.
    chances = np.asarray(often)
    within = np.where(blocked[:, None], chances, 1.0 - chances)[:, :, None]
    blocked, ready, differ = (each[:, None, None] for each in (blocked, ready, tells))
    shows = np.where(sizes <= ready, within, np.where(blocked, 1.0, 0.05))
    blind = _takes(taken, left, sizes)[:, None] * np.where(differ, shows, 1.0 - blocked)
    return _Emissions(blind, seeing[:, None], tells)


def _takes(taken: Ints, there: Ints, sizes: Ints) -> Floats:
    """Return 1 where a habit explains the number of tasks taken, shape (calls, K)."""
    upper = np.append(np.sqrt(sizes[:-1] * sizes[1:]), np.inf)
    lower = np.insert(upper[:-1], 0, 0.0)
    taken_all = (taken >= there)[:, None]
    in_bin = (taken[:, None] > lower) & (taken[:, None] <= upper)
    return np.asarray(np.where(taken_all, upper >= there[:, None], in_bin), dtype=np.float64)


def _forward_backward(
    chance: Floats, real: Floats, first: Floats, later: Floats, stays: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return expected first and later draws of each habit, habits kept, and habits of the calls.

    `chance` has shape (T, B, agents, K), call after call, for B fits; `real` (T, 1, agents, 1) is 0
    for padding and 1 for calls; `first` and `later` have shape (B, K), `stays` (B, 1).
    """
    steps, several = len(chance), len(stays)
    forward, scale = np.empty_like(chance), np.empty((*chance.shape[:3], 1))
    staying = np.empty_like(chance)  # the part of the prediction of a habit that is kept
    stays = stays[:, :, None]
    anew = (1.0 - stays) * later[:, None]
    prediction = np.broadcast_to(first[:, None], chance[0].shape)
    joint = np.empty_like(chance[0])
    for t in range(steps):
        np.multiply(prediction, chance[t], out=joint)
        joint.sum(axis=2, keepdims=True, out=scale[t])
        np.divide(joint, scale[t], out=forward[t])
        np.multiply(stays, forward[t], out=staying[t])
        prediction = staying[t] + anew
    backward = np.ones_like(chance)
    drawn, kept = np.zeros_like(later), np.zeros(several)
    ahead, fresh, same = (np.empty_like(joint) for _ in range(3))
    for t in range(steps - 1, 0, -1):
        here = real[t]
        np.multiply(chance[t], backward[t], out=ahead)
        np.divide(ahead, scale[t], out=ahead)
        np.multiply(anew, ahead, out=fresh)
        np.multiply(staying[t - 1], ahead, out=same)
        drawn += (fresh * here).sum(axis=1)
        kept += (same * here).reshape(several, -1).sum(axis=1)
        before = stays * ahead + fresh.sum(axis=2, keepdims=True)
        np.copyto(backward[t - 1], before, where=here > 0.0)
    begun = (forward[0] * backward[0]).sum(axis=1)
    return begun, drawn, kept, forward * backward


def _mean(beta: Sequence[float]) -> float:
    return beta[0] / (beta[0] + beta[1])
