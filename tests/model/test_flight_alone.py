"""A request and its hedge in flight, by themselves: when and how both together end."""

from __future__ import annotations

import math

import pytest

from simulator.model.calls.flight import Fate, Flight
from simulator.model.why import Why

GOOD, BAD = Why.NOTHING, Why.ERROR


def hedged(first: Fate, second: Fate, sent_s: float = 10.0) -> Flight:
    """Return a flight of which a second request was sent."""
    flight = Flight(first)
    flight.send_second(sent_s, second)
    return flight


@pytest.mark.parametrize(
    ("first", "second", "end"),
    [
        (Fate(20, GOOD), Fate(15, GOOD), (15, GOOD)),  # the first good answer
        (Fate(20, GOOD), Fate(15, BAD), (20, GOOD)),
        (Fate(12, BAD), Fate(30, GOOD), (30, GOOD)),
        (Fate(12, BAD), Fate(30, BAD), (30, BAD)),  # the last failure
        (Fate(40, BAD), Fate(30, BAD), (40, BAD)),
    ],
)
def test_two_requests_end_with_the_first_good_answer_or_the_last_failure(
    first: Fate, second: Fate, end: tuple[float, Why]
) -> None:
    assert hedged(first, second).end == Fate(*end)


def test_each_request_has_done_its_share_since_it_was_sent() -> None:
    # At 15 s: 15 of 100 s, and 5 of the 10 s from 10 to 20 s.
    flight = hedged(Fate(100.0), Fate(20.0))
    assert flight.share_done(15.0) == pytest.approx(0.5)
    assert hedged(Fate(20.0), Fate(100.0)).share_done(15.0) == pytest.approx(0.75)
    assert Flight(Fate(60.0)).share_done(15.0) == pytest.approx(0.25)


def test_what_stalls_keeps_the_share_that_was_done() -> None:
    flight = hedged(Fate(100.0), Fate(20.0))
    assert flight.stall(15.0) == 2
    assert flight.end.seconds == math.inf
    assert flight.share_done(1000.0) == pytest.approx(0.5)
