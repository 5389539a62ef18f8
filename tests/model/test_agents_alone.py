"""Memory, answers and messages of one agent by itself: no team, no engine."""

from __future__ import annotations

import math

import pytest

from simulator.model.agents.agent import AgentState
from simulator.model.agents.call import ATTEMPTS, DUTY, Call
from simulator.model.agents.channels import Log, Post, Subscription, Voice
from simulator.model.agents.held import Held
from simulator.model.agents.messages import Deliveries, Link, Mailbox, Notes
from simulator.model.agents.talk import Talk
from simulator.model.agents.timesheet import COMMITTING, SERVING, WAITING
from simulator.model.answers import CORRECT, expit
from simulator.model.board import Board
from simulator.model.streams import always
from simulator.model.trace import Event
from tests.model.parts import Bench, bag, begin_call, model


def alone(voice: Voice | None = None, errors: object = None, **context: object) -> AgentState:
    """Return an agent with a system prompt of 100 tokens, whose calls write 10 and add 5."""
    said = {"system_tokens": 100, "turn_tokens": 5, **context}
    return Bench(0).join(voice=voice, context=said, errors=errors or {})


def read(agent: AgentState) -> None:
    """Let an agent begin a call by reading."""
    agent.memory.read(0.0, Board(bag(1)))


def call(agent: AgentState, output: int = 10) -> tuple[int, int]:
    """Let an agent make a call; return the tokens of its prompt, and those in the cache."""
    read(agent)
    prompt = agent.memory.prompt_tokens, agent.memory.cached
    agent.memory.remember(output)
    return prompt


def test_a_prompt_grows_by_what_a_call_adds_and_the_last_one_is_in_the_cache() -> None:
    agent = alone()
    prompts = [100 + 15 * k for k in range(5)]
    assert [call(agent) for _ in prompts] == list(zip(prompts, [0, *prompts], strict=False))


def test_a_session_begins_with_its_task_and_its_first_look_round() -> None:
    agent = alone(start_tokens=1000, first_turn_tokens=500)
    assert [call(agent)[0] for _ in range(3)] == [1100, 1100 + 510, 1100 + 510 + 15]


def test_an_agent_without_a_cache_pays_for_its_whole_prompt() -> None:
    agent = alone(cache=False)
    assert [call(agent)[1] for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("field", [{"cache_miss": 1}, {"retention": 0.5}])
def test_the_system_prompt_is_always_as_it_was(field: dict[str, float]) -> None:
    agent = alone(start_tokens=100, **field)
    assert [call(agent)[1] for _ in range(4)] == [0, 100, 100, 100]


def test_what_is_retained_converges_to_its_fixed_point() -> None:
    agent = alone(retention=0.5)
    for _ in range(20):
        call(agent, output=95)
    # c = (c + 100) / 2, from below and in whole tokens.
    assert agent.memory.context_tokens == 99


def test_a_truncated_prompt_fills_its_window() -> None:
    agent = alone(window_tokens=150, overflow="truncate")
    found = [call(agent) for _ in range(7)]
    assert [prompt for prompt, _ in found] == [100, 115, 130, 145, 150, 150, 150]
    assert [cached for _, cached in found] == [0, 100, 115, 130, 100, 100, 100]
    assert agent.memory.compactions == 3


SEVERAL_LIMITS = {"kind": "empirical", "values": [200, 1000], "weights": [0.6, 0.4]}


def test_each_agent_draws_its_context_limit_where_limits_differ() -> None:
    bench = Bench(0)
    said = {"system_tokens": 100, "window_tokens": SEVERAL_LIMITS}
    limits = [bench.join(context=said).memory.window_tokens for _ in range(400)]
    assert set(limits) == {200, 1000}
    # Binomial: a standard error of 0.0245.
    assert limits.count(1000) / 400 == pytest.approx(0.4, abs=0.075)


def test_an_agent_that_begins_with_more_has_a_limit_that_holds_it() -> None:
    bench = Bench(0)
    said = {"system_tokens": 100, "window_tokens": SEVERAL_LIMITS, "start_tokens": 101}
    agents = [bench.join(context=said) for _ in range(100)]
    assert {agent.memory.window_tokens for agent in agents} == {1000}
    fits = [bench.join(context={**said, "start_tokens": 100}) for _ in range(100)]
    assert {agent.memory.window_tokens for agent in fits} == {200, 1000}


def test_what_no_limit_holds_has_the_largest_and_is_compacted() -> None:
    said = {"window_tokens": SEVERAL_LIMITS, "start_tokens": 1500, "compaction": 0.1}
    bench = Bench(0)
    agents = [bench.join(context={"system_tokens": 100, **said}) for _ in range(20)]
    assert {agent.memory.window_tokens for agent in agents} == {1000}
    agent = agents[0]
    assert call(agent) == (100 + 100, 0)
    assert agent.memory.compactions == 1


def test_a_summary_takes_the_place_of_the_context() -> None:
    agent = alone(window_tokens=200, compaction=0.1, start_tokens=90)
    assert call(agent) == (190, 0)
    # 105 of context do not fit: a summary of 20 does, behind the system prompt.
    assert call(agent) == (120, 100)
    assert call(agent) == (135, 120)  # which it has read by then
    assert (agent.memory.compactions, agent.memory.context_tokens) == (1, 20 + 2 * 15)


def test_a_summary_that_is_written_is_not_in_the_context_twice() -> None:
    agent = alone(window_tokens=200, compaction=0.1, start_tokens=105, compaction_output=1)
    read(agent)
    assert agent.memory.summary_tokens == 20
    agent.memory.remember(10 + agent.memory.summary_tokens)
    assert agent.memory.context_tokens == 20 + 15
    assert agent.memory.summary_tokens == 0


def test_a_compaction_that_came_to_nothing_leaves_the_context() -> None:
    agent = alone(window_tokens=200, compaction=0.1, start_tokens=105)
    read(agent)
    assert agent.memory.makes_room()
    agent.memory.come_to_nothing(goes_on=False)
    assert (agent.memory.compactions, agent.memory.context_tokens, agent.memory.makes_room()) == (
        0,
        105,
        False,
    )
    read(agent)
    assert agent.memory.prompt_tokens == 120


@pytest.mark.parametrize(
    ("dropped", "left"),
    [(0, (80, 100, 50)), (30, (50, 70, 50)), (120, (0, 0, 30)), (900, (0,) * 3)],
)
def test_a_loop_loses_the_oldest_of_its_context_first(
    dropped: int, left: tuple[int, int, int]
) -> None:
    # The first turn has read 100 tokens that are kept, 80 of them from before, and 50 of a board.
    held = Held(before=80)
    held.end_turn(read=100, fresh=50, dropped=0, overflow="truncate")
    held.lose(dropped, "truncate")
    assert (held.before, held.begins, held.tokens) == left


def test_a_summary_is_never_longer_than_what_it_sums_up() -> None:
    log = Log()
    agent = alone(
        Voice(inbox=[Subscription(log)]), window_tokens=200, compaction=0.5, start_tokens=30
    )
    Post(log, 1, None).send(90, 0.0)
    read(agent)
    # Half of the window has room for 100, but there are no more than 30.
    assert (agent.memory.prompt_tokens, agent.memory.makes_room()) == (100 + 30 + 90, False)
    assert agent.memory.is_too_long()


def test_a_prompt_is_too_long_if_it_does_not_fit_without_a_context() -> None:
    log = Log()
    window = {"window_tokens": 110, "overflow": "truncate"}
    agent = alone(Voice(inbox=[Subscription(log)]), start_tokens=50, **window)
    for tokens, is_too_long in ((10, False), (11, True)):
        Post(log, 1, None).send(tokens, 0.0)
        read(agent)
        assert agent.memory.is_too_long() == is_too_long
        agent.memory.come_to_nothing(goes_on=False)


def test_news_is_read_again_by_the_call_after_one_that_failed() -> None:
    log = Log()
    agent = alone(Voice(inbox=[Subscription(log)]))
    for _ in range(3):
        Post(log, 1, None).send(7, 0.0)
    for end in (
        lambda: agent.memory.come_to_nothing(goes_on=False),
        lambda: agent.memory.remember(0),
    ):
        read(agent)
        assert (agent.memory.unread_messages, agent.memory.unread_tokens) == (3, 21)
        end()
    read(agent)
    assert (agent.memory.unread_messages, agent.memory.unread_tokens) == (0, 0)
    assert agent.memory.context_tokens == 21 + 5  # kept once


def test_the_news_that_a_failed_call_has_read_is_in_the_cache_too() -> None:
    log = Log()
    agent = alone(Voice(inbox=[Subscription(log)]), start_tokens=1000)
    Post(log, 1, None).send(21, 0.0)
    read(agent)
    agent.memory.note_read()
    agent.memory.come_to_nothing(goes_on=False)
    assert call(agent) == (1121, 1121)  # the news is read again, and where it stood before


@pytest.mark.parametrize(("is_read", "cached"), [(True, 1100), (False, 0)])
def test_what_a_failed_call_has_read_is_in_the_cache_and_nothing_else(
    is_read: bool, cached: int
) -> None:
    agent = alone(start_tokens=1000)
    read(agent)
    agent.memory.is_read = is_read
    agent.memory.come_to_nothing(goes_on=False)
    assert call(agent) == (1100, cached)


def test_a_request_sent_again_finds_its_prompt_in_the_cache() -> None:
    agent = alone(start_tokens=1000)
    read(agent)
    agent.memory.read_in_vain()
    assert (agent.memory.uncached, agent.memory.cached, agent.memory.is_read) == (0, 1100, True)


def test_a_briefing_takes_the_place_of_the_context_behind_what_is_kept_of_it() -> None:
    agent = alone(start_tokens=1000)
    call(agent)
    agent.memory.replace(400, 50)
    assert agent.memory.context_tokens == 450
    assert call(agent) == (100 + 450, 100 + 400)


def test_a_prompt_of_which_it_is_noted_that_it_was_read_is_in_the_cache() -> None:
    agent = alone(start_tokens=1000)
    read(agent)
    agent.memory.note_read()
    agent.memory.come_to_nothing(goes_on=False)
    assert call(agent) == (1100, 1100)


def test_notes_are_read_anew_and_never_kept() -> None:
    notes = Notes(2)
    agent = alone(Voice(notes=notes))
    for tokens in (40, 30):
        notes.write(1, tokens)
        notes.write(agent.index, 1000)  # its own are no news
        assert call(agent, output=0)[0] == 100 + agent.memory.context_tokens - 5 + tokens
    assert agent.memory.context_tokens == 2 * 5


def test_a_crash_takes_the_context_and_leaves_the_system_prompt_in_the_cache() -> None:
    agent = alone(start_tokens=30, first_turn_tokens=500)
    for _ in range(4):
        call(agent)
    agent.habits.note_tried([0])
    agent.is_shut_out = True  # its prompt was too long, and is not any more
    agent.forget()
    assert (agent.habits.tried, agent.is_shut_out) == (None, False)
    assert call(agent) == (130, 100)
    assert call(agent)[0] == 130 + 510


def test_who_goes_on_as_another_has_its_context_and_not_its_cache() -> None:
    agent, other = alone(), alone()
    for _ in range(3):
        call(agent)
        call(other, output=200)
    agent.is_shut_out = True
    agent.go_on_as(other)
    assert not agent.is_shut_out
    assert call(agent) == (100 + 3 * 205, 100)


def test_each_model_finds_what_it_has_read_itself() -> None:
    agent, other = alone(start_tokens=900), model()
    call(agent)
    read(agent)
    assert agent.memory.cached == 1000
    for expected in (0, 1015):
        agent.answer_with(other)
        assert (agent.memory.cached, agent.memory.uncached) == (expected, 1015 - expected)
        agent.memory.read_in_vain()
        agent.answer_with(None)
    read(agent)
    assert agent.memory.cached == 1000


def logit_of_errors(agent: AgentState) -> float:
    """Return the logit of the probability with which an agent errs, from uniform draws."""
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        agent.judgement.draw_with(always(expit(middle)))
        low, high = (low, middle) if agent.judgement.answer(0) == CORRECT else (middle, high)
    return low


@pytest.mark.parametrize("effects", [{}, {"run_sigma": 0.5}, {"agent_sigma": 0.5}])
def test_another_model_has_the_effects_of_run_and_agent_unless_it_has_its_own(
    effects: dict[str, float],
) -> None:
    mine = {"probability": 0.2, "run_sigma": 1.0, "agent_sigma": 1.0}
    agent = alone(errors={"probability": mine})
    effect = logit_of_errors(agent) - math.log(0.2 / 0.8)
    assert abs(effect) > 0.1
    other = model(errors={"probability": {"probability": 0.6, **effects}})
    agent.answer_with(other, 0.75)
    assert logit_of_errors(agent) == pytest.approx(0.75 + (0.0 if effects else effect))
    agent.answer_with(None)
    assert logit_of_errors(agent) == pytest.approx(math.log(0.2 / 0.8) + effect)


def test_who_never_errs_is_correct_and_who_always_does_spreads_its_answers() -> None:
    assert not any(alone().judgement.answer(0) for _ in range(50))
    wrong = {"probability": 1, "wrong_answers": {"options": 3}}
    assert {alone(errors=wrong).judgement.answer(0)} <= {1, 2, 3}
    agent = alone(errors=wrong)
    # Three answers, each with 1/3: 0.03 standard errors; |z| < 3.3 (99.9 %) each.
    answers = [agent.judgement.answer(0) for _ in range(3000)]
    assert set(answers) == {1, 2, 3}
    for each in (1, 2, 3):
        assert abs(answers.count(each) - 1000) < 3.3 * (3000 * 2 / 9) ** 0.5


def test_drift_grows_by_its_step_and_news_takes_its_share_away() -> None:
    log = Log()
    drift = {"step": 1, "sync": 0.75}
    agent = Bench(0).join(voice=Voice(inbox=[Subscription(log)]), drift=drift)
    found = []
    for is_told in (False, False, True):
        Post(log, 1, None).send(5, 0.0) if is_told else None
        read(agent)
        agent.wander()
        found.append(agent.drift)
    assert found == [1.0, 2.0, 0.25 * 2.0 + 1.0]


def test_an_idle_habit_begins_and_lasts_as_it_is_said_to() -> None:
    habits = {"idle": 0.5, "idle_first": 0, "idle_persistence": 1}
    agent = Bench(0).join(behaviour=habits)
    assert not agent.habits.idles(is_first=True)
    course = [agent.habits.idles(is_first=False) for _ in range(50)]
    first = course.index(True)  # it comes, all but for a chance of 2^-50, and never ends
    assert all(course[first:])


def test_an_agent_that_idles_in_its_first_call_only_does_so() -> None:
    agent = Bench(0).join(behaviour={"idle_first": 1})
    assert agent.habits.may_idle
    assert agent.habits.idles(is_first=True)
    assert not any(agent.habits.idles(is_first=False) for _ in range(50))
    assert not Bench(0).join().habits.may_idle


def test_a_batch_is_at_least_one_and_the_first_can_differ() -> None:
    agent = Bench(0).join(batch=0.2, first_batch=4.4)
    assert [agent.habits.take_count() for _ in range(3)] == [4, 1, 1]
    assert agent.habits.batch_size == 0  # it has to be drawn
    assert Bench(0).join(batch=2.6).habits.batch_size == 3


def test_a_message_is_one_and_its_deliveries_are_counted_by_receiver() -> None:
    bench = Bench(is_traced=True)
    talk, logs = Talk(bench.journal, Deliveries()), [Log(), Log()]
    outbox = [Post(logs[0], 3, None), Post(logs[1], 2, None)]
    for tokens in (10, 20):
        talk.send(bench.agents[0], outbox, tokens, 0.0)
    metrics = bench.metrics
    assert (metrics.messages, metrics.deliveries, metrics.message_tokens) == (2, 10, 30)
    assert [(log.messages, log.tokens) for log in logs] == [(2, 30), (2, 30)]
    assert [(row.peer, row.output_tokens) for row in bench.rows(Event.MESSAGE)] == [
        (5, 10),
        (5, 20),
    ]


def test_each_delivery_to_a_mailbox_is_told_once() -> None:
    bench = Bench(is_traced=True)
    boxes = [Mailbox(i) for i in range(3)]
    deliveries = Deliveries()
    how = {"delay": always(1.0), "rolls": always(1.0), "duplicates": always(1.0)}
    plain = {"loss": 0.0, "duplication": 0.0, "in_order": False, "metrics": bench.metrics}
    link = Link(boxes[0], boxes, **how, **plain, deliveries=deliveries)
    for _ in range(2):
        Talk(bench.journal, deliveries).send(bench.agents[0], [link], 10, 0.0)
    told = [(row.peer, row.agent) for row in bench.rows(Event.DELIVERY)]
    assert told == [(0, 1), (0, 2)] * 2
    assert deliveries.pairs == []
    assert [box.collect(1.0) for box in boxes] == [(0, 0), (2, 20), (2, 20)]


def test_an_agents_time_is_in_calls_or_waited() -> None:
    agent = Bench().agents[0]
    time = agent.time
    book = begin_call(agent, now=3.0, seconds=10.0)
    assert (time.in_call, time.started_s, time.read_s, time.waited_s) == (True, 3.0, 3.0, 3.0)
    book.end(agent, 13.0, is_answered=True)
    assert (time.in_call, time.busy_s, time.free_since) == (False, 10.0, 13.0)
    time.free_from(20.0)  # it was down, and has not waited
    begin_call(agent, now=21.0, seconds=5.0)
    time.cut_off(2.0)
    assert (time.busy_s, time.waited_s) == (12.0, 4.0)


def test_a_call_that_goes_through_phases_lasts_as_long_as_it_was_in_service() -> None:
    agent = Bench().agents[0]
    time = agent.time
    book = begin_call(agent, seconds=10.0)
    time.begin_steps()
    for phase, now in ((SERVING, 2.0), (COMMITTING, 12.0), (WAITING, 13.0), (SERVING, 16.0)):
        time.enter(phase, now)
    time.enter(WAITING, 20.0)
    time.end_steps()
    book.end(agent, 20.0, is_answered=True)
    assert (time.served_s, time.busy_s, time.waited_s) == (14.0, 14.0, 5.0)


def test_what_was_rejected_is_taken_once_and_a_cut_reply_is_whole_again() -> None:
    call = Call()
    call.cut_reply()
    call.reject([4])
    assert call.take_rejected() == ({4}, True)
    assert call.take_rejected() == (set(), False)


def test_a_call_that_came_to_nothing_leaves_nothing_but_its_reason() -> None:
    call = Call()
    call.be(DUTY)
    call.cut_reply()
    call.reject([4])
    call.fail("timeout")
    call.void()
    assert (call.kind, call.failed, call.lost_to) == (ATTEMPTS, False, "timeout")
    assert call.take_rejected() == (set(), False)


@pytest.mark.parametrize("in_order", [False, True])
def test_messages_overtake_each_other_unless_they_are_kept_in_order(in_order: bool) -> None:
    bench = Bench(2)
    boxes = [Mailbox(index) for index in range(2)]
    delays = iter([5.0, 1.0, 9.0])
    how = {"delay": lambda: next(delays), "rolls": always(1.0), "duplicates": always(1.0)}
    plain = {"loss": 0.0, "duplication": 0.0, "metrics": bench.metrics}
    link = Link(boxes[0], boxes, **how, **plain, in_order=in_order, deliveries=Deliveries())
    for sent_s, tokens in ((0.0, 10), (1.0, 20), (2.0, 40)):
        link.send(tokens, sent_s)
    heard = [boxes[1].collect(now)[1] for now in (1.9, 2.0, 4.9, 5.0, 10.9, 11.0)]
    assert heard == ([0, 0, 0, 30, 0, 40] if in_order else [0, 20, 0, 10, 0, 40])
    assert boxes[1].reordered == (not in_order)
