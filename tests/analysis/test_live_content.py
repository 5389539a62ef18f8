"""What the live view shows is what the trace and the metrics of its replication say."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from analysis.breakdown.lives import lives_of
from analysis.breakdown.timeline import spans_of
from analysis.live.board import Place, moves_of
from analysis.live.columns import TICKS
from analysis.live.content import Content, Run, content_of
from analysis.live.states import states_of
from simulator.engine import Simulation
from simulator.model.trace import Trace
from simulator.scenario import Scenario, load_study
from simulator.scenario.shipped import scenario_names
from tests.engine.test_every_combination import scenarios


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
    assert counts[Place.DOING] == counts[Place.CLAIMED] == 0


def _check_columns(content: Content) -> None:
    parts: Any = content.values()
    for columns in (each for part in parts for each in part.values()):
        if isinstance(columns, dict) and "t" in columns:
            assert len({len(column) for column in columns.values()}) == 1
            assert all(difference >= 0 for difference in columns["t"])
            assert sum(columns["t"]) <= TICKS


@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(each=scenarios(fails=True))
def test_the_content_of_any_team_is_what_its_metrics_say(each: Scenario) -> None:
    check(run_of(each))


@pytest.mark.parametrize("name", scenario_names())
def test_the_content_of_what_ships_is_what_its_metrics_say(name: str) -> None:
    check(run_of(load_study(name).base))
