"""What every pattern of resilience does, and every fault of agents: it is told what happens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import WORKER, AgentState
from simulator.model.calls.breakers import Breakers
from simulator.model.calls.caller import Caller
from simulator.model.calls.given_up import GivenUp
from simulator.model.journal import Journal
from simulator.model.resilience.health import Health
from simulator.model.streams import Draw, Streams
from simulator.model.team.patterns import Patterns
from simulator.model.team.review_queue import ReviewQueue
from simulator.model.team.sides import Sides
from simulator.registry import Registry
from simulator.scenario.families import ProtocolSpec
from simulator.spec import Spec


@dataclass(frozen=True, slots=True)
class FailureSetting:
    """What patterns and faults are told about one replication.

    A pattern or a fault is a plugin in a file of its own: it takes from here what it uses, as a
    protocol does from its `Setting` and a workspace from its `Desk`.

    Attributes
    ----------
    agents : sequence of AgentState
        Workers, then coordinators, then verifiers.
    streams : Streams
    agenda : Agenda
    journal : Journal
    sides : Sides
    health : Health
    callers : mapping of int to Caller
    breakers : Breakers
    queue : ReviewQueue
    given_up : GivenUp
        The calls that have failed for good, by their tasks.
    change_protocol : callable
        Lets the team go on with another protocol, without coordinators; returns the tasks that
        wait for a review.
    """

    agents: Sequence[AgentState]
    streams: Streams
    agenda: Agenda
    journal: Journal
    sides: Sides
    health: Health
    callers: Mapping[int, Caller]
    breakers: Breakers
    queue: ReviewQueue
    given_up: GivenUp
    change_protocol: Callable[[ProtocolSpec], Collection[int]]

    @property
    def workers(self) -> list[AgentState]:
        """The agents that take tasks."""
        return self.of_role(WORKER)

    def of_role(self, role: int) -> list[AgentState]:
        """Return the agents of a role, in order."""
        return [agent for agent in self.agents if agent.role == role]

    def uniforms(self, agent: AgentState, purpose: int) -> Draw:
        """Return an agent's stream of uniforms for a purpose."""
        return self.streams.uniforms(agent.entity, agent.number, purpose)


class Pattern(Patterns):
    """One pattern: it is told what happens, and asked what to do.

    A pattern overrides the methods that it needs, of this class and of `Patterns`; only overridden
    methods are called.

    Parameters
    ----------
    spec
        The value of the scenario's field that has the name `kind`.
    setting : FailureSetting
    """

    kind: ClassVar[str]

    __slots__ = ()

    def __init__(self, spec: Spec, setting: FailureSetting) -> None: ...

    def start(self) -> None:
        """Set timers: the run begins."""

    def forget(self) -> None:
        """Break circles of references, after the run."""

    def lost(self, agent: AgentState) -> None:
        """Note that an agent has gone down."""

    def back(self, agent: AgentState) -> None:
        """Note that an agent is back."""

    def found(self, agent: AgentState, is_stuck: bool) -> None:
        """Note that the team has found an agent dead, or stuck in a call."""


class AgentFault(Pattern):
    """One thing that goes wrong with agents; it is told the same as a pattern.

    Parameters
    ----------
    specs : mapping of AgentState to Spec
        The agents with which it goes wrong; of each, the value of the field of its faults that
        has the name `kind`.
    setting : FailureSetting
    """

    __slots__ = ()

    def __init__(self, specs: Mapping[AgentState, Spec], setting: FailureSetting) -> None: ...


# A pattern or a fault is switched on by a field of the scenario's own classes: no other
# distribution can add one.
PATTERNS: Registry[Pattern] = Registry("pattern", "simulator.model.resilience.patterns")
AGENT_FAULTS: Registry[AgentFault] = Registry("fault", "simulator.model.resilience.faults")
