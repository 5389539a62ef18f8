"""Runs of much work differ from runs of little by the powers that the workload says."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.errors import ScenarioError, TeamsimError
from simulator.model.trace import Event, Trace
from simulator.scenario import parse_study
from tests.conftest import agent, run_as_traced, scenario

POWERS = {"at_work": 4, "output": 1, "growth": -1, "tools": 0.5}
"""Of a run of 16 turns: factors of 4, 1/4 and 2."""
LOGNORMAL = {"kind": "lognormal", "sigma": 0.7, "agent_sigma": 0.3}


def worker(**fields: Any) -> dict[str, Any]:
    """Return an agent whose every turn writes 50 tokens and has a tool of 10 s and 80 tokens."""
    said = {
        "loop": {"work_per_turn": 1},
        "tools": {"search": {"weight": 1, "seconds": 10, "result_tokens": 80}},
        "tokens": {"output": 50, "message": 0},
        "context": {
            "system_tokens": 100,
            "board_tokens_per_task": 0,
            "turn_tokens": 12,
            "first_turn_tokens": 20,
        },
    }
    return agent(**(said | fields))


def team(by_work: dict[str, float] | None, work: int = 16, **fields: Any) -> Any:
    said = {"kind": "resampled", "runs": [{"sizes": [work]}]}
    if by_work is not None:
        said["by_work"] = by_work
    fields = {"team__size": 1, "team__agent": worker()} | fields
    return scenario(**fields, workload=said)


def calls(said: Any, replication: int = 0) -> list[tuple[int, int, int]]:
    """Return who made each call, and the tokens that it has read and written."""
    trace = Trace()
    Simulation(said).run(replication, trace)
    return [
        (row.agent, row.input_tokens or 0, row.output_tokens or 0)
        for row in trace.rows
        if row.event in (Event.TURN, Event.CALL_END)
    ]


def test_a_run_has_the_factors_of_its_work() -> None:
    plain, found = (calls(team(each)) for each in (None, POWERS))
    assert [output for _, _, output in plain] == [50] * 16
    assert [output for _, _, output in found] == [200] * 16
    # The first turn adds 20 tokens, later ones 12, the tool 80.
    reads = [each for _, each, _ in plain]
    assert [b - a for a, b in pairwise(reads)][:3] == [150, 142, 142]
    reads = [each for _, each, _ in found]
    assert [b - a for a, b in pairwise(reads)][:3] == [225, 223, 223]
    # 16 calls of a second, and 15 times the tool.
    assert run_as_traced(team(None)).makespan_s == pytest.approx(16 + 15 * 10)
    assert run_as_traced(team(POWERS)).makespan_s == pytest.approx(16 + 15 * 20)


@pytest.mark.parametrize(
    "by_work", [POWERS, {"at_work": 16, "output": -2, "growth": 3, "tools": 1}]
)
def test_a_run_of_that_work_is_as_the_agents_say(by_work: dict[str, float]) -> None:
    work = int(by_work["at_work"])
    alike = run_as_traced(team(by_work, work)), run_as_traced(team(None, work))
    assert alike[0] == alike[1]
    nothing = team({"at_work": 3})
    assert run_as_traced(nothing) == run_as_traced(team(None))


def test_what_is_drawn_is_multiplied_and_drawn_alike() -> None:
    each = worker(
        tokens={"output": {**LOGNORMAL, "median": 5_000, "phase_sigma": 0.4}, "message": 0},
        tools={"search": {"weight": 1, "seconds": {**LOGNORMAL, "median": 30}}},
    )
    powers = {"at_work": 4, "output": 0.5, "tools": -0.5}
    for replication in range(3):
        plain, found = (
            calls(team(by_work, team__agent=each), replication) for by_work in (None, powers)
        )
        for (_, _, before), (_, _, after) in zip(plain, found, strict=True):
            assert abs(after - 2 * before) <= 1
    waits = [
        Simulation(team(by_work, team__agent=each)).run(0).makespan_s - 16
        for by_work in (None, powers)
    ]
    assert waits[1] == pytest.approx(waits[0] / 2)


def test_only_workers_differ() -> None:
    lead = agent(tokens={"output": 7, "message": 0}, context={"board_tokens_per_task": 0})
    helper = worker(loop={"turns": 2})
    tools = {"ask": {"weight": 1, "starts": {"agent": "helper"}}}
    said = team(
        POWERS,
        team__agent=worker(tools=tools),
        team__coordinator=lead,
        team__subagents={"kinds": {"helper": helper}},
        topology="centralised",
        coordination__protocol="lead_assign",
    )
    written: dict[int, set[int]] = {}
    for who, _, output in calls(said):
        written.setdefault(who, set()).add(output)
    assert written.pop(0) == {200}
    assert written.pop(1) == {7}
    assert written
    assert all(each == {50} for each in written.values())


@pytest.mark.parametrize(
    ("by_work", "said"),
    [
        ("{output: 1}", "at_work"),
        ("{at_work: 0}", "at_work"),
        ("{at_work: -2, output: 1}", "at_work"),
        ("{at_work: 5, output: 4}", "output"),
        ("{at_work: 5, tools: .nan}", "tools"),
        ("{at_work: 5, outputs: 1}", "did you mean 'output'"),
        ("3", "by_work"),
    ],
)
def test_powers_that_cannot_be_are_refused_by_name(by_work: str, said: str) -> None:
    text = f"""
name: x
team: {{size: 1, agent: {{latency: {{kind: seconds, base: 1}}}}}}
topology: single
coordination: {{protocol: self_claim}}
workload: {{kind: resampled, runs: [{{sizes: [1]}}], by_work: {by_work}}}
"""
    with pytest.raises(ScenarioError, match=said):
        Simulation(parse_study(text).base)


@pytest.mark.parametrize("name", ["output", "growth", "tools"])
@pytest.mark.parametrize(("at_work", "power"), [(1e-320, 3), (1e-300, 3), (1e-6, 2.5), (1e10, -2)])
def test_factors_that_are_no_numbers_to_reckon_with_are_refused(
    name: str, at_work: float, power: float
) -> None:
    """A power of it would overflow, be infinite, or make counts that no table holds."""
    text = f"""
name: x
team: {{size: 1, agent: {{latency: {{kind: seconds, base: 1}}}}}}
topology: single
coordination: {{protocol: self_claim}}
workload:
  kind: resampled
  runs: [{{sizes: [3, 2]}}, {{sizes: [1]}}]
  by_work: {{at_work: {at_work}, {name}: {power}}}
"""
    with pytest.raises(ScenarioError, match=f"bring 'at_work' .* or '{name}'"):
        Simulation(parse_study(text).base)


@pytest.mark.parametrize(
    ("power", "said"),
    [
        ("output", {"tokens": {"output": 1e6, "message": 0}}),
        ("growth", {"context": {"turn_tokens": 1e6}}),
        ("tools", {"tools": {"search": {"weight": 1, "seconds": 1e6}}}),
    ],
)
def test_constants_times_a_factor_are_refused_like_draws(power: str, said: dict[str, Any]) -> None:
    """A distribution that hardly varies has been refused; a constant as large is, too."""
    found = team({"at_work": 1e-6, power: 1.5}, team__agent=worker(**said))
    with pytest.raises(TeamsimError, match="draws go up to 1e\\+15"):
        run_as_traced(found)


def test_what_turns_add_is_cut_to_whole_tokens_after_it_is_multiplied() -> None:
    """2.75 tokens a turn and a factor of 4 are 11 tokens, not four times 2."""
    plain = {"system_tokens": 100, "board_tokens_per_task": 0}
    few, many = (
        calls(team(by_work, team__agent=worker(context={**plain, "turn_tokens": tokens}, tools={})))
        for by_work, tokens in (({"at_work": 4, "growth": 1}, 2.75), (None, 11))
    )
    assert few == many
