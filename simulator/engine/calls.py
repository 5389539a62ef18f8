"""Calls of several steps: the model says which step comes next, the schedule when."""

from __future__ import annotations

from simpy.events import URGENT

from simulator.engine.clock import Clock
from simulator.engine.schedule import NOBODY, AfterCall, Due, Schedule
from simulator.engine.stuck import Stuck
from simulator.model.agents.agent import AgentState
from simulator.model.call_end import CallEnd
from simulator.model.call_start import CallStart
from simulator.model.calls.phases import Steps
from simulator.model.calls.service import CallLostError, StallError
from simulator.model.calls.subagents import SubagentPool
from simulator.model.steps import CallSteps
from simulator.model.why import Why


class CallUnderWay(Due):
    """A call under way: it happens that it goes on with its next step.

    Parameters
    ----------
    calls : Calls
    after : AfterCall
        Told when the call has been through all its steps.
    agent : AgentState
    steps : generator

    Attributes
    ----------
    steps : generator or None
        None when the call is over, or goes on by another object, as it was interrupted.
    """

    __slots__ = ("_calls", "after", "agent", "steps")

    def __init__(self, calls: Calls, after: AfterCall, agent: AgentState, steps: Steps) -> None:
        self._calls, self.after = calls, after
        self.agent = agent
        self.steps: Steps | None = steps

    def happen(self) -> None:
        """Take the next step, if there still is one."""
        if self.steps is not None:
            self._calls.go_on(self)

    def whose(self) -> int:
        """Return the agent's number, if the call still goes on by this."""
        return NOBODY if self.steps is None else self.agent.index

    def leave(self) -> Steps | None:
        """Let nothing happen by this any more; return the steps that are left."""
        steps, self.steps = self.steps, None
        return steps


class _Interruption(Due):
    """That an agent's call is lost, or stalls; of what happens at one instant it comes first."""

    __slots__ = ("_calls", "_index", "_why")

    def __init__(self, calls: Calls, index: int, why: Why) -> None:
        self._calls, self._index, self._why = calls, index, why

    def happen(self) -> None:
        """Interrupt the call that the agent is in, if it still is in one."""
        self._calls.interrupt(self._index, self._why)


class _OneCall(AfterCall):
    """What sub-agents do after their call: nothing."""

    __slots__ = ("_clock",)

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def call_ends(self, agent: AgentState) -> None:
        """Look whether the run is over."""
        self._clock.check_limits()


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
    stuck : Stuck
    """

    __slots__ = (
        "_after_subagent",
        "_clock",
        "_env",
        "_steps",
        "_subagents",
        "_under_way",
        "ends",
        "is_stepwise",
        "starts",
        "stuck",
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
        self.stuck = Stuck()
        self._steps = steps
        self._subagents, self._after_subagent = subagents, _OneCall(clock)
        self._clock = clock
        self._under_way: dict[int, CallUnderWay] = {}

    def begin(self, agent: AgentState, after: AfterCall) -> bool:
        """Take a call of `agent`, which has begun, through its first step.

        Returns
        -------
        bool
            Whether that was all. If not, `after` is told when the call has been through all.
        """
        call = CallUnderWay(self, after, agent, self._steps.of(agent))
        self._under_way[agent.index] = call
        return self._step(call, None)

    def go_on(self, call: CallUnderWay, mishap: Exception | None = None) -> None:
        """Take a call through its next step, or throw a mishap into it."""
        if self._step(call, mishap):
            call.after.call_ends(call.agent)

    def _step(self, call: CallUnderWay, mishap: Exception | None) -> bool:
        """Take a call through its next step; return whether that was the last."""
        clock, env, steps = self._clock, self._env, call.steps
        assert steps is not None
        is_over = False
        try:
            if mishap is None:
                clock.move(env.now)
                seconds = next(steps)
            else:
                seconds = steps.throw(mishap)
        except StopIteration:
            is_over = True
        finally:
            if clock.resumed or clock.interrupted:
                self.resume()
        if is_over:
            call.leave()
            del self._under_way[call.agent.index]
            return True
        if clock.ending is not None:
            outcome, reason = clock.ending
            clock.end(outcome, reason)
        if seconds is None:
            clock.halt(call.agent.index, call)
        else:
            env.due(call, seconds)
        return False

    def interrupt(self, index: int, why: Why) -> None:
        """Let the call that an agent is in, if it is in one, be lost or stall."""
        before = self._under_way.get(index)
        steps = None if before is None else before.leave()
        if before is None or steps is None:
            return
        call = CallUnderWay(self, before.after, before.agent, steps)
        self._under_way[index] = call
        self._clock.interrupted_at(index, self._env.now)
        self.go_on(call, StallError() if why is Why.STALL else CallLostError(why))

    def going_on_now(self) -> set[int]:
        """Return the agents whose calls go on at this instant."""
        found = {event.whose() for event in self._env.at_this_instant() if isinstance(event, Due)}
        return found - {NOBODY}

    def forget(self) -> None:
        """Drop the calls that the end of the run has cut off: each holds what takes it on."""
        self._under_way.clear()

    def resume(self) -> None:
        """Resume and interrupt the calls that the model has resumed and interrupted."""
        env, clock = self._env, self._clock
        if clock.resumed:
            for index in clock.take_resumed():
                halted = clock.unhalt(index)
                if halted is not None:
                    env.due(halted, 0.0)
                elif clock.begins(index):
                    agent, steps = self._subagents.steps(index)
                    call = CallUnderWay(self, self._after_subagent, agent, steps)
                    self._under_way[index] = call
                    env.schedule(call, URGENT)
        if clock.interrupted:
            for index, why in clock.take_interrupted().items():
                if index in self._under_way:
                    env.schedule(_Interruption(self, index, why), URGENT)
