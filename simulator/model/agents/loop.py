"""The loop that an agent's call is: which turn it is in, and how many there will be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from simulator.model.agents.draws import OwnDraws
from simulator.model.agents.held import Conversation
from simulator.model.agents.toolkit import Toolkit
from simulator.model.streams import Draw, Purpose
from simulator.model.timers import AN_INSTANT
from simulator.scenario.loop import LoopSpec
from simulator.scenario.tools import ToolSpec


class Kept(NamedTuple):
    """What a crash leaves of a loop: the turns that are over, tools too, and how many it has."""

    done: int
    wanted: int
    said: Conversation = Conversation()
    agent: int = -1
    """The number of the agent that has broken off, in whose model's cache it may be."""


class Loop:
    """The turns of the call that an agent is in.

    Parameters
    ----------
    spec : LoopSpec
    tools : mapping of str to ToolSpec
    draws : OwnDraws

    Attributes
    ----------
    turn : int
        The turn under way, from 1, or the last that has ended.
    is_between : bool
        Whether a turn has ended and the next has not begun.
    work : float
        Work units of each turn.
    speaks : bool
        Whether the last turn writes a message.
    has_tools : bool
    hears : bool
        Whether every turn reads messages, not the first one alone.
    toolkit : Toolkit
        What it may call after a turn.
    unread_tokens : int
        News that it has read in all.
    """

    __slots__ = (
        "_completed",
        "_ends",
        "_first",
        "_most",
        "_said",
        "_served",
        "_spec",
        "_turns",
        "_wanted",
        "has_tools",
        "hears",
        "is_between",
        "speaks",
        "toolkit",
        "turn",
        "unread_tokens",
        "work",
    )

    def __init__(self, spec: LoopSpec, tools: Mapping[str, ToolSpec], draws: OwnDraws) -> None:
        self._spec, self._most = spec, spec.max_turns
        self.toolkit = Toolkit(tools, draws)
        self.has_tools = bool(tools)
        self.hears = spec.reads_messages == "turn"
        self._turns: Draw | None = None
        if spec.turns is not None:
            self._turns = draws.of(spec.turns, Purpose.TURNS)
        self._ends = draws.rolls(Purpose.TURNS, spec.end_probability is not None)
        self._wanted = self.turn = 1
        self._first, self._completed = 1, 0
        self._said = Conversation()
        self._served = self.work = 0.0
        self.is_between = self.speaks = False
        self.unread_tokens = 0

    def begin(self, work: float, is_whole: bool, speaks: bool, kept: Kept | None = None) -> None:
        """Begin with the first turn, or after those that a crash has left.

        Parameters
        ----------
        work : float
            Work units in all.
        is_whole : bool
            Whether it is a call of one turn, whatever the scenario says of loops.
        speaks : bool
            Whether the call ends with a message.
        kept : Kept, optional
            The loop has as many turns as before the crash; at least the last is taken again.
        """
        if is_whole or work <= 0.0:
            wanted = 1
        else:
            wanted = self._count(work) if kept is None else kept.wanted
        self.work = work / wanted
        self._completed = 0 if kept is None else min(kept.done, wanted - 1)
        self.turn = self._first = self._completed + 1
        self._said = Conversation() if kept is None else kept.said
        self._wanted, self._served = wanted, 0.0
        self.is_between, self.speaks = False, speaks
        self.unread_tokens = 0

    def _count(self, work: float) -> int:
        """Return the number of turns of a loop that has so much work to do."""
        spec = self._spec
        if self._turns is not None:
            return max(1, round(self._turns()))
        if spec.work_per_turn is not None:
            return max(1, math.ceil(work / spec.work_per_turn * (1.0 - AN_INSTANT)))
        assert spec.end_probability is not None
        if spec.end_probability == 1.0:
            return 1
        return 1 + int(math.log1p(-self._ends()) / math.log1p(-spec.end_probability))

    @property
    def is_last(self) -> bool:
        """Whether no turn follows the one under way."""
        return self.turn >= self._wanted or self.turn >= self._most

    @property
    def is_at_limit(self) -> bool:
        """Whether `max_turns` ends the loop early."""
        return self._wanted > self._most

    @property
    def gives_up(self) -> bool:
        """Whether tasks are given up whose loop is at its limit."""
        return self._spec.at_limit == "give_up"

    def kept(self, agent: int, is_read: bool) -> Kept:
        """Return what a crash of an agent leaves now; whether its last prompt has been read."""
        said = self._said
        if is_read:
            said = said._replace(cached=said.readable)
        return Kept(self._completed, self._wanted, said, agent)

    @property
    def is_resumed(self) -> bool:
        """Whether it goes on from a checkpoint."""
        return self._first > 1

    @property
    def has_saved_news(self) -> bool:
        """Whether the turn that has read messages last is saved."""
        return self._completed >= (self.turn if self.hears else self._first)

    def serve(self, share: float) -> bool:
        """Have a share of the first turn served; return whether that is all of it."""
        self._served += share
        return self._served >= 1.0 - AN_INSTANT

    def read(self, unread_tokens: int) -> None:
        """Read news."""
        self.unread_tokens += unread_tokens

    def end_turn(self) -> None:
        """End a turn that is not the last."""
        self.is_between = True

    def complete_turn(self) -> None:
        """Note that the turn that has ended is over with its tools, which need not run again."""
        self._completed = self.turn

    def save(self, said: Conversation) -> None:
        """Let a checkpoint have the conversation up to the turn that is complete."""
        self._said = said

    def take_one_more(self) -> None:
        """Take one more turn than it would: a tool has failed."""
        self._wanted += 1

    def next_turn(self, unread_tokens: int = 0) -> None:
        """Begin the next turn, which reads so many tokens of news."""
        self.turn += 1
        self.is_between = False
        self.unread_tokens += unread_tokens
