"""A detector that takes most calls for stuck is said before anything is run."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.experiment.estimate import estimate
from simulator.scenario import Scenario
from simulator.scenario.loading import parse_study
from tests.conftest import agent, run, scenario


def said(progress_s: float | None, who: dict[str, Any] | None = None, **fields: Any) -> str | None:
    detector = {} if progress_s is None else {"progress_s": progress_s}
    each = scenario(team__agent=who or agent(), resilience={"detector": detector}, **fields)
    return notes(each)


def notes(each: Scenario) -> str | None:
    (point,) = parse_study(each.model_dump_json(by_alias=True, exclude_unset=True)).points
    found = estimate([point]).notes()
    return found[0] if found else None


def lasting(seconds: Any) -> dict[str, Any]:
    return agent(latency={"kind": "seconds", "base": seconds})


GROUPS = {"agent": lasting(60), "groups": {"quick": {"size": 2, "agent": lasting(1)}}}
LONG_TAIL = {"kind": "lognormal", "median": 10, "sigma": 1.5}  # its mean is 31
SLOW_RUNS = {"kind": "deterministic", "value": 10, "run_sigma": 0.9, "agent_sigma": 1.2}


@pytest.mark.parametrize(
    ("progress_s", "who", "what"),
    [
        (9, lasting(10), "half of the calls take 10 s or more"),
        (10, lasting(10), None),
        (None, lasting(10), None),
        (9, lasting(LONG_TAIL), "half of the calls take 10 s"),
        (11, lasting(LONG_TAIL), None),
        (
            9,
            lasting({"kind": "pareto", "minimum": 10, "shape": 0.5}),
            "half of the calls take 40 s",
        ),
        (4, {**lasting(10), "speed": 2}, "half of the calls take 5 s"),
        (6, {**lasting(10), "speed": 2}, None),
        (
            5,
            agent(
                latency={"kind": "tokens", "base_s": 1, "output_s_per_1k": 10},
                tokens={"output": 600},
            ),
            "half of the calls take 7 s",
        ),
        (
            30,
            agent(latency={"kind": "seconds", "per_work_unit_s": 40}),
            "half of the calls take 40 s",
        ),
        (
            30,
            agent(latency={"kind": "seconds", "per_work_unit_s": 40}, loop={"turns": 4}),
            None,
        ),
    ],
)
def test_a_time_that_is_shorter_than_half_of_the_calls_is_said(
    progress_s: float | None, who: dict[str, Any], what: str | None
) -> None:
    found = said(progress_s, who)
    if what is None:
        assert found is None
    else:
        assert found is not None
        assert what in found
        assert f"progress_s is {progress_s:g} s" in found
        assert "limits.max_calls (10,000,000)" in found


@pytest.mark.parametrize(
    ("resilience", "who", "warns"),
    [
        ({"timeout": {"seconds": 9}}, lasting(10), True),
        ({"timeout": {"seconds": 9}, "retry": {"max_retries": 5}}, lasting(10), True),
        ({"timeout": {"seconds": 9}, "fallback": {}}, lasting(10), False),  # it takes over
        ({"timeout": {"seconds": 9, "percentile": 0.9}}, lasting(10), False),
        ({"timeout": {"seconds": 11}}, lasting(10), False),
        # A tenth of the calls take less than 10 s * exp(-1.28 * 1.5) = 1.46 s.
        ({"timeout": {"seconds": 1.4}}, lasting(LONG_TAIL), True),
        ({"timeout": {"seconds": 1.5}}, lasting(LONG_TAIL), False),
        # In a tenth of the runs, calls take less than 10 s * exp(-1.28 * 1.5).
        ({"timeout": {"seconds": 1.4}}, lasting(SLOW_RUNS), True),
        ({"timeout": {"seconds": 1.5}}, lasting(SLOW_RUNS), False),
    ],
)
def test_a_time_out_within_which_hardly_a_call_ends_is_said(
    resilience: dict[str, Any], who: dict[str, Any], warns: bool
) -> None:
    found = notes(scenario(team__agent=who, resilience=resilience))
    assert (found is not None) == warns
    if found is not None:
        assert "nine in ten of the calls take" in found
        assert "limits.max_calls (10,000,000)" in found


@pytest.mark.parametrize(
    ("tool", "what"),
    [
        ({"seconds": 600}, "half of the calls of tool 'ask' take 600 s"),
        ({"seconds": 600, "timeout_s": 90}, "half of the calls of tool 'ask' take 90 s"),
        ({"seconds": 600, "background": True}, None),
        ({"seconds": 600, "probability": 0}, None),
        ({"seconds": 20}, None),
    ],
)
def test_tools_are_time_without_progress(tool: dict[str, Any], what: str | None) -> None:
    found = said(30, {**agent(), "loop": {"turns": 3}, "tools": {"ask": tool}})
    assert (found is None) if what is None else (what in (found or ""))


@pytest.mark.parametrize(
    ("resilience", "by_work", "what"),
    [
        # Runs of 16 and of 4 units, four times as many of these: as much work of each.
        ({"timeout": {"seconds": 4}}, {"at_work": 16, "output": 1}, None),  # a quarter of 5 s
        ({"timeout": {"seconds": 4}}, {"at_work": 4, "output": -1}, None),
        ({"timeout": {"seconds": 19}}, {"at_work": 1, "output": 1}, "turns take 20 s"),
        ({"timeout": {"seconds": 4}}, {"at_work": 16, "growth": 3}, "turns take 5 s"),
        ({"detector": {"progress_s": 14}}, {"at_work": 4, "output": -0.5}, "'ask' take 15 s"),
        ({"detector": {"progress_s": 14}}, {"at_work": 16, "tools": 0.5}, None),  # 7.5 s
        ({"detector": {"progress_s": 29}}, {"at_work": 1, "tools": 0.5}, "'ask' take 30 s"),
    ],
)
def test_what_runs_of_much_or_little_work_take_is_told_by_their_factors(
    resilience: dict[str, Any], by_work: dict[str, float], what: str | None
) -> None:
    runs = [{"sizes": [8, 8]}, {"sizes": [2, 2], "weight": 4}]
    who = agent(
        latency={"kind": "tokens", "base_s": 0, "output_s_per_1k": 100},
        tokens={"output": 50},
        loop={"work_per_turn": 1},
        tools={"ask": {"weight": 1, "seconds": 15}},
    )
    workload = {"kind": "resampled", "runs": runs, "by_work": by_work}
    found = notes(scenario(team__agent=who, resilience=resilience, workload=workload))
    assert (found is None) if what is None else (what in (found or ""))


def test_turns_of_sub_agents_are_progress_of_who_waits_for_them() -> None:
    kind = {"latency": {"kind": "seconds", "base": 8}, "loop": {"turns": 10}, "tools": {"go": None}}
    who = {**agent(), "loop": {"turns": 2}, "tools": {"go": {"starts": {"agent": "helper"}}}}
    for progress_s, warns in ((7, True), (9, False)):
        team = {"size": 1, "agent": who, "subagents": {"kinds": {"helper": kind}}}
        each = scenario(team=team, resilience={"detector": {"progress_s": progress_s}})
        found = notes(each)
        assert (found is not None) == warns
        assert not warns or "half of the turns of sub-agents 'helper' take 8 s" in (found or "")


@pytest.mark.parametrize(
    ("starts", "most", "warns"),
    [
        ({"starts": {"agent": "below"}}, None, True),  # which starts helpers
        ({"starts": {"agent": "below"}, "probability": 0}, None, False),
        ({"starts": {"agent": "below"}}, 0, False),
        ({}, None, False),
    ],
)
def test_sub_agents_whom_nobody_starts_are_not_warned_of(
    starts: dict[str, Any], most: int | None, warns: bool
) -> None:
    slow = {**lasting(60), "loop": {"turns": 2}, "tools": {"go": None}}
    below = {**agent(), "loop": {"turns": 2}, "tools": {"go": {"starts": {"agent": "helper"}}}}
    who = {**agent(), "loop": {"turns": 2}, "tools": {"go": starts}}
    kinds = {"helper": slow, "below": below}
    team = {"size": 1, "agent": who, "subagents": {"kinds": kinds, "max_total": most}}
    found = notes(scenario(team=team, resilience={"timeout": {"seconds": 30}})) or ""
    assert ("turns of sub-agents 'helper' take 60 s" in found) == warns


def test_coordinators_are_watched_too() -> None:
    slow = {"latency": {"kind": "seconds", "base": 50}}
    found = said(30, topology="centralised", coordination__protocol="lead_assign",
                 team__coordinator=slow)  # fmt: skip
    assert "half of the calls of the coordinator take 50 s" in (found or "")


@pytest.mark.parametrize(
    ("fields", "whose"),
    [
        ({"team__verifier": lasting(60)}, None),  # nothing is reviewed
        ({"team__verifier": lasting(60), "team__size": 2, "coordination__review": {"by": "peers"}},
         None),
        ({"team__verifier": lasting(60), "coordination__review": {"by": "verifiers"}}, "verifier"),
        ({"team__coordinator": lasting(60), "topology": "independent"}, None),
        ({"team__coordinator": lasting(60), "topology": "centralised"}, "coordinator"),
        ({"team": GROUPS}, None),  # nobody is of the agent that groups replace
        ({"team": GROUPS, "topology": "centralised"}, "coordinator"),
        ({"team": {"groups": {**GROUPS["groups"], "none": {"size": 0, "agent": lasting(60)}}}},
         None),
    ],
)  # fmt: skip
def test_the_calls_of_nobody_are_not_warned_of(fields: dict[str, Any], whose: str | None) -> None:
    found = notes(scenario(**fields, resilience={"timeout": {"seconds": 30}})) or ""
    assert ("time out" in found) == (whose is not None)
    assert whose is None or f"nine in ten of the calls of the {whose} take 60 s" in found


def test_whose_calls_time_out_is_said() -> None:
    groups = {"quick": {"size": 2, "agent": lasting(3)}, "slow": {"size": 1, "agent": lasting(60)}}
    found = notes(scenario(team={"groups": groups}, resilience={"timeout": {"seconds": 9}}))
    assert "nine in ten of the calls of group 'slow' take 60 s or more" in (found or "")


IMMEDIATE = {"kind": "self_claim", "claims": "immediate"}


@pytest.mark.parametrize(
    ("fields", "warns"),
    [
        ({"coordination__protocol": {**IMMEDIATE, "lease_s": 9}}, "coordination.protocol.lease_s"),
        ({"coordination__protocol": {**IMMEDIATE, "lease_s": 10}}, None),
        ({"coordination__protocol": {**IMMEDIATE, "lease_s": 9}, "team__size": 1}, None),
        ({"coordination__protocol": {**IMMEDIATE, "lease_s": 9, "completion": "anyone"}}, None),
        ({"coordination__protocol": {"kind": "self_claim", "lease_s": 9}}, None),  # at the end
        ({"workspace": {"kind": "locks", "lease_s": 9}, "team__size": 1}, "workspace.lease_s"),
        ({"workspace": {"kind": "locks", "lease_s": 11}}, None),
        ({"workspace": "locks"}, None),
    ],
)
def test_a_lease_within_which_hardly_a_call_ends_is_said(
    fields: dict[str, Any], warns: str | None
) -> None:
    found = notes(scenario(**{"team__size": 2, **fields, "team__agent": lasting(10)}))
    assert (found is not None) == (warns is not None)
    if warns is not None and found is not None:
        assert f"{warns} is 9 s, and nine in ten of the calls take 10 s or more" in found
        assert "limits.max_calls (10,000,000)" in found


GEOMETRIC = {"end_probability": 0.02}  # one in ten loops has at most 6 turns


@pytest.mark.parametrize(
    ("loop", "lease", "warns"),
    [
        ({"turns": 5}, {"lease_rounds": 3}, "lease_rounds is 3, a round is a turn"),
        ({"turns": 5}, {"lease_rounds": 4}, None),
        ({"turns": 9, "max_turns": 5}, {"lease_rounds": 4}, None),
        ({"work_per_turn": 0.2}, {"lease_rounds": 3}, "take 5 turns or more"),
        (GEOMETRIC, {"lease_rounds": 4}, "take 6 turns or more"),
        (GEOMETRIC, {"lease_rounds": 5}, None),
        ({"turns": 5}, {"lease_rounds": 3, "completion": "anyone"}, None),
        ({"turns": 5}, {"lease_s": 49}, "nine in ten of the loops take 50 s or more"),
        ({"turns": 5}, {"lease_s": 50}, None),
    ],
)
def test_a_lease_within_which_hardly_a_loop_ends_is_said(
    loop: dict[str, Any], lease: dict[str, Any], warns: str | None
) -> None:
    found = notes(
        scenario(
            team={"size": 2, "agent": {**lasting(10), "loop": loop}},
            coordination={"protocol": {**IMMEDIATE, **lease}, "round_of": "turn"},
        )
    )
    assert (found is not None) == (warns is not None)
    assert warns is None or warns in (found or "")


def test_a_lease_in_rounds_is_long_enough_where_a_round_is_a_whole_loop() -> None:
    lease = {**IMMEDIATE, "lease_rounds": 1}
    team = {"size": 2, "agent": {**lasting(10), "loop": {"turns": 5}}}
    assert notes(scenario(team=team, coordination={"protocol": lease})) is None


@pytest.mark.parametrize(("lease_rounds", "outcome"), [(2, "max_calls"), (4, "completed")])
def test_a_run_with_a_lease_in_rounds_that_is_warned_of_may_end_only_with_its_limit(
    lease_rounds: int, outcome: str
) -> None:
    metrics = run(
        team={"size": 2, "agent": {**lasting(10), "loop": {"turns": 5}}},
        coordination={
            "protocol": {**IMMEDIATE, "lease_rounds": lease_rounds},
            "timing": "rounds",
            "round_of": "turn",
        },
        workload__tasks=3,
        limits={"max_calls": 500},
    )
    assert metrics.outcome == outcome


@pytest.mark.parametrize(
    "fields",
    [
        {"coordination__protocol": {**IMMEDIATE, "choice": "first", "lease_s": 9}},
        {"workspace": {"kind": "locks", "lease_s": 9}},
    ],
)
def test_a_run_with_a_lease_that_is_warned_of_may_end_only_with_its_limit(
    fields: dict[str, Any],
) -> None:
    metrics = run(
        team={"size": 2, "agent": lasting(10)},
        coordination__timing="asynchronous",
        workload__tasks=1,
        limits={"max_calls": 50},
        **fields,
    )
    assert (metrics.outcome, metrics.tasks_done) == ("max_calls", 0)
    assert metrics.lease_expiries >= 40


def test_a_run_that_is_warned_of_ends_only_with_its_limit() -> None:
    metrics = run(
        team__agent=lasting(10),
        resilience={"detector": {"progress_s": 9}},
        limits={"max_calls": 200},
    )
    assert metrics.outcome == "max_calls"
    assert metrics.tasks_done == 0
