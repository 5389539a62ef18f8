"""Divides the time of a team's workers by cause, in one replication."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.breakdown.queues import ToolQueues
from analysis.breakdown.stretches import total_length
from analysis.breakdown.waiting import WITHHELD, Course
from simulator.engine import Simulation
from simulator.model.trace import FAILED, IN_VAIN, Event, Row, Trace, sends_back
from simulator.scenario import Scenario

WORK = "work"
CAUSES = (
    "serial work",
    "imbalance",
    "stragglers and barriers",
    "coordination",
    "duplicates and conflicts",
    "rework",
    "failures",
    "rate limits",
    "queues for tools",
    "slower calls",
)
"""The causes that keep a speed-up below n. `queues for tools`: a worker waits for tools of which
none is being served, since their stations are busy or closed. `slower calls`: first attempts take
longer in a team than for one agent, for example because there is more to read; below 0 if they are
quicker."""

# The time of tools and sub-agents is part of doing a task, for one agent as for many.
_WAITS = {
    "rate_limit": "rate limits",
    "queue": "rate limits",
    "tool": WORK,
    "subagent": WORK,
    "barrier": "stragglers and barriers",
    "lock": "duplicates and conflicts",
    "partition": "failures",
}


def times_by_cause(job: tuple[Scenario, int]) -> list[dict[str, float] | None]:
    """Return `time_by_cause` of so many replications; None of one that did not finish.

    Other processes do this: they need no pandas, which takes longer to import.
    """
    scenario, replications = job
    simulation = Simulation(scenario)
    found: list[dict[str, float] | None] = []
    for replication in range(replications):
        trace = Trace(replication)
        metrics = simulation.run(replication, trace)
        spent = time_by_cause(trace.rows, scenario, metrics.tasks) if metrics.success else None
        found.append(spent)
    return found


def time_by_cause(rows: Sequence[Row], scenario: Scenario, tasks: int) -> dict[str, float]:
    """Return the workers' seconds for ``work`` and for each of `CAUSES`.

    The cause of waiting depends on the state of the board. If tasks are open while a worker waits,
    it may not take them: it waits for a coordinator, if there is one (coordination), or the tasks
    are assigned to others (imbalance). If all remaining tasks wait for dependencies, the worker
    waits for serial work. If all remaining tasks are in progress, it waits for the end (imbalance).
    After its call of a round, it waits for the slowest call (barrier), then for the staff
    (coordination).

    Parameters
    ----------
    rows : sequence of Row
        The trace of one replication.
    scenario : Scenario
    tasks : int
        Tasks in the workload.

    Returns
    -------
    dict of str to float
        Simulated seconds; they add up to workers times makespan.
    """
    workers = scenario.team.worker_count
    course = Course(rows, workers, tasks)
    spent = dict.fromkeys((WORK, *CAUSES), 0.0)
    again: set[int] = set()
    queues = ToolQueues() if scenario.stations else None
    for row in rows:
        if row.agent is not None and row.agent < workers:
            cause = _cause_of(row, again)
            if cause:
                spent[cause] += row.duration_s or 0.0
            if queues is not None:
                queued_s = total_length(queues.show(row))
                spent["queues for tools"] += queued_s
                spent[WORK] -= queued_s
        if row.task is not None and sends_back(row):
            again.add(row.task)
    # If there is a coordinator, it is the reason why a waiting worker does not get open tasks.
    withheld = "coordination" if scenario.staff["coordinator"] > 0 else "imbalance"
    for cause, seconds in course.waiting().items():
        spent[withheld if cause == WITHHELD else cause] += seconds
    return spent


def _cause_of(row: Row, again: set[int]) -> str:
    """Return the cause of a row's duration, if the row is a worker's and has one."""
    cause = ""
    if row.event is Event.ATTEMPT:
        if row.outcome in IN_VAIN:
            cause = "duplicates and conflicts"
        else:
            cause = "rework" if row.task in again else WORK
    elif row.event is Event.WAIT:
        cause = _WAITS.get(str(row.outcome), "failures")
    elif row.event is Event.COMMIT:
        cause = "coordination"
    elif row.event in (Event.REQUEST, Event.DOWN):
        cause = "failures"
    elif row.event is Event.CALL_END:
        by_outcome = {
            "coordination": "coordination",
            "review": "coordination",
            **dict.fromkeys(FAILED, "failures"),
            "cut_off": "imbalance",
        }
        cause = by_outcome.get(str(row.outcome), "")
    return cause
