"""Who holds a place at the provider or in a bulkhead, for how long, and who gets one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.calls.bulkhead import Bulkhead
from simulator.model.calls.provider import ProviderState
from simulator.scenario import Scenario
from tests.conftest import agent, exponential, run, run_as_traced, scenario
from tests.engine.test_every_combination import of_many

ASYNC: dict[str, Any] = {"coordination__timing": "asynchronous"}
DEALT: dict[str, Any] = {"coordination__protocol": "pre_assigned"}
TEN = agent(latency={"kind": "seconds", "base": 10})
PATIENT: dict[str, Any] = {"max_retries": 10_000, "base_s": 0.1, "cap_s": 0.1, "jitter": 0}
PLAIN_AND_RESILIENT: list[dict[str, Any]] = [{}, {"timeout": {"seconds": 1e6}}]


def files(*names: str) -> dict[str, Any]:
    """Return tasks that write these files, one each."""
    return {"kind": "dag", "tasks": [{"id": str(i), "files": [f]} for i, f in enumerate(names)]}


@pytest.mark.parametrize("resilience", PLAIN_AND_RESILIENT)
def test_who_waits_for_a_lock_holds_no_place_at_the_provider(resilience: dict[str, Any]) -> None:
    metrics = run_as_traced(
        scenario(
            team={"size": 3, "agent": TEN},
            **DEALT,
            **ASYNC,
            workload=files("f", "f", "g"),
            workspace={"kind": "locks"},
            provider={"concurrency": 2, "retry": PATIENT},
            resilience=resilience,
        )
    )
    # The second waits for the first one's lock, and the third is served meanwhile.
    assert metrics.makespan_s == pytest.approx(20)
    assert (metrics.lock_wait_s, metrics.rate_limits) == (pytest.approx(10), 0)


def test_who_waits_for_a_lock_holds_no_place_in_a_bulkhead() -> None:
    metrics = run(
        team={"size": 3, "agent": TEN},
        **DEALT,
        **ASYNC,
        workload=files("f", "f", "g"),
        workspace={"kind": "locks"},
        resilience={"bulkhead": {"team": 2}},
    )
    assert metrics.makespan_s == pytest.approx(20)
    assert metrics.held_back_s == 0


@pytest.mark.parametrize("resilience", PLAIN_AND_RESILIENT)
@pytest.mark.parametrize(
    "workspace",
    [
        {"kind": "optimistic", "one_way_s": 5},
        {"kind": "quorum", "read": 2, "write": 2, "delay_s": 10},
        {"kind": "consensus", "one_way_s": 0, "round_trip_s": 20},
    ],
)
def test_who_reads_or_commits_holds_no_place(
    workspace: dict[str, Any], resilience: dict[str, Any]
) -> None:
    # Two agents, one place: the other is served while one spends 20 s with the workspace.
    metrics = run(
        team={"size": 2, "agent": TEN},
        **DEALT,
        **ASYNC,
        workload=files(*"abcdefghijklmnopqrst"),
        workspace=workspace,
        provider={"concurrency": 1, "retry": PATIENT},
        resilience=resilience,
    )
    assert metrics.makespan_s < 10 * 30 + 15  # twenty calls and their commits in a row: 600


def test_who_waits_to_send_a_request_again_holds_no_place() -> None:
    def with_pauses(backoff: dict[str, Any]) -> Any:
        return run(
            team={"size": 2, "agent": agent(faults={"malformed": 0.5})},
            **DEALT,
            **ASYNC,
            workload__tasks=40,
            resilience={
                "bulkhead": {"team": 1},
                "retry": {"max_retries": 99, "backoff": backoff},
            },
        )

    at_once = with_pauses({"kind": "none"})
    paused = with_pauses({"kind": "exponential", "base_s": 0.5, "cap_s": 1})
    assert at_once.requests == paused.requests
    assert at_once.makespan_s == pytest.approx(at_once.requests)  # one after another, never idle
    # There are as many pauses of a second as retries; the other agent is served meanwhile.
    assert paused.retries > 30
    assert paused.makespan_s < at_once.makespan_s + 0.3 * paused.retries


@pytest.mark.parametrize("acquire", ["at_start", "one_by_one"])
@pytest.mark.parametrize("resilience", PLAIN_AND_RESILIENT)
def test_a_call_served_in_parts_is_one_request(acquire: str, resilience: dict[str, Any]) -> None:
    metrics = run(
        team={"size": 1, "agent": TEN},
        **ASYNC,
        workload={
            "kind": "dag",
            "tasks": [{"id": str(i), "files": ["a", "b"]} for i in range(5)],
        },
        workspace={"kind": "locks", "acquire": acquire},
        provider={"requests_per_minute": 6, "burst_s": 10, "retry": PATIENT},
        resilience=resilience,
    )
    assert metrics.makespan_s == pytest.approx(50)
    assert metrics.requests == (5 if resilience else 0)


def hedged(resilience: dict[str, Any] | None = None, **provider: Any) -> Any:
    """Run two agents, 20 calls of 10 s, hedged after 5."""
    return run_as_traced(
        scenario(
            team={"size": 2, "agent": TEN},
            **DEALT,
            **ASYNC,
            workload__tasks=20,
            provider={"retry": PATIENT, **provider},
            resilience={"hedge": {"after_s": 5}, **(resilience or {})},
        )
    )


def test_a_hedge_is_a_request_and_counts_against_every_limit() -> None:
    assert (hedged().hedges, hedged().requests) == (20, 40)
    assert (hedged(concurrency=2).hedges, hedged(concurrency=2).requests) == (0, 20)
    assert hedged(concurrency=3).hedges == 10
    assert hedged(concurrency=2, queue={}).hedges == 0
    assert hedged({"bulkhead": {"team": 2}}).hedges == 0
    assert hedged({"bulkhead": {"team": 3}}).hedges == 10
    limited = hedged(requests_per_minute=15, burst_s=4)
    assert limited.requests <= 1 + limited.makespan_s / 4
    assert limited.rate_limits > 0
    tokens = hedged(output_tokens_per_minute=300 * 15, burst_s=4)
    assert tokens.requests <= 1 + tokens.makespan_s / 4


def test_a_hedge_that_is_not_needed_frees_its_place() -> None:
    # Each pair ends after 10 s; the next two requests find both places free.
    metrics = hedged(concurrency=4)
    assert (metrics.hedges, metrics.rate_limits) == (20, 0)
    assert metrics.makespan_s == pytest.approx(100)


@pytest.mark.parametrize("cancels", [True, False])
def test_a_hedge_whose_provider_does_not_cancel_keeps_its_place(cancels: bool) -> None:
    with watched() as ledger:
        run(
            team={"size": 2, "agent": agent(latency=exponential(10))},
            **DEALT,
            **ASYNC,
            workload__tasks=40,
            provider={"concurrency": 20, "cancels": cancels},
            resilience={"hedge": {"after_s": 1}},
        )
    assert (ledger.most <= 4) == cancels


@pytest.mark.parametrize("shares", [True, False])
def test_a_fallback_waits_for_the_limits_it_shares(shares: bool) -> None:
    # Four calls whose first model fails at once, the other takes 5 s; one place at the provider.
    other = agent(latency={"kind": "seconds", "base": 5})
    metrics = run(
        team={"size": 4, "agent": agent(faults={"malformed": 1.0})},
        **DEALT,
        **ASYNC,
        workload__tasks=4,
        provider={"concurrency": 1, "queue": {}},
        resilience={"fallback": {"model": other, "shares_limits": shares}},
    )
    assert (metrics.fallbacks, metrics.requests) == (4, 8)
    # The four first requests take a second each, one after another.
    assert metrics.makespan_s == pytest.approx(4 + 4 * 5 if shares else 4 + 5)


@pytest.mark.parametrize("idle", ["call", "wait"])
@pytest.mark.parametrize("size", [3, 4, 7])
@pytest.mark.parametrize("resilience", PLAIN_AND_RESILIENT)
def test_a_limit_shared_in_rounds_starves_nobody(
    idle: str, size: int, resilience: dict[str, Any]
) -> None:
    metrics = run(
        team={"size": size, "agent": TEN},
        topology="decentralised",
        **DEALT,
        coordination__idle_agents=idle,
        workload__tasks=5 * size,
        provider={"concurrency": 2},
        resilience=resilience,
        limits={"max_rounds": 1000},
    )
    assert metrics.outcome == "completed"
    # Two calls a round; the last round of an odd number may hold an idle one.
    assert metrics.makespan_s <= 10 * (-(-5 * size // 2) + 1)


@pytest.mark.parametrize(("places", "share"), [(2, 0.5), (1, 0.25)])
@pytest.mark.parametrize("more", [{}, {"idle_agents": "wait"}, {"calls_per_round": 3}])
def test_a_call_that_is_refused_cancels_none_that_the_barrier_waits_for(
    places: int, share: float, more: dict[str, Any]
) -> None:
    metrics = run(
        team={"size": 4, "agent": TEN},
        coordination={"protocol": "pre_assigned", **more},
        workload__tasks=20,
        provider={"concurrency": places},
        resilience={"wait_for": share},
        limits={"max_rounds": 300},
    )
    assert metrics.outcome == "completed"
    # As many at a time as there are places; each agent's last round may hold an idle call.
    assert metrics.makespan_s <= 10 * (20 / places + 4)


@pytest.mark.parametrize(
    "bad", [{"faults": {"malformed": 1.0}}, {"errors": {"probability": 1.0, "detection": 1.0}}]
)
def test_a_call_that_comes_to_nothing_is_not_one_of_the_k_of_n(bad: dict[str, Any]) -> None:
    groups = {
        "bad": {"size": 2, "agent": agent(**bad)},
        "good": {"size": 2, "agent": TEN},
    }
    metrics = run(
        team={"groups": groups},
        **DEALT,
        workload__tasks=8,
        resilience={"wait_for": 0.5},
        limits={"max_rounds": 2},
    )
    # The good ones do their two tasks each; the bad ones, who are quick, cancel nobody.
    assert metrics.tasks_correct == 4


def test_a_rate_limit_shared_in_rounds_starves_nobody() -> None:
    metrics = run(
        team={"size": 6, "agent": TEN},
        **DEALT,
        workload__tasks=30,
        provider={
            "requests_per_minute": 12,
            "burst_s": 10,
            "retry": {"max_retries": 0},
        },
        limits={"max_rounds": 1000},
    )
    assert metrics.outcome == "completed"


def test_reviewers_and_coordinators_are_limited_as_workers_are() -> None:
    for review in ("peers", "verifiers", "coordinator"):
        for timing in ("rounds", "asynchronous"):
            with watched() as ledger:
                metrics = run(
                    team={"size": 3, "agent": agent(latency=exponential(5))},
                    topology="centralised",
                    coordination={
                        "protocol": "lead_assign",
                        "timing": timing,
                        "review": {"by": review},
                    },
                    workload__tasks=12,
                    provider={"concurrency": 1, "retry": PATIENT},
                )
            assert metrics.outcome == "completed"
            assert ledger.most == 1


@dataclass
class Ledger:
    """How many requests are, and at most were, in service at the provider."""

    now: int = 0
    most: int = 0
    entered: int = 0
    held: list[int] = field(default_factory=list)
    """Free places of each bulkhead, each time that one changes."""


class watched:
    """Keeps a ledger of every provider and bulkhead while it is entered."""

    def __enter__(self) -> Ledger:
        self._patch = pytest.MonkeyPatch()
        self._ledger = ledger = Ledger()
        enter, finished = ProviderState.enter, ProviderState.finished
        leave = Bulkhead.leave

        def count(state: ProviderState) -> None:
            limit = state.spec.concurrency
            ledger.now = state._in_service
            ledger.most = max(ledger.most, ledger.now)
            assert ledger.now >= 0
            assert limit is None or ledger.now <= limit

        def entering(state: ProviderState) -> None:
            enter(state)
            ledger.entered += 1
            count(state)

        def finishing(state: ProviderState, left_s: float = 0.0) -> None:
            finished(state, left_s)
            count(state)

        def leaving(bulkhead: Bulkhead, agent: Any) -> None:
            leave(bulkhead, agent)
            assert min(bulkhead._free.values(), default=0) >= 0
            ledger.held.append(sum(bulkhead._held.values()))

        self._patch.setattr(ProviderState, "enter", entering)
        self._patch.setattr(ProviderState, "finished", finishing)
        self._patch.setattr(Bulkhead, "leave", leaving)
        return ledger

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


@pytest.mark.parametrize(
    "limit",
    [
        {"provider__concurrency": 1000},
        {"provider__requests_per_minute": 1e9},
        {"resilience__bulkhead": {"team": 1000}},
    ],
    ids=["concurrency", "rate", "bulkhead"],
)
def test_a_limit_that_never_binds_is_as_none(limit: dict[str, Any]) -> None:
    """Requests that nothing can hold back go another way in than those that are asked about."""
    case: dict[str, Any] = {
        "team": {"size": 5, "agent": agent(latency=exponential(8))},
        "workload__tasks": 60,
        "provider__errors": {"probability": 0.2},
        "resilience__retry": {"max_retries": 3},
        "resilience__timeout": {"seconds": 15},
        **ASYNC,
    }
    without = run(**case)
    assert without.provider_errors > 0 < without.timeouts
    assert run(**case, **limit) == without


@pytest.mark.parametrize("examples", [20, pytest.param(200, marks=pytest.mark.thorough)])
def test_no_limit_is_ever_exceeded_and_no_place_lost(examples: int) -> None:
    def law(scenario: Scenario) -> None:
        with watched() as ledger:
            metrics = Simulation(scenario).run(0)
        if metrics.outcome == "completed" and scenario.provider.cancels:
            # What is still in service belongs to calls that were in flight when the run ended.
            in_flight = metrics.agents * (2 if scenario.resilience.hedge else 1)
            assert ledger.now <= in_flight

    of_many(examples, True, law)
