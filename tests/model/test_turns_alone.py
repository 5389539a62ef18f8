"""What a crash leaves of loops, and who may go on with it: turns, a crew, no engine."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.model.agents.agent import AgentState
from simulator.model.agents.channels import Log, Post
from simulator.model.agents.held import Conversation
from simulator.model.answers import Difficulty
from simulator.model.calls.bill import Bill
from simulator.model.calls.service import PlainService
from simulator.model.calls.subagents import SubagentPool
from simulator.model.calls.tools import Tools
from simulator.model.calls.turns import Turns
from simulator.model.why import Why
from simulator.scenario.tools import WeekTime
from tests.model.parts import Crew, bag, begin_call, provider


def loops(has_checkpoints: bool = True, **fields: Any) -> tuple[Crew, Turns]:
    """Return two agents with loops of nine turns and three tasks, and what serves them."""
    crew = Crew(bag(3), loop={"turns": 9, **fields})
    parts = (crew.streams, crew.clock, crew.journal, crew.phases)
    pool = SubagentPool(None, Difficulty(crew.graph, 0.0, crew.streams), *parts, len(crew.agents))
    tools = Tools([], {}, WeekTime(), *parts, pool)
    service = PlainService(crew.clock, crew.phases, provider(crew))
    who = (crew.clock, crew.journal, Bill(crew.metrics, False, None), tools, crew.phases)
    return crew, Turns(service, *who, None, has_checkpoints=has_checkpoints)


def lose(turns: Turns, agent: AgentState, tasks: list[int], over: int, why: Why) -> None:
    """Let a call on tasks be lost when so many turns of its loop are over."""
    loop = agent.loop
    assert loop is not None
    kept = turns.resume(agent, tasks)
    begin_call(agent, tasks)
    loop.begin(1.0, False, False, kept)
    while loop.turn <= over:
        loop.complete_turn()
        loop.save(Conversation(tokens=300 * loop.turn))
        loop.next_turn()
    turns.lost(agent, why)
    agent.memory.come_to_nothing(goes_on=why is Why.CRASH)


def done(turns: Turns, agent: AgentState, *tasks: int) -> int | None:
    """Return after how many turns a call on tasks would go on; None: from the beginning."""
    kept = turns.resume(agent, tasks)
    return None if kept is None else kept.done


@pytest.mark.parametrize("over", [0, 1, 4, 8])
def test_who_goes_on_with_a_loop_takes_the_turn_that_a_crash_has_broken(over: int) -> None:
    crew, turns = loops()
    first, second = crew.agents
    lose(turns, first, [0], over, Why.CRASH)
    assert done(turns, first, 0) == done(turns, second, 0) == over
    assert done(turns, first, 1) is None


@pytest.mark.parametrize(("some", "others"), [(1, 5), (5, 1), (3, 3)])
def test_a_call_on_several_tasks_goes_on_where_the_least_advanced_of_them_was(
    some: int, others: int
) -> None:
    crew, turns = loops()
    lose(turns, crew.agents[0], [0], some, Why.CRASH)
    lose(turns, crew.agents[1], [1], others, Why.CRASH)
    assert done(turns, crew.agents[0], 0, 1) == min(some, others)
    # A task that nobody has begun is done from its first turn on, and others with it.
    assert done(turns, crew.agents[0], 0, 2) is None


@pytest.mark.parametrize(
    ("has_checkpoints", "why"),
    [(False, Why.CRASH), (False, Why.TIMEOUT), (True, Why.TIMEOUT), (True, Why.TURN_LIMIT)],
)
def test_nothing_is_left_of_a_loop_that_no_checkpoint_or_no_crash_breaks_off(
    has_checkpoints: bool, why: Why
) -> None:
    crew, turns = loops(has_checkpoints)
    lose(turns, crew.agents[0], [0], 4, why)
    assert done(turns, crew.agents[0], 0) is None


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_loop_that_fails_after_it_has_gone_on_goes_on_at_its_checkpoint_again(times: int) -> None:
    # Five turns are over when it crashes; it goes on, and is lost otherwise two turns later.
    crew, turns = loops()
    agent = crew.agents[0]
    lose(turns, agent, [0], 5, Why.CRASH)
    before = agent.memory.context_tokens
    for _ in range(times):
        lose(turns, agent, [0], 7, Why.TIMEOUT)
    # What its turns have said is in the checkpoint; no failure adds it to what it remembers.
    assert agent.memory.context_tokens == before
    assert done(turns, agent, 0) == 5
    assert agent.memory.context_tokens == before + 5 * 300


@pytest.mark.parametrize(("taker", "over"), [(0, 0), (1, 0), (1, 4)])
def test_a_cache_has_nothing_of_a_loop_before_its_model_has_read_any_of_it(
    taker: int, over: int
) -> None:
    # Who goes on with it crashes twice while its request waits.
    crew, turns = loops()
    lose(turns, crew.agents[0], [0], over, Why.CRASH)
    agent = crew.agents[taker]
    for _ in range(2):
        lose(turns, agent, [0], over, Why.CRASH)
    assert done(turns, agent, 0) == over
    agent.memory.read(0.0, agent.board)
    assert agent.memory.uncached > 0
    assert agent.memory.cached == 0


def unread(agent: AgentState) -> int:
    """Return how many messages an agent would read now."""
    inbox = agent.memory.inbox
    count = inbox.read(0.0)[0]
    inbox.go_back()
    return count


def hear(turns: Turns, agent: AgentState, tasks: list[int], over: int, why: Why) -> None:
    """Let a call read three messages in its first turn, and be lost after so many turns."""
    log = Log()
    agent.memory.inbox.subscribe(log)
    for _ in range(3):
        Post(log, 1, None).send(7, 0.0)
    assert unread(agent) == 3
    agent.memory.read(0.0, agent.board)
    lose(turns, agent, tasks, over, why)


@pytest.mark.parametrize("why", [Why.CRASH, Why.TIMEOUT])
@pytest.mark.parametrize("over", [1, 4])
def test_of_a_loop_on_no_task_a_checkpoint_keeps_nothing(over: int, why: Why) -> None:
    # Its messages are read again, and its context is what it was, as without checkpoints.
    left = []
    for has_checkpoints in (False, True):
        crew, turns = loops(has_checkpoints, reads_messages="loop")
        (agent, _) = crew.agents
        hear(turns, agent, [], over, why)
        left.append((unread(agent), agent.memory.context_tokens))
    assert left[0] == left[1]
    assert left[0][0] == 3


@pytest.mark.parametrize(
    ("over", "why", "again"),
    [(0, Why.CRASH, 3), (3, Why.CRASH, 0), (0, Why.TIMEOUT, 3), (3, Why.TIMEOUT, 3)],
)
def test_messages_are_read_again_unless_a_checkpoint_has_the_turn_that_read_them(
    over: int, why: Why, again: int
) -> None:
    crew, turns = loops(reads_messages="loop")
    (agent, _) = crew.agents
    hear(turns, agent, [0], over, why)
    assert unread(agent) == again


def test_messages_that_a_loop_reads_after_its_checkpoint_are_read_again_when_it_fails() -> None:
    # It crashes, goes on, reads three messages, and is lost otherwise.
    crew, turns = loops()
    (agent, _) = crew.agents
    lose(turns, agent, [0], 5, Why.CRASH)
    hear(turns, agent, [0], 7, Why.TIMEOUT)
    assert unread(agent) == 3
