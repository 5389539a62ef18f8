"""Twins of made-up agents, of which all is known, are as long, as large and as dear as they."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.calibration.between_turns import BETWEEN_TURNS
from analysis.observation.simulated import simulate
from analysis.observation.structure import LEAD
from tests.analysis.made_up_traces import MEASURES, Made, assert_alike, twin_of


def classify(made: Made, cached: float | None = 0.0) -> None:
    """Give each of some documents a call of its own, whose prompt has nothing of those before."""
    for _ in range(made.rng.integers(30, 60)):
        made.chat("classifier", 400 + made.about(1500, 0.9), made.about(30), cached=cached)


@pytest.mark.slow
@pytest.mark.parametrize("cached", [None, pytest.param(0.0, marks=pytest.mark.slow), 400.0])
def test_calls_that_have_nothing_to_do_with_each_other_are_so_in_the_twin(
    cached: float | None,
) -> None:
    found = twin_of(lambda made: classify(made, cached))
    # The mean of 16 runs has a standard error of 5 %. It read 9.6 times as much where contexts were
    # kept, and were as full as a window that was found.
    assert_alike(found)
    context = found.twin.document["team"]["agent"]["context"]
    assert context["retention"] == 0
    # No window is taken for found: it is the model's own, and nothing is compacted.
    assert context["window_tokens"] == 200_000
    assert "compaction" not in context
    assert (context.get("cache") is False) == (cached != 400.0)


def look_up(made: Made) -> None:
    """Work through documents, each with one to three turns and a context of its own."""
    for _ in range(made.rng.integers(6, 14)):
        read, turns = 400 + made.about(1500, 0.9), made.rng.integers(1, 4)
        for turn in range(turns):
            wrote = made.about(80)
            made.chat("reader", read, wrote, turn < turns - 1)
            read += wrote
            if turn < turns - 1:
                made.tool("reader", "look_up", made.about(1.0))
                read += made.about(400)


@pytest.mark.thorough
def test_requests_begin_as_differently_in_the_twin_as_in_the_trace() -> None:
    found = twin_of(look_up)
    assert_alike(found)
    assert isinstance(found.twin.document["team"]["agent"]["context"]["request_tokens"], dict)


def converse(made: Made, is_cached: bool) -> None:
    """Work in a conversation that grows, read from the cache or not."""
    read, before, turns = 3000.0, 0.0, made.rng.integers(8, 16)
    for turn in range(turns):
        wrote = made.about(200)
        made.chat("coder", read, wrote, turn < turns - 1, before if is_cached else 0.0)
        before, read = read, read + wrote + made.about(400)
        made.tool("coder", "edit", made.about(2.0))


@pytest.mark.slow
@pytest.mark.parametrize("is_cached", [True, False])
def test_who_never_reads_from_a_cache_pays_in_full_in_the_twin(is_cached: bool) -> None:
    found = twin_of(lambda made: converse(made, is_cached))
    # With a cache, the twin of an agent without one cost 0.33 times as much as it.
    assert_alike(found)
    context = found.twin.document["team"]["agent"]["context"]
    assert (context.get("cache") is not False) == is_cached


def delegate(made: Made) -> None:
    """Answer some requests of a person, who thinks between them, with the help of sub-agents."""
    read, started = 5000.0, 0
    for request in range(made.rng.integers(1, 6)):
        made.now += made.about(120, 0.8) if request else 0.0
        turns = made.rng.integers(2, 6)
        for turn in range(turns):
            wrote = made.about(200)
            made.chat("main", read, wrote, turn < turns - 1)
            read += wrote + 300
            if turn < turns - 1:
                begun, started = made.now, started + 1
                lasts = made.rng.integers(1, 4)
                for step in range(lasts):
                    goes_on = bool(step < lasts - 1)
                    reads = 2000.0 + 500 * step
                    made.chat(f"helper-{started}", reads, 150, goes_on, parent_agent_id="main")
                    if goes_on:
                        made.tool(f"helper-{started}", "grep", 2.0, parent_agent_id="main")
                ended, made.now = made.now, begun
                made.tool("main", "task", ended - begun)


@pytest.mark.thorough
def test_an_agent_with_sub_agents_waits_for_people_in_the_twin() -> None:
    found = twin_of(delegate, 24)
    assert_alike(found, (*MEASURES, "calls"))
    assert found.twin.document["workload"]["kind"] == "resampled"
    assert "round_overhead_s" in found.twin.document["coordination"]
    # Sessions are of one to five requests: that is most of how they differ.
    spread = [np.log(each["makespan_s"]).std() for each in (found.table, found.simulated)]
    assert spread[1] == pytest.approx(spread[0], rel=0.35)  # 3 standard errors


def led(made: Made, approves: bool) -> None:
    """Let a lead and two workers answer a person, who thinks between requests, or approves."""
    read = 3000.0
    for request in range(made.rng.integers(2, 5)):
        made.now += made.about(90, 0.5) if request and not approves else 0.0
        made.chat("lead", read, made.about(200, 0.2))
        begun, ended = made.now, list[float]()
        for worker in ("worker-1", "worker-2"):
            made.now = begun
            made.tell("lead", worker)
            for turn in range(3):
                made.chat(worker, 2500.0 + 600 * turn, made.about(200, 0.2), turn < 2)
                if turn < 2:
                    made.now += made.about(20, 0.5) if approves else 0.0
                    made.tool(worker, "run", made.about(4, 0.3))
            made.tell(worker, "lead")
            ended.append(made.now)
        made.now = max(ended)
        made.chat("lead", read + 400, made.about(200, 0.2))
        read += 800


@pytest.mark.thorough
@pytest.mark.parametrize("approves", [pytest.param(False, marks=pytest.mark.thorough), True])
def test_a_led_team_waits_for_people_in_the_twin(approves: bool) -> None:
    found = twin_of(lambda made: led(made, approves))
    assert found.structure.kind == LEAD
    # Without these waits the twin took 0.4 times as long. Its work is that of the median run.
    assert_alike(found, least=0.05)
    assert ("round_overhead_s" in found.twin.document["coordination"]) != approves
    tools = found.twin.document["team"]["agent"]["tools"]
    assert (BETWEEN_TURNS in tools) == approves


def break_off(made: Made, cached: bool, wrote: int | None) -> None:
    """Work in a conversation of which one call in eight fails, after it has read its prompt."""
    read, before, turns = 3000.0, 0.0, made.rng.integers(8, 16)
    for turn in range(turns):
        while made.rng.random() < 0.12:
            fields = {"output_tokens": wrote, "cache_read_input_tokens": round(before) * cached}
            made.add("coder", 1.0, operation_name="chat", response_model="claude-sonnet-4-5",
                     input_tokens=round(read), **(fields | {"status": "error"}))  # fmt: skip
            made.now += made.about(0.5)
        answer = made.about(200)
        made.chat("coder", read, answer, turn < turns - 1, before)
        before, read = read, read + answer + made.about(400)
        if turn < turns - 1:
            made.tool("coder", "edit", made.about(2.0))


@pytest.mark.slow
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("wrote", [None, 0, 60])
def test_calls_that_failed_and_are_billed_are_so_in_the_twin(
    cached: bool, wrote: int | None
) -> None:
    found = twin_of(lambda made: break_off(made, cached, wrote), 24, 120)
    # Without them the twin read 0.89 times as much, and cost 0.75 to 0.93 times as much.
    assert_alike(found, ("input_tokens", "output_tokens", "cost_usd", "calls", "failed_calls"))
    simulated = found.simulated["failed_calls"].sum() / found.simulated["calls"].sum()
    real = found.table["failed_calls"].sum() / found.table["calls"].sum()
    assert simulated == pytest.approx(real, abs=0.03)  # 3 standard errors of 24 runs
    # The bill of a sweep is that of the comparison.
    metrics = simulate(found.twin.scenario, 20, found.twin.worker_roles, found.twin.lead)
    costs = metrics.calls.groupby("run_id")["cost_usd"].sum()
    told = [each.cost_usd for each in metrics.metrics]
    assert sorted(costs) == pytest.approx(sorted(told))


def ask_or_work(made: Made) -> None:
    """Ask little, of which contexts grow fast, or work for long, when they hardly grow."""
    is_long = bool(made.rng.random() < 0.5)
    turns = made.rng.integers(40, 60) if is_long else made.rng.integers(3, 6)
    read, before = 4000.0, 0.0
    for turn in range(turns):
        wrote = made.about(100)
        made.chat("coder", read, wrote, turn < turns - 1, before)
        before, read = read, read + wrote + made.about(300.0 if is_long else 3000.0)
        if turn < turns - 1:
            made.tool("coder", "edit", made.about(2.0))


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_short_sessions_do_not_let_contexts_of_long_ones_grow(seed: int) -> None:
    found = twin_of(ask_or_work, 32, 200, seed)
    real, made = (
        each["input_tokens"].sum() / each["calls"].sum() for each in (found.table, found.simulated)
    )
    # Sessions of one kind hardly differ: the mean over calls of 32 is known to 3 %.
    assert made == pytest.approx(real, rel=0.08)
