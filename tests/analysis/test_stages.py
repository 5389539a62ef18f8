"""Graphs, chats in turn and maps: each replication has the stages of one of the runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from analysis.observation.at_once import with_agents_at_once
from analysis.observation.building import build_twin
from analysis.observation.findings import describe_structure
from analysis.observation.observe import observe, observed_of
from analysis.observation.roles import roles_of
from analysis.observation.runs import runs_of
from analysis.observation.stages import stages_of
from analysis.observation.structure import (
    INDEPENDENT,
    LEAD,
    MESH,
    PIPELINE,
    Structure,
    find_structure,
)
from analysis.observation.units import Unit
from analysis.observation.workload import is_chain
from analysis.traces.canonical import Traces
from tests.analysis.test_observation import Row, together, traces


def widths(*spans: tuple[float, float]) -> list[int] | None:
    """Return how many pieces of work are in each stage."""
    found = stages_of([Unit(i, start, end, 1) for i, (start, end) in enumerate(spans)])
    return None if found is None else [len(stage) for stage in found]


def test_work_of_a_millisecond_at_once_is_no_chain() -> None:
    """As of models that are stand-ins; and of requests that are refused at once beside others."""
    assert widths((0, 0.001), (0.001, 0.002), (0.001, 0.002), (0.001, 0.002)) == [1, 3]
    assert not is_chain([Unit(i, 0.0, 0.0015, 1) for i in range(3)])
    assert widths((0, 0.001), (0, 9), (0, 10), (10, 11)) == [3, 1]
    assert widths((0, 5), (4.999, 7), (6.999, 7), (7, 9)) == [1, 1, 1, 1]
    assert widths((1, 1), (1, 1)) == [1, 1]


def test_a_stage_begins_when_all_before_have_ended() -> None:
    assert widths((0, 5), (5, 9), (9, 10)) == [1, 1, 1]
    assert widths((0, 5), (5, 9), (5.2, 12), (12, 13)) == [1, 2, 1]
    # Who begins while others work waits for none of them: there are no stages.
    assert widths((0, 5), (5, 9), (7, 12)) is None
    assert widths((0, 5), (15, 20)) == [1, 1]


def turns(count: int, seed: int, agents: list[str], lead: str = "") -> Traces:
    """Return runs of agents who speak in turn, a random number of times."""
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        rows: list[Row] = []
        now, times = 0.0, 1 + int(rng.integers(0, 9))
        for i in range(times):
            names = [lead, agents[i % len(agents)]] if lead else [agents[i % len(agents)]]
            for name in names:
                end = now + float(rng.uniform(3, 6))
                rows.append((name, "chat", now, end, "stop"))
                now = end
        found.append(traces(*rows, run=f"r{number}"))
    return together(*found)


def mapped(count: int, join: str = "joiner") -> Traces:
    """Return runs of a planner, two to eight writers of one name at once, and who joins them."""
    rng, found = np.random.default_rng(3), []
    for number in range(count):
        rows: list[Row] = [("planner", "chat", 0.0, 4.0, "stop")]
        ends = 4.1 + rng.uniform(5, 9, size=int(rng.integers(2, 9)))
        rows += [("writer", "chat", 4.1, float(end), "stop") for end in ends]
        last = float(ends.max()) + 0.05
        found.append(traces(*rows, (join, "chat", last, last + 5, "stop"), run=f"r{number}"))
    return together(*found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (lambda: turns(24, 2, ["planner", "coder", "tester"]), MESH),
        (lambda: mapped(24), INDEPENDENT),
    ],
    ids=["round robin", "map"],
)
def test_runs_of_stages_come_out_as_long_and_as_different(
    made: Callable[[], Traces], kind: str
) -> None:
    seen = observe(made(), "stages", 60)
    assert (seen.structure.kind, seen.structure.agreeing) == (kind, 24)
    assert seen.twin.document["workload"]["kind"] == "resampled"
    (assumed,) = seen.twin.document["assumptions"]
    assert "a stage needs the work before it" in assumed
    for measure in ("makespan_s", "calls", "at_work"):
        real, twin = seen.table[measure].astype(float), seen.simulated[measure].astype(float)
        error = float(np.hypot(real.std() / len(real) ** 0.5, twin.std() / len(twin) ** 0.5))
        assert abs(twin.mean() - real.mean()) < 0.05 * real.mean() + 2.5 * error, measure
    assert seen.simulated["makespan_s"].std() > 0.5 * seen.table["makespan_s"].std()


def structure(made: Traces) -> Structure:
    return find_structure(runs_of(made.calls), roles_of(made.calls, made.agents), made.messages)


@pytest.mark.slow
@pytest.mark.parametrize(("lead", "kind"), [("", MESH), ("selector", LEAD)])
def test_runs_that_went_a_short_way_through_a_graph_are_runs_of_it(lead: str, kind: str) -> None:
    made = turns(24, 3, ["coder", "tester", "writer"], lead)
    runs, roles = runs_of(made.calls), roles_of(made.calls, made.agents)
    found = find_structure(runs, roles, made.messages)
    assert (found.kind, found.agreeing, found.lead) == (kind, 24, lead)
    # Who works in turn with others does not work beside them, so no lead hands out tasks.
    twin = build_twin(observed_of(made, runs, roles, found), "turns")
    assert twin.document["workload"]["kind"] == "resampled"
    assert {len(run["sizes"]) for run in twin.document["workload"]["runs"]} == set(
        made.calls.groupby("run_id").size()
    )


@pytest.mark.parametrize(
    ("agents", "lead", "said"),
    [
        (["coder-1", "coder-2", "coder-3"], "", "agents who work in turn;"),
        (["coder", "tester"], "selector", "lead with workers, one at a time (the lead: selector);"),
    ],
)
@pytest.mark.usefixtures("hardly_tuned")
def test_a_team_in_which_one_works_at_a_time_is_called_so(
    agents: list[str], lead: str, said: str
) -> None:
    found = observe(turns(9, 3, agents, lead), "turns", 3)
    assert describe_structure(found).startswith(said)
    source = found.twin.sources["topology"]
    assert ("whose agents work one at a time" in source) == bool(lead)


def test_a_planner_that_only_begins_is_no_lead() -> None:
    assert structure(mapped(8, join="writer-2")).kind != LEAD


def test_a_pipeline_has_an_order_that_lasts() -> None:
    def run(number: int, *agents: str) -> Traces:
        rows = [(each, "chat", 5.0 * i, 5.0 * i + 4.9, "stop") for i, each in enumerate(agents)]
        return traces(*rows, run=f"r{number}")

    lasting = together(*(run(i, "a-x", "b-x", "c-x") for i in range(8)))
    assert structure(lasting).kind == PIPELINE
    routed = together(*(run(i, "a-x", ("b-x", "c-x", "d-x")[i % 3]) for i in range(9)))
    found = structure(routed)
    assert (found.kind, found.agreeing) == (MESH, 9)


def test_calls_at_once_are_those_of_several_agents() -> None:
    found, notes = with_agents_at_once(mapped(3))
    names = found.calls.groupby(found.calls["run_id"])["agent_id"].apply(set)
    counts = mapped(3).calls.groupby("run_id").size()
    for run, ids in names.items():
        assert len(ids) == counts[run]
    assert notes
    for run in runs_of(found.calls):
        assert len(run.operations.agents) == counts[run.name]


def test_each_of_several_agents_at_once_keeps_its_loop() -> None:
    rows: list[Row] = []
    for shift, read in ((0.0, "search"), (1.0, "fetch")):
        rows += [
            ("worker", "chat", shift, shift + 3, "tool_use"),
            ("worker", "execute_tool", shift + 3, shift + 5, read),
            ("worker", "chat", shift + 5, shift + 8, "end_turn"),
        ]
    found, _ = with_agents_at_once(traces(*rows))
    assert found.calls["agent_id"].tolist() == ["worker"] * 3 + ["worker#2"] * 3
    few = traces(*rows[:3], ("worker", "chat", 100.0, 200.0, "stop"), *rows[3:4])
    assert with_agents_at_once(few)[1] == []  # a call beside its work


@pytest.mark.parametrize(("read", "goes_on"), [(300, 1), (999, 1), (1000, 2), (1500, 2)])
def test_an_agent_at_once_reads_no_less_than_it_has_read_before(read: int, goes_on: int) -> None:
    # The second agent's tool ended last, but its conversation has 1,000 tokens already.
    rows: list[Row] = [
        ("worker", "chat", 0.0, 3.0, "tool_use"),
        ("worker", "chat", 1.0, 4.0, "tool_use"),
        ("worker", "execute_tool", 3.0, 5.0, "read"),
        ("worker", "execute_tool", 4.0, 6.0, "read"),
        ("worker", "chat", 6.5, 8.0, "end_turn"),
    ]
    made = traces(*rows)
    tokens = pd.array([200, 1000, None, None, read], dtype="Int64")
    found, _ = with_agents_at_once(replace(made, calls=made.calls.assign(input_tokens=tokens)))
    agents = found.calls["agent_id"].tolist()
    assert agents[:2] == ["worker", "worker#2"]
    assert agents[-1] == agents[goes_on - 1]


def test_an_agent_at_once_that_has_ended_begins_anew_and_does_not_go_on() -> None:
    # The first has stopped; the second asked for a tool. The next call goes on with the second,
    # although the first ended later.
    rows: list[Row] = [
        ("worker", "chat", 0.0, 5.5, "stop"),
        ("worker", "chat", 1.0, 4.0, "tool_use"),
        ("worker", "execute_tool", 4.0, 5.0, "read"),
        ("worker", "chat", 6.0, 8.0, "end_turn"),
    ]
    found, _ = with_agents_at_once(traces(*rows))
    assert found.calls["agent_id"].tolist() == ["worker", "worker#2", "worker#2", "worker#2"]


def test_hand_overs_that_sometimes_come_back_are_ways_through_one_graph() -> None:
    found = []
    for number in range(10):
        agents = ["triage", ("tech", "billing")[number % 2]]
        agents += ["triage", "refunds"] if number % 3 == 0 else []
        rows: list[Row] = [
            (each, "chat", 5.0 * i, 5.0 * i + 5, "stop") for i, each in enumerate(agents)
        ]
        told = tuple(pairwise(agents))
        found.append(traces(*rows, told=told, run=f"r{number}"))
    made = together(*found)
    runs, roles = runs_of(made.calls), roles_of(made.calls, made.agents)
    shown = find_structure(runs, roles, made.messages)
    assert (shown.kind, shown.lead, shown.agreeing) == (LEAD, "triage", 10)
    twin = build_twin(observed_of(made, runs, roles, shown), "hand-overs")
    assert {len(run["families"]) for run in twin.document["workload"]["runs"]} == {2, 4}


def test_stages_of_alike_runs_are_said_to_be_seen_by_their_times_alone() -> None:
    """No row says that the later work needed the earlier: it may have waited for something else."""
    rows: list[Row] = [(name, "chat", 0.0, 5.0, "stop") for name in ("a", "b")]
    rows.append(("a", "chat", 5.1, 9.0, "stop"))
    made = together(*(traces(*rows, run=f"r{i}") for i in range(3)))
    twin = observe(made, "stages", 2).twin
    assert twin.document["workload"]["kind"] == "map_reduce"
    (assumed,) = twin.document["assumptions"]
    assert assumed.startswith("that a stage needs the work before it")
    assert "tasks: 3" in assumed
