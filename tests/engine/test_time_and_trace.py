"""Where the time went, in the metrics and in the trace alike."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.streams import Streams
from simulator.model.trace import COLUMNS, Event, Row, Trace
from simulator.scenario import Scenario
from simulator.scenario.schema import Limits
from tests.conftest import run_as_traced, scenario

BUSY_AGENT = {
    "latency": {
        "kind": "tokens",
        "base_s": 1.3,
        "uncached_s_per_1k": 0.3,
        "cached_s_per_1k": 0.1,
        "output_s_per_1k": 15,
        "residual": {"kind": "log_logistic", "shape": 7, "median": 1, "run_sigma": 0.2},
    },
    "batch": {"kind": "uniform", "low": 1, "high": 4},
    "tokens": {"output": {"kind": "lognormal", "median": 200, "sigma": 0.5}, "per_work_unit": 90},
    "context": {"window_tokens": 12_000, "retention": 0.9},
    "behaviour": {
        "idle": 0.1,
        "talk": 0.7,
        "chatter": 0.5,
        "dependency_blindness": 0.2,
        "claim_blindness": 0.2,
        "deference": 0.3,
    },
    "errors": {"probability": {"probability": 0.2, "agent_sigma": 0.5}, "detection": 0.7},
    "drift": {"step": {"kind": "normal", "mean": 0.02, "sd": 0.05}, "idle_logit": 0.5},
    "price": {"input_per_mtok": 3, "output_per_mtok": 15},
}


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    topology = draw(st.sampled_from(["independent", "decentralised", "centralised"]))
    protocol: Any = draw(
        st.sampled_from(
            [
                {"kind": "self_claim", "claims": "immediate", "choice": "first"},
                {"kind": "self_claim", "claims": "at_commit", "choice": "random"},
                {"kind": "self_claim", "claims": "at_commit", "choice": "noisy"},
                {"kind": "pre_assigned"},
                {"kind": "pre_assigned", "keep_chains": False, "work_ahead": False},
            ]
        )
    )
    timing = draw(st.sampled_from(["rounds", "asynchronous"]))
    return scenario(
        team__size=draw(st.integers(1, 6)),
        team__agent=BUSY_AGENT,
        topology=topology,
        coordination={
            "protocol": protocol,
            "timing": timing,
            "idle_agents": draw(st.sampled_from(["call", "wait"])),
            "round_overhead_s": {"kind": "exponential", "mean": 0.5},
        },
        workload={
            "kind": "parallel_fraction",
            "tasks": draw(st.integers(1, 25)),
            "parallel_fraction": draw(st.sampled_from([0.0, 0.3, 0.8, 1.0])),
            "arrangement": draw(st.sampled_from(["beside", "after"])),
        },
        limits=draw(
            st.sampled_from(
                [{}, {"max_rounds": 3}, {"deadline_s": 40}, {"max_calls": 9}, {"budget_usd": 0.05}]
            )
        ),
        seed=draw(st.integers(0, 1000)),
    )


@settings(max_examples=80, deadline=None, derandomize=True)
@given(scenario=scenarios())
def test_times_add_up_and_the_trace_tells_the_same(scenario: Scenario) -> None:
    plain = run_as_traced(scenario)
    parts = (
        plain.work_s + plain.rework_s + plain.wasted_s
        + plain.coordination_s + plain.waiting_s + plain.down_s
    )  # fmt: skip
    assert parts == pytest.approx(plain.agents * plain.makespan_s, rel=1e-9, abs=1e-9)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(scenario=scenarios())
def test_every_task_is_done_once_and_never_before_its_dependencies(scenario: Scenario) -> None:
    trace = Trace()
    metrics = Simulation(scenario).run(0, trace)
    done_s = {
        row.task: row.time_s
        for row in trace.rows
        if row.event is Event.ATTEMPT and row.outcome in {"done", "faulty"}
    }
    assert len(done_s) == metrics.tasks_done
    if scenario.limits == Limits():
        assert metrics.outcome == "completed"
    if metrics.outcome == "completed":
        assert len(done_s) == metrics.tasks
    graph = Simulation(scenario).model.workload.graph(Streams(0, 0))
    for task, time_s in done_s.items():
        assert all(done_s[needed] <= time_s for needed in graph.dependencies[task])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_table_has_the_columns_and_rows_of_the_trace_however_few(count: int) -> None:
    trace = Trace()
    Simulation(scenario()).run(0, trace)
    trace.cut_back(count)
    table = trace.table()
    assert table.column_names == list(COLUMNS)
    assert table["seq"].to_pylist() == list(range(count))
    for name in Row._fields:
        assert table[name].to_pylist() == [getattr(row, name) for row in trace.rows]


def test_nothing_has_been_counted_before_anything_has_happened() -> None:
    counted = {name: value for name, value in asdict(Metrics()).items() if value}
    assert counted == {"availability": 1.0}


def test_waiting_time_in_the_metrics_is_the_traces() -> None:
    sim = scenario(
        team__size=2,
        coordination__timing="asynchronous",
        workload={
            "kind": "arrivals",
            "tasks": 500,
            "interarrival_s": {"kind": "exponential", "mean": 0.6},
        },
    )
    trace = Trace()
    accumulated = Simulation(sim).run(0, trace)
    begun = {r.call: r.time_s for r in trace.rows if r.event is Event.CALL_START}
    ready = {r.task: r.time_s for r in trace.rows if r.event is Event.TASK_READY}
    found = [begun[r.call] - ready[r.task] for r in trace.rows if r.event is Event.ATTEMPT]
    assert accumulated.task_wait_s == pytest.approx(np.mean(found), rel=1e-12)
