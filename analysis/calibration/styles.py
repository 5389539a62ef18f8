"""Estimates how likely an agent is to begin with one task a call, by how many it has to do.

That is a logistic regression on the logarithm of their number, with an intercept for each cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.calibration.estimates import VectorFit
from analysis.calibration.logits import Trials, fit_logits

AT_TASKS = 20.0
"""The number of tasks that the intercept is for."""

_PRIOR = np.asarray([-2.0, 1.0])
"""Mean of the prior of an agent's logit and growth: rare, and likelier with more tasks."""
_PRIOR_SD = np.asarray([2.0, 1.0])


def begins_with_one(calls: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each agent that had a choice: its ``tasks``, and whether it ``takes_one``.

    Parameters
    ----------
    calls : DataFrame
        Working calls in order within each agent: ``run_dir, agent, attempts, left, ready``.
    """
    first = calls[~calls.duplicated(["run_dir", "agent"]) & (calls["ready"] > 1)]
    return pd.DataFrame({"tasks": first["left"], "takes_one": first["attempts"] == 1})


def fit_styles(cells: Sequence[pd.DataFrame]) -> list[VectorFit]:
    """Return for each cell of an agent the logit at `AT_TASKS` tasks, and the growth.

    Parameters
    ----------
    cells : sequence of DataFrame
        The working calls of each cell.
    """
    found = [begins_with_one(calls) for calls in cells]
    return fit_logits(
        [
            Trials(
                np.log(each[["tasks"]].to_numpy(dtype=float) / AT_TASKS),
                each["takes_one"].to_numpy(dtype=float),
                np.ones(len(each)),
            )
            for each in found
        ],
        _PRIOR,
        _PRIOR_SD,
    )
