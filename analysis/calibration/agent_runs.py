"""What is known of each agent whose runs are read, before anything is fitted."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import pandas as pd

from analysis.calibration.hyperpriors import Prior
from analysis.calibration.observations import longest_reply_s
from analysis.calibration.waiting import WaitingTasks
from analysis.calibration.waits import Waits
from analysis.traces.team_runs import TeamRuns

_MAX_ROUNDS = 60
"""Rounds that the harness allows, if no run has reached the limit."""


@dataclass(frozen=True)
class AgentRuns:
    """What is known of an agent in one mode.

    Attributes
    ----------
    most_tasks, most_rounds : int
        Tasks of any agent's longest list; rounds at which runs are given up if its own tell none.
    runs, calls : DataFrame
        Its runs, and its replies in them.
    limit_s : float or None
        Longest time that a reply takes.
    told : Waits or None
        Its waits, told apart, if it claims its tasks.
    waiting : mapping
        By the key of each task list.
    priors : mapping
    """

    most_tasks: int
    most_rounds: int
    runs: pd.DataFrame
    calls: pd.DataFrame
    limit_s: float | None
    told: Waits | None
    waiting: Mapping[tuple[str, str], WaitingTasks]
    priors: Mapping[str, Prior]


def agents_of(
    real: TeamRuns,
    calls: pd.DataFrame,
    told: Mapping[tuple[Hashable, ...], Waits],
    together: list[str],
    priors: Mapping[str, Prior],
) -> list[AgentRuns]:
    """Return what is known of each agent, in the order of its columns `together`.

    Parameters
    ----------
    real : TeamRuns
    calls, told
        As `cells.observed` returns them.
    together : list of str
        Columns in which the runs of an agent are alike.
    priors : mapping
    """
    limits = {str(name): longest_reply_s(some) for name, some in calls.groupby("model_dir")}
    waiting = {key: WaitingTasks(tasks) for key, tasks in real.tasks.items()}
    return [
        AgentRuns(
            real.most_tasks,
            most_rounds(real.runs),
            runs,
            calls[calls["run_dir"].isin(runs["run_dir"])],
            limits[str(key[0])],
            told.get(key),
            waiting,
            priors,
        )
        for key, runs in real.runs.groupby(together, sort=True)
    ]


def most_rounds(runs: pd.DataFrame) -> int:
    """Return the rounds at which runs are given up, as far as any of them tell."""
    return max_rounds(runs) or max(_MAX_ROUNDS, int(runs["total_rounds"].max()))


def max_rounds(runs: pd.DataFrame) -> int | None:
    """Return the rounds at which runs are given up, if they tell.

    If they do not say it (``max_rounds``), it is seen where one was given up.
    """
    if "max_rounds" in runs and runs["max_rounds"].notna().any():
        return int(runs["max_rounds"].mode().max())
    failed = runs.loc[~runs["success"].astype(bool), "total_rounds"]
    return None if failed.empty else int(failed.max())
