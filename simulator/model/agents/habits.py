"""How an agent goes about its calls: how much it takes on, writes and says, and when it idles."""

from __future__ import annotations

import math
from collections.abc import Iterable

from simulator.model.agents.drafts import Drafts
from simulator.model.agents.draws import OwnDraws
from simulator.model.agents.kind import Working, count
from simulator.model.answers import expit
from simulator.model.streams import Draw, Law, Purpose, always

_UNLIMITED = always(math.inf)


class Writing:
    """How many tokens an agent writes: some, and some for each unit of what they are about.

    Parameters
    ----------
    draw : callable
        Draws the former.
    per_unit : float
    """

    __slots__ = ("_draw", "_per_unit")

    def __init__(self, draw: Draw, per_unit: float) -> None:
        self._draw, self._per_unit = draw, per_unit

    def about(self, units: float) -> int:
        """Draw a whole number of tokens about so many units."""
        return int(self._draw() + self._per_unit * units)


class Habits:
    """What an agent draws when it decides on its next call.

    Parameters
    ----------
    kind : Working
    draws : OwnDraws
    speaks : bool
        Whether anybody hears it.

    Attributes
    ----------
    batch_size : int
        Tasks that it takes on in a call; 0 where `take_count` draws it.
    is_limited : bool
        Whether a reply can be too long.
    capacity : callable
        Draws how many work units fit into a reply, where that is limited.
    redo_work : float
        The share of a task's work that another attempt takes.
    tried : set of int or None
        Tasks that it has attempted, where that makes a difference; None for none.
    drafts : Drafts or None
        What it has written for blocked tasks; None where it always writes that again.
    is_unsettled : bool
        Whether it is still to be settled if it begins with one task a call.
    is_particular : bool
        Whether replies can be too long, or further attempts are less work.
    may_idle : bool
        Whether a call may take no task although there is one.
    idle_p : float
        Probability that it does, apart from the first call and from persistence.
    talk, chatter : float
        Probabilities of a message with a call that works, and with one that idles.
    output, message : Writing
        What a call writes that does so much work, and a message after so many tokens of news.
    fixed_output, fixed_message : int
        The tokens of each call and message; -1 where `output` and `message` draw them.
    """

    __slots__ = (
        "_batch",
        "_begins_with_one",
        "_first_batch",
        "_idle_first",
        "_idle_logit",
        "_idle_persistence",
        "_kind",
        "_last_batch",
        "_persistence",
        "_rolls_idle",
        "_rolls_one_by_one",
        "_rolls_persistence",
        "_was_idle",
        "batch_size",
        "capacity",
        "chatter",
        "drafts",
        "fixed_message",
        "fixed_output",
        "idle_p",
        "is_limited",
        "is_particular",
        "is_unsettled",
        "may_idle",
        "message",
        "output",
        "redo_work",
        "rolls_talk",
        "talk",
        "tried",
    )

    def __init__(self, kind: Working, draws: OwnDraws, speaks: bool) -> None:
        self._kind = kind
        self._begins_with_one = False
        self.is_unsettled = kind.one_by_one
        self._rolls_one_by_one = draws.rolls(Purpose.ONE_BY_ONE, self.is_unsettled)
        self.batch_size = kind.batch_size
        self._batch = draws.by(kind.batch, Purpose.BATCH)
        self._first_batch: Draw | None = None
        if kind.first_batch is not None:
            self._first_batch = draws.by(kind.first_batch, Purpose.FIRST_BATCH)
        self._persistence = kind.batch_persistence
        self._rolls_persistence = draws.rolls(Purpose.BATCH_PERSISTENCE, self._persistence > 0.0)
        self._last_batch = 0
        self.is_limited = kind.capacity is not None
        self.capacity = _UNLIMITED
        if kind.capacity is not None:
            self.capacity = _capacity(kind, kind.capacity, draws)
        self.redo_work = kind.redo_work
        self.tried: set[int] | None = None
        self.is_particular = self.is_limited or self.redo_work != 1.0
        self.drafts: Drafts | None = None
        if kind.leave_drafts > 0.0:
            self.drafts = Drafts(kind, draws)

        self._idle_logit = draws.logit(kind.idle, Purpose.IDLE)
        self.idle_p = expit(self._idle_logit)
        self._idle_first = kind.idle_first
        self._idle_persistence = kind.idle_persistence
        self.may_idle = self.idle_p > 0.0 or bool(self._idle_first)
        self._rolls_idle = draws.rolls(Purpose.IDLE, self.may_idle)
        self._was_idle = False

        self.talk = kind.talk if speaks else 0.0
        self.chatter = kind.chatter if speaks else 0.0
        sometimes = 0.0 < self.talk < 1.0 or 0.0 < self.chatter < 1.0
        self.rolls_talk = draws.rolls(Purpose.TALK, sometimes)
        times = draws.run_factors.output
        self.fixed_output = kind.fixed_output if times == 1.0 else -1
        self.fixed_message = kind.fixed_message
        output = draws.by(kind.output, Purpose.OUTPUT_TOKENS, times)
        self.output = Writing(output, kind.per_unit * times)
        self.message = Writing(draws.by(kind.message, Purpose.MESSAGE_TOKENS), kind.relay)

    def settle(self, tasks: int) -> None:
        """Settle, with so many tasks to do, whether the agent begins with one a call."""
        kind = self._kind
        if not (kind.one_by_one and tasks):
            return
        self.is_unsettled = False
        p = kind.alone_p
        if 0.0 < p < 1.0:
            odds = kind.alone_growth * math.log(tasks / kind.alone_at)
            p = expit(math.log(p / (1.0 - p)) + odds)
        self._begins_with_one = self._rolls_one_by_one() < p

    def take_count(self) -> int:
        """Draw how many tasks the call that begins takes on, where `batch_size` does not say."""
        if not self._last_batch and self._begins_with_one:
            self._last_batch = 1
        elif not self._last_batch and self._first_batch is not None:
            self._last_batch = count(self._first_batch())
        elif not (self._last_batch and self._persistence) or (
            self._rolls_persistence() >= self._persistence
        ):
            self._last_batch = count(self._batch())
        return self._last_batch

    def idles(self, is_first: bool) -> bool:
        """Return whether the call that begins takes no task, whatever there is."""
        p = self.idle_p
        if is_first and self._idle_first is not None:
            p = self._idle_first
        elif self._was_idle:
            p += (1.0 - p) * self._idle_persistence
        self._was_idle = self._rolls_idle() < p
        return self._was_idle

    def drift(self, logit: float) -> None:
        """Let the agent idle more often by drift, so much on the logit."""
        self.idle_p = expit(self._idle_logit + logit)

    def note_tried(self, tasks: Iterable[int]) -> None:
        """Note that tasks were attempted, of which there are drafts now."""
        if self.tried is None:
            self.tried = set()
        self.tried.update(tasks)

    def has_tried(self, tasks: Iterable[int]) -> bool:
        """Return whether there is a draft of any of the tasks: whether one is less work."""
        return self.tried is not None and not self.tried.isdisjoint(tasks)

    def forget(self) -> None:
        """Lose all drafts."""
        self.tried = None
        if self.drafts is not None:
            self.drafts.forget()

    def effort(self, task: int) -> float:
        """Return the share of the task's work that an attempt takes."""
        return self.redo_work if self.tried and task in self.tried else 1.0


def _capacity(kind: Working, capacity: Law, draws: OwnDraws) -> Draw:
    """Return the draws of what fits into a reply, which is less where work takes longer."""
    own = draws.by(capacity, Purpose.CAPACITY)
    if kind.slowness is None:
        return own
    share = draws.factor(kind.slowness, Purpose.LATENCY_RESIDUAL) ** -kind.capacity_elasticity
    if capacity.facts.is_constant:
        return always(capacity.facts.constant * share)
    return _times(own, share)


def _times(draw: Draw, factor: float) -> Draw:
    return lambda: draw() * factor
