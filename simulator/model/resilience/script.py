"""The script of faults: what goes wrong at given times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import COORDINATOR, VERIFIER, WORKER, AgentState
from simulator.model.agents.timesheet import SERVING
from simulator.model.calls.caller import Caller
from simulator.model.resilience.health import Health
from simulator.model.timers import never
from simulator.model.why import Why
from simulator.scenario.faults import ScriptedFault

_STAFF = {"coordinator": COORDINATOR, "verifier": VERIFIER}


class Script:
    """Lets faults strike, and end.

    Parameters
    ----------
    faults : sequence of ScriptedFault
    agents : sequence of AgentState
        They misbehave already where they do so for the whole run.
    agenda : Agenda
    health : Health
    callers : mapping of int to Caller
    """

    __slots__ = ("_agenda", "_born", "_callers", "_faults", "_health", "_lasting", "_staff",
                 "_workers")  # fmt: skip

    def __init__(
        self,
        faults: Sequence[ScriptedFault],
        agents: Sequence[AgentState],
        agenda: Agenda,
        health: Health,
        callers: Mapping[int, Caller],
    ) -> None:
        self._faults = faults
        self._workers = [agent for agent in agents if agent.role == WORKER]
        self._staff = {
            name: [agent for agent in agents if agent.role == role] for name, role in _STAFF.items()
        }
        self._agenda = agenda
        self._health = health
        self._callers = callers
        self._born = [agent.byzantine for agent in agents]
        self._lasting: list[list[ScriptedFault]] = [[] for _ in agents]
        """Faults that each agent has now, in the order in which they struck."""

    def start(self) -> None:
        """Set the timers; do what happens at once."""
        for fault in self._faults:
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
        return [
            self._workers[who] if isinstance(who, int) else self._staff[who][0]
            for who in fault.agents
        ]

    def _strike(self, fault: ScriptedFault) -> None:
        """Do what the script says, and set the timer of its end."""
        if fault.kind in ("outage", "brownout"):
            self._health.note(None, fault.kind)  # the provider knows its calendar itself
            return
        if fault.kind == "slow":
            self._hit(fault)
        else:
            is_loss = fault.kind in ("kill", "crash")
            self._health.after_calls(self._struck(fault), partial(self._hit, fault), is_loss)

    def _hit(self, fault: ScriptedFault) -> None:
        """Let a fault have its effects on agents."""
        for agent in self._struck(fault):
            if fault.kind in ("kill", "crash"):
                self._health.crash(agent, fault.for_s, fault.keeps_context)
                continue
            self._afflict(agent, fault)
            if fault.for_s is not None:
                end_s = self._agenda.now + fault.for_s
                self._agenda.at(end_s, partial(self._relieve, agent, fault), never)

    def _afflict(self, agent: AgentState, fault: ScriptedFault) -> None:
        caller = self._callers[agent.index]
        self._lasting[agent.index].append(fault)
        if fault.kind == "slow":
            caller.slow_down(fault.factor or 1.0)
        elif fault.kind == "stall":
            caller.get_stuck()
            if agent.time.in_call and agent.time.phase == SERVING:
                self._agenda.interrupt(agent.index, Why.STALL)
        else:
            agent.misbehave(fault.kind)
        self._health.note(agent, fault.kind)

    def _relieve(self, agent: AgentState, fault: ScriptedFault) -> None:
        """End a fault; others of the agent go on. Of two manners, that which came last counts."""
        caller, lasting = self._callers[agent.index], self._lasting[agent.index]
        lasting.remove(fault)
        if fault.kind == "slow":
            caller.speed_up(fault.factor or 1.0)
        elif fault.kind == "stall":
            if all(other.kind != "stall" for other in lasting):
                caller.get_loose()
        else:
            manners = [other.kind for other in lasting if other.kind in ("wrong", "silent")]
            agent.misbehave(manners[-1] if manners else self._born[agent.index])
