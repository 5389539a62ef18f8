"""Limits on output tokens a minute: how much requests reserve, and how much they give back."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from simulator.model.metrics import Metrics
from tests.conftest import agent, run_as_traced, scenario

WRITES, PER_S, TASKS = 100, 100, 12
"""Each call writes as much as flows in in a second, the time that it takes."""


def limited(
    max_tokens: int | None, refunds: bool = False, who: dict[str, Any] | None = None, **fields: Any
) -> Metrics:
    """Run one agent at a provider whose bucket holds 1,000 tokens of output."""
    provider = {
        "output_tokens_per_minute": 60 * PER_S,
        "burst_s": 10,
        "refunds_output": refunds,
        "retry": {"max_retries": 99, "lag": 0, "base_s": 1e-9, "cap_s": 1e-9},
    } | fields.pop("provider", {})
    tokens = {"output": WRITES, "max_tokens": max_tokens}
    each = agent(tokens=tokens, **(who or {}))
    team = fields.pop("team", {"size": 1})
    workload = {"workload__tasks": TASKS}
    return run_as_traced(
        scenario(team={**team, "agent": each}, provider=provider, **{**workload, **fields})
    )


@pytest.mark.parametrize("max_tokens", [None, 50, 100, 500, 1000, 9000])
@pytest.mark.parametrize("refunds", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_throughput_is_the_limit_by_what_is_reserved(
    max_tokens: int | None, refunds: bool, fails: bool
) -> None:
    # With a time-out that never comes, calls go by requests that can fail.
    resilience = {"timeout": {"seconds": 50}} if fails else {}
    metrics = limited(max_tokens, refunds, resilience=resilience)
    reserved = WRITES if refunds else max(WRITES, max_tokens or 0)
    # The k-th call begins when the bucket has taken in what k calls reserve, or is full again.
    last_s = (reserved * TASKS - max(1000, reserved)) / PER_S
    assert metrics.outcome == "completed"
    assert metrics.makespan_s == pytest.approx(max(last_s, TASKS - 1) + 1)
    assert (metrics.rate_limits > 0) == (last_s > TASKS - 1)


def test_a_loop_reserves_anew_with_every_turn() -> None:
    looping = {"loop": {"turns": TASKS}}
    for refunds, makespan_s in ((False, 111), (True, 12)):
        metrics = limited(1000, refunds, who=looping, workload__tasks=1)
        assert metrics.makespan_s == pytest.approx(makespan_s)


def test_what_a_request_has_not_written_when_it_fails_is_given_back() -> None:
    # Every request is an error that comes after one of the two seconds that it would take.
    who = {"latency": {"kind": "seconds", "base": 2}}
    errors = {"errors": {"probability": 1.0, "after_s": 1}}
    fields: dict[str, Any] = {"provider": errors, "limits": {"deadline_s": 8.5}, "who": who}
    patterns = {"retry": {"max_retries": 9, "backoff": {"kind": "none"}}}
    kept = limited(1000, True, resilience=patterns, **fields)
    lost = limited(1000, False, resilience=patterns, **fields)
    # All that was reserved is there again: a request a second. Without, the second is refused.
    assert (kept.provider_errors, kept.rate_limits) == (8, 0)
    assert lost.provider_errors < 3
    assert lost.rate_limits > 0


@pytest.mark.parametrize("refunds", [False, True])
def test_a_request_that_is_cut_short_pays_for_what_it_has_written(refunds: bool) -> None:
    # Given up after two of the four seconds in which it would write: 50 of 1,000 tokens.
    who = {"latency": {"kind": "seconds", "base": 4}}
    patterns = {
        "timeout": {"seconds": 2},
        "retry": {"max_retries": 4, "backoff": {"kind": "none"}},
    }
    limits = {"deadline_s": 9.9}
    metrics = limited(1000, refunds, who=who, resilience=patterns, limits=limits)
    # In two seconds flow in 200: with refunds the bucket is full again, else after ten.
    assert (metrics.timeouts, metrics.rate_limits > 0) == ((4, False) if refunds else (1, True))


def test_who_leaves_the_queue_has_written_nothing() -> None:
    # Both are let in; one is served, the other waits for longer than it has patience.
    team = {"size": 2}
    who = {"latency": {"kind": "seconds", "base": 5}}
    patterns = {"timeout": {"seconds": 3}, "retry": {"max_retries": 0}}
    queue = {"concurrency": 1, "queue": {}, "cancels": False}
    for refunds, requests in ((False, 2), (True, 4)):
        metrics = limited(
            500, refunds, who, team=team, resilience=patterns, provider=queue,
            limits={"deadline_s": 4}, coordination__timing="asynchronous",
        )  # fmt: skip
        assert metrics.requests == requests


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("team__agent__tokens", {"max_tokens": 0}, "greater than or equal to 1"),
        ("team__agent__tokens", {"max_tokens": "many"}, "integer"),
        ("provider", {"refunds_output": 3}, "bool"),
    ],
)
def test_what_makes_no_sense_is_refused(path: str, value: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        scenario(**{path: value})
