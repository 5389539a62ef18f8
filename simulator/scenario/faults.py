"""What YAML may say about what goes wrong: with agents at random, and by a script."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simulator.distributions import NonNegativeDistribution
from simulator.distributions.deterministic import Deterministic
from simulator.spec import Fraction, NonNegative, Positive, Spec


class SlowCalls(Spec):
    """Stragglers: some requests take a multiple of their time."""

    probability: Fraction
    """Probability that a request is slow."""
    factor: NonNegativeDistribution = Field(default_factory=lambda: Deterministic(value=10.0))
    """What multiplies its time."""


class Crash(Spec):
    """Crashes and repairs, an alternating renewal process."""

    up_s: NonNegativeDistribution
    """Seconds from start or repair to the next crash (its mean is the MTBF)."""
    repair_s: NonNegativeDistribution | None = None
    """Seconds until it is up again by itself (its mean is the MTTR); never when absent."""
    keeps_context: bool = False
    """Whether what the agent remembers survives. What its loop has said is in the checkpoint of the
    loop, if there is one, and not in what it remembers."""


class Byzantine(Spec):
    """An agent that misbehaves for the whole run."""

    probability: Fraction = 1.0
    """Probability that the agent is Byzantine."""
    manner: Literal["wrong", "silent"] = "wrong"
    """``wrong``: it gives the most popular wrong answer, its own tests pass, and as a reviewer it
    accepts what is faulty and rejects what is correct. ``silent``: it works, but hands in nothing
    and sends no message."""


class AgentFaults(Spec):
    """What goes wrong with an agent, and with the requests that it sends."""

    slow: SlowCalls | None = None
    """Stragglers."""
    stall: Fraction = 0.0
    """Probability that a request never returns."""
    malformed: Fraction = 0.0
    """Probability that a reply cannot be used and has to be asked for again."""
    crash: Crash | None = None
    """Crashes; a call in flight is lost."""
    byzantine: Byzantine | None = None
    """Wrong or silent agents."""

    @cached_property
    def any(self) -> bool:
        """Whether anything ever goes wrong."""
        return self != AgentFaults()


Who = Annotated[int, Field(ge=0)] | Literal["coordinator", "verifier"]


class ScriptedFault(Spec):
    """Something that goes wrong at a given time.

    ``kill``: the agent is gone for good. ``crash``: it is down for `for_s`. ``stall``: requests
    that it sends while the fault lasts never return, nor does its request in flight. ``slow``:
    what it starts while the fault lasts takes `factor` times as long. ``wrong``, ``silent``: it is
    Byzantine. ``outage``: the provider is down for everybody. ``brownout``: the provider is
    `factor` times slower for everybody. A call that ends at the very instant at which a fault
    begins has ended before.
    """

    at_s: NonNegative
    """Simulated second."""
    kind: Literal["kill", "crash", "stall", "slow", "wrong", "silent", "outage", "brownout"]
    """What happens."""
    agent: Who | tuple[Who, ...] | None = None
    """Whom it hits: a worker by its number from 0, several, ``coordinator`` (the first one) or
    ``verifier``."""
    for_s: Positive | None = None
    """How long it lasts, in seconds; to the end when absent."""
    factor: Positive | None = None
    """For ``slow`` and ``brownout``."""
    keeps_context: bool = False
    """For ``crash``: whether what the agent remembers survives."""
    hangs: bool = False
    """For ``outage``: whether calls wait for its end rather than fail."""

    @model_validator(mode="after")
    def _says_what_its_kind_needs(self) -> Self:
        common = self.kind in ("outage", "brownout")
        if common and self.agent is not None:
            raise ValueError(f"{self.kind!r} hits everybody: leave 'agent' out")
        if not common and self.agent is None:
            raise ValueError(f"{self.kind!r} needs 'agent': whom it hits")
        if self.kind in ("crash", "outage") and self.for_s is None:
            raise ValueError(f"{self.kind!r} needs 'for_s': how long it lasts")
        if self.kind == "kill" and self.for_s is not None:
            raise ValueError("'kill' is for good: leave 'for_s' out, or use 'crash'")
        if (self.factor is None) == (self.kind in ("slow", "brownout")):
            need = "needs" if self.factor is None else "has no"
            raise ValueError(f"{self.kind!r} {need} 'factor'")
        return self

    @property
    def agents(self) -> tuple[Who, ...]:
        """Whom it hits."""
        if self.agent is None:
            return ()
        return self.agent if isinstance(self.agent, tuple) else (self.agent,)
