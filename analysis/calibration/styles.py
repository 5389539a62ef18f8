"""Estimates how likely an agent is to begin with one task a call, by how many it has to do.

That is a logistic regression on the logarithm of their number, with an intercept for each cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.calibration.estimates import VectorFit
from analysis.calibration.hyperpriors import Prior, shipped
from analysis.calibration.logits import Trials, fit_agent_logits, fit_logits

AT_TASKS = 20.0
"""The number of tasks that the intercept is for."""


def begins_with_one(calls: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each agent that had a choice: its ``tasks``, and whether it ``takes_one``.

    Parameters
    ----------
    calls : DataFrame
        Working calls in order within each agent: ``run_dir, agent, attempts, left, ready``.
    """
    first = calls[~calls.duplicated(["run_dir", "agent"]) & (calls["ready"] > 1)]
    return pd.DataFrame({"tasks": first["left"], "takes_one": first["attempts"] == 1})


def fit_styles(cells: Sequence[pd.DataFrame], prior: Prior | None = None) -> list[VectorFit]:
    """Return for each cell of an agent the logit at `AT_TASKS` tasks, and the growth.

    Parameters
    ----------
    cells : sequence of DataFrame
        The working calls of each cell.
    prior : Prior, optional
        Of the agent's logit and growth; that of the hyperpriors that ship.
    """
    prior = prior or shipped().priors["one_by_one"]
    return fit_logits([_trials(calls) for calls in cells], prior.mean, prior.sd)


def fit_agent_styles(cells: Sequence[pd.DataFrame], prior: Prior) -> VectorFit:
    """Return the logit and the growth of the agent itself, around which its cells are."""
    return fit_agent_logits([_trials(calls) for calls in cells], prior.mean, prior.sd)


def _trials(calls: pd.DataFrame) -> Trials:
    found = begins_with_one(calls)
    return Trials(
        np.log(found[["tasks"]].to_numpy(dtype=float) / AT_TASKS),
        found["takes_one"].to_numpy(dtype=float),
        np.ones(len(found)),
    )
