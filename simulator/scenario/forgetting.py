"""What YAML may say about agents that finish a task and do not hand it in."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from simulator.scenario.probability import Probability
from simulator.spec import Fraction, Number, Spec


class Forgetting(Spec):
    """How likely an agent is to finish a task that it has claimed, and not to hand it in.

    The task's files are written, but nobody has marked it done: its claim is orphaned, and what
    depends on the task cannot start. The increases add up on the logit scale.
    """

    probability: Probability = Probability(probability=0.0)
    """Probability that a finished task is not handed in with the call that finished it."""
    claims_logit: Number = 0.0
    """Increase of its logit for each further task of the same call."""
    depth_logit: Number = 0.0
    """Increase of its logit for each task in the longest chain of dependencies before the task."""
    waiting_logit: Number = 0.0
    """Increase of its logit with the natural logarithm of how many tasks cannot be done without the
    task, itself among them. At 1, the odds are proportional to that number."""
    team_logit: Number = 0.0
    """Increase of its logit where there are other workers, however many."""
    all_or_nothing: Fraction = 0.0
    """Share of the calls that keep everything that they finish, or nothing, rather than each task
    by itself, with the chance that they would keep any of those that they try, if all of these
    succeeded. What is kept together is noticed together."""
    notice: Fraction = 0.0
    """Probability, in each later call (in each of its turns, if it is a loop), of noticing a
    finished task that was not handed in, and of handing it in when the call ends. An agent can
    hand in what it holds itself or, with ``completion: anyone``, what anybody has finished."""
    all_claimed_logit: Number = 0.0
    """Increase of the logit of `notice` in calls at whose end every task of the board that is left
    is claimed, so that there is nothing else to do."""

    @model_validator(mode="after")
    def _slopes_change_something(self) -> Self:
        p = self.probability.probability
        for name in ("claims_logit", "depth_logit", "waiting_logit", "team_logit"):
            if p in (0.0, 1.0) and dict(self)[name]:
                raise ValueError(f"{name} cannot change a probability of {p:g}: leave it out")
        if self.notice in (0.0, 1.0) and self.all_claimed_logit:
            raise ValueError(
                f"all_claimed_logit cannot change a notice of {self.notice:g}: leave it out"
            )
        return self
