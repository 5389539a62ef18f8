"""Loops that go on at a checkpoint: what they read of their conversation, and find in the cache."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace
from tests.conftest import agent, run_as_traced, scenario

SYSTEM, START, WRITES, ADDS, RESULT = 1000, 50, 100, 30, 700
GROWS = WRITES + ADDS + RESULT
TURNS, TOOL_S = 6, 10.0
CHECKPOINT = {"checkpoint": {"every_s": 1000}}


def looping(**fields: Any) -> dict[str, Any]:
    """Return an agent whose turns take a second, and its tool ten."""
    context = {
        "system_tokens": SYSTEM,
        "start_tokens": START,
        "board_tokens_per_task": 0,
        "turn_tokens": ADDS,
        "retention": 1,
        **fields.pop("context", {}),
    }
    tools = {"t": {"seconds": TOOL_S, "result_tokens": RESULT}}
    return agent(
        **{
            "tokens": {"output": WRITES},
            "context": context,
            "tools": tools,
            "loop": {"turns": TURNS},
            **fields,
        }
    )


def crash(at_s: float, **fields: Any) -> dict[str, Any]:
    return {"kind": "crash", "agent": 0, "at_s": at_s, "for_s": 5, **fields}


def traced(**fields: Any) -> tuple[Metrics, list[Row]]:
    fields = {"team__size": 1, "workload__tasks": 1, "resilience": CHECKPOINT, **fields}
    trace = Trace()
    metrics = Simulation(scenario(**fields)).run(0, trace)
    assert run_as_traced(scenario(**fields)) == metrics
    return metrics, trace.rows


def prompts(rows: list[Row]) -> list[tuple[int, int]]:
    """Return tokens read and found in the cache, of every turn that has ended."""
    return [
        (row.input_tokens or 0, row.cached_tokens or 0)
        for row in rows
        if row.event is Event.TURN or (row.event is Event.CALL_END and row.outcome == "work")
    ]


def turns_over(at_s: float) -> int:
    """Return how many turns of the first loop are over at a time, with their tools."""
    return int(at_s // (1.0 + TOOL_S))


IN_TURNS = [0.5, 11.5, 22.5, 44.5, 55.5]
IN_TOOLS = [1.5, 13.0, 35.0]


@pytest.mark.parametrize("keeps_context", [False, True])
@pytest.mark.parametrize("at_s", [*IN_TURNS, *IN_TOOLS])
def test_a_loop_that_goes_on_reads_what_its_saved_turns_have_said(
    at_s: float, keeps_context: bool
) -> None:
    _, rows = traced(team__agent=looping(), faults=[crash(at_s, keeps_context=keeps_context)])
    kept = turns_over(at_s)
    # What came after the checkpoint is not there: the turn whose tool ran is taken again.
    before = kept + (at_s in IN_TOOLS)
    expected = [SYSTEM + START + k * GROWS for k in [*range(before), *range(kept, TURNS)]]
    assert [read for read, _ in prompts(rows)] == expected


@pytest.mark.parametrize("keeps_context", [False, True])
@pytest.mark.parametrize("retention", [0, 0.5, 1])
def test_what_was_remembered_from_before_the_loop_is_lost_with_the_context(
    keeps_context: bool, retention: float
) -> None:
    first_s = TURNS + (TURNS - 1) * TOOL_S
    _, rows = traced(
        team__agent=looping(context={"retention": retention}),
        workload__tasks=2,
        faults=[crash(first_s + 22.5, keeps_context=keeps_context)],
    )
    said = TURNS * (WRITES + ADDS) + (TURNS - 1) * RESULT
    remembered = int(retention * (START + said))
    begins = remembered if keeps_context else START
    whole = [read for read, _ in prompts(rows)]
    assert whole[TURNS : TURNS + 2] == [SYSTEM + remembered + k * GROWS for k in range(2)]
    assert whole[TURNS + 2 :] == [SYSTEM + begins + k * GROWS for k in range(2, TURNS)]


@pytest.mark.parametrize("seed", range(12))
def test_however_often_it_crashes_a_loop_reads_in_each_turn_what_it_would_have_read(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    context = {
        "turn_tokens": int(rng.integers(200)),
        "board_tokens_per_task": int(rng.choice([0, 40])),
        "artifact_tokens": int(rng.choice([0, 60])),
        "cache": [True, False, {"life_s": 30}][seed % 3],
    }
    crashes = np.cumsum(rng.uniform(3, 40, size=4))
    faults = [crash(float(at_s), keeps_context=bool(rng.integers(2))) for at_s in crashes]
    fields: dict[str, Any] = {"team__agent": looping(context=context)}
    plain = [read for read, _ in prompts(traced(**fields)[1])]
    metrics, rows = traced(**fields, faults=faults)
    assert metrics.crashes >= 2
    broken = [read for read, _ in prompts(rows)]
    assert len(broken) >= TURNS
    # A turn whose tools still ran is taken again, and reads the same; the board is read anew.
    assert sorted(set(broken)) == plain


def test_the_cache_of_the_provider_has_it_while_it_lives() -> None:
    at_s = 22.5  # the third turn has been sent
    for repair_s, life in ((5, True), (5, {"life_s": 300}), (400, {"life_s": 300}), (400, True)):
        who = looping(context={"cache": life})
        for keeps_context in (False, True):
            fault = crash(at_s, for_s=repair_s, keeps_context=keeps_context)
            metrics, rows = traced(team__agent=who, faults=[fault])
            read, cached = prompts(rows)[2]
            assert read == SYSTEM + START + 2 * GROWS
            lives = life is True or repair_s < 300
            assert cached == (read if lives else 0)
            assert (metrics.expired_tokens > 0) == (not lives)


def test_a_conversation_behind_another_beginning_is_read_uncached() -> None:
    first_s = TURNS + (TURNS - 1) * TOOL_S
    who = looping(context={"cache": True})
    faults = [crash(first_s + 22.5)]
    _, rows = traced(team__agent=who, workload__tasks=2, faults=faults)
    # Of what was remembered from the first task nothing is left: but for the system prompt, the
    # prompt that is sent now begins as no other did.
    assert prompts(rows)[TURNS + 2] == (SYSTEM + START + 2 * GROWS, SYSTEM)


def test_who_takes_the_loop_over_reads_its_conversation_behind_its_own() -> None:
    # The second agent has done a task of its own when it takes over the other's.
    fields: dict[str, Any] = {
        "team__size": 2,
        "team__agent": looping(context={"cache": True}),
        "workload__tasks": 2,
        "resilience": {**CHECKPOINT, "detector": {"period_s": 1, "timeout_s": 2}},
    }
    _, rows = traced(**fields, faults=[crash(50.5, for_s=10_000)])
    own = START + TURNS * (WRITES + ADDS) + (TURNS - 1) * RESULT
    taken = [
        (row.input_tokens, row.cached_tokens)
        for row in rows
        if row.agent == 1 and row.event in (Event.TURN, Event.CALL_END)
    ][TURNS:]
    kept = turns_over(50.5)
    assert [read for read, _ in taken] == [SYSTEM + own + k * GROWS for k in range(kept, TURNS)]
    # Its own conversation is in the cache, but for its last output; the other's is not.
    assert taken[0][1] == SYSTEM + own - WRITES - ADDS


def test_a_conversation_that_was_compacted_is_resumed_as_it_was() -> None:
    # The fourth turn would read 3540 tokens; it reads a summary of 500 instead.
    context = {"window_tokens": 3500, "compaction": 1 / 7, "retention": 1}
    fields: dict[str, Any] = {"team__agent": looping(context=context)}
    plain = [read for read, _ in prompts(traced(**fields)[1])]
    assert plain[3] == SYSTEM + 500
    at_s = 4 * (1 + TOOL_S) + 0.5
    for keeps_context in (False, True):
        fault = crash(at_s, keeps_context=keeps_context)
        _, rows = traced(**fields, faults=[fault])
        # The summary is part of the loop, whatever it stands for: behind it nothing is lost.
        anew = 0 if keeps_context else START
        assert [read for read, _ in prompts(rows)] == [*plain[:4], *(x + anew for x in plain[4:])]


def test_a_loop_that_fails_after_it_has_gone_on_does_not_count_twice() -> None:
    # The first request after the crash times out for good: the task is taken up again from its
    # checkpoint, once more.
    who = looping(latency={"kind": "seconds", "base": 1})
    faults = [
        crash(22.5, keeps_context=True),
        {"kind": "slow", "agent": 0, "at_s": 25, "for_s": 4, "factor": 100},
    ]
    patterns = {**CHECKPOINT, "timeout": {"seconds": 20}}
    _, rows = traced(team__agent=who, faults=faults, resilience=patterns)
    expected = [SYSTEM + START + k * GROWS for k in range(TURNS)]
    assert [read for read, _ in prompts(rows)] == expected


@pytest.mark.parametrize("keeps_context", [False, True])
@pytest.mark.parametrize("reads", ["turn", "loop"])
@pytest.mark.parametrize("at_s", [0.3, 1.5, 12.5, 57.3, 60.5, 75.0, 83.5, 100.5, 118.0])
def test_no_message_is_read_twice_or_lost(at_s: float, reads: str, keeps_context: bool) -> None:
    who = looping(loop={"turns": TURNS, "reads_messages": reads}, behaviour={"talk": 1})
    who["tokens"] = {"output": WRITES, "message": 10}
    lasting = {"kind": "seconds", "base": 7}
    quick = looping(loop={"turns": 1}, behaviour={"talk": 1}, tools={}, latency=lasting)
    quick["tokens"] = {"output": WRITES, "message": 10}
    groups = {"slow": {"size": 1, "agent": who}, "quick": {"size": 1, "agent": quick}}
    fields: dict[str, Any] = {
        "team__size": None,
        "team__groups": groups,
        "topology": "decentralised",
        "coordination__protocol": "pre_assigned",
        "coordination__timing": "asynchronous",
        "workload__tasks": 8,
    }
    _, rows = traced(**fields, faults=[crash(at_s, keeps_context=keeps_context)])
    # The quick one has sent all four messages by 28 s. They are read in the first loop of the slow
    # one, or at the beginning of its second. Its loops take 56 s.
    said = TURNS * (WRITES + ADDS) + (TURNS - 1) * RESULT + 10
    broken = int(at_s // 56)
    remembered = range(0 if keeps_context else broken, 4)
    read_in = 0 if reads == "turn" else 1
    last = [row for row in rows if row.agent == 0 and row.event is Event.CALL_END][-1]
    assert last.input_tokens == (
        SYSTEM
        + START
        + (len(remembered) - 1) * said
        + (TURNS - 1) * GROWS
        + 4 * 10 * (read_in in remembered)
    )
