"""How likely calls are to take the tasks that they took, if they see what can start, or are blind.

A call takes as many tasks as its agent's habit says: first those that the agent holds, then others.
A blind call takes them from all that are left. It is blocked if one cannot start as it ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from simulator.distributions import Floats

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_ODD = 0.02
"""Probability of what could not be if logs said exactly what was done when a call began."""


@dataclass(frozen=True)
class Choices:
    """What calls took of the tasks that were there.

    Attributes
    ----------
    if_seeing : ndarray, shape (K, N)
        Probability of each call under each habit, if it is not blind.
    takes_all : ndarray, shape (K, N)
        1 where a habit explains what a blind call took.
    taken, own : ndarray of int, shape (N,)
        Tasks taken, and those that the agent held itself, of which the first were taken first.
    others : ndarray of int, shape (N, 3)
        Tasks that nobody held, those of them that could start as the call ended, and those of
        these that the list has before all that could not.
    blocked, tells : ndarray of bool, shape (N,)
        Whether a task taken could not start, and whether that could be.
    """

    if_seeing: Floats
    takes_all: Floats
    taken: Ints
    own: Ints
    others: Ints
    blocked: Bools
    tells: Bools

    def if_blind(self, noise: Floats) -> Floats:
        """Return the probability of each call under each habit if it is blind, shape (B, K, N).

        Parameters
        ----------
        noise : ndarray, shape (B,)
            Probability that a task is chosen at random, rather than as the list has them.
        """
        free = np.where(self.tells, self._unblocked(noise), 1.0)
        return self.takes_all * np.where(self.blocked, 1.0 - free, free)[:, None]

    def _unblocked(self, noise: Floats) -> Floats:
        """Return the probability that all tasks taken can start, shape (B, N)."""
        places, of_call = np.unique(self.others, axis=0, return_inverse=True)
        free = unblocked(noise, *places.T)
        others = np.clip(self.taken - self.own, 0, free.shape[2] - 1)
        return np.maximum(free[:, of_call.ravel(), others], _ODD)


def unblocked(noise: Floats, left: Ints, ready: Ints, leading: Ints) -> Floats:
    """Return the probability that the first tasks that a blind call chooses can all start.

    Each is chosen at random of those that are left, or is the first on the list.

    Parameters
    ----------
    noise : ndarray, shape (B,)
        Probability that a task is chosen at random.
    left, ready, leading : ndarray of int, shape (P,)
        Tasks that are left, those that can start, and those before the first that cannot.

    Returns
    -------
    ndarray, shape (B, P, J + 1)
        Of none, one and more of them.
    """
    most = int(ready.max()) + 1
    others = np.arange(int(leading.max()) + 1)  # how many of `leading` are still there
    state = np.zeros((len(noise), len(left), len(others)))
    state[:, np.arange(len(left)), leading] = 1.0
    chances = np.ones((len(noise), len(left), most + 1))
    at_random = noise[:, None, None]
    for pick in range(most):
        still = np.maximum(left - pick, 1)[:, None]
        first = np.minimum(others / still, 1.0)
        later = np.clip((ready - pick)[:, None] - others, 0, None) / still
        falls = state * (at_random * first + (1.0 - at_random) * (others > 0))
        state *= at_random * later
        state[:, :, :-1] += falls[:, :, 1:]
        chances[:, :, pick + 1] = state.sum(axis=2)
    return chances


def choices_of(calls: pd.DataFrame, sizes: Ints) -> Choices:
    """Return what calls took.

    Parameters
    ----------
    calls : DataFrame
        Of N calls: ``attempts, blocked``, and what they could take (see `finished.COULD_TAKE`).
    sizes : ndarray of int, shape (K,)
        Numbers of tasks that a habit may be, in increasing order; the last stands for all tasks.
    """
    taken = calls[["attempts", "worked_on"]].max(axis=1).to_numpy(dtype=np.int64)
    blocked = calls["blocked"].to_numpy() > 0
    there = np.maximum(calls["open"].to_numpy(dtype=np.int64), 1)
    ready = np.clip(calls["ready"].to_numpy(dtype=np.int64), 1, there)
    others = calls[["others", "unblocked", "leading"]].to_numpy(dtype=np.int64)
    own = calls["held"].to_numpy(dtype=np.int64)
    seeing = _takes(taken, ready, sizes) * np.where(taken > ready, _ODD, 1.0) * ~blocked
    takes_all = _takes(taken, there, sizes)
    return Choices(seeing, takes_all, taken, own, others, blocked, there > ready)


def _takes(taken: Ints, there: Ints, sizes: Ints) -> Floats:
    """Return 1 where a habit explains the number of tasks taken, shape (K, N)."""
    upper = np.append(np.sqrt(sizes[:-1] * sizes[1:]), np.inf)
    lower = np.insert(upper[:-1], 0, 0.0)
    lower, upper = lower[:, None], upper[:, None]
    in_bin = (taken > lower) & (taken <= upper)
    return np.asarray(np.where(taken >= there, upper >= there, in_bin), dtype=np.float64)
