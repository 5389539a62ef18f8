"""Replication: several agents do the same task on their own, and their answers decide."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from simulator.model.answers import CORRECT
from simulator.model.board import Board
from simulator.model.protocols._dispatcher import LEFT
from simulator.model.protocols._protocol import EVERYONE, Dispatcher, Protocol, Setting
from simulator.model.streams import Draw, Purpose
from simulator.spec import Fraction


class ReplicateAndVote(Protocol):
    """Each task is attempted `replicas` times, by different agents as far as there are any.

    ``majority``: the most frequent answer, a tie broken at random. ``weighted``: each answer
    counts log((1 - e) / e), with e its agent's error probability (Nitzan & Paroush 1982).
    ``best_of``: a verifier accepts or rejects each answer, and one of the accepted is taken.
    ``judge``: where answers differ, a judge finds the right one if it is there, unless it
    misses it. Verifier and judge take a call, made by whoever is free; there is no judge's where
    all answers are the same.
    """

    can_back_up: ClassVar[bool] = False

    kind: Literal["replicate_and_vote"] = "replicate_and_vote"
    replicas: Annotated[int, Field(ge=1, le=10_000)] = 3
    """Attempts at each task (k)."""
    vote: Literal["majority", "weighted", "best_of", "judge"] = "majority"
    """How the answers decide."""
    quorum: Annotated[int, Field(ge=1)] | None = None
    """The first so many answers decide, the others come in vain; all of them when absent."""
    early_stop: bool = False
    """Stop asking when no further answer can change a majority."""
    miss: Fraction = 0.0
    """Probability that the verifier accepts a wrong answer, or the judge misses the right one."""
    false_alarm: Fraction = 0.0
    """Probability that the verifier rejects a correct answer."""

    @model_validator(mode="after")
    def _quorum_is_within_replicas(self) -> Self:
        if self.quorum is not None and self.quorum > self.replicas:
            raise ValueError(f"a quorum of {self.quorum} among {self.replicas} replicas")
        return self

    def dispatcher(self, setting: Setting) -> Dispatcher:
        """Return the state of this protocol for one replication."""
        return _Polls(self, setting)


@dataclass(slots=True)
class _Ballot:
    free: int
    asked: Counter[int] = field(default_factory=Counter)
    answers: list[tuple[int, int]] = field(default_factory=list)
    decided: bool = False
    missing: int = 0
    """Answers that will never come, as their calls have failed for good."""

    def copy(self) -> _Ballot:
        return _Ballot(self.free, self.asked.copy(), self.answers[:], self.decided, self.missing)


class _Polls(Dispatcher):
    __slots__ = (
        "_ballots",
        "_each",
        "_judge",
        "_judged",
        "_needed",
        "_open",
        "_protocol",
        "_rolls",
        "_to_judge",
        "_weights",
    )

    gives_answers: ClassVar[bool] = True
    asks_several: ClassVar[bool] = True

    def __init__(self, protocol: ReplicateAndVote, setting: Setting) -> None:
        super().__init__(setting)
        self._protocol = protocol
        self._needed = protocol.quorum or protocol.replicas
        self._each = -(-protocol.replicas // setting.workers)
        self._judged = protocol.vote in ("best_of", "judge")
        self._ballots: dict[int, _Ballot] = {}
        # A plain dict looks through all that has been taken from its front.
        self._open: OrderedDict[int, None] = OrderedDict()
        self._to_judge: deque[int] = deque()
        self._judge: dict[int, int] = {}
        self._rolls = setting.run_uniforms(Purpose.VOTE)
        self._weights = [_log_odds(spec.errors.probability.probability) for spec in setting.specs]

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other._ballots = {task: ballot.copy() for task, ballot in self._ballots.items()}
        other._open = self._open.copy()
        other._to_judge = self._to_judge.copy()
        other._judge = self._judge.copy()
        return other

    def task_ready(self, task: int) -> int:
        """Open a poll."""
        self._ballots[task] = _Ballot(self._protocol.replicas)
        self._open[task] = None
        return EVERYONE

    def has_tasks(self, agent: int) -> bool:
        """Return whether there is anything for the agent to judge or to answer."""
        ballots, each = self._ballots, self._each
        return bool(self._to_judge) or any(ballots[t].asked[agent] < each for t in self._open)

    def choose(self, agent: int, count: int) -> list[int]:
        """Return tasks to judge, or tasks of which the agent has no answer yet."""
        if self._to_judge:
            judged = [self._to_judge.popleft() for _ in range(min(count, len(self._to_judge)))]
            self._judge.update(dict.fromkeys(judged, agent))
            return judged
        picks: list[int] = []
        for task in self._open:
            if len(picks) == count:
                break
            if self._ballots[task].asked[agent] < self._each:
                picks.append(task)
        for task in picks:
            ballot = self._ballots[task]
            ballot.asked[agent] += 1
            ballot.free -= 1
            if not ballot.free:
                del self._open[task]
        return picks

    def may_attempt(self, agent: int, task: int) -> bool:
        """Return whether the poll is still open, or the agent judges it."""
        return not self._ballots[task].decided or self._judge.get(task) == agent

    def answer(self, agent: int, task: int) -> int | None:
        """Return what the agent finds if it judges; else its answer is its own."""
        if self._judge.get(task) != agent:
            return None
        answers = [answer for _, answer in self._ballots[task].answers]
        judge = self._accepted if self._protocol.vote == "best_of" else self._recognised
        return _any(judge(answers), self._rolls)

    def _accepted(self, answers: Sequence[int]) -> Sequence[int]:
        spec, rolls = self._protocol, self._rolls
        chance = {True: 1.0 - spec.false_alarm, False: spec.miss}
        accepted = [answer for answer in answers if rolls() < chance[answer == CORRECT]]
        return accepted or answers

    def _recognised(self, answers: Sequence[int]) -> Sequence[int]:
        wrong = [answer for answer in answers if answer != CORRECT]
        if not wrong or len(wrong) == len(answers):
            return answers
        return wrong if self._rolls() < self._protocol.miss else [CORRECT]

    def decide(self, agent: int, task: int, answer: int) -> int | None:
        """Take in an answer; return the poll's result when there is one."""
        ballot = self._ballots[task]
        if self._judge.get(task) == agent:
            del self._judge[task]
            return answer
        ballot.answers.append((agent, answer))
        return self._conclude(task, ballot)

    def do_without(self, agent: int, task: int) -> int | None:
        """Count the other answers alone; leave the task if there are none, or to judge none."""
        ballot = self._ballots[task]
        ballot.missing += 1
        if self._judge.pop(task, None) == agent or ballot.missing == self._protocol.replicas:
            return LEFT
        return self._conclude(task, ballot)

    def _needed_by(self, ballot: _Ballot) -> int:
        """Return how many answers decide: all that can still come, if those are fewer."""
        return min(self._needed, self._protocol.replicas - ballot.missing)

    def _conclude(self, task: int, ballot: _Ballot) -> int | None:
        """Return the poll's result when there is one; close it when it has its answers."""
        if len(ballot.answers) < self._needed_by(ballot) and not self._is_settled(ballot):
            return None
        ballot.decided = True
        self._open.pop(task, None)
        if not self._judged or self._is_unanimous(ballot):
            return self._winner(ballot)
        self._to_judge.append(task)
        self.wake(EVERYONE)
        return None

    def _is_unanimous(self, ballot: _Ballot) -> bool:
        """Return whether there is nothing for a judge to decide."""
        return self._protocol.vote == "judge" and len({a for _, a in ballot.answers}) == 1

    def _is_settled(self, ballot: _Ballot) -> bool:
        is_early = self._protocol.early_stop and self._protocol.vote == "majority"
        if not (is_early and ballot.answers):
            return False
        counts = [count for _, count in Counter(a for _, a in ballot.answers).most_common(2)]
        lead = counts[0] - (counts[1] if len(counts) > 1 else 0)
        return lead > self._needed_by(ballot) - len(ballot.answers)

    def _winner(self, ballot: _Ballot) -> int:
        weighted = self._protocol.vote == "weighted"
        totals: dict[int, float] = {}
        for agent, answer in ballot.answers:
            weight = self._weights[agent] if weighted else 1.0
            totals[answer] = totals.get(answer, 0.0) + weight
        most = max(totals.values())
        return _any([a for a, total in totals.items() if total >= most - 1e-9], self._rolls)

    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Close a poll that has decided; ask again after a failed attempt or a rejected result."""
        if done:
            self._open.pop(task, None)
        elif self._ballots[task].decided:
            self.task_ready(task)
            self.wake(EVERYONE)
        else:
            self._free(agent, task)

    def returned(self, agent: int, task: int) -> None:
        """Ask somebody for the answer, or judgement, that did not come."""
        if self._judge.get(task) == agent:
            del self._judge[task]
            self._to_judge.append(task)
        elif not self.board.done[task] and not self._ballots[task].decided:
            self._free(agent, task)

    def _free(self, agent: int, task: int) -> None:
        ballot = self._ballots[task]
        ballot.asked[agent] -= 1
        ballot.free += 1
        self._open[task] = None
        self.wake(EVERYONE)

    def give_away(self, agent: int) -> int:
        """Ask the others for more answers each."""
        self._share_out()
        return sum(ballot.free > 0 for ballot in map(self._ballots.__getitem__, self._open))

    def welcome(self, agent: int) -> None:
        """Ask the agent again too."""
        self._share_out()

    def _share_out(self) -> None:
        self._each = -(-self._protocol.replicas // max(1, len(self.here)))
        self.wake(EVERYONE)

    def forget(self, task: int) -> None:
        """Close the poll."""
        self._open.pop(task, None)
        if task in self._to_judge:
            self._to_judge.remove(task)


def _log_odds(p: float) -> float:
    p = min(max(p, 1e-6), 1.0 - 1e-6)
    return math.log((1.0 - p) / p)


def _any(answers: Sequence[int], rolls: Draw) -> int:
    return answers[int(rolls() * len(answers))] if len(answers) > 1 else answers[0]
