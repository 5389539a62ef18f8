"""Calls of several steps: the model says which step comes next, SimPy when."""

from __future__ import annotations

from collections.abc import Generator

import simpy

from simulator.engine.clock import Clock
from simulator.engine.schedule import CallDue, Due, Pause, Schedule
from simulator.model.agents.agent import AgentState
from simulator.model.call_end import CallEnd
from simulator.model.call_start import CallStart
from simulator.model.calls.phases import Steps
from simulator.model.calls.service import CallLostError, StallError
from simulator.model.calls.subagents import SubagentPool
from simulator.model.steps import CallSteps
from simulator.model.why import Why


class Calls:
    """Takes calls through the steps of the model, and wakes calls that wait to be resumed.

    Parameters
    ----------
    env : Schedule
    clock : Clock
    call_start : CallStart
    call_end : CallEnd
    steps : CallSteps
    subagents : SubagentPool
    is_stepwise : bool
        Whether a call has more steps than its service.

    Attributes
    ----------
    starts, ends : CallStart, CallEnd
        Let the calls of agents begin and end.
    is_stepwise : bool
    """

    __slots__ = (
        "_clock",
        "_env",
        "_steps",
        "_subagents",
        "_under_way",
        "ends",
        "is_stepwise",
        "starts",
    )

    def __init__(
        self,
        env: Schedule,
        clock: Clock,
        call_start: CallStart,
        call_end: CallEnd,
        steps: CallSteps,
        subagents: SubagentPool,
        is_stepwise: bool,
    ) -> None:
        self._env = env
        self.starts = call_start
        self.ends = call_end
        self.is_stepwise = is_stepwise
        self._steps = steps
        self._subagents = subagents
        self._clock = clock
        self._under_way: dict[int, simpy.Process] = {}
        """The process that runs each agent's call."""

    def take_through(
        self, agent: AgentState, steps: Steps | None = None
    ) -> Generator[simpy.Event, object, None]:
        """Take one call of `agent`, which has begun, through its steps, as its process."""
        env, clock = self._env, self._clock
        steps = steps or self._steps.of(agent)
        process = env.active_process
        if process is not None:
            self._under_way[agent.index] = process
        mishap: Exception | None = None
        while True:
            try:
                if mishap is None:
                    clock.move(env.now)
                    seconds = next(steps)
                else:
                    seconds = steps.throw(mishap)
            except StopIteration:
                break
            finally:
                if clock.resumed or clock.interrupted:
                    self.resume()
            mishap = None
            if clock.ending is not None:
                outcome, reason = clock.ending
                clock.end(outcome, reason)
            try:
                if seconds is None:
                    yield clock.halt(agent.index)
                else:
                    yield env.timeout(seconds)
            except simpy.Interrupt as interrupt:
                clock.interrupted_at(agent.index, env.now)
                why = Why(str(interrupt.cause))
                mishap = StallError() if why is Why.STALL else CallLostError(why)
        self._under_way.pop(agent.index, None)

    def _take_subagent(self, index: int) -> Generator[simpy.Event, object, None]:
        """Take a sub-agent through its steps, as its process."""
        agent, steps = self._subagents.steps(index)
        yield from self.take_through(agent, steps)
        self._clock.check_limits()

    def going_on_now(self) -> set[int]:
        """Return the agents whose calls go on at this instant."""
        agents = {process._resume: index for index, process in self._under_way.items()}
        found = set()
        for event in self._env.at_this_instant():
            if isinstance(event, CallDue):
                found.add(event.agent.index)
            elif isinstance(event, Pause) or not isinstance(event, Due):
                found.update(agents[each] for each in event.callbacks or () if each in agents)
        return found

    def forget(self) -> None:
        """Drop the processes of sub-agents that the end of the run has cut off."""
        stop(list(self._under_way.values()))
        self._under_way.clear()

    def resume(self) -> None:
        """Resume and interrupt the calls that the model has resumed and interrupted."""
        if self._clock.resumed:
            for index in self._clock.take_resumed():
                halted = self._clock.unhalt(index)
                if halted is not None:
                    halted.succeed()
                elif self._clock.begins(index):
                    self._under_way[index] = self._env.process(self._take_subagent(index))
        if self._clock.interrupted:
            for index, why in self._clock.take_interrupted().items():
                if index in self._under_way:
                    self._under_way[index].interrupt(why)


def stop(processes: list[simpy.Process]) -> None:
    """Stop processes; else a waiting process and its event would keep each other in memory."""
    for process in processes:
        if process.target is not None and process.target.callbacks is not None:
            process.target.callbacks.clear()
    processes.clear()
