"""Whether agents write again what they have written for tasks that could not start."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import pairwise, product
from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from tests.conftest import agent, scenario

CHAIN = {"kind": "parallel_fraction", "tasks": 12, "parallel_fraction": 0}


def chain_of_drafts(replication: int = 0, **behaviour: float) -> tuple[int, list[int], int]:
    """Return what an agent does that attempts a whole chain of 12 tasks in each call.

    These are its failed tests, the files that each call writes, and how many it writes again.
    """
    fields: dict[str, Any] = {
        "batch": 12,
        "behaviour": {"talk": 0, "blind_calls": 1.0, **behaviour},
        "errors": {"probability": 0.2, "detection": 1},
    }
    trace = Trace()
    truth = scenario(team={"size": 1, "agent": agent(**fields)}, workload=CHAIN)
    row = Simulation(truth).run(replication, trace)
    writes = Counter(each.call for each in trace.rows if each.event is Event.WRITE)
    ends = [each.call for each in trace.rows if each.event is Event.CALL_END]
    return row.failed_tests, [writes[call] for call in ends], row.rewrites


def test_drafts_are_written_again_unless_they_are_left() -> None:
    failed, writes, again = chain_of_drafts()
    assert writes[0] == 12
    assert again == sum(writes) - 12 > 50  # all that was blocked, in each call
    assert chain_of_drafts(leaving_persistence=1.0) == (failed, writes, again)
    # Only what has failed its test is written again, by the next call.
    failed, writes, again = chain_of_drafts(leave_drafts=1.0)
    assert failed > 0
    assert (writes[0], sum(writes[1:])) == (12, failed)
    assert again == failed


def test_drafts_are_left_as_a_habit() -> None:
    """A call leaves them with 0.3, and after one that has left them with 0.3 + 0.7 * 0.6."""
    after: dict[bool, list[bool]] = {False: [], True: []}
    for replication in range(150):
        _, writes, _ = chain_of_drafts(replication, leave_drafts=0.3, leaving_persistence=0.6)
        # Of the last two calls one may be left to write what has failed.
        left = [False] + [each <= 1 for each in writes[1:-2]]
        for before, now in pairwise(left):
            after[before].append(now)
    for is_left, p in ((False, 0.3), (True, 0.72)):
        said = after[is_left]
        z = (sum(said) - len(said) * p) / math.sqrt(len(said) * p * (1 - p))
        assert abs(z) < 3.3, (is_left, z)


AMONG: dict[str, dict[str, Any]] = {
    "nothing else": {},
    "errors that tests miss": {"errors": {"probability": 0.3, "detection": 0.5}},
    "replies cut off": {"capacity": 3, "truncation_loss": 0.5},
    "crashes": {"faults": {"crash": {"up_s": 6, "repair_s": 2}}},
    "malformed replies": {"faults": {"malformed": 0.3}},
}
NOT_TAKEN = {"blocked", "lost", "refused", "duplicate"}
"""Outcomes of attempts that change nothing."""


@pytest.mark.parametrize("what", AMONG)
def test_what_takes_effect_is_what_its_agent_has_written(what: str) -> None:
    """Whoever leaves drafts has written them, and has not crashed since."""
    fields = {
        "batch": 12,
        "behaviour": {
            "talk": 0,
            "blind_calls": 0.8,
            "leave_drafts": 0.7,
            "leaving_persistence": 0.5,
        },
        **AMONG[what],
    }
    taken = left = crashes = 0
    for timing, workspace, hedge, replication in product(
        ("rounds", "asynchronous"),
        ({}, {"kind": "optimistic"}, {"kind": "locks"}),
        (None, 0.8),
        range(4),
    ):
        said: dict[str, Any] = {"workspace": workspace} if workspace else {}
        if hedge is not None:
            said["resilience"] = {"hedge": {"percentile": hedge}}
        truth = scenario(
            team={"size": 3, "agent": agent(**fields)},
            workload={"kind": "parallel_fraction", "tasks": 12, "parallel_fraction": 0.3},
            coordination={"protocol": "self_claim", "timing": timing},
            **said,
        )
        trace, written = Trace(), defaultdict[int, set[int]](set)
        row = Simulation(truth).run(replication, trace)
        assert row.success
        writes = Counter(
            (each.agent, each.call) for each in trace.rows if each.event is Event.WRITE
        )
        for each in trace.rows:
            if each.event is Event.DOWN:
                written[each.agent].clear()
                crashes += 1
            elif each.event is Event.WRITE:
                written[each.agent].add(each.artifact)
            elif each.event is Event.ATTEMPT and each.outcome not in NOT_TAKEN:
                assert each.task in written[each.agent], each
                taken += 1
                left += not writes[each.agent, each.call]
    assert taken >= 48 * 12
    assert left >= 10, left
    assert (crashes >= 10) == (what == "crashes")
