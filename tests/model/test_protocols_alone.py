"""Each protocol by itself: a dispatcher and a board, no team, no engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.model.agenda import Agenda
from simulator.model.answers import CORRECT
from simulator.model.board import NOBODY, Board, TaskPool
from simulator.model.journal import Journal
from simulator.model.ledger import Ledger
from simulator.model.metrics import Metrics
from simulator.model.protocols import EVERYONE, SOMEONE, Dispatcher, Setting, preferred
from simulator.model.protocols._dealt import Dealt
from simulator.model.protocols._hand import Hand
from simulator.model.protocols._hands import Hands
from simulator.model.protocols._leases import Leases
from simulator.model.streams import Streams
from simulator.model.tasks import Task, TaskGraph
from simulator.model.timers import always
from simulator.scenario.agent import Agent
from simulator.scenario.families import PROTOCOLS
from tests.model.parts import Clock, bag, tasks

AGENT = Agent.model_validate({"latency": {"kind": "seconds", "base": 1}})
LEAD = 99  # of those protocols that want one


class Notebook(Clock):
    """A clock that only writes down what is to be done later."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[tuple[float, Callable[[], None], Callable[[], bool]]] = []

    def at(
        self, time_s: float, action: Callable[[], None], matters: Callable[[], bool] = always
    ) -> None:
        self.timers.append((time_s, action, matters))


def alone(
    kind: str,
    graph: TaskGraph,
    workers: int = 2,
    *,
    clock: Agenda | None = None,
    behaviour: Mapping[str, float] | None = None,
    behaviour_of: Mapping[int, Mapping[str, float]] | None = None,
    **fields: Any,
) -> Dispatcher:
    """Return a protocol's dispatcher, told of the tasks that can start."""
    board = Board(graph)
    told, usual = behaviour_of or {}, behaviour or {}
    specs = [
        AGENT.model_validate({**AGENT.model_dump(), "behaviour": told.get(i, usual)})
        for i in range(workers)
    ]
    metrics, agenda = Metrics(tasks=len(graph)), clock or Notebook()
    setting = Setting(
        board=board,
        specs=specs,
        managers=[LEAD] * workers,
        streams=Streams(1, 0),
        metrics=metrics,
        agenda=agenda,
        journal=Journal(agenda, metrics, None),
    )
    protocol = PROTOCOLS.get(kind).model_validate({"kind": kind, **fields})
    dispatcher = protocol.dispatcher(setting)
    for task in range(len(graph)):
        if not board.missing[task]:
            dispatcher.task_ready(task)
    return dispatcher


def attempt(dispatcher: Dispatcher, agent: int, task: int, fails: bool = False) -> bool:
    """Let a call of `agent`, which has chosen `task`, end; return whether the task is done."""
    board = dispatcher.board
    if board.missing[task]:
        dispatcher.pick_abandoned(agent, task)
        return False
    if board.done[task] or not dispatcher.may_attempt(agent, task):
        return False
    answer = dispatcher.answer(agent, task)
    if fails and answer is None:  # nobody tests an opinion
        board.failures[task] += 1
        dispatcher.attempt_ended(agent, task, False)
        return False
    if dispatcher.gives_answers and dispatcher.decide(agent, task, answer or CORRECT) is None:
        return False
    dispatcher.attempt_ended(agent, task, True)
    for freed in board.complete(task, agent, 0.0) or ():
        dispatcher.task_ready(freed)
    return True


def call(dispatcher: Dispatcher, agent: int, count: int = 1, fails: bool = False) -> list[int]:
    """Let the agent make a call; return what it chose."""
    dispatcher.led(LEAD, range(dispatcher.setting.workers))  # all have reported
    if dispatcher.duty(agent) is not None:
        dispatcher.duty_done(agent)
        return []
    picks = dispatcher.choose(agent, count) or []
    for task in picks:
        attempt(dispatcher, agent, task, fails)
    return picks


def finish(dispatcher: Dispatcher) -> None:
    """Let the agents call in turn until all is done."""
    for _ in range(1000):
        if dispatcher.board.left == 0 and dispatcher.is_over():
            return
        for agent in dispatcher.here:
            call(dispatcher, agent)
    raise AssertionError("the protocol does not come to an end")


SHARED = {"setting", "graph", "_journal", "_metrics", "_inherited"}
"""What a fork has in common with its original, and what only a fork has."""


def plain(thing: object) -> object:
    """Return what an object holds, to compare what it is with what it was."""
    if isinstance(thing, (list, tuple, Hand)) or type(thing).__name__ == "deque":
        return [plain(each) for each in thing]  # type: ignore[attr-defined]
    if isinstance(thing, dict):
        return [(key, plain(each)) for key, each in thing.items()]
    if isinstance(thing, (set, frozenset)):
        return sorted(thing)
    parts = (Dispatcher, Board, TaskPool, Leases, Ledger)
    if isinstance(thing, parts) or type(thing).__name__[0] == "_":
        names = [name for base in type(thing).__mro__ for name in getattr(base, "__slots__", ())]
        kept = [name for name in names if name not in SHARED]
        return [(name, plain(getattr(thing, name))) for name in kept if hasattr(thing, name)]
    if isinstance(thing, bytearray):
        return bytes(thing)
    return thing if isinstance(thing, (int, float, str, type(None))) else repr(thing)


DIAMONDS = tasks(a="", b="a", c="a", d="b c", e="", f="e", g="e", h="f g", i="", j="")

KINDS = PROTOCOLS.names()

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((kind, {}) for kind in KINDS),
    ("self_claim", {"claims": "immediate", "lease_s": 5}),
    ("self_claim", {"completion": "anyone", "lease_rounds": 2}),
    ("self_claim", {"claims": "immediate", "release": "on_exit"}),
    ("replicate_and_vote", {"vote": "judge"}),
    ("debate", {"order": "sequential"}),
    ("depth_first", {"leaf_tasks": 1}),
]
BLIND = {"dependency_blindness": 0.3, "claim_blindness": 0.3, "blind_calls": 0.2}


@pytest.mark.parametrize("kind", KINDS)
def test_a_dispatcher_has_slots_and_nothing_beside_them(kind: str) -> None:
    assert not hasattr(alone(kind, bag(3)), "__dict__")


def has_work(dispatcher: Dispatcher, agent: int) -> bool:
    """Return whether an agent would find something to do; a copy of the protocol is asked."""
    fork = dispatcher.fork(dispatcher.board.copy())
    return fork.lead_wanted(LEAD) or fork.duty(agent) is not None or bool(fork.choose(agent, 1))


@pytest.mark.parametrize("kind", KINDS)
def test_somebody_has_work_until_all_is_done_and_nobody_after(kind: str) -> None:
    dispatcher = alone(kind, DIAMONDS, workers=3)
    for _ in range(1000):
        if dispatcher.board.left == 0 and dispatcher.is_over():
            break
        able = [agent for agent in range(3) if has_work(dispatcher, agent)]
        assert able
        for agent in able:
            call(dispatcher, agent)
    assert dispatcher.board.left == 0
    assert not any(has_work(dispatcher, agent) for agent in range(3))


@pytest.mark.parametrize(("kind", "fields"), VARIANTS, ids=str)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    behaviour=st.sampled_from([{}, BLIND]),
    before=st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=12),
    under_way=st.sampled_from([0, 1, 3]),
    lost=st.sampled_from([None, 0, 2]),
    fork_is_first=st.booleans(),
)
def test_a_fork_and_its_original_go_separate_ways(
    kind: str,
    fields: dict[str, Any],
    behaviour: dict[str, float],
    before: list[tuple[int, bool]],
    under_way: int,
    lost: int | None,
    fork_is_first: bool,
) -> None:
    original = alone(kind, DIAMONDS, workers=3, behaviour=behaviour, **fields)
    for agent, fails in before:
        call(original, agent, 2, fails)
    flights = [(i, task) for i in range(under_way) for task in original.choose(i, 1) or []]
    fork = original.fork(original.board.copy())
    assert plain(fork) == plain(original)
    assert fork.setting.board is fork.board
    assert fork.board is not original.board
    goes, stays = (fork, original) if fork_is_first else (original, fork)
    was = plain(stays)
    for agent, task in flights:
        attempt(goes, agent, task)
    if lost is not None:
        goes.lost(lost)
    finish(goes)
    assert plain(stays) == was
    for agent, task in flights:
        stays.returned(agent, task)
    finish(stays)
    assert stays.board.left == goes.board.left == 0


def test_a_fork_and_its_original_each_judge_what_is_to_be_judged() -> None:
    polls = alone("replicate_and_vote", bag(1), 3, vote="judge")
    answers(polls, 2, CORRECT, 2)
    fork = polls.fork(polls.board.copy())
    assert fork.choose(0, 1) == [0]
    assert polls.choose(0, 1) == [0]


def test_a_copied_board_goes_its_own_way() -> None:
    board = Board(tasks(a="", b="a"))
    board.complete(0, 0, 1.0)
    board.write(0, 0, 0, 0.0, 1.0)
    copied, was = board.copy(), plain(board)
    assert plain(copied) == was
    assert copied.graph is board.graph
    copied.undo(0)
    copied.faulty[1], copied.owner[1], copied.ready_s[1] = 1, 1, 9.0
    copied.write(0, 1, 1, 0.0, 2.0)
    copied.complete(1, 1, 3.0)
    assert plain(board) == was


@pytest.mark.parametrize("kind", ["self_claim", "work_stealing"])
def test_a_fork_draws_on_with_the_same_streams(kind: str) -> None:
    fields = {"choice": "random"} if kind == "self_claim" else {"start": "one"}
    alike = alone(kind, bag(30), workers=9, **fields)
    drawn = [alike.choose(8, 1) for _ in range(2)]
    original = alone(kind, bag(30), workers=9, **fields)
    fork = original.fork(original.board.copy())
    # One stream: what the fork draws first, the original draws no more.
    assert fork.choose(8, 1) == drawn[0]
    assert fork.setting.streams is original.setting.streams
    original_alone = alone(kind, bag(30), workers=9, **fields)
    if kind == "self_claim":
        assert original.choose(8, 1) != original_alone.choose(8, 1)


def test_a_claim_at_once_is_seen_by_the_others() -> None:
    claims = alone("self_claim", bag(2), claims="immediate", choice="first")
    assert claims.task_ready(0) == SOMEONE
    assert (claims.choose(0, 1), claims.choose(1, 9)) == ([0], [1])
    assert not has_work(claims, 0)
    attempt(claims, 0, 0, fails=True)  # to be done again, by who has it
    assert (has_work(claims, 0), has_work(claims, 1)) == (True, False)
    assert claims.choose(0, 9) == [0]


def test_of_two_claims_at_commit_the_first_counts() -> None:
    claims = alone("self_claim", bag(2), choice="first")
    assert claims.task_ready(0) == EVERYONE
    assert claims.choose(0, 1) == claims.choose(1, 1) == [0]
    assert claims.may_attempt(1, 0)
    assert not claims.may_attempt(0, 0)
    assert claims.board.owner[0] == 1


def test_a_claim_ends_with_its_lease_unless_it_was_renewed() -> None:
    clock = Notebook()
    claims = alone("self_claim", bag(1), clock=clock, claims="immediate", lease_s=5)
    claims.choose(0, 1)
    ((ends_s, expire, matters),) = clock.timers
    assert (ends_s, matters(), claims.sets_timers) == (5.0, True, True)
    clock.reach(5.0)
    expire()
    assert claims.board.owner[0] == 0  # as long as calls end at this instant
    _, (now_s, expire, matters) = clock.timers
    assert (now_s, matters()) == (5.0, True)
    expire()
    assert (claims.board.owner[0], claims.setting.metrics.lease_expiries) == (NOBODY, 1)
    assert claims.choose(1, 1) == [0]
    expire()  # that claim is no more
    assert (claims.board.owner[0], claims.setting.metrics.lease_expiries) == (1, 1)


def test_an_agent_blind_to_dependencies_picks_what_must_wait() -> None:
    blind = alone("self_claim", tasks(a="", b="a"), behaviour={"blind_calls": 1}, choice="first")
    assert blind.choose(0, 2) == [0, 1]
    sees = alone("self_claim", tasks(a="", b="a"), choice="first")
    assert sees.choose(0, 2) == [0]


def test_a_dealt_task_is_its_owners_and_goes_to_others_when_it_is_lost() -> None:
    dealt = alone("pre_assigned", bag(4))
    assert list(dealt.board.owner) == [0, 1, 0, 1]
    assert dealt.choose(0, 9) == [0, 2]
    assert not has_work(dealt, 0)
    assert dealt.lost(1) == 2
    assert list(dealt.board.owner) == [0, 0, 0, 0]
    assert (has_work(dealt, 0), has_work(dealt, 1), dealt.woken) == (True, False, [0])


def test_one_call_does_a_chain_only_if_it_may_work_ahead() -> None:
    chain = tasks(a="", b="a", c="b")
    assert alone("pre_assigned", chain, 1).choose(0, 9) == [0, 1, 2]
    assert alone("pre_assigned", chain, 1, work_ahead=False).choose(0, 9) == [0]


def test_a_pipeline_gives_each_stage_to_an_agent() -> None:
    stages = alone("pipeline", tasks(a="", b="a", c="b", d=""), workers=2)
    assert list(stages.board.owner) == [0, 1, 0, 0]
    assert (has_work(stages, 0), has_work(stages, 1)) == (True, False)
    call(stages, 0)
    assert has_work(stages, 1)


def test_a_thief_takes_what_has_lain_longest_and_an_owner_what_is_newest() -> None:
    deques = alone("work_stealing", bag(4), start="one")
    assert list(deques.board.owner) == [0, 0, 0, 0]
    assert deques.choose(1, 1) == [0]
    assert deques.choose(0, 1) == [3]
    assert (deques.board.owner[0], deques.setting.metrics.steals) == (1, 1)
    half = alone("work_stealing", bag(5), start="one", amount="half")
    assert half.choose(1, 9) == [2, 1, 0]


@pytest.mark.parametrize("amount", ["one", "half"])
@pytest.mark.parametrize("length", range(1, 10))
def test_a_theft_takes_one_task_or_half_of_them_the_oldest(length: int, amount: str) -> None:
    # Half of a deque of odd length is rounded up: of one task, a thief takes that one.
    deques = alone("work_stealing", bag(length), start="one", amount=amount)
    stolen = 1 if amount == "one" else math.ceil(length / 2)
    assert sorted(deques.choose(1, length)) == list(range(stolen))
    assert deques.choose(0, length) == list(reversed(range(stolen, length)))
    assert deques.setting.metrics.steals == stolen


def test_what_a_task_frees_concerns_who_did_it() -> None:
    deques = alone("work_stealing", tasks(a="", b="a"), start="one")
    deques.board.complete(0, 1, 0.0)
    assert preferred(deques.task_ready(1)) == 1


def test_without_a_leads_call_nobody_has_tasks() -> None:
    led = alone("lead_assign", bag(3))
    assert (led.choose(0, 9), led.lead_wanted(LEAD)) == ([], True)
    led.led(LEAD, [])
    assert led.woken == [0, 1]
    assert (led.choose(0, 9), led.choose(1, 9)) == ([0], [1])
    assert not led.lead_wanted(LEAD)  # nobody is free before it has reported
    led.led(LEAD, [1])
    assert led.choose(1, 9) == [2]
    assert led.waits() == []


def test_a_worker_with_tasks_in_hand_is_given_no_more() -> None:
    led = alone("lead_assign", bag(7), tasks_each=2)
    led.led(LEAD, [])
    assert led.choose(0, 1) == [0]
    assert attempt(led, 0, 0)
    led.led(LEAD, [0])  # one of its two is left
    assert led.choose(0, 9) == [1]
    assert attempt(led, 0, 1)
    led.led(LEAD, [0])
    assert (led.choose(0, 9), led.choose(1, 9)) == ([4, 5], [2, 3])


@pytest.mark.parametrize(("order", "given"), [("longest_first", [2, 0, 1]), ("listed", [0, 1, 2])])
def test_a_lead_hands_out_the_longest_first_or_in_order(order: str, given: list[int]) -> None:
    sizes = [Task(id=f"t{i}", size=size) for i, size in enumerate((3.0, 1.0, 8.0))]
    led = alone("lead_assign", TaskGraph.of(sizes), workers=1, tasks_each=3, order=order)
    led.led(LEAD, [])
    assert led.choose(0, 9) == given


def test_what_a_lost_worker_was_given_is_handed_out_again() -> None:
    led = alone("lead_assign", bag(2), tasks_each=2)
    led.led(LEAD, [])
    assert led.lost(0) == 2
    assert led.waits() == ["2 tasks are not handed out"]
    led.led(LEAD, [0, 1])
    assert (led.choose(0, 9), led.choose(1, 9)) == ([], [0, 1])


def test_a_task_waits_in_the_queues_of_so_many_agents_until_one_has_done_it() -> None:
    queues = alone("redundancy", bag(1), workers=4, copies=3)
    holders = [agent for agent in range(4) if has_work(queues, agent)]
    assert len(holders) == 3
    assert call(queues, holders[0]) == [0]
    assert not any(has_work(queues, agent) for agent in range(4))
    assert queues.choose(holders[1], 1) == []


def answers(polls: Dispatcher, *said: int) -> list[int | None]:
    """Let agents 0, 1, ... answer task 0; return what the poll says after each."""
    found = []
    for agent, answer in enumerate(said):
        assert polls.choose(agent, 1) == [0]
        assert polls.may_attempt(agent, 0)
        found.append(polls.decide(agent, 0, answer))
    return found


def test_a_majority_decides_when_all_have_answered_or_none_can_change_it() -> None:
    assert answers(alone("replicate_and_vote", bag(1), 3), 2, 0, 2) == [None, None, 2]
    early = alone("replicate_and_vote", bag(1), 3, early_stop=True)
    assert answers(early, 2, 2) == [None, 2]
    assert not has_work(early, 2)


def test_nobody_answers_twice_where_there_are_agents_enough() -> None:
    polls = alone("replicate_and_vote", bag(1), 3)
    assert (polls.choose(0, 1), polls.choose(0, 1)) == ([0], [])
    assert alone("replicate_and_vote", bag(1), 2).choose(0, 1) == [0]


def test_a_judge_finds_the_right_answer_if_it_is_there() -> None:
    polls = alone("replicate_and_vote", bag(1), 3, vote="judge")
    assert answers(polls, 2, CORRECT, 2) == [None, None, None]
    assert polls.choose(1, 1) == [0]  # whoever is free judges
    assert polls.answer(1, 0) == CORRECT
    assert polls.decide(1, 0, CORRECT) == CORRECT


def test_debaters_follow_the_majority_of_what_they_heard() -> None:
    debate = alone("debate", bag(1), 3, rounds=1, conformity=1)
    for agent, opinion in enumerate((1, 1, CORRECT)):
        assert debate.choose(agent, 1) == [0]
        assert debate.answer(agent, 0) is None  # the first is its own
        assert debate.decide(agent, 0, opinion) is None
    assert [debate.choose(agent, 1) for agent in range(3)] == [[0], [0], [0]]
    assert debate.answer(2, 0) == 1
    decided = [debate.decide(agent, 0, 1) for agent in range(3)]
    assert decided == [None, None, 1]


def test_a_sequential_debate_gives_one_its_turn_after_the_other() -> None:
    debate = alone("debate", bag(1), 2, rounds=0, order="sequential")
    assert (has_work(debate, 0), has_work(debate, 1)) == (True, False)
    assert debate.choose(0, 1) == [0]
    debate.decide(0, 0, 1)
    assert (has_work(debate, 0), has_work(debate, 1)) == (False, True)


def test_recursion_splits_works_and_merges_in_that_order() -> None:
    stack = alone("depth_first", bag(4), 2, leaf_tasks=2, split_work=3, merge_work=5)
    assert (stack.duty(0), stack.choose(0, 9)) == (3, [])
    stack.duty_done(0)
    assert (has_work(stack, 0), has_work(stack, 1)) == (False, True)
    assert stack.context_of(0, 900) == (900, 0)  # it waits
    assert stack.context_of(1, 900) == (0, 500)  # a briefing in place of its context
    assert call(stack, 1, 9) == [0, 1]
    assert stack.context_of(1, 900) == (0, 500)  # another sub-agent
    assert call(stack, 1, 9) == [2, 3]
    assert (stack.duty(0), stack.is_over()) == (5, False)
    assert stack.context_of(0, 900) == (900, 600)  # two reports
    assert stack.context_of(0, 900) == (900, 0)  # which are read once
    stack.duty_done(0)
    assert stack.is_over()
    assert [stack.context_of(agent, 900) for agent in (0, 1)] == [(900, 0)] * 2


@pytest.mark.parametrize("kind", PROTOCOLS.names())
def test_a_protocol_that_watches_no_attempts_would_have_nothing_to_say(kind: str) -> None:
    dispatcher = alone(kind, bag(4))
    assert dispatcher.watches_attempts == (kind != "pre_assigned")
    if isinstance(dispatcher, Hands) and not dispatcher.watches_attempts:
        for task in dispatcher.choose(0, 2) or []:
            before = [list(hand) for hand in dispatcher.ready], dispatcher.board.owner[:]
            assert dispatcher.may_attempt(0, task)
            assert dispatcher.may_attempt(1, task)
            dispatcher.attempt_ended(0, task, done=True)
            hands = [list(hand) for hand in dispatcher.ready]
            assert (hands, dispatcher.board.owner) == before


def test_a_kind_of_dealt_tasks_that_watches_attempts_is_told_of_them() -> None:
    class Watching(Dealt):
        def attempt_ended(self, agent: int, task: int, done: bool) -> None:
            super().attempt_ended(agent, task, done)

    dealt = alone("pre_assigned", bag(4))
    assert not dealt.watches_attempts
    assert Watching(dealt.setting, [0, 1, 0, 1], works_ahead=True).watches_attempts


@pytest.mark.parametrize("claims", ["immediate", "at_commit"])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_however_blind_an_agent_picks_each_task_once_and_no_more_than_it_may(
    claims: str, count: int
) -> None:
    graph = tasks(**{f"t{i}": f"t{i - 3}" if i > 8 else "" for i in range(20)})
    for kind, p in ((kind, p) for kind in BLIND for p in (0.5, 1.0)):
        board = alone("self_claim", graph, 2, behaviour={**BLIND, kind: p}, claims=claims)
        for _ in range(20):
            for agent in (0, 1):
                picks = board.fork(board.board.copy()).choose(agent, count) or []
                assert len(picks) == len(set(picks)) <= count
