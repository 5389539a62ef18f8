"""What all timings share: arrivals of tasks, timers, limits, and the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Container, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import simpy
from simpy.events import NORMAL, EventPriority

from simulator.model.ending import finish, why_stuck
from simulator.model.metrics import Metrics
from simulator.model.replication import TeamState
from simulator.model.timers import AN_INSTANT, always, never
from simulator.scenario import Scenario

_IN_ORDER, _LAST = NORMAL, EventPriority(NORMAL + 1)
"""Priorities of what happens at one time: in the order in which it was put there, or after it."""


@dataclass(slots=True, eq=False)
class _Timer:
    """What is to happen at a later time, and whether it can still change anything."""

    action: Callable[[], None]
    matters: Callable[[], bool]


class Clock:
    """Watches over one replication: puts tasks on the board as they arrive, stops the run.

    Parameters
    ----------
    env : simpy.Environment
    team : TeamState
    scenario : Scenario
    """

    def __init__(self, env: simpy.Environment, team: TeamState, scenario: Scenario) -> None:
        self._env = env
        self._team = team
        self._network = scenario.network
        self.limits = scenario.limits
        self._stopped = env.event()
        self._has_stopped = False
        self._outcome = ("", "")
        self._react: Callable[[], None]
        self._timers: set[_Timer] = set()
        self._tasks_arrive = False
        self.halted: Container[int] = ()
        """Agents whose call waits to be resumed."""
        self.is_busy = False
        """Whether time passes outside of calls and timers."""
        self.only_calls_happen = False
        """Whether nothing comes between the beginnings and ends of calls."""
        team.schedule = self._schedule

    def _is_stuck(self) -> bool:
        """Return whether nothing that is still to happen can change anything."""
        if self.is_busy or self._tasks_arrive:
            return False
        calls_wait = all(a.index in self.halted for a in self._team.agents if a.in_call)
        return calls_wait and not any(timer.matters() for timer in self._timers)

    def start(self, react: Callable[[], None]) -> None:
        """Put the tasks on the board, now or as they arrive, and set the timers.

        Parameters
        ----------
        react : callable
            Called after something has happened outside any call: it wakes agents.
        """
        env, team = self._env, self._team
        self._react = react
        arrivals_s = team.board.graph.arrivals_s
        if arrivals_s:
            self._tasks_arrive = True
            env.process(self._arrivals())
        else:
            startable = [task for task, missing in enumerate(team.board.missing) if not missing]
            team.announce(startable, 0.0)
            team.woken.clear()  # nobody is asleep yet
        for partition in self._network.partitions:
            # A cut may get an available minority going, its end whoever waits for it.
            cuts = always if team.minority_goes_on else never
            self._schedule(partition.at_s, partial(team.split, partition), cuts)
            self._schedule(partition.at_s + partition.duration_s, team.heal, self._is_cut)
        if team.failures is not None:
            team.failures.start()
        moves = self._tasks_arrive or self._timers or team.failures or team.dispatcher.sets_timers
        deadline_s = self.limits.deadline_s
        self.only_calls_happen = not moves and deadline_s is None
        if deadline_s is not None:
            at_s = deadline_s * (1.0 + AN_INSTANT)
            self._let(at_s, partial(self._meet_deadline, deadline_s), _LAST)

    def _is_cut(self) -> bool:
        return any(agent.side for agent in self._team.workers)

    def _schedule(
        self, time_s: float, action: Callable[[], None], matters: Callable[[], bool]
    ) -> None:
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
        self._team.now = self._env.now
        timer.action()
        self._react()
        self.check_limits()

    def _meet_deadline(self, deadline_s: float, event: simpy.Event) -> None:
        if self._is_stuck():
            self.stop("deadlock")
        else:
            self._team.now = max(self._team.now, deadline_s)
            self.stop("deadline")

    def _arrivals(self) -> Generator[simpy.Event, Any, None]:
        env, arrive, react = self._env, self._team.arrive, self._react
        arrivals_s = self._team.board.graph.arrivals_s
        for task in sorted(range(len(arrivals_s)), key=arrivals_s.__getitem__):
            wait = arrivals_s[task] - env._now
            if wait > 0.0:
                yield simpy.Timeout(env, wait)
            if arrive(task, env._now):
                react()
        self._tasks_arrive = False

    def stop(self, outcome: str, reason: str = "") -> None:
        """End the run at the present instant."""
        if not self._has_stopped:
            self._has_stopped = True
            self._outcome = (outcome, reason)
            self._stopped.succeed()

    def check_limits(self) -> bool:
        """Stop the run if it is complete or over a limit; return whether it has stopped."""
        team, limits = self._team, self.limits
        if team.board.left <= team.spare and team.is_complete:
            self.stop("completed")
        elif team.calls_begun >= limits.max_calls:
            self.stop("max_calls")
        elif limits.budget_usd is not None and team.metrics.cost_usd >= limits.budget_usd:
            self.stop("budget")
        return self._has_stopped

    def run(self) -> Metrics:
        """Run until stopped, or until nothing can happen any more (a deadlock)."""
        team = self._team
        try:
            self._env.run(until=self._stopped)
        except RuntimeError:
            # SimPy's word for an empty schedule; anything else is a bug and shows.
            if self._has_stopped or self._env.peek() != float("inf"):
                raise
            self._outcome = ("deadlock", "")
        outcome, reason = self._outcome
        # The time of what happened last: timers that changed nothing may have gone off since.
        if outcome == "deadlock":
            return finish(team, team.now, outcome, reason or why_stuck(team))
        if outcome != "completed":
            reason = reason or self._over(outcome)
        return finish(team, team.now if outcome == "deadline" else self._env.now, outcome, reason)

    def _over(self, outcome: str) -> str:
        """Say which limit was reached, and how much was done by then."""
        limits, metrics = self.limits, self._team.metrics
        limit = {
            "deadline": f"the deadline of {limits.deadline_s} s has passed",
            "budget": f"the budget of {limits.budget_usd} US dollars is spent",
            "max_calls": f"{limits.max_calls} calls have begun",
            "max_rounds": f"{limits.max_rounds} rounds have been made",
        }[outcome]
        return f"{limit}: {metrics.tasks_done} of {metrics.tasks} tasks are done"
