"""Every call begins and ends in the book: numbered, refused, counted and paid for there."""

from __future__ import annotations

import pytest

from simulator.model.board import Board
from simulator.model.calls.bill import Bill
from simulator.model.calls.book import CallBook
from simulator.model.calls.service import PlainService
from simulator.model.why import Why
from tests.model.parts import Bench, bag, provider

PRICE = {"input_per_mtok": 2.0, "output_per_mtok": 10.0}


def book_of(bench: Bench) -> CallBook:
    service = PlainService(bench.clock, bench.phases, provider(bench))
    return CallBook(service, Bill(bench.metrics, True, None), bench.metrics)


def begin(book: CallBook, bench: Bench, now: float = 0.0) -> int:
    return book.begin(bench.agents[0], now, [], 1.0, 40, -1, 3.0)


def test_calls_are_numbered_from_1_and_counted_when_they_end() -> None:
    bench = Bench(price=PRICE)
    book, agent = book_of(bench), bench.agents[0]
    for number in (1, 2, 3):
        assert begin(book, bench) == number
        assert agent.time.duration_s == 3.0
        assert bench.metrics.calls == number - 1
        book.end(agent, 3.0, is_answered=True)
    assert (bench.metrics.calls, bench.metrics.failed_calls, bench.metrics.turns) == (3, 0, 0)
    assert bench.metrics.output_tokens == 3 * 40


@pytest.mark.parametrize("share", [None, 0.5])
def test_a_call_that_came_to_nothing_pays_for_its_last_request_if_one_was_read(
    share: float | None,
) -> None:
    bench = Bench(price=PRICE)
    book, agent = book_of(bench), bench.agents[0]
    begin(book, bench)
    agent.call.fail(Why.TIMEOUT)
    agent.call.pay(share)
    book.end(agent, 2.0, is_answered=False)
    metrics = bench.metrics
    assert (metrics.calls, metrics.failed_calls) == (1, 1)
    assert metrics.wasted_usd == metrics.cost_usd
    assert metrics.output_tokens == (20 if share else 0)


def test_a_call_that_the_run_ends_is_paid_for_and_not_counted() -> None:
    bench = Bench(price=PRICE)
    book, agent = book_of(bench), bench.agents[0]
    begin(book, bench)
    agent.call.pay(0.25)
    book.cut_off(agent, 0.75)
    assert (bench.metrics.calls, bench.metrics.failed_calls) == (0, 0)
    assert bench.metrics.output_tokens == 10


def test_a_prompt_that_no_model_can_read_is_refused_at_once() -> None:
    window = {"window_tokens": 100.0, "system_tokens": 200}
    bench = Bench(price=PRICE, context=window)
    agent = bench.agents[0]
    agent.memory.read(0.0, Board(bag(1)))
    begin(book_of(bench), bench)
    assert agent.call.lost_to is Why.PROMPT_TOO_LONG
    assert agent.time.duration_s == 0.0
