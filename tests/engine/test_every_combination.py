"""Properties of every combination of topology, protocol, workspace, timing and network."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.model.metrics import Metrics
from simulator.scenario import REGISTRIES, Scenario
from tests.conftest import run_as_traced, scenario

NAMES = {registry.family: registry.names() for registry in REGISTRIES}

AGENT: dict[str, Any] = {
    "latency": {
        "kind": "seconds",
        "base": {"kind": "lognormal", "median": 2, "sigma": 0.5},
        "per_work_unit_s": 1,
    },
    "batch": {"kind": "uniform", "low": 1, "high": 3},
    "behaviour": {"idle": 0.1, "talk": 0.8, "chatter": 0.3, "preference_correlation": 0.5},
    "errors": {
        "probability": 0.25,
        "detection": 0.5,
        "hand_off": 0.1,
        "difficulty_correlation": 0.3,
        "common_mode": 0.2,
        "wrong_answers": {"options": 3, "shared": 0.4},
        "max_attempts": 6,
    },
    "context": {"window_tokens": 9000, "error": {"shape": "doubling", "height": 0.2}},
    "drift": {"step": {"kind": "normal", "mean": 0.02, "sd": 0.05}, "slowdown": 0.1},
}

HABITS: list[dict[str, Any]] = [
    {},
    {
        "batch_persistence": 0.6,
        "first_batch": 9,
        "capacity": 4,
        "truncation_loss": 0.3,
        "redo_work": 0.4,
        "errors": {**AGENT["errors"], "call_correlation": 0.7},
        "behaviour": {
            **AGENT["behaviour"],
            "idle_first": 0.0,
            "idle_persistence": 0.6,
            "blind_calls": 0.3,
        },
        "context": {**AGENT["context"], "artifact_tokens": 30, "turn_tokens": 80},
    },
]

PROTOCOLS: dict[str, list[dict[str, Any]]] = {
    "self_claim": [{}, {"claims": "immediate", "lease_s": 9.0}, {"choice": "random"}],
    "pre_assigned": [{}, {"deal": "longest_first", "work_ahead": False}],
    "lead_assign": [{}, {"tasks_each": 2, "order": "longest_first"}],
    "work_stealing": [{}, {"start": "one", "amount": "half"}],
    "replicate_and_vote": [
        {},
        {"vote": "best_of", "miss": 0.2, "false_alarm": 0.1},
        {"vote": "judge", "replicas": 2},
        {"vote": "weighted", "quorum": 2},
        {"replicas": 5, "early_stop": True},
    ],
    "debate": [{}, {"order": "sequential", "influence": "peer"}, {"debaters": 2, "rounds": 1}],
    "pipeline": [{}],
    "depth_first": [{}, {"fan_out": 3, "leaf_tasks": 2}],
}

WORKSPACES: dict[str, list[dict[str, Any]]] = {
    "last_writer_wins": [{}, {"loss": 0.5}],
    "optimistic": [
        {"backoff": {"kind": "full_jitter"}, "one_way_s": 0.1},
        {"on_conflict": "redo"},
    ],
    "locks": [{}, {"acquire": "one_by_one", "order": "chosen"}, {"order": "listed", "lease_s": 4}],
    "single_writer": [{}],
    "quorum": [{"read": 1, "write": 1, "delay_s": {"kind": "exponential", "mean": 0.2}}],
    "consensus": [{"replicas": 5, "round_trip_s": {"kind": "exponential", "mean": 0.2}}],
}


def test_the_combinations_name_every_plugin() -> None:
    assert sorted(PROTOCOLS) == NAMES["protocol"]
    assert sorted(WORKSPACES) == NAMES["workspace"]


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    protocol = draw(st.sampled_from(sorted(PROTOCOLS)))
    workspace = draw(st.sampled_from(sorted(WORKSPACES)))
    tasks = draw(st.integers(1, 14))
    partition = {
        "at_s": draw(st.sampled_from([0.0, 3.0, 11.0])),
        "duration_s": draw(st.sampled_from([2.0, 15.0])),
        "minority": draw(st.sampled_from([0.3, 0.6])),
    }
    review = {
        "by": draw(st.sampled_from(["coordinator", "verifiers", "peers"])),
        "miss": 0.2,
        "false_alarm": 0.1,
    }
    network = {
        "delay_s": {"kind": "exponential", "mean": 0.5},
        "loss": 0.1,
        "in_order": draw(st.booleans()),
    }
    strong = {**AGENT, **draw(st.sampled_from(HABITS)), "speed": 2.0}
    groups = {
        "strong": {"size": draw(st.integers(1, 3)), "agent": strong},
        "weak": {"size": draw(st.integers(0, 3)), "agent": {**AGENT, "family": "other"}},
    }
    try:
        return scenario(
            team={"groups": groups, "family_similarity": 0.5},
            topology=draw(st.sampled_from(NAMES["topology"])),
            coordination={
                "protocol": {
                    "kind": protocol,
                    **draw(st.sampled_from(PROTOCOLS[protocol])),
                },
                "timing": draw(st.sampled_from(["rounds", "asynchronous", "bounded_staleness"])),
                "idle_agents": draw(st.sampled_from(["call", "wait"])),
                "calls_per_round": draw(st.sampled_from([1, 1, 2])),
                "review": draw(st.sampled_from([None, review])),
            },
            workload={
                "kind": "dag",
                "tasks": [
                    {
                        "id": str(i),
                        "dependencies": [
                            str(d) for d in draw(st.sets(st.integers(0, i - 1), max_size=2))
                        ]
                        if i
                        else [],
                        "files": [str(f) for f in draw(st.sets(st.integers(0, 4), max_size=2))],
                        "arrival_s": draw(st.sampled_from([0.0, 0.0, 0.0, 5.0])),
                    }
                    for i in range(tasks)
                ],
            },
            workspace={
                "kind": workspace,
                "on_partition": draw(st.sampled_from(["consistent", "available"])),
                "idempotent": draw(st.booleans()),
                "ack_loss": draw(st.sampled_from([0.0, 0.0, 0.2])),
                **draw(st.sampled_from(WORKSPACES[workspace])),
            },
            network={
                **draw(st.sampled_from([{}, {}, network])),
                "partitions": draw(st.sampled_from([[], [], [partition]])),
            },
            provider=draw(st.sampled_from([{}, {}, {"requests_per_minute": 60, "burst_s": 3}])),
            limits={"max_rounds": 2000, "max_calls": 20_000},
            seed=draw(st.integers(0, 1000)),
        )
    except ValidationError:
        assume(False)  # lead_assign without a lead, single with several
        raise


def check(metrics: Metrics) -> None:
    m = metrics
    assert m.outcome in {"completed", "deadlock", "max_rounds", "max_calls"}
    assert (m.reason == "") == (m.outcome == "completed")
    # No task is lost, none counts twice.
    assert m.tasks_done == m.tasks_correct + m.faulty_detected + m.faulty_undetected
    assert min(m.tasks_correct, m.faulty_detected, m.faulty_undetected) >= 0
    assert m.tasks_done <= m.tasks
    assert (m.tasks_done == m.tasks) or m.outcome != "completed"
    spent = m.work_s + m.rework_s + m.wasted_s + m.coordination_s + m.waiting_s + m.down_s
    assert spent == pytest.approx(m.agents * m.makespan_s, rel=1e-9, abs=1e-7)
    assert m.rate_limited_s + m.lock_wait_s + m.partition_wait_s <= m.waiting_s + 1e-7


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(scenario=scenarios())
def test_every_run_ends_with_its_tasks_and_times_accounted_for(scenario: Scenario) -> None:
    # What each side of a partition knows for itself is not in the trace.
    two_sides = scenario.network.partitions and scenario.workspace.on_partition == "available"
    check(run_as_traced(scenario, {"work_s", "rework_s", "task_wait_s"} if two_sides else set()))
