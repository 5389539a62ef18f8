"""What all timings share: arrivals of tasks, timers, limits, and the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Container, Generator
from functools import partial
from typing import Any

import simpy

from simulator.model.ending import finish, why_stuck
from simulator.model.metrics import Metrics
from simulator.model.team import TeamState
from simulator.scenario import Scenario


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
        self._pending = 0
        self.halted: Container[int] = ()
        """Agents whose call waits to be resumed."""
        self.is_busy = False
        """Whether time passes outside of calls and timers."""
        self.only_calls_happen = False
        """Whether nothing comes between the beginnings and ends of calls."""
        team.schedule = self._schedule
        team.nothing_moves = self._nothing_moves

    @property
    def something_is_pending(self) -> bool:
        """Whether tasks are to arrive or timers to go off."""
        return self._pending > 0

    def _nothing_moves(self) -> bool:
        """Return whether nothing can happen any more but in the background."""
        calls_wait = all(a.index in self.halted for a in self._team.agents if a.in_call)
        return calls_wait and not (self._pending or self.is_busy)

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
            self._pending += 1
            env.process(self._arrivals())
        else:
            startable = [task for task, missing in enumerate(team.board.missing) if not missing]
            team.announce(startable, 0.0)
            team.woken.clear()  # nobody is asleep yet
        for partition in self._network.partitions:
            self._schedule(partition.at_s, partial(team.split, partition))
            self._schedule(partition.at_s + partition.duration_s, team.heal)
        if team.failures is not None:
            team.failures.start()
        deadline_s = self.limits.deadline_s
        moves = self._pending or team.failures is not None or team.dispatcher.sets_timers
        self.only_calls_happen = not moves and deadline_s is None
        if deadline_s is not None:
            deadline = env.timeout(deadline_s)
            deadline.callbacks.append(lambda _: self.stop("deadline"))

    def _schedule(
        self, time_s: float, action: Callable[[], None], background: bool = False
    ) -> None:
        """Do something at a later time; it is pending unless it is in the background."""
        self._pending += not background

        def act(_: simpy.Event) -> None:
            self._pending -= not background
            self._team.now = self._env.now
            action()
            self._react()
            self.check_limits()

        self._env.timeout(max(0.0, time_s - self._env.now)).callbacks.append(act)

    def _arrivals(self) -> Generator[simpy.Event, Any, None]:
        env, arrive, react = self._env, self._team.arrive, self._react
        arrivals_s = self._team.board.graph.arrivals_s
        for task in sorted(range(len(arrivals_s)), key=arrivals_s.__getitem__):
            wait = arrivals_s[task] - env._now
            if wait > 0.0:
                yield simpy.Timeout(env, wait)
            if arrive(task, env._now):
                react()
        self._pending -= 1

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
        try:
            self._env.run(until=self._stopped)
        except RuntimeError:
            # SimPy's word for an empty schedule; anything else is a bug and shows.
            if self._has_stopped or self._env.peek() != float("inf"):
                raise
            return finish(self._team, self._env.now, "deadlock", why_stuck(self._team))
        outcome, reason = self._outcome
        if outcome != "completed":
            reason = reason or self._over(outcome)
        return finish(self._team, self._env.now, outcome, reason)

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
