"""Going over to another protocol in the middle of a run."""

from __future__ import annotations

from collections.abc import Collection

from simulator.model.protocols import Setting
from simulator.model.protocols._looked_at import dispatcher_of
from simulator.model.team.commits import Commits
from simulator.model.team.coordination import Coordination
from simulator.model.team.review import Reviews
from simulator.model.team.sides import Sides
from simulator.scenario.families import ProtocolSpec


class Changeover:
    """Lets a team go on with another protocol, without coordinators.

    Parameters
    ----------
    setting : Setting
        What the other protocol is told.
    sides : Sides
    coordination : Coordination
    reviews : Reviews
    commits : Commits
    """

    __slots__ = ("_commits", "_coordination", "_reviews", "_setting", "_sides")

    def __init__(
        self,
        setting: Setting,
        sides: Sides,
        coordination: Coordination,
        reviews: Reviews,
        commits: Commits,
    ) -> None:
        self._setting = setting
        self._sides = sides
        self._coordination = coordination
        self._reviews = reviews
        self._commits = commits

    def change_to(self, protocol: ProtocolSpec) -> Collection[int]:
        """Let another protocol hand out the tasks, once it is told which can start.

        Returns those tasks that wait for a review: they are handed out if they are rejected.
        """
        dispatcher = dispatcher_of(protocol, self._setting)
        before = self._sides.dispatcher
        before.end()
        if before.ledger is not None and dispatcher.ledger is not None:
            dispatcher.ledger.take_in(before.ledger)
        self._sides.adopt(dispatcher)
        self._coordination.dissolve()
        self._reviews.leave_out("coordinator", self._setting.agenda.now)
        self._commits.adapt()
        return self._reviews.outlast_protocol()
