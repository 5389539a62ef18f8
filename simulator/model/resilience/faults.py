"""What goes wrong with agents: crashes and repairs, the script, Byzantine agents."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from simulator.model.agents.agent import COORDINATOR, SERVING, VERIFIER, WORKER, AgentState
from simulator.model.resilience.recovery import Recovery
from simulator.model.streams import Draw, Purpose
from simulator.model.timers import never
from simulator.model.trace import Event, Row
from simulator.scenario import Scenario
from simulator.scenario.faults import ScriptedFault

if TYPE_CHECKING:
    from simulator.model.calls.requests import Requests
    from simulator.model.replication import TeamState

_INSTANT_S = 1e-6
"""After so long, what happens at one time has happened."""


class Faults:
    """Who is down, since when, and what happens next.

    Parameters
    ----------
    team : TeamState
    scenario : Scenario
    requests : Requests
    """

    def __init__(self, team: TeamState, scenario: Scenario, requests: Requests) -> None:
        self._team = team
        self._script = scenario.faults
        self._backs_up = scenario.resilience.backup is not None
        self._requests = requests
        self.recovery = Recovery()
        self.lives = [0] * len(team.agents)
        """How often each agent has gone down or come back."""
        self.workers_down = 0
        self.on_loss: list[Callable[[AgentState], None]] = []
        """Called when an agent has gone down."""
        self.on_return: list[Callable[[AgentState], None]] = []
        """Called when an agent is back."""
        self._stood_in: dict[tuple[int, int], AgentState] = {}
        """Workers that have taken the seat of a coordinator, by the life that it lost."""
        self._born = {agent.index: "" for agent in team.agents}
        self._up: dict[int, Draw] = {}
        self._repair: dict[int, Draw | None] = {}
        for agent in team.agents:
            crash, byzantine = agent.spec.faults.crash, agent.spec.faults.byzantine
            streams, who = team.streams, (agent.entity, agent.number)
            if crash is not None:
                self._up[agent.index] = streams.draws(crash.up_s, *who, Purpose.CRASH_UP)
                repair = crash.repair_s
                self._repair[agent.index] = (
                    None if repair is None else streams.draws(repair, *who, Purpose.CRASH_REPAIR)
                )
            if byzantine is not None:
                roll = streams.uniforms(*who, Purpose.BYZANTINE)
                if roll() < byzantine.probability:
                    agent.byzantine = self._born[agent.index] = byzantine.manner

    def start(self) -> None:
        """Set the timers of the first crashes and of the script; do what happens at once."""
        for agent in self._team.agents:
            self._await_crash(agent)
        for fault in self._script:
            if fault.at_s > 0.0:
                # It may free a team in which nothing else can happen by ending a call that hangs.
                self._team.at(
                    fault.at_s, partial(self._strike, fault), partial(self._ends_a_call, fault)
                )
            else:
                self._strike(fault)

    def _ends_a_call(self, fault: ScriptedFault) -> bool:
        is_loss = fault.kind in ("kill", "crash")
        return is_loss and any(agent.in_call for agent in self._struck(fault))

    def _struck(self, fault: ScriptedFault) -> list[AgentState]:
        """Return whom a fault strikes."""
        staff = {"coordinator": self._team.coordinators, "verifier": self._team.verifiers}
        return [
            self._team.workers[who] if isinstance(who, int) else staff[who][0]
            for who in fault.agents
        ]

    def _await_crash(self, agent: AgentState) -> None:
        if agent.index in self._up:
            at_s = self._team.now + max(_INSTANT_S, self._up[agent.index]())
            this = agent, self.lives[agent.index]
            # Crashes and repairs of who is idle must not keep a stuck team going.
            ends_call = partial(self._is_in_call, *this)
            self._team.at(at_s, partial(self._crash_at_random, *this), ends_call)

    def _is_in_call(self, agent: AgentState, life: int) -> bool:
        return agent.in_call and self.lives[agent.index] == life

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
        self._team.metrics.crashes += 1
        self._note(agent, "crash")
        self.go_down(agent, "crash", keeps_context)
        if repair_s is not None:
            self.return_after(agent, repair_s)
        self._tell_loss(agent)

    def _tell_loss(self, agent: AgentState) -> None:
        for react in self.on_loss:
            react(agent)

    def go_down(self, agent: AgentState, why: str, keeps_context: bool = False) -> None:
        """Take an agent that is up down; its call in flight is lost."""
        team = self._team
        self.lives[agent.index] += 1
        agent.is_down, agent.down_since_s = True, team.now
        self.workers_down += agent.role == WORKER
        if agent.in_call:
            team.interrupt(agent, why)
        else:
            agent.waited_s += team.now - agent.free_since
        if not keeps_context:
            agent.forget()

    def return_after(self, agent: AgentState, seconds: float) -> None:
        """Let an agent that is down come back after so many seconds, unless it is by then."""
        this = agent, self.lives[agent.index]
        back_s = self._team.now + seconds
        self._team.at(back_s, partial(self._come_back, *this), partial(self._may_help, *this))

    def _may_help(self, agent: AgentState, life: int) -> bool:
        """Return whether the return of an agent that went down then can get a team going."""
        if self.lives[agent.index] == life:
            return self._has_work(agent)
        stand_in = self._stood_in.get((agent.index, life))
        return stand_in is not None and self._has_work(stand_in)

    def _has_work(self, agent: AgentState) -> bool:
        team = self._team
        if self.on_return:
            return True  # an election may lack the vote of who comes back
        if agent.role == COORDINATOR:
            return team.coordination.has_work_for(agent)
        if agent.role == VERIFIER:
            return team.reviews.has_work_for(agent)
        nobody_else = agent.index in agent.dispatcher.gone and not agent.dispatcher.here
        return (
            nobody_else
            or agent.index in team.owed_s
            or agent.dispatcher.has_work_for(agent.index)
            or (team.reviews.by_peers and team.reviews.has_work_for(agent))
            or (self._backs_up and any(other.in_call for other in team.workers))
        )

    def _come_back(self, agent: AgentState, life: int) -> None:
        if self.lives[agent.index] == life:
            self._come_up(agent, "repaired")
            return
        stand_in = self._stood_in.pop((agent.index, life), None)
        if stand_in is not None and stand_in.is_down:
            self._come_up(stand_in, "repaired")  # its seat is free, the coordinator's is not

    def _come_up(self, agent: AgentState, outcome: str) -> None:
        """Let an agent that is down go on."""
        team = self._team
        self.lives[agent.index] += 1
        self.book_down(agent, outcome)
        agent.is_down, agent.free_since = False, team.now
        self.workers_down -= agent.role == WORKER
        if agent.role == WORKER:
            team.take_back(agent)
        team.woken.append(agent.index)
        if agent.role == COORDINATOR:
            team.woken += [other.index for other in team.workers]
        for react in self.on_return:
            react(agent)
        self._await_crash(agent)

    def take_seat(self, seat: AgentState, worker: AgentState) -> None:
        """Let a worker be the coordinator; its own seat is empty until the lost one is back."""
        team = self._team
        self._stood_in[seat.index, self.lives[seat.index]] = worker
        self.go_down(worker, "promoted", keeps_context=True)
        team.give_away(worker)
        seat.go_on_as(worker)
        worker.forget()
        team.metrics.failovers += 1
        if team.trace is not None:
            row = Row(team.now, Event.LEADS, seat.index, team.round, peer=worker.index)
            team.trace.add(row)
        self._come_up(seat, "elected")
        self._tell_loss(worker)

    def book_down(self, agent: AgentState, outcome: str) -> None:
        """Book the time for which an agent has been down."""
        team = self._team
        down_s = team.now - agent.down_since_s
        team.metrics.down_s += down_s
        if team.trace is not None:
            row = Row(team.now, Event.DOWN, agent.index, team.round)
            team.trace.add(row._replace(duration_s=down_s, outcome=outcome))

    def _strike(self, fault: ScriptedFault) -> None:
        """Do what the script says, and set the timer of its end."""
        team = self._team
        if fault.kind in ("outage", "brownout"):
            self._note(None, fault.kind)  # the provider knows its calendar itself
            return
        for agent in self._struck(fault):
            if fault.kind in ("kill", "crash"):
                self.crash(agent, fault.for_s, fault.keeps_context)
                continue
            self._afflict(agent, fault)
            if fault.for_s is not None:
                end_s = team.now + fault.for_s
                team.at(end_s, partial(self._relieve, agent, fault), never)

    def _afflict(self, agent: AgentState, fault: ScriptedFault) -> None:
        caller = self._requests.callers[agent.index]
        if fault.kind == "slow":
            caller.slowed *= fault.factor or 1.0
        elif fault.kind == "stall":
            caller.is_stuck = True
            if agent.in_call and agent.phase == SERVING:
                self._team.interrupt(agent, "stall")
        else:
            agent.byzantine = fault.kind
        self._note(agent, fault.kind)

    def _relieve(self, agent: AgentState, fault: ScriptedFault) -> None:
        caller = self._requests.callers[agent.index]
        if fault.kind == "slow":
            caller.slowed /= fault.factor or 1.0
        elif fault.kind == "stall":
            caller.is_stuck = False
        else:
            agent.byzantine = self._born[agent.index]

    def _note(self, agent: AgentState | None, kind: str) -> None:
        """Write a fault down."""
        team = self._team
        team.metrics.fault_events += 1
        self.recovery.fault(team.now)
        if team.trace is not None:
            index = None if agent is None else agent.index
            team.trace.add(Row(team.now, Event.FAULT, index, team.round)._replace(outcome=kind))
