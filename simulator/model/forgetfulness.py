"""How likely an agent is to keep a finished task to itself, and to notice that later."""

from __future__ import annotations

import math
from collections.abc import Sequence

from simulator.model.answers import expit
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
    """

    __slots__ = (
        "_claims_logit",
        "_depth_logit",
        "_logit",
        "_notice",
        "_notice_last",
        "_rolls",
        "_rolls_notice",
        "_waiting_logit",
    )

    def __init__(self, spec: Forgetting, agent: int, is_alone: bool, streams: Streams) -> None:
        own = Entity.AGENT, agent
        self._logit = streams.logit(spec.probability, *own, Purpose.FORGETTING)
        self._logit += 0.0 if is_alone else spec.team_logit
        self._claims_logit = spec.claims_logit
        self._depth_logit = spec.depth_logit
        self._waiting_logit = spec.waiting_logit
        self._notice = self._notice_last = spec.notice
        if spec.all_claimed_logit:
            self._notice_last = expit(
                math.log(spec.notice / (1.0 - spec.notice)) + spec.all_claimed_logit
            )
        self._rolls = streams.uniforms(*own, Purpose.FORGETTING)
        self._rolls_notice = streams.uniforms(*own, Purpose.NOTICE)

    def forgets(self, more: int, task: int, graph: TaskGraph) -> bool:
        """Return whether a finished task is not handed in.

        Parameters
        ----------
        more : int
            Further tasks of the same call.
        task : int
            Of those of `graph`.
        graph : TaskGraph
        """
        logit = self._logit + self._claims_logit * more
        if self._depth_logit:
            logit += self._depth_logit * graph.depths[task]
        if self._waiting_logit:
            logit += self._waiting_logit * math.log(graph.waiting[task])
        return self._rolls() < expit(logit)

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
