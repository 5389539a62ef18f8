"""No consistency: the last write stands, and what it overwrites unseen is lost."""

from __future__ import annotations

from typing import Literal

from simulator.model.workspaces._workspace import MergingWorkspace
from simulator.spec import Fraction


class LastWriterWins(MergingWorkspace):
    """Everybody writes when they are done.

    A write to an artifact that another agent has written since the writer read it undoes what
    that agent did there for another task. The loss is found by the tests of the agent that
    lost, as its own faults are: then the task is to be done again; else it is faulty.
    """

    kind: Literal["last_writer_wins"] = "last_writer_wins"
    loss: Fraction = 1.0
    """Probability that such a write undoes the other's (less than 1 where edits are small)."""

    @property
    def overwrites(self) -> float:
        """Probability that a write undoes what another agent wrote and the writer has not read."""
        return self.loss
