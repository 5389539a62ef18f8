"""How likely an agent is to keep a finished task to itself, and to notice that later."""

from __future__ import annotations

import math
from collections.abc import Sequence

from simulator.model.answers import expit
from simulator.model.board import Board
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.tasks import TaskGraph
from simulator.scenario.forgetting import Forgetting


class Forgetfulness:
    """How likely one agent is to forget to hand in, and to notice it.

    Parameters
    ----------
    spec : Forgetting
    agent : int
        Its number, which names its draws.
    is_alone : bool
        Whether it is the only worker.
    streams : Streams

    Attributes
    ----------
    keeps_all : bool
        Whether the call whose task was asked for last keeps all that it finishes.
    """

    __slots__ = (
        "_all_or_nothing",
        "_call",
        "_claims_logit",
        "_depth_logit",
        "_is_whole",
        "_logit",
        "_notice",
        "_notice_last",
        "_rolls",
        "_rolls_notice",
        "_waiting_logit",
        "keeps_all",
    )

    def __init__(self, spec: Forgetting, agent: int, is_alone: bool, streams: Streams) -> None:
        self._logit = streams.logit(spec.probability.odds, Entity.AGENT, agent, Purpose.FORGETTING)
        self._logit += 0.0 if is_alone else spec.team_logit
        self._claims_logit = spec.claims_logit
        self._depth_logit = spec.depth_logit
        self._waiting_logit = spec.waiting_logit
        self._all_or_nothing = spec.all_or_nothing
        self._call = 0
        self._is_whole = self.keeps_all = False
        self._notice = self._notice_last = spec.notice
        if spec.all_claimed_logit:
            self._notice_last = expit(
                math.log(spec.notice / (1.0 - spec.notice)) + spec.all_claimed_logit
            )
        self._rolls = streams.uniforms(Entity.AGENT, agent, Purpose.FORGETTING)
        self._rolls_notice = streams.uniforms(Entity.AGENT, agent, Purpose.NOTICE)

    def forgets(self, call: int, task: int, picks: Sequence[int], board: Board) -> bool:
        """Return whether a finished task is not handed in.

        Parameters
        ----------
        call : int
            The number of the call that has finished it.
        task : int
            Of those of `board`.
        picks : sequence of int
            All tasks of the call.
        board : Board
        """
        if self._all_or_nothing:
            if call != self._call:
                self._begin(call, picks, board)
            if self._is_whole:
                return self.keeps_all
        return self._rolls() < self._chance(len(picks) - 1, task, board.graph)

    def _begin(self, call: int, picks: Sequence[int], board: Board) -> None:
        """Decide whether a call keeps all or nothing, and which, at its first finished task."""
        self._call = call
        self._is_whole = self._rolls() < self._all_or_nothing
        self.keeps_all = False
        if self._is_whole:
            none = math.prod(
                1.0 - self._chance(len(picks) - 1, each, board.graph)
                for each in picks
                if not (board.missing[each] or board.done[each])
            )
            self.keeps_all = self._rolls() < 1.0 - none

    def _chance(self, more: int, task: int, graph: TaskGraph) -> float:
        """Return how likely it is to forget one of the tasks of a call, with so many more."""
        logit = self._logit + self._claims_logit * more
        if self._depth_logit:
            logit += self._depth_logit * graph.depths[task]
        if self._waiting_logit:
            logit += self._waiting_logit * math.log(graph.waiting[task])
        return expit(logit)

    def notices(self, turns: int, is_all_claimed: bool) -> bool:
        """Return whether, in a call of so many turns, it notices a task that is not handed in.

        `is_all_claimed` says whether every task that is left on the board is claimed.
        """
        if not self._notice:
            return False
        chance = self._notice_last if is_all_claimed else self._notice
        return self._rolls_notice() < 1.0 - (1.0 - chance) ** turns


def hazards_of(specs: Sequence[Forgetting | None], streams: Streams) -> list[Forgetfulness | None]:
    """Return how forgetful each worker is, None where one hands everything in, shape (workers,)."""
    is_alone = len(specs) == 1
    return [
        None if spec is None else Forgetfulness(spec, agent, is_alone, streams)
        for agent, spec in enumerate(specs)
    ]
