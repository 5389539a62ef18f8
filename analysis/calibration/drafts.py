"""How often agents leave as it is what they have written for tasks that could not start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.calibration.estimates import Estimate, Probability, persistence
from analysis.calibration.shares import Share, pool_shares


@dataclass(frozen=True, slots=True)
class DraftHabit:
    """How likely it is that a call leaves drafts as they are.

    Attributes
    ----------
    left, left_again : Estimate or BetaEstimate
        After a call that has left none, and after one that has.
    """

    left: Probability
    left_again: Probability

    @property
    def persistence(self) -> float:
        """Probability of leaving them again, beyond the probability of leaving them."""
        return persistence(self.left, self.left_again)

    def draw(self, rng: np.random.Generator) -> DraftHabit:
        """Return values drawn from the uncertainty, as certain ones."""
        return DraftHabit(self.left.draw(rng), self.left_again.draw(rng))


ALWAYS_WRITTEN = DraftHabit(Estimate(0.0, 0.0), Estimate(0.0, 0.0))
"""That of agents which write drafts again in each call."""


def fit_drafts(working: Sequence[pd.DataFrame]) -> list[DraftHabit]:
    """Return the habit of each cell, pooled over them, given their working calls."""
    left, again = zip(*(left_drafts(calls) for calls in working), strict=True)
    return [DraftHabit(*each) for each in zip(pool_shares(left), pool_shares(again), strict=True)]


def left_drafts(working: pd.DataFrame) -> tuple[Share, Share]:
    """Return how many calls that attempt drafts leave them as they are, those of each run.

    A draft is a task whose files the agent has written and which it has not claimed since. A call
    attempts as many of them as it attempts tasks that it neither writes for the first time nor has
    claimed before. It leaves them if it writes at most half of them again: nearly all calls write
    all of them or none.

    Parameters
    ----------
    working : DataFrame
        The working calls of a cell (see `observations.observe`), those of an agent in order.

    Returns
    -------
    (Share, Share)
        After calls that left no drafts, and after calls that did.
    """
    agent = working.groupby(["run_dir", "agent"], sort=False)
    begun = agent["fresh"].cumsum() - working["fresh"]
    done = agent["completed"].cumsum() - working["completed"]
    known = working["fresh"] + working["owed"]
    drafts = (working["attempts"] - known).clip(upper=begun - done - working["owed"])
    has_drafts = drafts > 0
    are_left = has_drafts & ((working["edited"] - known) * 2 <= drafts)
    before = are_left.groupby(agent.ngroup()).shift(1, fill_value=False)
    runs = working["run_dir"]
    first, later = has_drafts & ~before, has_drafts & before
    return Share.of(are_left[first], runs[first]), Share.of(are_left[later], runs[later])
