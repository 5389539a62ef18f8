"""Agents claim tasks from the shared board themselves."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from simulator.model.forgetfulness import hazards_of
from simulator.model.ledger import Ledger
from simulator.model.protocols._claims import Claims
from simulator.model.protocols._leases import Leases
from simulator.model.protocols._protocol import Dispatcher, Protocol, Setting
from simulator.model.protocols._watched_claims import WatchedClaims
from simulator.spec import Fraction, Positive


class SelfClaim(Protocol):
    """Every agent takes what it finds open on the board.

    An agent reads the board when its call starts. With ``claims: at_commit`` a claim is
    visible only when the call ends, so that agents who read the same board pick the same
    tasks, and the later one has worked in vain. With ``claims: immediate`` a claim is visible
    at once, as with an atomic task queue.

    To claim a task, to do it and to mark it done are three acts. An agent that forgets to hand in
    what it has finished (`Agent.forgetting`) leaves the task claimed and unmarked. `completion` and
    `release` say what becomes of such a claim, or of one whose agent is gone; where any of the
    three is given, claims are counted and traced.
    """

    has_claims: ClassVar[bool] = True

    kind: Literal["self_claim"] = "self_claim"
    claims: Literal["at_commit", "immediate"] = "at_commit"
    """When the others see a claim."""
    choice: Literal["first", "random", "noisy"] = "noisy"
    """Which open task is picked: the first listed, any, or a mixture of the two."""
    noise: Fraction = 0.5
    """With ``choice: noisy``, the probability that a pick is any rather than the first."""
    completion: Literal["owner", "anyone"] = "owner"
    """Who may mark a claimed task done: only the agent that holds the claim, or whoever has
    finished it, or finds it finished."""
    release: Literal["never", "lease", "on_exit"] | None = None
    """What opens a claimed task again: nothing; the end of a lease; or that its agent goes down.
    When absent, a lease if one is given. (A `resilience.detector` that reassigns tasks opens those
    of agents found dead or stuck in any case.)"""
    lease_s: Positive | None = None
    """A claim ends after so many seconds, and the task is open again; never when absent. It may end
    in the middle of a call, which is in vain if another holds the task when the call ends, and
    counts if nobody does; a call that ends at that very instant counts. The claim lasts while the
    task waits for its review; a rejection after that time opens the task."""
    lease_rounds: Annotated[int, Field(ge=1)] | None = None
    """The same in rounds: so many rounds follow that in which the claim was made, and when the next
    begins, the task is open again."""

    @model_validator(mode="after")
    def _leases_are_what_releases(self) -> Self:
        given = [name for name in ("lease_s", "lease_rounds") if vars(self)[name] is not None]
        if len(given) > 1:
            raise ValueError("a claim has one lease: 'lease_s' or 'lease_rounds'")
        if self.release == "lease" and not given:
            raise ValueError("release: 'lease' needs 'lease_s' or 'lease_rounds'")
        if given and self.release in ("never", "on_exit"):
            raise ValueError(
                f"{given[0]}: with release {self.release!r} no lease ends; leave it out"
            )
        return self

    @property
    def counts_rounds(self) -> bool:
        """Whether claims end after so many rounds."""
        return self.lease_rounds is not None

    @property
    def _is_said(self) -> bool:
        """Whether anything is said of what becomes of claims."""
        return bool(self.release or self.lease_rounds or self.completion == "anyone")

    @property
    def is_random(self) -> bool:
        """Whether an agent picks any of several tasks, by chance."""
        return self._noise > 0.0

    @property
    def _noise(self) -> float:
        """The probability that a pick is any task rather than the first."""
        return {"first": 0.0, "random": 1.0, "noisy": self.noise}[self.choice]

    def dispatcher(self, setting: Setting) -> Dispatcher:
        """Return the state of this protocol for one replication."""
        board = setting.board
        how = self.claims == "immediate", self._noise
        ledger = leases = None
        forgetting = [spec.forgetting for spec in setting.specs]
        if self._is_said or any(forgetting):
            hazards = hazards_of(forgetting, setting.streams)
            ledger = Ledger(
                board, hazards, setting.journal, setting.agenda, self.completion == "anyone"
            )
        if self.lease_s or self.lease_rounds:
            leases = Leases(self.lease_s, self.lease_rounds, setting.agenda, setting.metrics)
        if leases or ledger:
            return WatchedClaims(setting, *how, leases, ledger, self.release == "on_exit")
        return Claims(setting, *how)
