"""The ledger of claims: who holds which task since when, and how each claim ends."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from simulator.model.agenda import Agenda
from simulator.model.answers import CORRECT
from simulator.model.board import Board
from simulator.model.copied import Copied
from simulator.model.forgetfulness import Forgetfulness
from simulator.model.journal import Journal
from simulator.model.trace import Event


@dataclass(slots=True, eq=False)
class Claim:
    """A task that an agent holds until it hands it in, or until the claim is released."""

    number: int
    """Claims are numbered from 1 in the order in which they are made."""
    agent: int
    since_s: float
    is_orphaned: bool = False
    """Whether its agent has been gone meanwhile, or has finished the task and kept it."""
    is_handed_in: bool = False
    """Whether the task waits for its review."""


class Unmarked(NamedTuple):
    """A finished task that its agent has not handed in."""

    agent: int
    call: int
    answer: int
    started_s: float
    """When the call that finished it began."""
    finished_s: float
    claim: int
    """The number of the claim under which it was finished."""
    is_with_all: bool
    """Whether the call kept all that it finished: it is noticed together."""


class Ledger(Copied):
    """Claims that are open, and finished tasks that nobody has marked done.

    Every claim ends once: it is ``marked`` when its task is marked done, by whomever; it is
    ``released`` when the task is open again; or it is ``open`` when the run ends.

    Parameters
    ----------
    board : Board
        The one whose tasks are claimed.
    hazards : sequence of Forgetfulness or None, shape (workers,)
    journal : Journal
        Counts claims and their ends.
    agenda : Agenda
    is_of_all : bool
        Whether anyone may mark a claimed task done, or only who holds the claim.

    Attributes
    ----------
    is_of_all : bool
    """

    __slots__ = (
        "_agenda",
        "_board",
        "_hazards",
        "_inherited",
        "_journal",
        "_metrics",
        "_open",
        "_unmarked",
        "is_of_all",
    )

    def __init__(
        self,
        board: Board,
        hazards: Sequence[Forgetfulness | None],
        journal: Journal,
        agenda: Agenda,
        is_of_all: bool,
    ) -> None:
        self._board = board
        self._hazards = hazards
        self._journal = journal
        self._metrics = journal.metrics
        self._agenda = agenda
        self.is_of_all = is_of_all
        self._open: dict[int, Claim] = {}
        self._unmarked: dict[int, Unmarked] = {}
        self._inherited: frozenset[int] = frozenset()
        """Numbers of the claims of which the other side of a partition keeps account."""

    def fork(self, board: Board) -> Self:
        """Return the ledger of the minority's side of a partition, which begins as this one is.

        It keeps account of the claims that are made on its side only.
        """
        other = copy.copy(self)
        other._board = board
        other._open = self._open.copy()
        other._unmarked = self._unmarked.copy()
        other._inherited = frozenset(claim.number for claim in self._open.values())
        return other

    def take_in(self, other: Ledger) -> None:
        """Take over the finished tasks of another ledger, whose claims have ended."""
        for task, made in other._unmarked.items():
            if not self._board.done[task]:
                self._unmarked.setdefault(task, made)

    def open(self, task: int, agent: int) -> None:
        """Note that an agent claims a task."""
        self._metrics.claims += 1
        number = self._metrics.claims
        self._open[task] = Claim(number, agent, self._agenda.now)
        self._journal.note(Event.CLAIM, agent, task=task, peer=number)

    def mark(self, task: int) -> None:
        """Note that a task is marked done: its claim, if there is one, ends."""
        self._unmarked.pop(task, None)
        claim = self._end(task, "marked")
        if claim is not None:
            self._metrics.marked_claims += 1
            self._metrics.recovered_claims += claim.is_orphaned

    def release(self, task: int) -> None:
        """Note that a task is open again: its claim, if there is one, ends."""
        if self._end(task, "released") is not None:
            self._metrics.released_claims += 1

    def release_all(self) -> None:
        """Let all claims end."""
        for task in list(self._open):
            self.release(task)

    def _end(self, task: int, outcome: str) -> Claim | None:
        """End the claim of a task; return it if this ledger keeps account of it."""
        claim = self._open.pop(task, None)
        if claim is None or claim.number in self._inherited:
            return None
        held_s = self._agenda.now - claim.since_s
        self._journal.note(
            Event.CLAIM_END,
            claim.agent,
            task=task,
            peer=claim.number,
            duration_s=held_s,
            outcome=outcome,
        )
        return claim

    def hand_in(self, task: int) -> None:
        """Note that a task waits for its review."""
        self._unmarked.pop(task, None)
        if task in self._open:
            self._open[task].is_handed_in = True

    def take_back(self, task: int) -> None:
        """Note that a task waits for no review: it is to be done again."""
        if task in self._open:
            self._open[task].is_handed_in = False

    def overwrite(self, task: int) -> None:
        """Note that another attempt has replaced what was finished, if anything was."""
        self._unmarked.pop(task, None)

    def orphan(self, task: int, why: str) -> None:
        """Note that a claim has nobody who will hand the task in: ``forgotten`` or ``down``."""
        claim = self._open[task]
        if not claim.is_orphaned:
            claim.is_orphaned = True
            self._metrics.orphaned_claims += 1
        self._journal.note(Event.ORPHANED, claim.agent, task=task, peer=claim.number, outcome=why)

    def forgets(
        self,
        agent: int,
        task: int,
        answer: int,
        call: int,
        picks: Sequence[int],
        started_s: float,
    ) -> bool:
        """Return whether an agent does not hand in what it has just finished; note it if so.

        Parameters
        ----------
        agent, task : int
            Who has finished what; nothing but one's own claim can be forgotten.
        answer : int
            What the attempt answers.
        call : int
            The number of the call.
        picks : sequence of int
            All tasks of the call.
        started_s : float
            When the call began.
        """
        hazard, claim = self._hazards[agent], self._open.get(task)
        if hazard is None or claim is None or claim.agent != agent:
            return False
        if not hazard.forgets(call, task, picks, self._board):
            return False
        now, is_with_all = self._agenda.now, hazard.keeps_all
        made = Unmarked(agent, call, answer, started_s, now, claim.number, is_with_all)
        self._unmarked[task] = made
        self.orphan(task, "forgotten")
        return True

    def noticed_by(
        self, agent: int, call: int, turns: int, since_s: float
    ) -> list[tuple[int, Unmarked]]:
        """Return the finished tasks that an agent hands in at the end of its call.

        Parameters
        ----------
        agent, call : int
            Its number and that of its call.
        turns : int
            Turns of the call.
        since_s : float
            When the call began: it does not see what was finished later.
        """
        hazard = self._hazards[agent]
        if hazard is None or not self._unmarked:
            return []
        is_all_claimed = self._board.remaining == len(self._open)
        found: list[tuple[int, Unmarked]] = []
        together: dict[int, bool] = {}  # by call
        for task, made in list(self._unmarked.items()):
            if made.call >= call or made.finished_s > since_s:
                continue
            if not self._may_mark(agent, task, made):
                continue
            notices = together.get(made.call)
            if notices is None:
                notices = hazard.notices(turns, is_all_claimed)
            if made.is_with_all:
                together[made.call] = notices
            if notices:
                found.append((task, made))
        return found

    def _may_mark(self, agent: int, task: int, made: Unmarked) -> bool:
        """Return whether an agent may mark done what was finished under a claim."""
        if self.is_of_all:
            return True
        claim = self._open.get(task)
        return claim is not None and claim.agent == agent and claim.number == made.claim

    def held_by(self, agent: int) -> list[int]:
        """Return the tasks that an agent has claimed, apart from those that wait for a review."""
        return [
            task
            for task, claim in self._open.items()
            if claim.agent == agent and not claim.is_handed_in
        ]

    def forgotten_by(self, agent: int) -> list[int]:
        """Return the tasks that an agent still holds, has finished, and takes for done."""
        return [
            task
            for task, made in self._unmarked.items()
            if task in self._open
            and self._open[task].agent == agent
            and self._open[task].number == made.claim
        ]

    def orphans(self) -> list[str]:
        """Say which finished tasks nobody has handed in."""
        names = self._board.graph.names
        return [
            f"agent {made.agent} has finished {names[task]} and not handed it in"
            for task, made in self._unmarked.items()
            if task in self._open
        ]

    def close(self) -> None:
        """End the claims that are open at the end of the run."""
        for task in list(self._open):
            if self._end(task, "open") is not None:
                self._metrics.open_claims += 1

    def _stalled(self) -> set[int]:
        """Return the tasks left that wait, directly or not, for one whose claim is orphaned."""
        board = self._board
        found: set[int] = set()
        reached = [task for task, claim in self._open.items() if claim.is_orphaned]
        while reached:
            for task in board.graph.dependents[reached.pop()]:
                if task not in found and not board.done[task]:
                    found.add(task)
                    reached.append(task)
        return found

    def sum_up(self) -> int:
        """Count the tasks finished and not marked done, and those that wait for orphaned claims.

        Returns how many of the finished ones have no fault. Claims are still open.
        """
        self._metrics.stalled_tasks = len(self._stalled())
        self._metrics.unmarked_tasks = len(self._unmarked)
        return sum(made.answer == CORRECT for made in self._unmarked.values())
