"""What all timings share: arrivals of tasks, timers, limits, and the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Container, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import simpy
from simpy.events import NORMAL, EventPriority

from simulator.model.agenda import Agenda
from simulator.model.ending import finish, why_stuck
from simulator.model.metrics import Metrics
from simulator.model.replication import Replication
from simulator.model.timers import AN_INSTANT, always, never
from simulator.scenario import Scenario

_IN_ORDER, _LAST = NORMAL, EventPriority(NORMAL + 1)
"""Priorities of what happens at one time: in the order in which it was put there, or after it."""


@dataclass(slots=True, eq=False)
class _Timer:
    """What is to happen at a later time, and whether it can still change anything."""

    action: Callable[[], None]
    matters: Callable[[], bool]


class Clock(Agenda):
    """Watches over one replication: puts tasks on the board as they arrive, ends the run.

    Parameters
    ----------
    env : simpy.Environment
    scenario : Scenario

    Attributes
    ----------
    halted : container of int
        Agents whose call waits to be resumed.
    is_busy : bool
        Whether time passes outside of calls and timers.
    only_calls_happen : bool
        Whether nothing comes between the beginnings and ends of calls.
    """

    def __init__(self, env: simpy.Environment, scenario: Scenario) -> None:
        super().__init__()
        self._env = env
        self._network = scenario.network
        self.limits = scenario.limits
        self._ended = env.event()
        self._has_ended = False
        self._outcome = ("", "")
        self._run: Replication
        self._react: Callable[[], None]
        self._timers: set[_Timer] = set()
        self._tasks_arrive = False
        self.halted: Container[int] = ()
        self.is_busy = False
        self.only_calls_happen = False

    def _is_stuck(self) -> bool:
        """Return whether nothing that is still to happen can change anything."""
        if self.is_busy or self._tasks_arrive:
            return False
        calls_wait = all(a.index in self.halted for a in self._run.agents if a.in_call)
        return calls_wait and not any(timer.matters() for timer in self._timers)

    def start(self, run: Replication, react: Callable[[], None]) -> None:
        """Put the tasks on the board, now or as they arrive, and set the timers.

        Parameters
        ----------
        run : Replication
        react : callable
            Called after something has happened outside any call: it wakes agents.
        """
        env, sides = self._env, run.sides
        self._run = run
        self._react = react
        arrivals_s = sides.board.graph.arrivals_s
        if arrivals_s:
            self._tasks_arrive = True
            env.process(self._arrivals())
        else:
            startable = [task for task, missing in enumerate(sides.board.missing) if not missing]
            sides.announce(startable)
            self.woken.clear()  # nobody is asleep yet
        for partition in self._network.partitions:
            # A cut may get an available minority going, its end whoever waits for it.
            cuts = always if sides.minority_goes_on else never
            self.at(partition.at_s, partial(run.partitions.split, partition), cuts)
            self.at(partition.at_s + partition.duration_s, run.partitions.heal, self._is_cut)
        if run.failures is not None:
            run.failures.faults.start()
        moves = self._tasks_arrive or self._timers or run.failures or sides.dispatcher.sets_timers
        deadline_s = self.limits.deadline_s
        self.only_calls_happen = not moves and deadline_s is None
        if deadline_s is not None:
            at_s = deadline_s * (1.0 + AN_INSTANT)
            self._let(at_s, partial(self._meet_deadline, deadline_s), _LAST)

    def _is_cut(self) -> bool:
        return self._run.partitions.has_cut

    def at(
        self, time_s: float, action: Callable[[], None], matters: Callable[[], bool] = always
    ) -> None:
        """Do something at a later time."""
        timer = _Timer(action, matters)
        self._timers.add(timer)
        self._let(time_s, partial(self._goes_off, timer), _IN_ORDER)

    def _let(
        self, time_s: float, action: Callable[[simpy.Event], None], priority: EventPriority
    ) -> None:
        """Do something at a later time, among what happens then in the order of `priority`."""
        event = self._env.event()
        event._ok, event._value = True, None
        event.callbacks.append(action)
        self._env.schedule(event, priority, max(0.0, time_s - self._env.now))

    def _goes_off(self, timer: _Timer, event: simpy.Event) -> None:
        if not timer.matters() and self._is_stuck():
            # Not before all else that happens at this instant, which may yet move something.
            self._let(self._env.now, partial(self._goes_off_last, timer), _LAST)
        else:
            self._act(timer)

    def _goes_off_last(self, timer: _Timer, event: simpy.Event) -> None:
        if timer.matters() or not self._is_stuck():
            self._act(timer)
        self._timers.discard(timer)

    def _act(self, timer: _Timer) -> None:
        self._timers.discard(timer)
        self.reach(self._env.now)
        timer.action()
        self._run.sides.note_woken()
        self._react()
        self.check_limits()

    def _meet_deadline(self, deadline_s: float, event: simpy.Event) -> None:
        if self._is_stuck():
            self.end("deadlock")
        else:
            self.reach(max(self.now, deadline_s))
            self.end("deadline")

    def _arrivals(self) -> Generator[simpy.Event, Any, None]:
        env, arrive, react = self._env, self._run.sides.arrive, self._react
        arrivals_s = self._run.sides.board.graph.arrivals_s
        for task in sorted(range(len(arrivals_s)), key=arrivals_s.__getitem__):
            wait = arrivals_s[task] - env._now
            if wait > 0.0:
                yield simpy.Timeout(env, wait)
            if arrive(task, env._now):
                react()
        self._tasks_arrive = False

    def end(self, outcome: str, reason: str = "") -> None:
        """End the run at the present instant."""
        if not self._has_ended:
            self._has_ended = True
            self._outcome = (outcome, reason)
            self._ended.succeed()

    def check_limits(self) -> bool:
        """Stop the run if it is complete or over a limit; return whether it has stopped."""
        run, limits = self._run, self.limits
        if run.sides.board.left <= run.sides.spare and run.cycle.is_complete:
            self.end("completed")
        elif run.cycle.calls_begun >= limits.max_calls:
            self.end("max_calls")
        elif limits.budget_usd is not None and run.metrics.cost_usd >= limits.budget_usd:
            self.end("budget")
        return self._has_ended

    def run(self) -> Metrics:
        """Run until stopped, or until nothing can happen any more (a deadlock)."""
        run = self._run
        try:
            self._env.run(until=self._ended)
        except RuntimeError:
            # SimPy's word for an empty schedule; anything else is a bug and shows.
            if self._has_ended or self._env.peek() != float("inf"):
                raise
            self._outcome = ("deadlock", "")
        outcome, reason = self._outcome
        # The time of what happened last: timers that changed nothing may have gone off since.
        if outcome == "deadlock":
            return finish(run, self.now, outcome, reason or why_stuck(run))
        if outcome != "completed":
            reason = reason or self._over(outcome)
        return finish(run, self.now if outcome == "deadline" else self._env.now, outcome, reason)

    def _over(self, outcome: str) -> str:
        """Say which limit was reached, and how much was done by then."""
        limits, metrics = self.limits, self._run.metrics
        limit = {
            "deadline": f"the deadline of {limits.deadline_s} s has passed",
            "budget": f"the budget of {limits.budget_usd} US dollars is spent",
            "max_calls": f"{limits.max_calls} calls have begun",
            "max_rounds": f"{limits.max_rounds} rounds have been made",
        }[outcome]
        return f"{limit}: {metrics.tasks_done} of {metrics.tasks} tasks are done"
