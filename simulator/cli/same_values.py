"""Which numbers were the same in all runs made, and need not be in others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from analysis.statistics.chance import has_random_tasks, may_differ, varying
from analysis.statistics.unseen import most_unseen_percent
from simulator.experiment.intervals import SHARE_METRICS
from simulator.scenario import Scenario


def same_in_all(
    scenario: Scenario, columns: Mapping[str, npt.NDArray[Any]], metrics: Sequence[str]
) -> list[str]:
    """Return the metrics that had one value in all of several runs, and may have others.

    None where nothing in the scenario is random; nor is what the scenario says itself.

    Parameters
    ----------
    scenario : Scenario
    columns : mapping of str to ndarray, each of shape (replications,)
        All numeric metrics.
    metrics : sequence of str
        Those that are looked at.
    """
    if len(columns["replication"]) < 2:
        return []
    varies = varying(columns)
    if not may_differ(scenario, columns, varies):
        return []
    said = {"agents"} if has_random_tasks(scenario) else {"agents", "tasks"}
    return [name for name in metrics if name not in varies | said]


def note_on_same(metrics: Sequence[str], runs: int) -> str | None:
    """Return what the intervals of such metrics do not say; None where they say it, as of shares.

    Parameters
    ----------
    metrics : sequence of str
        As `same_in_all` returns them.
    runs : int
        Runs that were made.
    """
    means = [name for name in metrics if name not in SHARE_METRICS]
    if not means:
        return None
    return (
        f"the same in all {runs:,} runs: {', '.join(means)}; what no run has shown is not in "
        f"their intervals, and of further runs up to {most_unseen_percent(runs)} may have "
        "another value (95 % confidence)"
    )
