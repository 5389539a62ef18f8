"""Hands that were dealt: what a call takes of them, ahead of others or blindly, and who inherits.

The order of tasks is topological: ``tests.model.parts.tasks`` numbers them in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.model.protocols import Dispatcher
from simulator.model.protocols.pre_assigned import PreAssigned
from simulator.model.tasks import Task, TaskGraph
from tests.model.parts import bag, tasks
from tests.model.test_protocols_alone import alone, call

BLIND = {"dependency_blindness": 1.0}
CHAIN = {f"t{i}": f"t{i - 1}" if i else "" for i in range(6)}


def dealt(graph: TaskGraph, workers: int = 1, blind: bool = False, **fields: Any) -> Dispatcher:
    """Return tasks dealt to agents that see what their tasks depend on, or never do."""
    return alone("pre_assigned", graph, workers, behaviour=BLIND if blind else {}, **fields)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 9])
def test_a_call_takes_as_many_tasks_as_it_may_and_in_their_order(count: int) -> None:
    mixed = tasks(a="", b="a", c="", d="b c", e="", f="")
    for graph in (tasks(**CHAIN), bag(6), mixed, tasks(a="", b="", c="a", d="b", e="a", f="")):
        assert dealt(graph).choose(0, count) == list(range(min(count, 6)))


@pytest.mark.parametrize("count", [7, 99, 100, 101, 150])
def test_due_are_the_own_tasks_that_are_left_be_they_few_or_many(count: int) -> None:
    hands = dealt(bag(count), 2)
    assert [hands.due(agent) for agent in range(2)] == [-(-count // 2), count // 2]
    for task in hands.choose(0, 3) or []:
        hands.board.complete(task, 0, 1.0)
    assert [hands.due(agent) for agent in range(2)] == [-(-count // 2) - 3, count // 2]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_who_is_blind_attempts_its_first_task_that_must_wait_and_no_more_than_it_may(
    count: int,
) -> None:
    # It attempts b, once, and then what can start.
    picks = dealt(tasks(a="", b="a", c="b", d=""), blind=True).choose(0, count)
    assert picks == [1, 0, 3][:count]
    assert dealt(bag(3), blind=True).choose(0, count) == list(range(count))


@given(count=st.integers(1, 6), p=st.sampled_from([0.0, 0.3, 1.0]), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_call_takes_more_than_it_may_or_a_task_twice(count: int, p: float, seed: int) -> None:
    # Tasks that need the one `seed` places before them.
    graph = tasks(**{f"t{i}": f"t{i - seed}" if 0 < seed <= i else "" for i in range(12)})
    hands = alone("pre_assigned", graph, 2, behaviour={"dependency_blindness": p, "blind_calls": p})
    for _ in range(30):
        for agent in range(2):
            picks = call(hands, agent, count)
            assert len(picks) == len(set(picks)) <= count


@pytest.mark.parametrize("blind", [{"dependency_blindness": 1.0}, {"blind_calls": 1.0}])
@pytest.mark.parametrize("who", [0, 1])
def test_of_a_team_only_those_who_are_blind_attempt_what_must_wait(
    who: int, blind: dict[str, float]
) -> None:
    graph = tasks(a="", b="", c="a", d="b")
    hands = alone("pre_assigned", graph, 2, behaviour_of={who: blind})
    assert hands.choose(who, 1) == [2 + who]
    assert hands.choose(1 - who, 1) == [1 - who]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_who_inherits_tasks_attempts_them_blindly_in_their_order(lost: int) -> None:
    # Each agent has a chain of three; that of who is lost goes to one of the others.
    graph = tasks(a="", b="", c="", d="a", e="b", f="c", g="d", h="e", i="f")
    hands = dealt(graph, 3, blind=True)
    given = hands.lost(lost)
    assert given == 3
    assert hands.choose(lost, 1) == []
    heir = hands.board.owner[lost]
    assert heir != lost
    # Its own chain and the one that it has inherited are mixed in the order of all tasks.
    waiting = [task for task in range(3, 9) if hands.board.owner[task] == heir]
    assert len(waiting) == 4
    found = []
    for task in waiting:
        found += hands.choose(heir, 1) or []
        for before in graph.dependencies[task]:  # so that it need not wait any more
            hands.forget(before)
            hands.board.complete(before, heir, 0.0)
    assert found == waiting


def sized(sizes: list[float], needs: dict[int, int] | None = None) -> TaskGraph:
    """Return tasks of these sizes; `needs` says which needs which."""
    needs = needs or {}
    each = [
        Task(id=str(i), size=size, dependencies=(str(needs[i]),) if i in needs else ())
        for i, size in enumerate(sizes)
    ]
    return TaskGraph.of(each)


@pytest.mark.parametrize("keep_chains", [True, False])
@pytest.mark.parametrize("workers", [1, 2, 3, 5])
@pytest.mark.parametrize(("count", "chains"), [(1, 1), (6, 2), (7, 3), (12, 4), (13, 6), (30, 30)])
def test_the_longest_chain_goes_to_who_has_least(
    count: int, chains: int, workers: int, keep_chains: bool
) -> None:
    """LPT over whole chains, or over tasks where chains are not kept (Graham 1969)."""
    rng = np.random.default_rng(count)
    # Task i follows task i - `chains`, so that there are so many chains.
    needs = {i: i - chains for i in range(chains, count)}
    step = chains if keep_chains else count
    for _ in range(5):
        sizes = rng.integers(1, 100, count).tolist()
        graph = sized([float(size) for size in sizes], needs)
        deal = PreAssigned(deal="longest_first", keep_chains=keep_chains)
        loads, expected = [0] * workers, [-1] * count
        pieces = [range(i, count, step) for i in range(step)]
        for piece in sorted(pieces, key=lambda each: -sum(sizes[i] for i in each)):
            agent = loads.index(min(loads))
            for task in piece:
                expected[task] = agent
                loads[agent] += sizes[task]
        assert list(deal.owners(graph, workers)) == expected


@pytest.mark.parametrize("deal", ["round_robin", "longest_first"])
def test_a_task_that_needs_several_goes_to_who_has_the_last_of_them(deal: Any) -> None:
    first, second = Task(id="a", size=5.0), Task(id="b", size=3.0)
    graph = TaskGraph.of([first, second, Task(id="c", size=1.0, dependencies=("a", "b"))])
    owners = PreAssigned(deal=deal).owners(graph, 2)
    assert owners[0] != owners[1] == owners[2]
