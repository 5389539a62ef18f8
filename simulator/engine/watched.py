"""The parts of a replication that a clock watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simulator.model.agents.agent import AgentState
from simulator.model.calls.bill import Bill
from simulator.model.calls.book import CallBook
from simulator.model.calls.subagents import SubagentPool
from simulator.model.ending import Closing
from simulator.model.metrics import Metrics
from simulator.model.team.coordination import Coordination
from simulator.model.team.sides import Sides


class Watched:
    """The parts of a replication that its clock uses.

    Attributes
    ----------
    set_timers : callable
        Schedules what the scenario lets happen at later times, such as faults.
    """

    __slots__ = (
        "agents",
        "bill",
        "book",
        "closing",
        "coordination",
        "metrics",
        "set_timers",
        "sides",
        "subagents",
    )

    def __init__(
        self,
        agents: Sequence[AgentState],
        subagents: SubagentPool,
        sides: Sides,
        coordination: Coordination,
        book: CallBook,
        bill: Bill,
        closing: Closing,
        metrics: Metrics,
        set_timers: Callable[[], None],
    ) -> None:
        self.agents, self.subagents, self.sides = agents, subagents, sides
        self.coordination, self.book, self.bill = coordination, book, bill
        self.closing, self.metrics, self.set_timers = closing, metrics, set_timers
