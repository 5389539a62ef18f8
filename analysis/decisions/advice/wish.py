"""The user's wish: the objective to minimise, and the conditions that have to hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.decisions.economics import total_usd
from simulator.errors import TeamsimError, what_is

Array = npt.NDArray[np.float64]

LESS_THAN_ALONE = 0.02
"""Share by which a team may get less right, or finish less often, than one agent."""


_MAY_LACK = {"usd_per_hour", "budget_usd", "min_quality"}


@dataclass(frozen=True)
class Wish:
    """The objective and the conditions.

    Attributes
    ----------
    usd_per_hour : float or None
        Value of an hour until the work is done. With it, cost plus the value of time until success
        is minimised; without it, time alone.
    budget_usd : float or None
        Most that a run may cost on average.
    min_quality : float or None
        Share of the tasks that must be right on average; when absent, the share that one agent
        gets right, less two points.
    worth : float
        Share by which a team must be better for being a team.
    confidence : float
        Wanted confidence of the answer, between 0.5 and 0.99.
    indifference : float
        Differences smaller than this do not matter: a share of the time or cost, and the same
        number of points of quality and of the share of runs that finish.

    Raises
    ------
    TeamsimError
        If one of them is out of its range.
    """

    usd_per_hour: float | None = None
    budget_usd: float | None = None
    min_quality: float | None = None
    worth: float = 0.05
    confidence: float = 0.95
    indifference: float = 0.01

    def __post_init__(self) -> None:
        ranges = {
            "usd_per_hour": (0.0, np.inf),
            "budget_usd": (0.0, np.inf),
            "min_quality": (0.0, 1.0),
            "worth": (0.0, 1.0),
            "confidence": (0.5, 0.99),
            "indifference": (0.0, 0.5),
        }
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if value is None and name in _MAY_LACK:
                continue
            is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
            if not (is_number and least <= value <= most and np.isfinite(value)):
                allowed = (
                    f"between {least:g} and {most:g}" if most < np.inf else "finite, and 0 or more"
                )
                found = value if is_number else what_is(value)
                raise TeamsimError(f"{name} is {found}: it must be {allowed}")


TIME_ONLY = Wish()
"""The least time, with the quality of one agent."""


def objective(rows: pd.DataFrame, wish: Wish) -> Array:
    """Return the objective of each run, whether it finished or not.

    Parameters
    ----------
    rows : DataFrame
        A row a replication.
    wish : Wish

    Returns
    -------
    ndarray, shape (replications,)
        Seconds, or US dollars. Their mean over the share of runs that finished is the time or cost
        until success, failed runs included.
    """
    if wish.usd_per_hour is None:
        return np.asarray(rows["makespan_s"], dtype=np.float64)
    return np.asarray(total_usd(rows, wish.usd_per_hour), dtype=np.float64)


@dataclass(frozen=True)
class Condition:
    """A condition on the mean over runs.

    Attributes
    ----------
    name : str
    column : str
        Of the table of replications.
    limit : float or None
        Least mean; None for the mean of one agent, less two points.
    at_most : bool
        Whether the limit is instead the largest mean.
    """

    name: str
    column: str
    limit: float | None
    at_most: bool = False

    def reserve(self, value: npt.ArrayLike, alone: npt.ArrayLike) -> Array:
        """Return how much better a value is than the condition requires.

        The result is in points of a share, or is a share of a budget. Below 0, the condition does
        not hold.
        """
        x = np.asarray(value, dtype=np.float64)
        if self.limit is None:
            return np.asarray(x - np.asarray(alone, dtype=np.float64) + LESS_THAN_ALONE)
        # With a budget of nothing, every dollar is too much.
        return np.asarray(
            (self.limit - x) / (self.limit or 1.0) if self.at_most else x - self.limit
        )


def conditions(wish: Wish) -> list[Condition]:
    """Return the conditions on an advised system."""
    found = [
        Condition("finishing", "success", None),
        Condition("quality", "quality", wish.min_quality),
    ]
    if wish.budget_usd is not None:
        found.append(Condition("budget", "cost_usd", wish.budget_usd, at_most=True))
    return found
