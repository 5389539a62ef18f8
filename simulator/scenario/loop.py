"""What YAML may say about agents that work in loops: turns."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simulator.distributions import NonNegativeDistribution
from simulator.scenario.tools import mean_count
from simulator.spec import Positive, Spec

ENDS = ("turns", "end_probability", "work_per_turn")
"""Fields that say when a loop ends: one of them."""


class LoopSpec(Spec):
    """An attempt at tasks, or an errand, is a loop of turns, each a call to the model.

    Its number of turns is drawn when it begins, from `turns`, `end_probability` or
    `work_per_turn`, exactly one of which is given. The parts of latency and output that depend on
    work units are spread evenly over the turns. `reads_messages` says when messages are read;
    board, artifacts and notes are read with the first turn. What is read stays in the
    conversation until the loop ends. A call that takes no task is one turn.
    """

    turns: NonNegativeDistribution | None = None
    """Turns of a loop; a draw is rounded and at least 1."""
    end_probability: Annotated[float, Field(gt=0, le=1)] | None = None
    """Probability that a turn is the last: the number of turns is geometric."""
    work_per_turn: Positive | None = None
    """Work units that a turn does: the loop ends when its work is done."""
    reads_messages: Literal["turn", "loop"] = "turn"
    """When an agent reads the messages that have come: at every turn, or only at the first turn of
    each loop."""
    max_turns: Annotated[int, Field(ge=1)] = 1000
    """Most turns of a loop."""
    at_limit: Literal["hand_in", "give_up"] = "hand_in"
    """What happens to the tasks of a loop that would take more turns. ``hand_in``: they are handed
    in as they are, like any others. ``give_up``: the call has failed; the tasks are left as they
    are and are known to be faulty (in votes and debates, the others decide without the agent). An
    errand (of a coordinator or a reviewer) is always handed in."""

    @property
    def is_one_turn(self) -> bool:
        """Whether every loop has one turn, and so is a call like any other."""
        turns = None if self.turns is None else self.turns.constant
        is_short = turns is not None and round(turns) <= 1
        return is_short or self.end_probability == 1.0

    def mean_turns(self, work: float) -> float:
        """Return the mean number of turns of a loop that does so many work units."""
        if self.turns is not None:
            return mean_count(self.turns, self.max_turns)
        if self.end_probability is not None:
            return (1.0 - (1.0 - self.end_probability) ** self.max_turns) / self.end_probability
        assert self.work_per_turn is not None
        return float(min(max(1, math.ceil(work / self.work_per_turn)), self.max_turns))

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        ends = (self.turns, self.end_probability, self.work_per_turn)  # `ENDS`
        said = sum(end is not None for end in ends)
        if said != 1:
            raise ValueError(
                "a loop needs one of 'turns', 'end_probability' and 'work_per_turn'"
                + (f", not {said} of them" if said else "")
            )
        return self
