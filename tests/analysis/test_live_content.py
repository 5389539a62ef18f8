"""What the live view shows is what the trace and the metrics of its replication say."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from analysis import live
from analysis.breakdown.lives import lives_of
from analysis.breakdown.timeline import spans_of
from analysis.live.board import Place, moves_of
from analysis.live.columns import TICKS
from analysis.live.content import Content, Run, content_of
from analysis.live.states import states_of
from analysis.live.story import Sentence, abridged, pattern_of, sentences_of
from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from simulator.scenario import Scenario, load_study
from simulator.scenario.shipped import scenario_names
from tests.conftest import agent, scenario
from tests.engine.test_every_combination import scenarios
from tests.golden.corpus import files, points

PAGE = Path(live.__file__).parent / "page" / "data.js"


def run_of(each: Scenario, replication: int = 0) -> Run:
    trace = Trace(replication)
    return Run(each, replication, trace, Simulation(each).run(replication, trace))


def check(run: Run) -> Content:
    """Check what must hold for every replication; return its content."""
    rows, metrics = run.trace.rows, run.metrics
    end_s, lives = rows[-1].time_s, lives_of(rows)
    spans = spans_of(rows)
    states = states_of(spans, rows, metrics.agents, lives)
    lasted: defaultdict[int, float] = defaultdict(float)
    for one, after in pairwise(states):
        if one.agent == after.agent:
            assert one.end_s == after.start_s
    for state in states:
        assert state.end_s > state.start_s
        lasted[state.agent] += state.end_s - state.start_s
    for number in range(metrics.agents):
        assert lasted[number] == pytest.approx(end_s, abs=1e-6)
    for life in lives:
        assert lasted[life.agent] == pytest.approx(life.end_s - life.start_s, abs=1e-6)
    down_s = math.fsum(s.end_s - s.start_s for s in states if s.kind == "down")
    assert down_s == pytest.approx(metrics.down_s, abs=1e-6)
    _check_board(run)
    content = content_of(run)
    _check_columns(content)
    assert len(content["team"]["places"]) == metrics.agents
    assert all(
        math.isfinite(x) and abs(x) <= 1 for place in content["team"]["places"] for x in place
    )
    assert len(content["talk"]["messages"]["t"]) == metrics.messages
    assert sum(content["talk"]["messages"]["n"]) == metrics.deliveries
    read, wrote = content["bills"]["spent"]["read"], content["bills"]["spent"]["wrote"]
    assert (read[-1:] or [0]) == [metrics.input_tokens]
    assert (wrote[-1:] or [0]) == [metrics.output_tokens]
    if content["bills"]["usd"] is not None:
        assert (content["bills"]["usd"][-1:] or [0.0]) == [metrics.cost_usd]
    return content


def _check_board(run: Run) -> None:
    metrics = run.metrics
    moves = moves_of(run.trace.rows, spans_of(run.trace.rows), metrics.tasks)
    at = [Place.NOT_READY] * metrics.tasks
    counts = Counter({Place.NOT_READY: metrics.tasks})
    for before, move in zip([None, *moves], moves, strict=False):
        assert before is None or before.time_s <= move.time_s
        assert at[move.task] is not move.place
        counts[at[move.task]] -= 1
        counts[move.place] += 1
        at[move.task] = move.place
        assert min(counts.values()) >= 0
        assert sum(counts.values()) == metrics.tasks
    assert counts[Place.DONE] + counts[Place.WRONG] == metrics.tasks_done
    assert counts[Place.WRONG] == metrics.faulty_detected + metrics.faulty_undetected
    assert counts[Place.DOING] == 0
    assert counts[Place.UNMARKED] == metrics.unmarked_tasks
    assert counts[Place.CLAIMED] <= metrics.open_claims


def _check_columns(content: Content) -> None:
    parts: Any = content.values()
    for columns in (each for part in parts for each in part.values()):
        if isinstance(columns, dict) and "t" in columns:
            assert len({len(column) for column in columns.values()}) == 1
            assert all(difference >= 0 for difference in columns["t"])
            assert sum(columns["t"]) <= TICKS


@pytest.mark.slow
@settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(each=scenarios(fails=True))
def test_the_content_of_any_team_is_what_its_metrics_say(each: Scenario) -> None:
    check(run_of(each))


@pytest.mark.parametrize("name", scenario_names())
def test_the_content_of_what_ships_is_what_its_metrics_say(name: str) -> None:
    check(run_of(load_study(name).base))


def test_the_page_numbers_places_on_the_board_as_its_content_does() -> None:
    (names,) = re.findall(r"const \[([A-Z_, ]+)\] = Array\(8\)", PAGE.read_text("utf-8"))
    assert names.split(", ") == [place.name for place in Place]


SILENT = {
    Event.CALL_START: {"None"},  # told with the tasks that the call is at
    Event.CALL_END: {"work", "review"},  # attempts and reviews tell what came of it
    Event.CLAIM_BLOCKED: {"None"},  # so does the attempt
    Event.DIVERGED: {"first_attempt"},  # the rework after it has a row of its own
    Event.DOWN: {"at_end"},
    Event.WAIT: {"tool", "subagent"},  # which have rows of their own
    Event.WRITE: {"first", "rewrite"},
    **{each: {"None"} for each in (Event.COMMIT, Event.DELIVERY, Event.TOOL_WAIT, Event.TURN)},
    **{each: {"None"} for each in (Event.RUN_START, Event.ROUND_END, Event.OVERHEAD)},
}
"""Rows that no sentence is made of, by event and outcome."""


@pytest.mark.thorough
def test_every_event_and_outcome_of_the_golden_runs_is_told() -> None:
    untold: defaultdict[Event, set[str]] = defaultdict(set)
    seen: set[Event] = set()
    for path in files():
        for point in points(path):
            trace = Trace(0)
            Simulation(point.scenario).run(0, trace)
            seen |= {row.event for row in trace.rows}
            for event, outcome in {(row.event, str(row.outcome)) for row in trace.rows}:
                if not pattern_of(event, outcome):
                    untold[event].add(outcome)
    assert dict(untold) == SILENT
    assert seen == set(Event)


def test_a_task_that_was_forgotten_has_its_story() -> None:
    fields: dict[str, Any] = {
        "team__size": 1,
        "team__agent": agent(forgetting={"probability": 1.0, "notice": 0.2}),
        "coordination__protocol": {"kind": "self_claim", "lease_rounds": 2},
        "workload__tasks": 1,
    }
    rows = run_of(scenario(**fields)).trace.rows
    said = [each.pattern for each in sentences_of(rows, ()) if each.task == 0]
    assert list(dict.fromkeys(said)) == [
        "Task {task} can be started.",
        "{agent} begins to work on task {task}.",
        "{agent} claims task {task}.",
        "{agent} finishes task {task}, and forgets to hand it in.",
        "The claim of {agent} on task {task} is orphaned: it takes the task for done.",
        "The claim of {agent} on task {task} is released after {s}.",
        "{agent} hands task {task} in late, {s} after {peer} began it, and it is right.",
        "Task {task} is marked done, {s} after {agent} claimed it.",
    ]
    places = [move.place for move in moves_of(rows, spans_of(rows), 1)]
    assert list(dict.fromkeys(places)) == [Place.DOING, Place.UNMARKED, Place.DONE]


def test_what_an_agent_that_is_gone_has_claimed_stays_claimed() -> None:
    fields: dict[str, Any] = {
        "team__size": 2,
        "coordination__protocol": {"kind": "self_claim", "claims": "immediate", "release": "never"},
        "workload__tasks": 2,
        "faults": [{"kind": "kill", "agent": 0, "at_s": 0.5}],
        "limits": {"max_rounds": 5},
    }
    rows = run_of(scenario(**fields)).trace.rows
    last = {move.task: move.place for move in moves_of(rows, spans_of(rows), 2)}
    assert sorted(last.values()) == [Place.CLAIMED, Place.DONE]
    assert "The claim of {agent} on task {task} is orphaned: {agent} is down." in {
        each.pattern for each in sentences_of(rows, ())
    }


def story(*groups: tuple[str, int, int | None, bool]) -> list[Sentence]:
    return [
        Sentence(float(i), pattern, 0, None, task, is_news=is_news)
        for pattern, count, task, is_news in groups
        for i in range(count)
    ]


@pytest.mark.parametrize(
    ("most", "left"),
    [
        (100, {"waits": 20, "calls": 9, "begins": 30, "done": 25, "crash": 3}),
        (86, {"calls": 9, "begins": 30, "done": 25, "crash": 3}),
        (60, {"begins": 30, "done": 25, "crash": 3}),
        (57, {"done": 25, "crash": 3}),
        (3, {"crash": 3}),
    ],
)
def test_a_long_story_leaves_out_the_frequent_first_and_news_last(
    most: int, left: dict[str, int]
) -> None:
    whole = story(
        ("waits", 20, None, False),
        ("begins", 30, 1, False),
        ("calls", 9, None, False),
        ("done", 25, 1, False),
        ("crash", 3, None, True),
    )
    assert Counter(each.pattern for each in abridged(whole, most)) == left
