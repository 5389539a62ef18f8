"""Real runs of teams on task lists, whatever format they were read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from simulator.errors import TeamsimError, unknown_name

CELL = ["model_dir", "mode", "task_type", "p_label"]
"""The columns that identify an experimental cell, without the team size."""

AGENT = ["model_dir", "mode"]
"""Cells with equal values here are of one agent, and are pooled."""

SELF_CLAIM = "decentralized"
"""The mode in which agents claim tasks themselves."""

PRE_ASSIGNED = "preassign_nolead"
"""The mode in which tasks are dealt to agents before they begin, without a lead."""

MODES = {
    SELF_CLAIM: SELF_CLAIM,
    "decentralised": SELF_CLAIM,
    "self_claim": SELF_CLAIM,
    PRE_ASSIGNED: PRE_ASSIGNED,
    "pre_assigned": PRE_ASSIGNED,
}
"""The modes by the names that tables may give them."""


@dataclass(frozen=True)
class TeamRuns:
    """Real runs.

    Attributes
    ----------
    runs : DataFrame
        A row for each run: the columns of ``runs.parquet``, and ``calls`` (replies in the log).
        ``max_rounds``, the rounds after which a run is given up, may be missing.
        ``concurrent_writes`` is counted anew from the log: files that several agents edited in
        a round (in the published table it is 0 for some cells whose log is full of them).
    calls : DataFrame
        A row for each reply: ``run_dir, round, agent, latency_s``, counts of its actions (``edits,
        claims, blocked, completed, tests, failed_tests``), ``paths`` (the files edited), ``files``
        (how many they are), ``fresh_files`` (files that its agent had not edited before),
        ``files_there`` (files that any agent had edited before the round), the cell and
        ``n_teammates``.
    tasks : dict
        ``(task_type, p_label)`` to the list of tasks (id, dependencies, files).
    skipped : list of str
        Runs and replies that could not be used, and why.
    """

    runs: pd.DataFrame
    calls: pd.DataFrame
    tasks: dict[tuple[str, str], list[dict[str, Any]]]
    skipped: list[str] = field(default_factory=list)

    @property
    def most_tasks(self) -> int:
        """Tasks of the longest list."""
        return max(len(tasks) for tasks in self.tasks.values())

    def of_sizes(self, sizes: Sequence[int]) -> TeamRuns:
        """Return the runs of teams of these sizes, a pilot.

        Raises
        ------
        TeamsimError
            If there are none of some size.
        """
        there = sorted(int(n) for n in self.runs["n_teammates"].unique())
        missing = sorted(set(sizes) - set(there))
        if missing:
            raise TeamsimError(f"there are no runs of teams of {missing[0]} (there are of {there})")
        return self._where(self.runs["n_teammates"].isin(list(sizes)))

    def on_list(self, name: str) -> TeamRuns:
        """Return the runs on one task list (``task_type``), as if there were no other.

        Raises
        ------
        TeamsimError
            If there are none on it.
        """
        lists = sorted(str(each) for each in self.runs["task_type"].unique())
        if name not in lists:
            raise TeamsimError(unknown_name("task list", name, lists))
        return self._where(self.runs["task_type"] == name)

    def _where(self, chosen: pd.Series) -> TeamRuns:
        """Return the chosen runs, with their replies."""
        runs = self.runs[chosen].reset_index(drop=True)
        calls = self.calls[self.calls["run_dir"].isin(runs["run_dir"])].reset_index(drop=True)
        return replace(self, runs=runs, calls=calls)

    def given_up_after(self, rounds: int) -> TeamRuns:
        """Return these runs with a limit of rounds where they do not say it."""
        said = self.runs["max_rounds"] if "max_rounds" in self.runs else float("nan")
        limits = pd.Series(said, index=self.runs.index, dtype=float).fillna(rounds)
        return replace(self, runs=self.runs.assign(max_rounds=limits))
