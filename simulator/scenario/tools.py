"""What YAML may say about tools: what agents call between turns, and where it is served."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from simulator.distributions import Distribution, NonNegativeDistribution
from simulator.distributions.deterministic import constant
from simulator.scenario.provider import Outages
from simulator.spec import Fraction, Positive, Spec, one_of, tag

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


MOST_CALLS = 1000
"""Calls of one tool that a turn may make at once."""


class StartSpec(Spec):
    """The sub-agent that each call of a tool starts."""

    agent: str
    """Its kind, one of ``team.subagents.kinds``."""
    context: Literal["fresh", "forked"] = "fresh"
    """``fresh``: it begins with its own `start_tokens`. ``forked``: it begins with the whole
    context of the agent that starts it, followed by these. If both are of one `family`, with
    equal caches and system prompts of equal length, it finds in its cache what that agent has
    in its own, and keeps it there while that agent waits for it."""
    work: Positive = 1.0
    """Work units of its loop."""


class ToolSpec(Spec):
    """A tool that an agent calls after a turn of its loop, unless the turn is the last.

    All calls of a turn run at the same time, unless they are `sequential`, and the agent waits for
    the last of them. A call that fails makes the agent take one more turn.
    """

    probability: Fraction | None = None
    """Probability that a turn calls it; 1 when neither this nor `weight` is given."""
    weight: Positive | None = None
    """Of the tools with weights, a turn calls exactly one, each in proportion to its weight."""
    calls: NonNegativeDistribution = Field(default_factory=lambda: constant(1.0))
    """Number of calls at once, in a turn that calls it; a draw is rounded and at least 1,
    and at most 1,000."""
    seconds: NonNegativeDistribution = Field(default_factory=lambda: constant(0.0))
    """Seconds that a call takes, once it is served."""
    starts: StartSpec | None = None
    """The sub-agent that each call starts. The call lasts as long as the sub-agent's loop, and its
    result is the sub-agent's report. If the sub-agent fails, the call has failed."""
    wait_for: Annotated[
        Annotated[int, Field(ge=1), tag("number")] | Annotated[Literal["all", "any"], tag("word")],
        one_of("word", "number", lambda value: isinstance(value, str)),
    ] = "all"
    """How many of the calls of a turn must succeed; when that many have, the others are cancelled.
    ``any`` means one. If there are fewer calls, all must succeed. If too many calls fail, all of
    them have failed."""
    result_tokens: NonNegativeDistribution = Field(default_factory=lambda: constant(0.0))
    """Tokens that the result of a call, or its error, adds to the context."""
    errors: Fraction = 0.0
    """Probability that a call fails, at its end."""
    timeout_s: Positive | None = None
    """Seconds after which a call has failed; its wait for the station counts."""
    background: bool = False
    """Whether the agent goes on without waiting. It then reads the result in the first turn after
    the result is there; calls that still run when the loop ends are cancelled."""
    sequential: bool = False
    """Whether its calls run one after another, in the order of the tools: first all other calls of
    the turn at the same time, then each of these alone. A call is asked for when its turn comes:
    its wait for a station and its time-out begin then. Calls that `wait_for` does without are not
    asked for."""
    station: str | None = None
    """Name of the station where it is served; every call is served at once when absent. For tools
    that start sub-agents, the station limits how many of them run at a time. If sub-agents that
    hold all its places wait for others that need one, the team is stuck, as in nested thread
    pools."""
    priority: int = 0
    """At a station with ``order: priority``, calls with the higher priority are served first."""

    @model_validator(mode="after")
    def _is_chosen_in_one_way(self) -> Self:
        if self.probability is not None and self.weight is not None:
            raise ValueError("a tool has a 'probability' or a 'weight', not both")
        if self.starts is not None and self.seconds.constant != 0.0:
            raise ValueError(
                "a tool that 'starts' a sub-agent takes as long as that does: leave out 'seconds'"
            )
        if self.sequential and self.background:
            raise ValueError(
                "a tool in the 'background' runs beside others, so it is not 'sequential'"
            )
        if (self.calls.constant or 0.0) > MOST_CALLS:
            raise ValueError(
                f"'calls' is {self.calls.constant:g}, and a turn makes up to {MOST_CALLS:,} calls "
                "of a tool at once"
            )
        return self

    @property
    def chance(self) -> float:
        """Probability that a turn calls it, where no weight says so."""
        return 1.0 if self.probability is None else self.probability

    @cached_property
    def ends_by_itself(self) -> bool:
        """Whether the agent waits for a call that lasts just its own seconds."""
        depends = self.station is not None or self.timeout_s is not None or self.starts is not None
        return not (depends or self.background)

    def needed(self, calls: int) -> int:
        """Return how many of so many calls at once must succeed."""
        if self.wait_for == "all":
            return calls
        return min(calls, 1 if self.wait_for == "any" else self.wait_for)


def mean_count(drawn: Distribution, at_most: float = math.inf) -> float:
    """Return the mean of draws that are rounded, at least 1 and no more than a limit."""
    counts = np.round(drawn.transform((np.arange(1000) + 0.5) / 1000))
    return float(np.clip(counts, 1.0, at_most).mean())


class WeekTime(Spec):
    """A time of the week."""

    day: Day = "mon"
    """The day."""
    hour: Annotated[float, Field(ge=0, lt=24)] = 9.0
    """Hours since midnight."""


class Hours(Spec):
    """When somebody is there: the same hours on some days of the week."""

    opens: Annotated[float, Field(alias="from", ge=0, lt=24)] = 9.0
    """Hours since midnight at which they come."""
    closes: Annotated[float, Field(alias="to", gt=0, le=24)] = 17.0
    """Hours since midnight at which they go; they finish what they have begun by then."""
    days: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri")
    """Days on which they come."""

    @model_validator(mode="after")
    def _are_there_at_times(self) -> Self:
        if self.closes <= self.opens:
            raise ValueError(
                f"nobody is ever there from {self.opens:g} to {self.closes:g}: 'to' must come "
                "after 'from'"
            )
        if not self.days:
            raise ValueError("nobody is ever there without any 'days'")
        return self


class StationSpec(Spec):
    """Where calls of tools are served, shared by the whole team: a CI, a browser, a person.

    No server is idle while a call waits, except in outages and outside working hours.
    """

    concurrency: Annotated[int, Field(ge=1)] = 1
    """Calls that are served at the same time."""
    order: Literal["fifo", "priority"] = "fifo"
    """Which call is next: the one that came first, or the first among those with the highest
    priority."""
    patience_s: Positive | None = None
    """Seconds after which a call that still waits has failed; never when absent."""
    outages: Outages | None = None
    """Times in which no call is served. When an outage begins, a call in service fails or, with
    `hangs`, goes on after it. Calls that wait keep waiting."""
    available: Hours | None = None
    """Working hours, when calls are served; always when absent. `Scenario.starts_at` is the time of
    the week at which the run begins."""
