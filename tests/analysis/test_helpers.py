"""Calls of other models, or beside a conversation, are long, large and dear as they were."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from analysis.observation.calls_beside import Episode, episodes_of
from analysis.observation.structure import MESH, SINGLE, SUBAGENTS
from tests.analysis.made_up_traces import MEASURES, Kind, Made, assert_alike, twin_of

LARGE, SMALL = "claude-opus-4-5", "claude-haiku-4-5"


def work(made: Made, beside: Kind, model: str = LARGE) -> None:
    """Work in a conversation with tools; `beside` writes what comes after some of its calls."""
    read, before, turns = 9000.0, 0.0, made.rng.integers(5, 12)
    for turn in range(turns):
        wrote = made.about(350)
        made.chat("coder", read, wrote, turn < turns - 1, before, model=model)
        before, read = read, read + wrote + made.about(600)
        if turn < turns - 1:
            beside(made)
            made.tool("coder", "edit", made.about(3.0))


def apply(made: Made) -> None:
    """Let a small model apply the edit."""
    made.chat("coder", made.about(1500), made.about(200), True, model=SMALL)


def summarise(made: Made) -> None:
    """Let the same model sum up a page, within the call of the tool that has got it."""
    begun = made.now
    made.chat("coder", made.about(2500), made.about(200), model=LARGE)
    ended, made.now = made.now, begun
    made.tool("coder", "fetch", ended - begun + 0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("beside", "tool"), [(apply, f"ask_{SMALL}"), (summarise, "fetch")])
def test_calls_beside_a_conversation_are_those_of_helpers(beside: Kind, tool: str) -> None:
    found = twin_of(lambda made: work(made, beside))
    assert found.structure.kind == SUBAGENTS
    # In one conversation they read 3.1 to 3.5 times as much as it did.
    assert_alike(found, (*MEASURES, "calls", "tool_calls"))
    assert "starts" in found.twin.document["team"]["agent"]["tools"][tool]
    assert len(found.notes) == 1


def alternate(made: Made) -> None:
    """Go on with one conversation, each call with a large model or a small one."""
    read, turns = 6000.0, made.rng.integers(8, 16)
    held = {LARGE: 0.0, SMALL: 0.0}
    for turn in range(turns):
        model = LARGE if made.rng.random() < 0.4 else SMALL
        wrote = made.about(400 if model == LARGE else 150)
        made.chat("coder", read, wrote, turn < turns - 1, held[model], model=model)
        if model == LARGE:
            made.now += made.about(10.0, 0.2)
        held[model], read = read, read + wrote + made.about(700)
        made.tool("coder", "edit", made.about(2.0))


@pytest.mark.thorough
def test_a_conversation_with_two_models_is_one() -> None:
    found = twin_of(alternate, 24)
    assert found.structure.kind == SINGLE
    # With list prices of the model with most calls it cost 1.20 times as much as it did.
    assert_alike(found)


def in_turn(made: Made) -> None:
    """Let a small model write what a large one has planned, in chats without tools."""
    read, before = 8000.0, 0.0
    for _ in range(made.rng.integers(3, 9)):
        wrote = made.about(500)
        made.chat("planner", read, wrote, cached=before, model=LARGE)
        before, read = read, read + wrote + made.about(300)
        made.chat("planner", made.about(3000), made.about(600), model=SMALL)


@pytest.mark.slow
def test_a_model_that_works_in_turn_is_another_agent() -> None:
    found = twin_of(in_turn, 24)
    assert found.structure.kind == MESH
    assert_alike(found)


def with_title(made: Made) -> None:
    """Begin with a title for the session."""
    made.chat("coder", 600, 20, model=SMALL)
    work(made, lambda made: None)


@pytest.mark.thorough
def test_calls_that_no_turn_asked_for_are_said_to_be_missing() -> None:
    found = twin_of(with_title, 24)
    assert found.structure.kind == SINGLE
    assert_alike(found, ("input_tokens", "cost_usd"))
    (lack,) = [each for each in found.twin.missing if "no turn of it asked for" in each]
    assert ": 24, with 0.6 % of the input" in lack
    # The report of what happened has them.
    assert set(found.traces.chats["response_model"]) == {LARGE, SMALL}


def found_in(*calls: tuple[str, float, bool]) -> list[Episode]:
    """Return the episodes in three equal runs of calls ``(model, read, goes on)``."""
    made = Made(1)
    for run in "abc":
        made.begin(run)
        for model, read, goes_on in calls:
            made.chat("coder", read, 10, goes_on, model=model)
    role = dict.fromkeys((run, "coder") for run in "abc")
    return episodes_of(made.traces().calls, dict.fromkeys(role, "coder"))


def test_what_goes_on_with_a_conversation_is_not_beside_it() -> None:
    grows = [(LARGE, 1000.0 * i, True) for i in range(4, 9)]
    assert found_in(*grows) == []
    assert found_in(*grows, (LARGE, 2000, True), (LARGE, 3000, True)) == []  # it was compacted
    assert found_in((SMALL, 3900, True), *grows) == []
    assert found_in(*grows, (SMALL, 8100, False)) == []


@pytest.mark.parametrize("model", [LARGE, SMALL])
def test_what_a_conversation_comes_back_from_was_beside_it(model: str) -> None:
    found = found_in((LARGE, 5000, True), (model, 900, False), (LARGE, 5100, False))
    assert [(each.run, each.model, each.read, each.is_asked) for each in found] == [
        (run, model, [900], True) for run in "abc"
    ]
    # A request that has ended asked for nothing.
    found = found_in((LARGE, 5000, False), (SMALL, 900, False), (LARGE, 5100, False))
    assert [each.is_asked for each in found] == [False] * 3


@dataclass(frozen=True)
class Second:
    """A small model with a conversation of its own, which a large one asks after a turn.

    It makes so many `calls` each time, and what it is told grows by a `factor`.
    """

    calls: int = 1
    factor: float = 1.0

    def __call__(self, made: Made) -> None:
        read, before, own, held = 9000.0, 0.0, 3000.0, 0.0
        for left in reversed(range(made.rng.integers(6, 14))):
            wrote = made.about(350)
            made.chat("coder", read, wrote, left > 0, before, model=LARGE)
            before, read = read, read + wrote + made.about(600)
            for _ in range(self.calls if left else 0):
                wrote = made.about(150)
                made.chat("coder", own, wrote, cached=held, model=SMALL)
                held, own = own, own + (wrote + made.about(500)) * self.factor
            made.tool("coder", "edit", made.about(3.0))


@pytest.mark.thorough
@pytest.mark.parametrize("second", [Second(), Second(calls=3, factor=1.5)])
def test_a_second_model_with_a_conversation_of_its_own_is_a_helper(second: Second) -> None:
    found = twin_of(second, 12, 40)
    assert found.structure.kind == SUBAGENTS
    # As one agent it read 0.7 to 2.8 times as much, and cost 0.8 to 1.7 times as much.
    assert_alike(found, (*MEASURES, "calls"))


@pytest.mark.thorough
def test_a_writer_in_turn_with_a_planner_keeps_its_own_conversation() -> None:
    def work(made: Made) -> None:
        read, own = 8000.0, 2000.0
        for _ in range(made.rng.integers(3, 9)):
            made.chat("planner", read, made.about(500), model=LARGE)
            made.chat("planner", own, made.about(600), model=SMALL)
            read, own = read + 900.0, own + 700.0

    found = twin_of(work, 24)
    assert found.structure.kind == MESH
    assert_alike(found)


def test_models_that_count_one_conversation_otherwise_are_no_helpers() -> None:
    both = [
        call
        for i in range(5)
        for call in ((LARGE, 9000.0 + 900 * i, True), (SMALL, 7200.0 + 720 * i, True))
    ]
    assert found_in(*both, (LARGE, 13_500, False)) == []
    own = [call if call[0] == LARGE else (SMALL, call[1] - 6200, True) for call in both]
    assert len(found_in(*own, (LARGE, 13_500, False))) == 15


def test_prompts_that_have_nothing_to_do_with_each_other_are_beside_none() -> None:
    rng = np.random.default_rng(3)
    read = rng.lognormal(7, 1, 60)
    assert min(after - before for before, after in pairwise(read)) < 0
    calls = [(LARGE if i % 2 else SMALL, float(each), False) for i, each in enumerate(read)]
    assert found_in(*calls) == []


def with_a_person(made: Made) -> None:
    """Let a person think before each plan but the first."""
    read, before = 8000.0, 0.0
    for request in range(made.rng.integers(3, 7)):
        made.now += made.about(60, 0.5) if request else 0.0
        wrote = made.about(500)
        made.chat("planner", read, wrote, cached=before, model=LARGE)
        before, read = read, read + wrote + made.about(300)
        made.chat("planner", made.about(3000), made.about(600), model=SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("runs", [6, 24])
def test_agents_who_work_in_turn_wait_for_people_in_the_twin(runs: int) -> None:
    found = twin_of(with_a_person, runs)
    assert found.structure.kind == MESH
    # Of fewer than eight runs, the median one stands for all. Without people: 0.2 times as long.
    assert_alike(found, ("makespan_s", "cost_usd"), least=0.02 if runs > 8 else 0.15)
    kind = {6: "dag", 24: "resampled"}[runs]
    assert found.twin.document["workload"]["kind"] == kind


@pytest.mark.slow
def test_pauses_of_minutes_to_days_are_as_long_in_the_twin() -> None:
    pauses: list[float] = []

    def work(made: Made) -> None:
        for request in range(2):
            if request:
                pauses.append(float(made.rng.exponential(100_000.0)))
                made.now += pauses[-1]
            for turn in range(3):
                made.chat("coder", 5000.0 + 900.0 * turn, made.about(200), turn < 2)
                made.tool("coder", "edit", made.about(3.0)) if turn < 2 else None

    twin = twin_of(work, 12).twin.document["coordination"]["round_overhead_s"]
    mean = np.average(twin["values"], weights=twin["weights"])
    # Tuned to the chances of 200 simulated runs they were 0.83 times as long.
    assert mean == pytest.approx(np.mean(pauses), rel=0.01)
