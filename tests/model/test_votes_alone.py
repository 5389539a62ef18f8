"""Polls and debates by their definitions, over teams and answers of many sizes."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from simulator.model.answers import CORRECT
from simulator.model.protocols import Dispatcher
from tests.conftest import run
from tests.model.parts import bag
from tests.model.test_protocols_alone import alone


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("replicas", [1, 2, 3, 5, 7, 12])
def test_so_many_answers_are_shared_out_as_evenly_as_they_can_be(
    replicas: int, workers: int
) -> None:
    polls = alone("replicate_and_vote", bag(1), workers, replicas=replicas)
    given: Counter[int] = Counter()
    decided = None
    while decided is None:
        asked = [agent for agent in range(workers) if polls.choose(agent, 1)]
        assert asked, f"nobody is asked, and {sum(given.values())} of {replicas} have answered"
        for agent in asked:
            given[agent] += 1
            decided = polls.decide(agent, 0, CORRECT)
    assert sum(given.values()) == replicas
    assert max(given.values()) <= -(-replicas // workers)


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
@pytest.mark.parametrize("replicas", [2, 5, 7])
def test_every_task_has_all_its_answers_whatever_the_size_of_the_team(
    workers: int, replicas: int
) -> None:
    protocol = {"kind": "replicate_and_vote", "replicas": replicas}
    m = run(team__size=workers, workload__tasks=6, coordination__protocol=protocol)
    assert (m.outcome, m.attempts) == ("completed", 6 * replicas)


def _said(polls: Dispatcher, answers: tuple[int, ...]) -> tuple[int, int]:
    """Return what a poll decides and after how many of the answers, one of each agent."""
    for agent, answer in enumerate(answers):
        assert polls.choose(agent, 1) == [0]
        decided = polls.decide(agent, 0, answer)
        if decided is not None:
            return decided, agent + 1
    raise AssertionError("it does not decide")


def _most(answers: tuple[int, ...]) -> set[int]:
    counts = Counter(answers)
    return {each for each, count in counts.items() if count == max(counts.values())}


@pytest.mark.parametrize("replicas", [1, 2, 3, 4, 5, pytest.param(6, marks=pytest.mark.thorough)])
def test_a_poll_stops_early_as_soon_as_no_answer_can_change_it_and_not_before(
    replicas: int,
) -> None:
    for answers in itertools.product((CORRECT, 1, 2), repeat=replicas):
        early = alone("replicate_and_vote", bag(1), replicas, replicas=replicas, early_stop=True)
        decided, after = _said(early, answers)
        assert decided in _most(answers)
        for count in range(1, replicas):
            rest = itertools.product((CORRECT, 1, 2), repeat=replicas - count)
            is_settled = len({frozenset(_most(answers[:count] + each)) for each in rest}) == 1
            # Whoever leads by more than what is left wins alone, whatever is said.
            assert (count >= after) == is_settled


@pytest.mark.parametrize(
    ("good", "poor", "right"),
    [
        (0.05, 0.45, 0.95),  # log(19) is more than twice log(11 / 9): the good one decides alone
        (0.05, 0.2, 0.95),  # log(19) is more than twice log(4), by 6 %
        (0.05, 0.19, 0.95 * (1 - 0.19**2) + 0.05 * 0.81**2),  # and less than twice log(81 / 19)
        (0.3, 0.45, 0.7),  # log(7 / 3) is more than twice log(11 / 9), though it is less than one
        (0.0, 0.45, 1.0),
        (0.4, 1.0, 0.6),  # who is always wrong counts against what it says
    ],
)
def test_a_weighted_poll_counts_log_odds(good: float, poor: float, right: float) -> None:
    m = run(
        team={
            "groups": {
                name: {
                    "size": size,
                    "agent": {
                        "latency": {"kind": "seconds", "base": 1},
                        "errors": {"detection": 0, "probability": e},
                        "batch": 500,
                    },
                }
                for name, size, e in (("good", 1, good), ("poor", 2, poor))
            }
        },
        workload__tasks=2000,
        coordination__protocol={"kind": "replicate_and_vote", "replicas": 3, "vote": "weighted"},
    )
    assert abs(m.quality - right) <= 4 * (right * (1 - right) / 2000) ** 0.5  # standard errors


@pytest.mark.parametrize("count", [2, 3, 6])
def test_who_debates_at_the_same_time_hears_the_opinions_of_the_round_before(count: int) -> None:
    debate = alone("debate", bag(1), count, rounds=1, conformity=1, influence="peer")
    for agent in range(count):
        debate.choose(agent, 1)
        debate.decide(agent, 0, agent)  # each has an opinion of its own
    for agent in range(count):
        debate.choose(agent, 1)
        heard = debate.answer(agent, 0)
        assert heard is not None
        assert heard in set(range(count)) - {agent}
        debate.decide(agent, 0, 90 + agent)  # which nobody hears in this round


@pytest.mark.parametrize("count", [2, 3, 6])
def test_who_debates_in_turn_hears_what_has_just_been_said(count: int) -> None:
    fields = {"rounds": 1, "conformity": 1, "influence": "peer", "order": "sequential"}
    debate = alone("debate", bag(1), count, **fields)
    for agent in range(count):
        assert debate.choose(agent, 1) == [0]
        debate.decide(agent, 0, agent)
    for agent in range(count):
        assert debate.choose(agent, 1) == [0]
        heard = debate.answer(agent, 0)
        assert heard in {90 + other for other in range(agent)} | set(range(agent + 1, count))
        debate.decide(agent, 0, 90 + agent)


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
@pytest.mark.parametrize("rounds", [0, 1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_speaks_once_and_then_once_in_each_round(count: int, rounds: int, order: str) -> None:
    m = run(
        team__size=count,
        workload__tasks=3,
        coordination__protocol={"kind": "debate", "rounds": rounds, "order": order},
    )
    assert (m.outcome, m.attempts) == ("completed", 3 * count * (rounds + 1))
