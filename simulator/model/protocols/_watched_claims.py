"""Claims that are counted, that may end by themselves, and that others may mark done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from simulator.model.board import NOBODY, Board
from simulator.model.ledger import Ledger
from simulator.model.protocols._claims import Claims
from simulator.model.protocols._dispatcher import Setting
from simulator.model.protocols._leases import Leases


class WatchedClaims(Claims):
    """Claims with leases, with a ledger, or with both; what they cost, others do not pay.

    Parameters
    ----------
    setting : Setting
    is_immediate : bool
    noise : float
        As of `Claims`.
    leases : Leases or None
        None where no claim ends by itself.
    ledger : Ledger or None
        None where claims are not counted.
    ends_on_exit : bool
        Whether the claims of an agent end when it goes down.
    """

    __slots__ = ("_ends_on_exit", "_leases")

    def __init__(
        self,
        setting: Setting,
        is_immediate: bool,
        noise: float,
        leases: Leases | None,
        ledger: Ledger | None,
        ends_on_exit: bool,
    ) -> None:
        super().__init__(setting, is_immediate, noise)
        self._leases = leases
        self.sets_timers = leases is not None and leases.sets_timers
        self.ledger = ledger
        self._ends_on_exit = ends_on_exit

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other._leases = None if self._leases is None else self._leases.fork(other._let_go)
        return other

    def _claim(self, agent: int, task: int) -> None:
        super()._claim(agent, task)
        if self._leases is not None:
            self._leases.begin(task, self._let_go)
        if self.ledger is not None:
            self.ledger.open(task, agent)

    def _release(self, task: int) -> None:
        super()._release(task)
        if self._leases is not None:
            self._leases.end(task)
        if self.ledger is not None:
            self.ledger.release(task)

    def _let_go(self, task: int) -> None:
        """Open a claimed task again."""
        self._take_off(task, self.board.owner[task])
        self._open_again(task)

    def begin_round(self, number: int) -> None:
        """Open the tasks whose claims have lasted for as many rounds as they may."""
        if self._leases is not None:
            for task in self._leases.begin_round(number):
                self._let_go(task)

    def may_attempt(self, agent: int, task: int) -> bool:
        """Claim `task` if nobody holds it; return whether `agent` may mark it done then."""
        may = super().may_attempt(agent, task)
        return may or (self.ledger is not None and self.ledger.is_of_all)

    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Take a finished task off the board; leave one that failed to its owner."""
        super().attempt_ended(agent, task, done)
        if done:
            self._is_done(task)
            return
        if self.ledger is not None:
            self.ledger.take_back(task)
        if self._leases is not None:
            self._leases.resume(task, self._let_go)

    def _is_done(self, task: int) -> None:
        """Take a task off the board that is marked done, maybe after its claim has ended."""
        self._unlist(task)
        if self._leases is not None:
            self._leases.end(task)
        if self.ledger is None:
            return
        self.ledger.mark(task)
        if self.ledger.is_of_all:
            for other in range(len(self._redo)):
                self._take_off(task, other)

    def _keep(self, agent: int, task: int) -> None:
        """Leave a task that is not done to the agent, or open it if the agent is gone."""
        if agent not in self.gone or self.board.owner[task] in (agent, NOBODY):
            super()._keep(agent, task)

    def give_away(self, agent: int) -> int:
        """Open what the agent has claimed."""
        if self.ledger is None:
            return super().give_away(agent)
        claimed = [task for task in self._take_all(agent) if self.board.owner[task] == agent]
        claimed += self.ledger.forgotten_by(agent)
        for task in claimed:
            self._open_again(task)
        return len(claimed)

    def exits(self, agent: int) -> None:
        """Let the agent's claims end, or be orphaned until it is back."""
        if self.ledger is None:
            return
        for task in self.ledger.held_by(agent):
            if self._ends_on_exit:
                self._let_go(task)
            else:
                self.ledger.orphan(task, "down")

    def handed_in(self, agent: int, task: int) -> None:
        """Take the task off the lists until it is rejected; its lease waits as long."""
        super().handed_in(agent, task)
        self._unlist(task)
        if self._leases is not None:
            self._leases.suspend(task)
        if self.ledger is not None:
            self.ledger.hand_in(task)

    def forgotten(self, agent: int, task: int) -> None:
        """Take the task off its owner's list, who takes it for done."""
        self._take_off(task, agent)

    def returned(self, agent: int, task: int) -> None:
        """Leave a claimed task to its owner, unless it has finished it in another way."""
        if self.ledger is None or task not in self.ledger.forgotten_by(agent):
            super().returned(agent, task)

    def forget(self, task: int) -> None:
        """Take the task off the board: it is done."""
        if self.ledger is not None:
            self.ledger.mark(task)
        super().forget(task)

    def end(self) -> None:
        """Let all claims and leases end: another protocol takes over, or another board."""
        if self._leases is not None:
            self._leases.end_all()
        if self.ledger is not None:
            self.ledger.release_all()

    def waits(self) -> Sequence[str]:
        """Say which tasks are held by claims that nobody ends."""
        return () if self.ledger is None else self.ledger.orphans()
