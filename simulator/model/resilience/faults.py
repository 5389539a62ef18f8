"""What goes wrong with agents: crashes and repairs, the script, Byzantine agents."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import COORDINATOR, WORKER, AgentState
from simulator.model.agents.roster import Roster
from simulator.model.agents.timesheet import SERVING
from simulator.model.journal import Journal
from simulator.model.resilience.recovery import Recovery
from simulator.model.streams import Draw, Purpose, Streams
from simulator.model.team.sides import Sides
from simulator.model.timers import never
from simulator.model.trace import Event
from simulator.model.why import Why
from simulator.scenario import Scenario
from simulator.scenario.faults import ScriptedFault

if TYPE_CHECKING:
    from simulator.model.calls.requests import Requests

_INSTANT_S = 1e-6
"""After so long, what happens at one time has happened."""


class Faults:
    """Who is down, since when, and what happens next.

    Parameters
    ----------
    scenario : Scenario
    roster : Roster
    streams : Streams
    agenda : Agenda
    journal : Journal
    sides : Sides
    requests : Requests
    """

    def __init__(
        self,
        scenario: Scenario,
        roster: Roster,
        streams: Streams,
        agenda: Agenda,
        journal: Journal,
        sides: Sides,
        requests: Requests,
    ) -> None:
        self._roster = roster
        self._agenda = agenda
        self._journal = journal
        self._metrics = journal.metrics
        self._sides = sides
        self._script = scenario.faults
        self._requests = requests
        self.recovery = Recovery()
        self.lives = [0] * len(self._roster.agents)
        """How often each agent has gone down or come back."""
        self.workers_down = 0
        self.on_loss: list[Callable[[AgentState], None]] = []
        """Called when an agent has gone down."""
        self.on_return: list[Callable[[AgentState], None]] = []
        """Called when an agent is back."""
        self._stood_in: dict[tuple[int, int], AgentState] = {}
        """Workers that have taken the seat of a coordinator, by the life that it lost."""
        self._born = {agent.index: "" for agent in self._roster.agents}
        self._up: dict[int, Draw] = {}
        self._repair: dict[int, Draw | None] = {}
        for agent in self._roster.agents:
            crash, byzantine = agent.spec.faults.crash, agent.spec.faults.byzantine
            who = (agent.entity, agent.number)
            if crash is not None:
                self._up[agent.index] = streams.draws(crash.up_s, *who, Purpose.CRASH_UP)
                repair = crash.repair_s
                self._repair[agent.index] = (
                    None if repair is None else streams.draws(repair, *who, Purpose.CRASH_REPAIR)
                )
            if byzantine is not None:
                roll = streams.uniforms(*who, Purpose.BYZANTINE)
                if roll() < byzantine.probability:
                    self._born[agent.index] = byzantine.manner
                    agent.misbehave(byzantine.manner)

    def forget(self) -> None:
        """Tell nobody any more of losses and returns: they hold whom they are told by."""
        self.on_loss.clear()
        self.on_return.clear()

    def start(self) -> None:
        """Set the timers of the first crashes and of the script; do what happens at once."""
        for agent in self._roster.agents:
            self._await_crash(agent)
        for fault in self._script:
            if fault.at_s > 0.0:
                # It may free a team in which nothing else can happen by ending a call that hangs.
                self._agenda.at(
                    fault.at_s, partial(self._strike, fault), partial(self._ends_a_call, fault)
                )
            else:
                self._strike(fault)

    def _ends_a_call(self, fault: ScriptedFault) -> bool:
        is_loss = fault.kind in ("kill", "crash")
        return is_loss and any(agent.time.in_call for agent in self._struck(fault))

    def _struck(self, fault: ScriptedFault) -> list[AgentState]:
        """Return whom a fault strikes."""
        staff = {"coordinator": self._roster.coordinators, "verifier": self._roster.verifiers}
        return [
            self._roster.workers[who] if isinstance(who, int) else staff[who][0]
            for who in fault.agents
        ]

    def _await_crash(self, agent: AgentState) -> None:
        if agent.index in self._up:
            at_s = self._agenda.now + max(_INSTANT_S, self._up[agent.index]())
            this = agent, self.lives[agent.index]
            # Crashes and repairs of who is idle must not keep a stuck team going.
            ends_call = partial(self._is_in_call, *this)
            self._agenda.at(at_s, partial(self._crash_at_random, *this), ends_call)

    def _is_in_call(self, agent: AgentState, life: int) -> bool:
        return agent.time.in_call and self.lives[agent.index] == life

    def _crash_at_random(self, agent: AgentState, life: int) -> None:
        if self.lives[agent.index] != life:
            return
        repair, crash = self._repair[agent.index], agent.spec.faults.crash
        assert crash is not None
        self.crash(agent, None if repair is None else repair(), crash.keeps_context)

    def crash(self, agent: AgentState, repair_s: float | None, keeps_context: bool = False) -> None:
        """Let an agent go down, for `repair_s` seconds or until somebody restarts it."""
        if agent.is_down:
            return
        self._metrics.crashes += 1
        self._note(agent, "crash")
        self.go_down(agent, Why.CRASH, keeps_context)
        if repair_s is not None:
            self.return_after(agent, repair_s)
        self._tell_loss(agent)

    def _tell_loss(self, agent: AgentState) -> None:
        for react in self.on_loss:
            react(agent)

    def go_down(self, agent: AgentState, why: Why, keeps_context: bool = False) -> None:
        """Take an agent that is up down; its call in flight is lost."""
        self.lives[agent.index] += 1
        agent.go_down(self._agenda.now)
        self.workers_down += agent.role == WORKER
        if agent.time.in_call:
            self._agenda.interrupt(agent.index, why)
        else:
            agent.time.book_free(self._agenda.now)
        if not keeps_context:
            agent.forget()

    def return_after(self, agent: AgentState, seconds: float) -> None:
        """Let an agent that is down come back after so many seconds, unless it is by then."""
        this = agent, self.lives[agent.index]
        back_s = self._agenda.now + seconds
        self._agenda.at(
            back_s, partial(self._come_back, *this), partial(self._may_come_back, *this)
        )

    def _may_come_back(self, agent: AgentState, life: int) -> bool:
        return self.lives[agent.index] == life or (agent.index, life) in self._stood_in

    def _come_back(self, agent: AgentState, life: int) -> None:
        if self.lives[agent.index] == life:
            self._come_up(agent, "repaired")
            return
        stand_in = self._stood_in.pop((agent.index, life), None)
        if stand_in is not None and stand_in.is_down:
            self._come_up(stand_in, "repaired")  # its seat is free, the coordinator's is not

    def _come_up(self, agent: AgentState, outcome: str) -> None:
        """Let an agent that is down go on."""
        self.lives[agent.index] += 1
        self.book_down(agent, outcome)
        agent.come_up(self._agenda.now)
        self.workers_down -= agent.role == WORKER
        if agent.role == WORKER:
            self._sides.take_back(agent)
        self._agenda.woken.append(agent.index)
        if agent.role == COORDINATOR:
            self._agenda.woken.extend([other.index for other in self._roster.workers])
        for react in self.on_return:
            react(agent)
        self._await_crash(agent)

    def take_seat(self, seat: AgentState, worker: AgentState) -> None:
        """Let a worker be the coordinator; its own seat is empty until the lost one is back."""
        self._stood_in[seat.index, self.lives[seat.index]] = worker
        self.go_down(worker, Why.PROMOTED, keeps_context=True)
        self._sides.give_away(worker)
        seat.go_on_as(worker)
        worker.forget()
        self._metrics.failovers += 1
        self._journal.note(Event.LEADS, seat.index, peer=worker.index)
        self._come_up(seat, "elected")
        self._tell_loss(worker)

    def book_down(self, agent: AgentState, outcome: str) -> None:
        """Book the time for which an agent has been down."""
        down_s = self._agenda.now - agent.down_since_s
        self._metrics.down_s += down_s
        self._journal.note(Event.DOWN, agent.index, duration_s=down_s, outcome=outcome)

    def _strike(self, fault: ScriptedFault) -> None:
        """Do what the script says, and set the timer of its end."""
        if fault.kind in ("outage", "brownout"):
            self._note(None, fault.kind)  # the provider knows its calendar itself
            return
        for agent in self._struck(fault):
            if fault.kind in ("kill", "crash"):
                self.crash(agent, fault.for_s, fault.keeps_context)
                continue
            self._afflict(agent, fault)
            if fault.for_s is not None:
                end_s = self._agenda.now + fault.for_s
                self._agenda.at(end_s, partial(self._relieve, agent, fault), never)

    def _afflict(self, agent: AgentState, fault: ScriptedFault) -> None:
        caller = self._requests.callers[agent.index]
        if fault.kind == "slow":
            caller.slow_down(fault.factor or 1.0)
        elif fault.kind == "stall":
            caller.get_stuck()
            if agent.time.in_call and agent.time.phase == SERVING:
                self._agenda.interrupt(agent.index, Why.STALL)
        else:
            agent.misbehave(fault.kind)
        self._note(agent, fault.kind)

    def _relieve(self, agent: AgentState, fault: ScriptedFault) -> None:
        caller = self._requests.callers[agent.index]
        if fault.kind == "slow":
            caller.speed_up(fault.factor or 1.0)
        elif fault.kind == "stall":
            caller.get_loose()
        else:
            agent.misbehave(self._born[agent.index])

    def _note(self, agent: AgentState | None, kind: str) -> None:
        """Write a fault down."""
        self._metrics.fault_events += 1
        self.recovery.fault(self._agenda.now)
        index = None if agent is None else agent.index
        self._journal.note(Event.FAULT, index, outcome=kind)
