"""The parts of a replication that a clock watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.model.agents.agent import AgentState
from simulator.model.calls.bill import Bill
from simulator.model.calls.book import CallBook
from simulator.model.calls.subagents import SubagentPool
from simulator.model.ending import Closing
from simulator.model.metrics import Metrics
from simulator.model.team.coordination import Coordination
from simulator.model.team.sides import Sides


@dataclass(frozen=True, slots=True)
class Watched:
    """The parts of a replication that its clock uses."""

    agents: Sequence[AgentState]
    subagents: SubagentPool
    sides: Sides
    coordination: Coordination
    book: CallBook
    bill: Bill
    closing: Closing
    metrics: Metrics
    set_timers: Callable[[], None]
    """Schedules what the scenario lets happen at later times, such as faults."""
