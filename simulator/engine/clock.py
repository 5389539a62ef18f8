"""What both timings share: arrivals of tasks, limits, and the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import simpy

from simulator.model.metrics import Metrics
from simulator.model.team import TeamState
from simulator.scenario.schema import Limits


class Clock:
    """Watches over one replication: puts tasks on the board as they arrive, stops the run.

    Parameters
    ----------
    env : simpy.Environment
    team : TeamState
    limits : Limits
    """

    def __init__(self, env: simpy.Environment, team: TeamState, limits: Limits) -> None:
        self._env = env
        self._team = team
        self.limits = limits
        self._stopped = env.event()
        self.arrivals_left = 0

    def start(self, announce: Callable[[list[int]], None]) -> None:
        """Put the tasks on the board, now or as they arrive, and set the deadline.

        Parameters
        ----------
        announce : callable
            Told of the tasks that can start.
        """
        env, team = self._env, self._team
        arrivals_s = team.board.graph.arrivals_s
        if arrivals_s:
            self.arrivals_left = len(arrivals_s)
            env.process(self._arrivals(announce))
        else:
            announce([task for task, missing in enumerate(team.board.missing) if not missing])
        if self.limits.deadline_s is not None:
            deadline = env.timeout(self.limits.deadline_s)
            deadline.callbacks.append(lambda _: self.stop("deadline"))

    def _arrivals(self, announce: Callable[[list[int]], None]) -> Generator[simpy.Event, Any, None]:
        env, board = self._env, self._team.board
        arrivals_s = board.graph.arrivals_s
        for task in sorted(range(len(arrivals_s)), key=arrivals_s.__getitem__):
            wait = arrivals_s[task] - env.now
            if wait > 0.0:
                yield env.timeout(wait)
            self.arrivals_left -= 1
            if board.release(task, env.now):
                announce([task])

    def stop(self, outcome: str) -> None:
        """End the run at the present instant."""
        if not self._stopped.triggered:
            self._stopped.succeed(outcome)

    def check_limits(self) -> bool:
        """Stop the run if it is complete or over a limit; return whether it has stopped."""
        team, limits = self._team, self.limits
        if not team.board.left:
            self.stop("completed")
        elif team.calls_begun >= limits.max_calls:
            self.stop("max_calls")
        elif limits.budget_usd is not None and team.metrics.cost_usd >= limits.budget_usd:
            self.stop("budget")
        return self._stopped.triggered

    def run(self) -> Metrics:
        """Run until stopped, or until nothing can happen any more (a deadlock)."""
        try:
            self._env.run(until=self._stopped)
        except RuntimeError:
            # SimPy's word for an empty schedule; anything else is a bug and shows.
            if self._stopped.triggered or self._env.peek() != float("inf"):
                raise
            return self._team.finish(self._env.now, "deadlock")
        return self._team.finish(self._env.now, str(self._stopped.value))
