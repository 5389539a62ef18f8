"""Partitioned information: who asks whom, who answers, and what is wrong without an answer."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.model.answers import CORRECT
from simulator.model.trace import Event, Trace
from tests.conftest import agent, exponential, run, run_as_traced, runs, scenario, z_score
from tests.model.parts import bag
from tests.model.test_protocols_alone import alone, call, finish

TALKING = {"topology": "decentralised", "limits__max_calls": 10_000}


def asking(**protocol: object) -> dict[str, object]:
    """Return a coordination in rounds, in which whom nobody asks waits."""
    return {"protocol": {"kind": "ask_holders", **protocol}, "idle_agents": "wait"}


@pytest.mark.parametrize("parts", [0, 1, 2, None])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 9])
def test_each_asks_once_answers_once_and_does_its_task(n: int, parts: int | None) -> None:
    m = run(**TALKING, team__size=n, workload__tasks=n, coordination=asking(parts=parts))
    is_alone = n == 1 or parts == 0
    assert (m.rounds, m.calls) == ((1, n) if is_alone else (3, 3 * n))
    assert (m.coordination_calls, m.quality) == (m.calls - n, 1.0)


@pytest.mark.parametrize("timed", [{}, {"resilience": {"timeout": {"seconds": 1000}}}])
@pytest.mark.parametrize("timing", ["asynchronous", "bounded_staleness"])
@pytest.mark.parametrize("n", [2, 3, 4, 9])
def test_who_is_asked_by_all_at_one_instant_answers_all_in_one_call(
    n: int, timing: str, timed: dict[str, object]
) -> None:
    coordination = {"protocol": "ask_holders", "timing": timing}
    lasting = agent(latency={"kind": "seconds", "base": 10})
    m = run(
        **TALKING,
        team={"size": n, "agent": lasting},
        workload__tasks=n,
        coordination=coordination,
        **timed,
    )
    # Each asks, answers and does its task.
    assert (m.outcome, m.makespan_s, m.calls) == ("completed", 30.0, 3 * n)


def test_who_hears_nobody_can_ask_nobody() -> None:
    with pytest.raises(ValueError, match="in topology 'independent' they say nothing"):
        scenario(team__size=2, coordination=asking())
    assert run(team__size=1, coordination=asking()).quality == 1.0
    assert run(team__size=2, coordination=asking(parts=0)).quality == 1.0


@pytest.mark.parametrize("tasks", [3, 7, 12])
@pytest.mark.parametrize("n", [2, 3, 5])
def test_what_has_been_told_is_not_asked_again(n: int, tasks: int) -> None:
    m = run(**TALKING, team__size=n, workload__tasks=tasks, coordination=asking())
    assert m.coordination_calls == min(n, tasks) + n - (tasks == 1)
    assert (m.calls, m.tasks_correct) == (m.coordination_calls + tasks, tasks)


def test_the_work_of_questions_and_answers_takes_its_time() -> None:
    fields = {"ask_work": 2, "answer_work": 5}
    latency = {"kind": "seconds", "base": 0, "per_work_unit_s": 1}
    m = run(
        **TALKING,
        team={"size": 3, "agent": agent(latency=latency)},
        workload__tasks=3,
        coordination=asking(**fields),
    )
    assert m.makespan_s == 2 + 5 + 1


@pytest.mark.theory
@pytest.mark.parametrize(("parts", "n"), [(1, 2), (2, 4), (3, 4), (5, 6)])
def test_a_task_is_right_if_every_answer_is_understood(parts: int, n: int) -> None:
    h, times = 0.2, 400
    errors = {"hand_off": h, "detection": 0}
    found = runs(
        times,
        **TALKING,
        team={"size": n, "agent": agent(errors=errors)},
        workload__tasks=n,
        coordination=asking(parts=parts),
    )
    # |z| < 4: refused once in 16,000 seeds; 0.05 more or less is found in nine of ten.
    assert abs(z_score([m.quality for m in found], (1 - h) ** parts)) < 4


@pytest.mark.theory
@pytest.mark.parametrize("impatience", [0.0, 0.25, 1.0])
def test_whoever_does_not_wait_is_wrong(impatience: float) -> None:
    found = runs(
        400,
        **TALKING,
        team={"size": 3, "agent": agent(errors={"detection": 0})},
        workload__tasks=3,
        coordination=asking(impatience=impatience),
    )
    if impatience in (0.0, 1.0):
        assert {m.quality for m in found} == {1.0 - impatience}
    else:
        assert abs(z_score([m.quality for m in found], 1 - impatience)) < 4
    assert {m.outcome for m in found} == {"completed"}


def test_who_is_sent_back_asks_again_until_all_is_understood() -> None:
    fields = {
        "team": {"size": 3, "agent": agent(errors={"hand_off": 0.4, "detection": 0})},
        "workload__tasks": 3,
    }
    reviewed = asking() | {"review": {"by": "peers", "miss": 0}}
    found = runs(50, **TALKING, **fields, coordination=reviewed)
    assert all(m.quality == 1.0 for m in found)
    assert sum(m.rejections for m in found) > 50
    plain = runs(50, **TALKING, **fields, coordination=asking())
    assert sum(m.coordination_calls for m in found) > sum(m.coordination_calls for m in plain)
    # Each of six answers is misunderstood 0.4 / 0.6 times on average before it is understood; one
    # that is sent back asks for all that it has misunderstood.
    assert sum(m.rejections for m in found) <= 50 * 6


def test_without_its_holder_a_part_is_lost() -> None:
    team = {"size": 3, "agent": agent(errors={"detection": 0})}
    dead = {"kind": "kill", "agent": 1, "at_s": 0.5}
    fields = {"team": team, "workload__tasks": 3, "faults": [dead]}
    timing = {"timing": "asynchronous"}
    stuck = run(**TALKING, **fields, coordination=asking() | timing)
    assert stuck.outcome == "deadlock"
    assert "agent 0 waits for what agent 1 knows" in stuck.reason
    found = {"resilience": {"detector": {"timeout_s": 3, "period_s": 1}}}
    assert run(**TALKING, **fields, **found, coordination=asking() | timing).quality == 0.0
    # Nobody else's part is needed, and another agent does the task of who is gone in vain.
    own = run(**TALKING, **fields, **found, coordination=asking(parts=0) | timing)
    assert (own.outcome, own.tasks_correct) == ("completed", 2)


def test_a_later_question_has_an_answer_of_its_own() -> None:
    holders = alone("ask_holders", bag(2), workers=3, parts=1)
    assert holders.duty(0) == 1.0
    holders.duty_done(0)  # agent 0 asks agent 1
    assert holders.duty(1) == 1.0  # which begins to answer
    assert holders.choose(0, 1) == []
    holders.duty_done(1)
    assert holders.choose(0, 1) == [0]
    assert holders.decide(0, 0, CORRECT) == CORRECT
    assert holders.decide(0, 0, 3) == 3  # a fault of its own stays
    assert call(holders, 1) == []  # agent 1 asks agent 2 for the other task
    assert holders.waits() == ["agent 1 waits for what agent 2 knows"]


def test_what_is_told_during_a_call_comes_too_late_for_it() -> None:
    holders = alone("ask_holders", bag(2), workers=2, impatience=1)
    call(holders, 0)  # asks, and will not wait
    assert holders.choose(0, 1) == [0]
    assert holders.duty(1) == 1.0
    holders.duty_done(1)
    assert holders.decide(0, 0, CORRECT) == 1
    holders.attempt_ended(0, 0, False)  # sent back: now it knows
    assert holders.choose(0, 1) == [0]
    assert holders.decide(0, 0, CORRECT) == CORRECT


def test_for_which_tasks_an_agent_does_not_wait_is_the_same_however_they_came() -> None:
    found = set()
    tasks = [0, 2, 4, 6, 8, 10]
    for order in (tasks, tasks[::-1], [4, 0, 10, 2, 8, 6]):
        holders = alone("ask_holders", bag(12), workers=2, impatience=0.5)
        for task in order:
            holders.forget(task)
        for task in order:
            holders.task_ready(task)
        call(holders, 0)  # asks
        found.add(tuple(holders.choose(0, 6) or []))
    assert len(found) == 1
    assert 0 < len(found.pop()) < len(tasks)  # so that the order could matter


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    workers=st.integers(1, 6),
    parts=st.one_of(st.none(), st.integers(0, 7)),
    impatience=st.sampled_from([0.0, 0.5, 1.0]),
    lost=st.sets(st.integers(0, 5), max_size=3),
    tasks=st.integers(1, 9),
)
def test_all_is_done_whoever_is_lost(
    workers: int, parts: int | None, impatience: float, lost: set[int], tasks: int
) -> None:
    holders = alone("ask_holders", bag(tasks), workers, parts=parts, impatience=impatience)
    for each in itertools.islice((i for i in lost if i < workers), workers - 1):
        call(holders, each)
        holders.lost(each)
    finish(holders)
    assert holders.board.left == 0


def test_a_run_with_questions_is_told_by_its_trace() -> None:
    trace = Trace()
    asked = scenario(
        **TALKING,
        team={"size": 4, "agent": agent(latency=exponential(), errors={"hand_off": 0.2})},
        workload__tasks=6,
        coordination={
            "protocol": {"kind": "ask_holders", "impatience": 0.3},
            "timing": "asynchronous",
        },
    )
    m = run_as_traced(asked, trace=trace)
    ends = [row for row in trace.rows if row.event is Event.CALL_END]
    assert sum(row.outcome == "coordination" for row in ends) == m.coordination_calls > 0
