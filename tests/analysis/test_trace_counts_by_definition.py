"""What is counted in a trace, by hand."""

from __future__ import annotations

import pytest

from analysis.breakdown.trace_metrics import metrics_from_trace
from simulator.model.trace import Event, Row


def settled(task: int) -> Row:
    return Row(0.0, Event.ATTEMPT, agent=0, task=task, outcome="done")


def undone(task: int) -> Row:
    """Return that a task is undone: the other side of a partition has not done it."""
    return Row(0.0, Event.DIVERGED, agent=0, task=task, outcome="undone")


BEGIN, END = Row(0.0, Event.ROUND_START), Row(0.0, Event.ROUND_END)

ROUNDS = {
    "one task": ([BEGIN, settled(0), END], 0),
    "none": ([BEGIN, END], 1),
    "one, and another is undone": ([BEGIN, settled(0), END, BEGIN, settled(1), undone(0), END], 1),
    "only undone in it": ([BEGIN, settled(0), END, BEGIN, undone(0), END], 0),
    "undone before it": ([BEGIN, settled(0), END, undone(0), BEGIN, settled(1), END], 0),
    "undone between, and none": ([BEGIN, settled(0), END, undone(0), BEGIN, END], 1),
    "settled between, and none": ([BEGIN, settled(0), END, settled(1), BEGIN, END], 1),
    "undone after it": ([BEGIN, settled(0), END, BEGIN, settled(1), END, undone(0)], 0),
    "two between, and one": (
        [BEGIN, settled(0), settled(1), END, undone(0), undone(1), BEGIN, settled(2), END],
        0,
    ),
    "cut off": ([BEGIN, settled(0), END, BEGIN], 0),
}
"""Rounds, and how many of them end with as many tasks done as before them."""


@pytest.mark.parametrize("kind", ROUNDS)
def test_a_round_is_idle_if_it_ends_with_as_many_tasks_done_as_before(kind: str) -> None:
    rows, idle = ROUNDS[kind]
    rows = [Row(0.0, Event.RUN_START), *rows, Row(1.0, Event.RUN_END, duration_s=1.0)]
    assert metrics_from_trace(rows, 1, 3, 1).idle_rounds == idle
