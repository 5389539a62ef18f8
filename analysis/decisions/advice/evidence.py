"""The evidence of the replications on every system, with bounds that hold jointly.

A system is judged by its mean time (or cost) over the share of its runs that finish. This ratio of
two means is compared on a logarithmic scale, pair by pair, on the replications that both systems
have. After several looks, and a choice among many systems, valid bounds are wider than those of one
comparison:

- **Looks.** The allowed error is spent over the looks in proportion to the replications that each
  adds (Lan & DeMets 1983, the linear spending function), by Bonferroni, so that it holds whatever
  makes the procedure stop.
- **Systems.** Every error concerns the true best and one other system, or one system and its
  conditions. So each look's part is divided by the number of systems (Nelson & Matejcik 1995).
- **Unseen outcomes.** An outcome of probability u is missed by all of n replications with
  probability (1 - u)^n: if 30 of 30 runs finished, not all runs need finish. Every bound on a share
  is wider by the u at which this becomes improbable, as in Bernstein's inequality (Maurer & Pontil
  2009, theorem 4). Systems without chance have none: all their runs are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.decisions.advice.structures import ALONE
from analysis.decisions.advice.wish import Array, Wish, conditions, objective
from analysis.statistics.selection import difference_errors
from simulator import special
from simulator.errors import TeamsimError

Flags = npt.NDArray[np.bool_]

_ROUNDING = 1e-12


def looks_at(first: int, most: int) -> list[int]:
    """Return the numbers of replications at the looks: `first`, doubled each time, up to `most`."""
    looks: list[int] = []
    count = min(first, most)
    while count < (most / 1.5 if looks else most):
        looks.append(count)
        count *= 2
    return [*looks, most]


@dataclass(frozen=True)
class Bounds:
    """Statements that hold for all systems jointly, with the probability that was asked for.

    Attributes
    ----------
    low, high : ndarray, shape (systems, systems)
        Bounds of the logarithm of how many times as much system i takes as system j.
    holds, fails : ndarray of bool, shape (conditions, systems)
        Whether a condition is known to hold, to within the indifference, or known to fail. None is
        known to hold that the mean does not meet.
    """

    low: Array
    high: Array
    holds: Flags
    fails: Flags

    @property
    def fulfils(self) -> Flags:
        """Which systems are known to fulfil all conditions."""
        return np.asarray(self.holds.all(axis=0) & ~self.violates)

    @property
    def violates(self) -> Flags:
        """Which systems are known not to fulfil all conditions."""
        return np.asarray(self.fails.any(axis=0))


class Evidence:
    """The evidence of the replications.

    Parameters
    ----------
    rows : mapping of str to DataFrame
        The replications of each system from 0 on, as many as at one of the looks. One system is
        `ALONE`, which has at least as many as any other.
    wish : Wish
    looks : sequence of int
        The numbers of replications at all looks, planned ahead.
    sure : collection of str
        Systems whose further runs are known to be the same as those made.

    Attributes
    ----------
    rows, wish, looks, sure
        As given.
    names : list of str
        The systems, in the order of the arrays.
    counts : ndarray of int, shape (systems,)
        Replications.
    finished : ndarray, shape (systems,)
        Share that finished.
    takes : ndarray, shape (systems,)
        Logarithm of the mean of the objective over the share that finished; infinite if no run
        finished.
    conditions : list of Condition
    reserves : ndarray, shape (conditions, systems)
        How much better the means are than the conditions require.
    meets : ndarray of bool, shape (systems,)
        Whether some run finished and the means meet the conditions, to within two standard errors
        and half of the indifference, so that a system just at a limit is not left out by chance.

    Raises
    ------
    TeamsimError
        If a system takes no time and costs nothing, so that there are no shares of it.
    """

    def __init__(
        self,
        rows: Mapping[str, pd.DataFrame],
        wish: Wish,
        looks: Sequence[int],
        sure: Collection[str] = (),
    ) -> None:
        self.names = list(rows)
        self.sure = sure
        self._are_sure = np.array([name in sure for name in self.names])
        self.counts = np.array([len(each) for each in rows.values()])
        self.wish = wish
        self.looks = looks
        self.rows = rows
        self._values = [objective(each, wish) for each in rows.values()]
        self._success = [each["success"].to_numpy(dtype=np.float64) for each in rows.values()]
        self.finished = np.array([each.mean() for each in self._success])
        self._means = np.array([each.mean() for each in self._values])
        is_free = (self._means <= 0.0) & (self.finished > 0.0)
        if is_free.any():
            name = self.names[int(np.argmax(is_free))]
            raise TeamsimError(
                f"there is nothing to compare: '{name}' takes no time and costs nothing; say what "
                "tokens cost, or what an hour is worth"
            )
        self.takes = np.full(len(rows), np.inf)
        np.log(
            self._means / np.maximum(self.finished, _ROUNDING), self.takes, where=self.finished > 0
        )
        self.conditions = conditions(wish)
        self.reserves, self._reserves, self._reserve_errors = self._conditions()
        zone = np.minimum(wish.indifference / 2.0, 2.0 * self._reserve_errors) + _ROUNDING
        self.meets = (self.reserves >= -zone).all(axis=0) & (self.finished > 0.0)

    def bounds(self, error: float, with_unseen: bool = True) -> Bounds:
        """Return the statements that hold for all systems jointly.

        Parameters
        ----------
        error : float
            Probability that any statement is wrong, at any look. Half of it is for the differences,
            a quarter for failures that were not seen, and a quarter for the conditions.
        with_unseen : bool
            Whether the bounds of the differences allow for failures that were not seen.
        """
        holds, fails = self._judge_conditions(0.25 * error)
        middle, errors, counts = self._differences
        rivals = max(1, len(self.names) - 1)
        half = self._quantile(0.5 * error / rivals, counts) * errors
        low, high = middle - half, middle + half
        if with_unseen:
            worse, better = self._unseen_of_finishing(0.25 * error / len(self.names))
            low = low - better[:, None] - worse[None, :]
            high = high + worse[:, None] + better[None, :]
        return Bounds(low, high, holds, fails)

    def possible(self, bounds: Bounds, judges: Flags, margin: float = 0.0) -> Flags:
        """Return which systems may be the best.

        These may fulfil the conditions, and none of the `judges` is known to be better than they
        are by more than a share of `margin`. A system with fewer replications is compared with all
        replications that its judge has by now: when the means no longer exclude it, it is back.
        """
        behind = (bounds.low > np.log1p(margin) + _ROUNDING) & (
            self.takes[:, None] > self.takes[None, :]
        )
        return np.asarray(~bounds.violates & ~(behind & judges[None, :]).any(axis=1))

    def good(self, error: float) -> Flags:
        """Return which systems are known to be as good as the best, to within the indifference.

        They fulfil the conditions, and no system that may be the best is better by more than the
        indifference.
        """
        bounds = self.bounds(error)
        rivals = self.possible(bounds, bounds.fulfils)
        near = bounds.high <= np.log1p(self.wish.indifference)
        np.fill_diagonal(near, True)
        return np.asarray(bounds.fulfils & (self.finished > 0.0) & near[:, rivals].all(axis=1))

    def probability_good(self) -> Array:
        """Return lower bounds of the probabilities that each system is as good as the best.

        The bound is the highest level between 0.5 and 0.99 at which `good` holds, NaN if there is
        none. A few hundred replications do not show tails beyond 0.99; below 0.5 nothing is known.
        """
        levels = {*np.arange(50, 90, 5) / 100.0, *np.arange(90, 100) / 100.0, self.wish.confidence}
        found = np.full(len(self.names), np.nan)
        for level in sorted(levels):
            found[self.good(1.0 - level)] = level
        return found

    @cached_property
    def _differences(self) -> tuple[Array, Array, npt.NDArray[np.int_]]:
        """Return differences of `takes` by pairs, their standard errors, and the pairs' counts.

        The errors are those of the linearised ratio (the delta method): replication r of a system
        weighs value / mean value - success / mean success.
        """
        counts = np.minimum(self.counts[:, None], self.counts[None, :])
        middle, errors = np.zeros(counts.shape), np.zeros(counts.shape)
        for count in np.unique(self.counts):
            here = np.flatnonzero(self.counts >= count)
            values = np.stack([self._values[i][:count] for i in here])
            success = np.stack([self._success[i][:count] for i in here])
            share = success.mean(axis=1, keepdims=True)
            # If no run of a system finished, only the bound on unseen outcomes applies to it.
            share[share == 0.0] = 1.0
            means = values.mean(axis=1, keepdims=True)
            means[means == 0.0] = 1.0  # as of one that is stuck at once
            logs = np.log(means[:, 0]) - np.log(share[:, 0])
            pairs = np.ix_(here, here)
            wanted = counts[pairs] == count
            middle[pairs] = np.where(wanted, logs[:, None] - logs[None, :], middle[pairs])
            spread = difference_errors(values / means - success / share)
            errors[pairs] = np.where(wanted, spread, errors[pairs])
        return middle, errors, counts

    def _unseen_of_finishing(self, error: float) -> tuple[Array, Array]:
        """Return how much less, and how much more, the log of the finishing share may be.

        Only the rarer of failing and finishing may be much more frequent than was seen. That it is
        less frequent than was seen is covered by the standard error.
        """
        share, often = self.finished, self.finished > 0.5
        # How long one takes that never finishes is not known, sure or not.
        unseen = np.where(self._are_sure & (share > 0.0), 0.0, self._unseen(error))
        known = np.where(share > 0.0, share, 1.0)
        with np.errstate(divide="ignore"):
            worse = np.log(known) - np.log(np.maximum(share - unseen, 0.0))
            better = np.log(np.minimum(share + unseen, 1.0)) - np.log(known)
        worse = np.where(often, worse, np.where(share > 0.0, 0.0, np.inf))
        return worse, np.where(often, 0.0, better)

    def _conditions(self) -> tuple[Array, Array, Array]:
        """Return mean reserves of all replications, of the pairs with one agent, and errors."""
        shape = (len(self.conditions), len(self.names))
        own, paired, errors = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for c, condition in enumerate(self.conditions):
            alone = self.rows[ALONE][condition.column].to_numpy(dtype=np.float64)
            for i, each in enumerate(self.rows.values()):
                value = each[condition.column].to_numpy(dtype=np.float64)
                reserve = condition.reserve(value, alone[: len(value)])
                own[c, i] = condition.reserve(value.mean(), alone.mean())
                paired[c, i] = reserve.mean()
                errors[c, i] = reserve.std(ddof=1) / np.sqrt(len(reserve))
        return own, paired, errors

    def _judge_conditions(self, error: float) -> tuple[Flags, Flags]:
        """Return which conditions are known to hold, and which not to, of each system."""
        each = error / (len(self.conditions) * len(self.names))
        half = self._quantile(each, self.counts) * self._reserve_errors
        half += np.where(self._are_sure, 0.0, self._unseen(each))
        for c, condition in enumerate(self.conditions):
            if condition.limit is None:
                half[c, self.names.index(ALONE)] = 0.0
        holds = (self._reserves - half >= -self.wish.indifference) & (self.reserves >= -_ROUNDING)
        fails = (self._reserves + half < -_ROUNDING) & (self.reserves < 0.0)
        return np.asarray(holds), np.asarray(fails)

    def _spent(self, counts: npt.NDArray[np.int_]) -> Array:
        """Return the share of the error for the look with a given number of replications."""
        before = dict(zip(self.looks, [0, *self.looks[:-1]], strict=True))
        parts = {look: (look - last) / self.looks[-1] for look, last in before.items()}
        return np.array([parts[count] for count in counts.ravel().tolist()]).reshape(counts.shape)

    def _quantile(self, error: float, counts: npt.NDArray[np.int_]) -> Array:
        found, place = np.unique(counts, return_inverse=True)
        quantiles = -special.stdtrit(found - 1, np.minimum(0.5, error * self._spent(found)))
        return np.asarray(quantiles[place].reshape(counts.shape))

    def _unseen(self, error: float) -> Array:
        """Return the share u of runs of which, with probability `error`, none is seen."""
        spent = np.minimum(1.0, error * self._spent(self.counts))
        return np.asarray(1.0 - spent ** (1.0 / self.counts))
