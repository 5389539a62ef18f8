"""Rules of debates, one at a time: who debates, whom one follows, who decides, who leaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from scipy import stats

from simulator.model.answers import CORRECT
from simulator.model.protocols import Dispatcher
from tests.model.parts import bag, tasks
from tests.model.test_protocols_alone import alone, attempt

COUNT = 600
SURE = 1e-4
"""Probability that a right simulator is refused, over seeds."""


def turn(debate: Dispatcher, agent: int, task: int, opinion: int) -> int | None:
    """Let an agent whose turn it is say something; return what the debate has decided."""
    assert debate.choose(agent, 1) == [task]
    return debate.decide(agent, task, opinion)


def say(debate: Dispatcher, task: int, opinions: Sequence[int]) -> list[int | None]:
    """Let agents 0, 1, ... say their opinions; return what the debate has decided after each."""
    return [turn(debate, agent, task, opinion) for agent, opinion in enumerate(opinions)]


def opinions(first: Sequence[int], listener: int, **fields: object) -> Counter[int]:
    """Return what an agent thinks after the first answers, in so many debates."""
    debate = alone("debate", bag(COUNT), len(first), **{"rounds": 1, **fields})
    found: Counter[int] = Counter()
    for task in range(COUNT):
        say(debate, task, first)
    for task in range(COUNT):
        found[debate.answer(listener, task) or CORRECT] += 1
        for agent, opinion in enumerate(first):
            turn(debate, agent, task, opinion)
    return found


def fits(found: Counter[int], shares: dict[int, float]) -> bool:
    """Return whether draws are those of a law: exactly where it is certain."""
    assert set(found) <= set(shares)
    if len(shares) == 1:
        return True
    expected = [COUNT * share for share in shares.values()]
    return bool(stats.chisquare([found[x] for x in shares], expected).pvalue > SURE)


@pytest.mark.parametrize("conformity", [0.0, 0.3, 1.0])
def test_so_often_does_an_agent_follow_the_others_and_else_keep_its_opinion(
    conformity: float,
) -> None:
    law = {1: conformity, 2: 1.0 - conformity}
    law = {opinion: share for opinion, share in law.items() if share}
    assert fits(opinions([1, 1, 2], 2, conformity=conformity), law)


@pytest.mark.parametrize(
    ("influence", "law"),
    [("majority", {1: 1.0}), ("peer", {1: 0.75, 2: 0.25})],
)
def test_it_follows_the_most_frequent_opinion_or_that_of_any_one(
    influence: str, law: dict[int, float]
) -> None:
    assert fits(opinions([1, 1, 2, 1, 3], 4, conformity=1, influence=influence), law)


@pytest.mark.parametrize("first", [[1, 2, 3], [1, 1, 2, 2, 3], [1, 1, 2, 2, 4, 3]])
def test_of_opinions_that_are_equally_frequent_each_is_as_likely(first: list[int]) -> None:
    assert fits(opinions(first, len(first) - 1, conformity=1), {1: 0.5, 2: 0.5})


@pytest.mark.parametrize("correction", [0.0, 0.4, 1.0])
def test_so_often_does_who_is_wrong_find_the_right_answer(correction: float) -> None:
    law = {CORRECT: correction, 1: 1.0 - correction}
    law = {opinion: share for opinion, share in law.items() if share}
    assert fits(opinions([1, 1], 0, conformity=0, correction=correction), law)
    # Who follows others into the wrong is corrected just so; who is right stays right.
    assert fits(opinions([CORRECT, 1, 1], 0, conformity=1, correction=correction), law)
    assert fits(opinions([CORRECT, 1], 0, conformity=0, correction=correction), {CORRECT: 1.0})


def test_an_agent_alone_hears_nobody_and_keeps_its_opinion() -> None:
    assert fits(opinions([2], 0, conformity=1), {2: 1.0})


@pytest.mark.parametrize(
    ("decision", "last", "law"),
    [
        ("majority", [1, 1, 2], {1: 1.0}),
        ("majority", [2, 1, 3, 1], {1: 1.0}),
        ("majority", [1, 2], {1: 0.5, 2: 0.5}),
        ("random", [1, 1, 2], {1: 2 / 3, 2: 1 / 3}),
        ("random", [1, 2, 3, 3], {1: 0.25, 2: 0.25, 3: 0.5}),
    ],
)
def test_the_last_opinions_decide_by_majority_or_by_lot(
    decision: str, last: list[int], law: dict[int, float]
) -> None:
    debate = alone("debate", bag(COUNT), len(last), rounds=0, decision=decision)
    found = Counter(say(debate, task, last)[-1] or CORRECT for task in range(COUNT))
    assert fits(found, law)


@pytest.mark.parametrize("rounds", [0, 1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_it_decides_with_the_last_opinion_of_the_last_round(rounds: int, count: int) -> None:
    debate = alone("debate", bag(1), count, rounds=rounds)
    for _ in range(rounds):
        assert say(debate, 0, [1] * count) == [None] * count
    assert say(debate, 0, [2] * count) == [None] * (count - 1) + [2]


@pytest.mark.parametrize(("workers", "debaters"), [(5, 2), (4, 3), (3, 3), (3, 1), (2, 9)])
def test_debaters_are_taken_in_turn_over_the_tasks(workers: int, debaters: int) -> None:
    count, each = 2 * workers, min(debaters, workers)
    debate = alone("debate", bag(count), workers, debaters=debaters)
    heard = [sorted(debate.choose(agent, 99) or []) for agent in range(workers)]
    panels = [[agent for agent in range(workers) if task in heard[agent]] for task in range(count)]
    expected = [
        sorted({(each * task + place) % workers for place in range(each)}) for task in range(count)
    ]
    assert panels == expected


def test_turns_are_taken_in_the_order_in_which_they_came() -> None:
    debate = alone("debate", bag(4), 2, rounds=1)
    assert (debate.choose(0, 3), debate.choose(0, 3)) == ([0, 1, 2], [3])


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_those_whose_turn_it_is_are_called(workers: int, order: str) -> None:
    debate = alone("debate", bag(1), workers, rounds=1, order=order)
    for agent in range(workers):
        called = range(workers) if order == "simultaneous" else [agent]
        if agent == 0 or order == "sequential":
            assert debate.take_woken() == list(called)
        turn(debate, agent, 0, 1)
    assert debate.take_woken() == list(range(workers) if order == "simultaneous" else [0])


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
def test_a_result_that_is_rejected_is_debated_from_the_beginning(order: str) -> None:
    debate = alone("debate", bag(1), 3, rounds=1, order=order, conformity=1)
    say(debate, 0, [1, 1, 1])
    assert say(debate, 0, [1, 1, 1]) == [None, None, 1]
    debate.take_woken()
    debate.attempt_ended(2, 0, False)
    assert debate.take_woken() == ([0, 1, 2] if order == "simultaneous" else [0])
    # The first answers are each one's own again, and a round of opinions follows.
    for agent in range(3):
        assert debate.choose(agent, 1) == [0]
        assert debate.answer(agent, 0) is None
        assert debate.decide(agent, 0, 2) is None
    assert say(debate, 0, [2, 2, 2]) == [None, None, 2]


def test_where_nobody_is_there_who_has_the_task_debates_it_alone() -> None:
    debate = alone("debate", bag(1), 1, rounds=0)
    assert say(debate, 0, [1]) == [1]
    assert debate.lost(0) == 0
    debate.attempt_ended(0, 0, False)
    assert debate.choose(0, 1) == [0]


def test_a_turn_that_came_to_nothing_is_taken_again_behind_the_others() -> None:
    debate = alone("debate", bag(2), 2, rounds=0)
    assert debate.choose(0, 1) == [0]
    debate.take_woken()
    debate.attempt_ended(0, 0, False)  # a first answer that has failed
    assert debate.take_woken() == [0]
    assert debate.choose(0, 9) == [1, 0]


def test_who_has_no_say_any_more_is_given_no_turn_back() -> None:
    debate = alone("debate", bag(2), 2, rounds=0)
    flights = [debate.choose(agent, 2) for agent in range(2)]
    assert flights == [[0, 1], [0, 1]]
    debate.lost(0)
    debate.returned(0, 0)
    assert debate.choose(0, 9) == []
    assert debate.decide(1, 0, 1) == 1
    debate.attempt_ended(1, 0, True)
    debate.board.complete(0, 1, 0.0)
    debate.returned(1, 0)
    debate.returned(1, 1)
    assert debate.choose(1, 9) == [1]


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
@pytest.mark.parametrize("workers", [2, 3, 5])
@pytest.mark.parametrize("leaver", [0, 1, -1])
@pytest.mark.parametrize("before", [0, 1, 2])
def test_the_others_go_on_without_who_is_lost(
    workers: int, leaver: int, before: int, order: str
) -> None:
    """Its opinion counts no more; each of the others speaks in each round."""
    who, speakers = leaver % workers, range(min(before, workers - 1))
    debate = alone("debate", bag(1), workers, rounds=1, order=order)
    for agent in speakers:
        assert turn(debate, agent, 0, 1) is None
    debate.take_woken()
    assert debate.lost(who) == 1
    spoken: Counter[int] = Counter(agent for agent in speakers if agent != who)
    # Where all the others have spoken, the last of them says it again, and closes the round.
    again = [debate.here[-1]] if set(debate.here) == set(spoken) else []
    is_next = order == "sequential" and who == len(speakers)
    rest = [agent for agent in debate.here if agent not in spoken]
    assert debate.take_woken() == (again or rest[:is_next])
    decided = None
    for _ in range(4 * workers):
        for agent in debate.here:
            if decided is None and debate.choose(agent, 1):
                spoken[agent] += 1
                decided = debate.decide(agent, 0, 1)
    assert (decided, debate.choose(who, 9)) == (1, [])
    assert spoken == Counter([*debate.here, *debate.here, *again])


def test_the_opinion_of_who_is_lost_is_neither_heard_nor_counted() -> None:
    debate = alone("debate", bag(1), 3, rounds=1, conformity=1)
    say(debate, 0, [2, 2, 1])
    debate.lost(0)
    debate.lost(1)
    assert debate.choose(2, 1) == [0]
    assert debate.answer(2, 0) == 1  # it hears nobody
    assert debate.decide(2, 0, 1) == 1


def test_a_debate_that_one_held_alone_is_held_by_somebody_who_is_there() -> None:
    debate = alone("debate", bag(6), 3, debaters=1, rounds=0)
    assert debate.choose(0, 1) == [0]
    debate.take_woken()
    assert debate.lost(0) == 2
    assert sorted(debate.take_woken()) == sorted([1 + 0 % 2, 1 + 3 % 2])
    assert debate.choose(0, 9) == []
    found = sorted([*(debate.choose(1, 9) or []), *(debate.choose(2, 9) or [])])
    assert found == [0, 1, 2, 3, 4, 5]
    # Where nobody is there, it waits; what is done or another's is no loss.
    assert alone("debate", bag(2), 1).lost(0) == 0
    done = alone("debate", bag(2), 2, debaters=1, rounds=0)
    attempt(done, 0, (done.choose(0, 1) or [])[0])
    assert done.lost(0) == 0


def test_a_debate_opened_while_some_are_gone_is_of_those_who_are_there() -> None:
    debate = alone("debate", tasks(a="", b="a"), 3, rounds=0)
    assert say(debate, 0, [1, 1, 1])[-1] == 1
    debate.board.complete(0, 2, 0.0)
    debate.lost(0)
    assert debate.task_ready(1) in (1, 2)
    assert [debate.choose(agent, 9) for agent in range(3)] == [[], [1], [1]]
    # One that is opened while nobody is there is debated by who is back first.
    for agent in (1, 2):
        debate.lost(agent)
    debate.forget(1)
    assert debate.task_ready(1) in (0, 1, 2)
    for agent in range(3):
        debate.back(agent)
    assert [debate.choose(agent, 9) for agent in range(3)] == [[1], [], []]


def test_a_debate_that_is_closed_gives_nobody_a_turn() -> None:
    debate = alone("debate", bag(2), 3, rounds=1)
    assert debate.choose(0, 1) == [0]
    debate.forget(0)
    assert [debate.choose(agent, 9) for agent in range(3)] == [[1]] * 3


def test_a_debate_that_begins_anew_leaves_out_who_has_gone() -> None:
    debate = alone("debate", bag(1), 3, rounds=0)
    say(debate, 0, [1, 1, 1])
    debate.gone.add(1)
    debate.attempt_ended(2, 0, False)
    assert [debate.choose(agent, 1) for agent in range(3)] == [[0], [], [0]]
