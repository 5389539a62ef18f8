"""Rules of polls, one at a time: how answers decide, who judges, what is asked for again."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from simulator.model.answers import CORRECT
from simulator.model.protocols import EVERYONE, Dispatcher
from simulator.model.protocols.replicate_and_vote import ReplicateAndVote
from tests.model.parts import bag, tasks
from tests.model.test_protocols_alone import alone

COUNT = 600
SURE = 1e-4
"""Probability that a right simulator is refused, over seeds."""


def polls(number: int = 1, workers: int = 3, **fields: Any) -> Dispatcher:
    return alone("replicate_and_vote", bag(number), workers, **fields)


def vote(poll: Dispatcher, task: int, answers: Sequence[int]) -> int | None:
    """Let agents 0, 1, ... answer; return what the poll decides with the last."""
    found = None
    for agent, answer in enumerate(answers):
        assert found is None
        assert poll.choose(agent, 1) == [task]
        assert poll.may_attempt(agent, task)
        found = poll.decide(agent, task, answer)
    return found


def decided(answers: Sequence[int], **fields: Any) -> Counter[int]:
    """Return what so many polls decide in which these are the answers."""
    poll = polls(COUNT, len(answers), replicas=len(answers), **fields)
    found: Counter[int] = Counter()
    for task in range(COUNT):
        result = vote(poll, task, answers)
        is_moot = fields.get("vote") == "judge" and len(set(answers)) == 1
        if fields.get("vote") in ("best_of", "judge") and not is_moot:
            assert result is None
            assert poll.choose(0, 1) == [task]
            judged = poll.answer(0, task)
            assert judged is not None
            result = poll.decide(0, task, judged)
            assert result == judged
        assert result is not None
        found[result] += 1
        poll.attempt_ended(0, task, True)
        poll.board.complete(task, 0, 0.0)
    return found


def fits(found: Counter[int], shares: dict[int, float]) -> bool:
    """Return whether draws are those of a law: exactly where it is certain."""
    shares = {answer: share for answer, share in shares.items() if share}
    assert set(found) <= set(shares)
    if len(shares) == 1:
        return True
    expected = [COUNT * share for share in shares.values()]
    return bool(stats.chisquare([found[x] for x in shares], expected).pvalue > SURE)


@pytest.mark.parametrize(
    ("answers", "law"),
    [
        ([2], {2: 1.0}),
        ([1, 2, 1], {1: 1.0}),
        ([1, 2], {1: 0.5, 2: 0.5}),
        ([1, 2, CORRECT], {1: 1 / 3, 2: 1 / 3, CORRECT: 1 / 3}),
        ([1, 1, 2, 2, 3], {1: 0.5, 2: 0.5}),
    ],
)
@pytest.mark.parametrize("kind", ["majority", "weighted"])
def test_the_most_frequent_answer_wins_and_ties_are_broken_alike(
    kind: str, answers: list[int], law: dict[int, float]
) -> None:
    # Weights of agents that are equally good change nothing.
    assert fits(decided(answers, vote=kind), law)


@pytest.mark.parametrize("miss", [0.0, 0.3, 1.0])
def test_a_judge_finds_the_right_answer_where_answers_differ_unless_it_misses_it(
    miss: float,
) -> None:
    rule = {"vote": "judge", "miss": miss}
    law = {CORRECT: 1.0 - miss, 1: miss / 3, 2: 2 * miss / 3}
    assert fits(decided([1, CORRECT, 2, CORRECT, 2], **rule), law)
    # Where none is right, any one is taken; where all are the same, nobody is asked.
    assert fits(decided([1, 2, 2], **rule), {1: 1 / 3, 2: 2 / 3})
    assert fits(decided([CORRECT] * 3, **rule), {CORRECT: 1.0})


@pytest.mark.parametrize("answers", [[1], [CORRECT], [1, CORRECT], [1, 2, CORRECT], [1, 0, 0, 0]])
@pytest.mark.parametrize(("miss", "false_alarm"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.4), (1.0, 1.0)])
def test_a_verifier_takes_one_of_those_that_it_accepts_or_of_all(
    miss: float, false_alarm: float, answers: list[int]
) -> None:
    law: dict[int, float] = dict.fromkeys(answers, 0.0)
    for verdicts in itertools.product((True, False), repeat=len(answers)):
        chance = 1.0
        for answer, accepts in zip(answers, verdicts, strict=True):
            p = miss if answer != CORRECT else 1.0 - false_alarm
            chance *= p if accepts else 1.0 - p
        taken = [answer for answer, accepts in zip(answers, verdicts, strict=True) if accepts]
        for answer in taken or answers:
            law[answer] += chance / len(taken or answers)
    rule = {"vote": "best_of", "miss": miss, "false_alarm": false_alarm}
    assert fits(decided(answers, **rule), law)


@pytest.mark.parametrize(("replicas", "quorum"), [(1, 1), (3, 2), (5, 1), (5, 5)])
def test_the_first_answers_decide_and_the_others_come_in_vain(replicas: int, quorum: int) -> None:
    poll = polls(1, replicas, replicas=replicas, quorum=quorum)
    assert [poll.choose(agent, 1) for agent in range(replicas)] == [[0]] * replicas
    for agent in range(quorum):
        assert poll.may_attempt(agent, 0)
        assert poll.decide(agent, 0, 1) == (1 if agent + 1 == quorum else None)
    assert not any(poll.may_attempt(agent, 0) for agent in range(quorum, replicas))
    poll.returned(replicas - 1, 0)
    assert [poll.choose(agent, 1) for agent in range(replicas)] == [[]] * replicas


def test_a_quorum_is_at_most_all() -> None:
    assert ReplicateAndVote(replicas=3, quorum=3).quorum == 3
    with pytest.raises(ValidationError, match="a quorum of 4 among 3 replicas"):
        ReplicateAndVote(replicas=3, quorum=4)


def test_only_majorities_stop_early() -> None:
    poll = polls(1, 3, early_stop=True, vote="weighted")
    assert vote(poll, 0, [1, 1]) is None


def test_all_are_called_to_judge_what_was_answered_first() -> None:
    poll = polls(3, 2, replicas=2, vote="judge")
    flights = [poll.choose(agent, 9) for agent in range(2)]
    assert flights == [[0, 1, 2]] * 2
    poll.take_woken()
    for task in (1, 0, 2):
        for agent in range(2):
            assert poll.decide(agent, task, agent) is None
        assert poll.take_woken() == [EVERYONE]
    assert (poll.choose(1, 1), poll.choose(0, 9)) == ([1], [0, 2])
    # A judgement that did not come is owed by whoever is free, and nobody else's counts.
    assert not poll.may_attempt(0, 1)
    poll.returned(1, 1)
    poll.returned(0, 2)
    assert (poll.may_attempt(1, 1), poll.choose(0, 9)) == (False, [1, 2])


@pytest.mark.parametrize("rule", [{}, {"vote": "judge"}])
def test_a_result_that_is_rejected_is_voted_on_anew_by_all(rule: dict[str, str]) -> None:
    poll = polls(1, 3, **rule)
    result = vote(poll, 0, [1, 1, 2] if rule else [1, 1, 1])
    if rule:
        assert poll.choose(0, 1) == [0]
        result = poll.decide(0, 0, 1)
    assert result == 1
    poll.take_woken()
    poll.attempt_ended(0, 0, False)
    assert poll.take_woken() == [EVERYONE]
    assert vote(poll, 0, [2, 2, 2]) == 2


@pytest.mark.parametrize("replicas", [1, 2, 3, 5])
@pytest.mark.parametrize("is_attempt", [True, False])
def test_an_answer_that_did_not_come_is_asked_for_once_more(
    replicas: int, is_attempt: bool
) -> None:
    poll = polls(1, replicas, replicas=replicas)
    for agent in range(replicas):
        assert poll.choose(agent, 1) == [0]
    poll.take_woken()
    if is_attempt:
        poll.attempt_ended(0, 0, False)
    else:
        poll.returned(0, 0)
    assert poll.take_woken() == [EVERYONE]
    assert [poll.choose(agent, 1) for agent in range(1, replicas)] == [[]] * (replicas - 1)
    assert (poll.choose(0, 1), poll.choose(0, 1)) == ([0], [])


@settings(deadline=None)
@given(
    replicas=st.integers(1, 9),
    workers=st.integers(1, 5),
    course=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["choose", "return", "fail"]))),
)
def test_no_more_answers_are_under_way_than_are_wanted_nor_of_anybody_than_its_share(
    replicas: int, workers: int, course: list[tuple[int, str]]
) -> None:
    poll = polls(1, workers, replicas=replicas)
    asked, each = [0] * workers, -(-replicas // workers)
    everybody = [(agent, "choose") for agent in range(workers) for _ in range(replicas + 1)]
    for agent, what in [(agent % workers, what) for agent, what in course] + everybody:
        if what == "choose":
            may = asked[agent] < each and sum(asked) < replicas
            assert poll.choose(agent, 1) == [0] * may
            asked[agent] += may
        elif asked[agent]:
            asked[agent] -= 1
            if what == "return":
                poll.returned(agent, 0)
            else:
                poll.attempt_ended(agent, 0, False)
    assert sum(asked) == replicas


def test_no_answer_is_asked_for_that_is_of_no_use() -> None:
    poll = polls(2, 2, replicas=2)
    assert [poll.choose(agent, 1) for agent in range(2)] == [[0], [0]]
    assert [poll.decide(agent, 0, 1) for agent in range(2)] == [None, 1]
    poll.attempt_ended(1, 0, True)
    poll.board.complete(0, 1, 0.0)
    poll.returned(0, 0)
    assert poll.choose(0, 9) == [1]
    # A task that others have done meanwhile, and one on which nobody votes any more.
    poll.board.complete(1, 1, 0.0)
    poll.returned(0, 1)
    assert poll.choose(0, 9) == []


@pytest.mark.parametrize("workers", [2, 3, 4])
@pytest.mark.parametrize("replicas", [2, 3, 5, 8])
def test_what_is_asked_of_each_is_shared_out_among_those_who_are_there(
    replicas: int, workers: int
) -> None:
    poll = polls(1, workers, replicas=replicas)
    poll.take_woken()
    assert poll.lost(0) == 1
    assert poll.take_woken() == [EVERYONE]

    def most(agents: Sequence[int]) -> list[int]:
        fork, asked = poll.fork(poll.board.copy()), [0] * workers
        for _ in range(replicas):
            for agent in agents:
                asked[agent] += len(fork.choose(agent, 1) or [])
        assert sum(asked) == replicas
        return [asked[agent] for agent in agents]

    assert max(most(range(1, workers))) == -(-replicas // (workers - 1))
    poll.back(0)
    assert poll.take_woken() == [EVERYONE]
    assert max(most(range(workers))) == -(-replicas // workers)


def test_polls_that_have_all_their_answers_under_way_lose_nothing_with_an_agent() -> None:
    poll = polls(3, 2, replicas=2)
    assert poll.choose(0, 1) == [0]
    assert poll.choose(1, 2) == [0, 1]
    assert poll.lost(0) == 2  # the second task lacks an answer, the third two
    for agent in (0, 1):
        poll.lost(agent)
    assert poll.here == []  # and it can be asked for still


@pytest.mark.parametrize("vote_rule", ["majority", "judge"])
def test_a_poll_that_is_closed_is_neither_answered_nor_judged(vote_rule: str) -> None:
    poll = alone("replicate_and_vote", tasks(a="", b=""), 2, replicas=2, vote=vote_rule)
    if vote_rule == "judge":
        assert vote(poll, 0, [1, 2]) is None
    poll.forget(0)
    assert poll.choose(0, 9) == [1]
    poll.forget(1)
    assert poll.choose(1, 9) == []
