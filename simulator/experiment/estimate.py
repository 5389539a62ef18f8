"""Estimates roughly, before experiments begin, how long they take and how much memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from simulator.errors import TeamsimError
from simulator.experiment.stuck_calls import falsely_stuck, never_in_time, too_short_lease
from simulator.scenario import Point, Scenario, Study

_AGENT_BYTES, _TASK_BYTES = 8_000, 250
"""Measured with 2,000 to 8,000 agents, and 20,000 to 80,000 tasks."""

MANY_CALLS = 10**8
"""Some hours of a core, at 20 to 50 microseconds each."""
MANY_BYTES = 2 * 10**9
MANY_TRIES = 10**5


@dataclass(frozen=True, slots=True)
class Estimate:
    """Least amount of work of an experiment, from its scenarios alone."""

    calls: int
    """Calls of all replications: at least one for each task and each agent."""
    memory_bytes: int
    """Memory of the largest replication."""
    tries: int
    """Most tries of one call: the first one and all retries."""
    stuck: str | None = None
    """Warning of a detector or a time-out that gives most calls up."""

    def notes(self) -> list[str]:
        """Return warnings for the user; none for an experiment of usual size."""
        found = []
        if self.calls >= MANY_CALLS:
            found.append(f"at least about {self.calls:,} calls will be simulated: that takes long")
        if self.memory_bytes >= MANY_BYTES:
            found.append(f"a replication takes about {_gigabytes(self.memory_bytes)} of memory")
        if self.tries >= MANY_TRIES:
            found.append(
                f"a call may be tried {self.tries:,} times: if none succeeds and nothing makes "
                "it wait, a replication may hardly ever end"
            )
        if self.stuck is not None:
            found.append(self.stuck)
        return found

    def check_memory(self) -> None:
        """Raise an error if a replication takes more memory than this machine has."""
        there = _memory_bytes()
        if there is not None and self.memory_bytes > there:
            raise TeamsimError(
                f"a replication takes about {_gigabytes(self.memory_bytes)} of memory, and this "
                f"machine has {_gigabytes(there)}: make the team or the work smaller"
            )


def estimate(points: Iterable[Point]) -> Estimate:
    """Return what all replications of points take, though a precision may need fewer.

    Parameters
    ----------
    points : iterable of Point
    """
    calls, memory, tries, stuck = 0, 0, 1, None
    for point in points:
        scenario = point.scenario
        agents, tasks = scenario.team.worker_count, scenario.workload.task_count
        calls += scenario.replications * max(agents, tasks)
        needed = agents * _AGENT_BYTES + tasks * _TASK_BYTES + int(scenario.workload.link_bytes)
        memory = max(memory, needed)
        retry = scenario.resilience.retry
        if retry is not None:
            tries = max(tries, 1 + retry.max_retries)
        tries = max(tries, 1 + scenario.provider.retry.max_retries)
        stuck = stuck or falsely_stuck(scenario) or never_in_time(scenario)
        stuck = stuck or too_short_lease(scenario)
    return Estimate(calls, memory, tries, stuck)


def check_memory(scenario: Scenario) -> None:
    """Raise an error if one replication takes more memory than this machine has."""
    estimate(Study.of_scenario(scenario).points).check_memory()


def _memory_bytes() -> int | None:
    names = getattr(os, "sysconf_names", {})
    if not {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= names.keys():
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"
