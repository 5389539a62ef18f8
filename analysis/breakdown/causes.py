"""What the time of a team's workers went to, in one replication."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.breakdown.waiting import WITHHELD, Course
from simulator.model.trace import FAILED, IN_VAIN, Event, Row, sends_back
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
    "slower calls",
)
"""What keeps a speed-up below n. `slower calls`: first attempts that take a team longer than one
agent, with more to read for one; below 0 where they are quicker."""

# What tools and sub-agents take is part of doing a task, for one agent as for many.
_WAITS = {
    "rate_limit": "rate limits",
    "queue": "rate limits",
    "tool": WORK,
    "subagent": WORK,
    "barrier": "stragglers and barriers",
    "lock": "duplicates and conflicts",
    "partition": "failures",
}


def time_by_cause(rows: Sequence[Row], scenario: Scenario, tasks: int) -> dict[str, float]:
    """Return the workers' seconds by what they went to, ``work`` and `CAUSES`.

    Waiting is told apart by the board at the time. A worker that waits while tasks are open has
    them withheld from it: by a coordinator, where there is one, else by having been dealt to
    somebody else (imbalance). While all that is left is hindered by dependencies, it waits for
    serial work; while the rest is in progress, for the end (imbalance). After its call of a
    round, it waits for the slowest (barrier) and then for the staff (coordination).

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
    for row in rows:
        if row.agent is not None and row.agent < workers:
            cause = _cause_of(row, again)
            if cause:
                spent[cause] += row.duration_s or 0.0
        if row.task is not None and sends_back(row):
            again.add(row.task)
    # Tasks are withheld from who waits by a coordinator, where there is one.
    withheld = "coordination" if scenario.staff["coordinator"] > 0 else "imbalance"
    for cause, seconds in course.waiting().items():
        spent[withheld if cause == WITHHELD else cause] += seconds
    return spent


def _cause_of(row: Row, again: set[int]) -> str:
    """Return what a row's duration went to, if it is a worker's and tells."""
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
