"""The work of runs that were seen: what is drawn together stays together in what agents do."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.errors import ScenarioError
from simulator.model.trace import Event, Trace
from simulator.scenario import parse_study
from tests.conftest import agent, run_as_traced, scenario

SMALL, LARGE = {"sizes": [3, 1], "start_tokens": 5_000}, {"sizes": [2, 2, 2, 2]}


def team(runs: list[dict[str, Any]], size: int = 1, **fields: Any) -> Any:
    each = agent(
        latency={"kind": "seconds", "base": 10},
        loop={"work_per_turn": 1},
        tokens={"output": 50, "message": 0},
        context={"system_tokens": 100, "board_tokens_per_task": 0, "start_tokens": 40},
    )
    said = {"team__size": size, "team__agent": each, **fields}
    return scenario(**said, workload={"kind": "resampled", "runs": runs})


@pytest.mark.parametrize(("size", "makespan_s"), [(1, 40.0), (2, 30.0), (5, 30.0)])
def test_a_task_takes_the_turns_that_it_took_and_no_team_splits_it(
    size: int, makespan_s: float
) -> None:
    m = run_as_traced(team([SMALL], size))
    assert (m.makespan_s, m.tasks) == (makespan_s, 2)
    assert size > 1 or m.calls == 4  # who finds no task asks, too


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize(
    ("seen", "calls"), [({"sizes": [3, 1]}, 4), ({"sizes": [2, 2, 2, 2]}, 8), ({"sizes": [6]}, 6)]
)
def test_requests_in_order_are_no_sooner_done_by_a_team(
    seen: dict[str, Any], calls: int, size: int
) -> None:
    base = team([seen], size)
    workload = base.workload.model_copy(update={"in_order": True})
    m = run_as_traced(base.model_copy(update={"workload": workload}))
    assert (m.makespan_s, m.tasks_done) == (10.0 * calls, len(seen["sizes"]))


def test_what_a_run_says_of_its_order_stands_first() -> None:
    staged = {"sizes": [1, 2, 3], "stages": [1, 2]}
    base = team([staged], 2)
    workload = base.workload.model_copy(update={"in_order": True})
    m = run_as_traced(base.model_copy(update={"workload": workload}))
    assert m.makespan_s == 40.0  # one turn, then two and three at once


@pytest.mark.parametrize(("second", "makespan_s"), [(0, 20.0), (7, 20.0), (25, 35.0)])
def test_a_task_that_appears_later_is_waited_for(second: float, makespan_s: float) -> None:
    seen = {"sizes": [1, 1], "stages": [1, 1], "arrivals_s": [0, second]}
    assert run_as_traced(team([seen], coordination__timing="asynchronous")).makespan_s == makespan_s


@pytest.mark.parametrize(
    ("seen", "begins"), [({"sizes": [1], "start_tokens": 5_000}, 5_100), ({"sizes": [1, 1]}, 140)]
)
def test_workers_begin_with_what_the_run_began_with_or_as_they_say(
    seen: dict[str, Any], begins: int
) -> None:
    trace = Trace()
    begin = {"system_tokens": 7, "board_tokens_per_task": 0, "start_tokens": 0}
    lead = agent(tokens={"output": 0, "message": 0}, context=begin)
    said = team(
        [seen],
        2,
        topology="centralised",
        team__coordinator=lead,
        coordination__protocol="lead_assign",
    )
    Simulation(said).run(0, trace)
    first: dict[int, int] = {}
    for row in trace.rows:
        if row.event is Event.CALL_END and row.input_tokens is not None:
            first.setdefault(row.agent, row.input_tokens)
    assert first[0] == begins
    assert first[2] < 100  # the lead begins as it says


def test_who_loses_the_context_begins_with_as_much_again() -> None:
    fault = {"crash": {"up_s": 25, "repair_s": 5, "keeps_context": False}}
    each = agent(
        latency={"kind": "seconds", "base": 10},
        context={"system_tokens": 100, "board_tokens_per_task": 0},
        tokens={"output": 50, "message": 0},
        faults=fault,
    )
    trace = Trace()
    runs = [{"sizes": [1] * 8, "start_tokens": 5_000}]
    Simulation(
        scenario(team__size=1, team__agent=each, workload={"kind": "resampled", "runs": runs})
    ).run(0, trace)
    ends = [row for row in trace.rows if row.event is Event.CALL_END]
    inputs = [row.input_tokens for row in ends if row.outcome != "failed"]
    assert inputs.count(5_100) >= 2


def test_teams_of_all_sizes_have_the_same_runs() -> None:
    runs = [SMALL, LARGE, {"sizes": [5]}]
    by_size = [
        [simulation.run(i).tasks for i in range(60)]
        for simulation in (Simulation(team(runs, size)) for size in (1, 2, 7))
    ]
    assert by_size[0] == by_size[1] == by_size[2]
    assert set(by_size[0]) == {1, 2, 4}


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ("[]", "runs"),
        ("[{sizes: []}]", "sizes"),
        ("[{sizes: [0]}]", "sizes"),
        ("[{sizes: [1], weight: 0}]", "weight"),
        ("[{sizes: [1], start_tokens: -1}]", "start_tokens"),
        ("[{size: [1]}]", "did you mean 'sizes'"),
        ("3", "runs"),
    ],
)
def test_runs_that_cannot_be_are_refused_by_name(runs: str, said: str) -> None:
    text = f"""
name: x
team: {{size: 1, agent: {{latency: {{kind: seconds, base: 1}}}}}}
topology: single
coordination: {{protocol: self_claim}}
workload: {{kind: resampled, runs: {runs}}}
"""
    with pytest.raises(ScenarioError, match=said):
        Simulation(parse_study(text).base)
