"""Where simulated runs succeed more or less often than the pilot's own, beyond chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.validation.run_prediction import TEAM

FALSE_ALARMS = 0.01
"""How often any cell of a table is named though all simulated runs are as the pilot's."""


@dataclass(frozen=True)
class Contradiction:
    """A team whose simulated runs do not succeed as often as its runs in the pilot.

    Attributes
    ----------
    cell : tuple
        Its values of `TEAM`.
    succeeded, runs : int
        Of the pilot's runs.
    simulated : float
        The share of the simulated runs that succeed.
    """

    cell: tuple[str, str, str, int]
    succeeded: int
    runs: int
    simulated: float


def contradictions(simulated: pd.DataFrame, pilot: pd.DataFrame) -> Iterator[Contradiction]:
    """Yield the teams of both tables of which Fisher's exact test says that they differ.

    The level of each test is `FALSE_ALARMS` divided by their number (Bonferroni).

    Parameters
    ----------
    simulated, pilot : DataFrame
        The columns of `TEAM`, and ``success``: 1 or 0, NaN where it is not known.
    """
    both = pd.merge(_counts(simulated), _counts(pilot), left_index=True, right_index=True)
    if both.empty:
        return
    from scipy.stats import fisher_exact  # takes half a second to import

    for cell, (hits, runs, hits_pilot, runs_pilot) in zip(
        both.index, both.to_numpy(dtype=int).tolist(), strict=True
    ):
        table = [[hits, runs - hits], [hits_pilot, runs_pilot - hits_pilot]]
        if fisher_exact(np.array(table)).pvalue < FALSE_ALARMS / len(both):
            yield Contradiction(cell, hits_pilot, runs_pilot, hits / runs)


def _counts(runs: pd.DataFrame) -> pd.DataFrame:
    """Return how many runs of each team have succeeded, and how many there are."""
    known = runs[runs["success"].notna()]
    return known.groupby(TEAM)["success"].agg(["sum", "size"])
