"""Advice where the answer is known, and where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.advice import ALONE, TIME_ONLY, Advice, Wish, advise, candidates, in_words, thresholds
from simulator.errors import TeamsimError
from simulator.scenario import Scenario
from tests.conftest import agent, exponential, scenario

LOGNORMAL = {"kind": "seconds", "base": {"kind": "lognormal", "median": 10, "sigma": 0.5}}
PRICE = {"input_per_mtok": 3, "output_per_mtok": 15}


def work(**fields: Any) -> Scenario:
    return scenario(
        **{
            "team__size": 4,
            "team__agent": agent(latency=LOGNORMAL, behaviour={"talk": 1}),
            "coordination__timing": "asynchronous",
            "workload__tasks": 60,
            **fields,
        }
    )


def ask(each: Scenario, wish: Wish = TIME_ONLY, sizes: tuple[int, ...] = (2, 4, 8)) -> Advice:
    return advise(each, wish, sizes, replications=120, first=20)


def test_work_that_divides_wants_the_largest_team() -> None:
    advice = ask(work())
    assert advice.verdict == "team"
    assert advice.best.startswith("8, ")
    assert advice.gain.low > 0.75
    assert "A team is worth it: 8, " in in_words(advice)[0]


def test_a_chain_wants_one_agent() -> None:
    chain = {"kind": "parallel_fraction", "tasks": 40, "parallel_fraction": 0.0}
    advice = ask(work(workload=chain))
    assert (advice.verdict, advice.best) == ("alone", ALONE)
    assert in_words(advice)[0].startswith("One agent is enough")


def test_heavy_coordination_wants_whoever_does_without_it() -> None:
    slow_lead = agent(latency={"kind": "seconds", "base": 60})
    advice = ask(work(team__coordinator=slow_lead))
    assert advice.verdict == "team"
    assert "coordinator" not in advice.best
    assert "lead" not in advice.best
    led = advice.table[advice.table["structure"] == "a lead hands out the work"]
    alone = advice.table.set_index("system").loc[ALONE, "objective"]
    assert (led["objective"] > alone).all()


def test_agents_that_stall_want_claimed_work() -> None:
    stalling = agent(latency=LOGNORMAL, faults={"stall": 0.05}, behaviour={"talk": 0})
    patterns = {"timeout": {"seconds": 120}, "retry": {"max_retries": 50}}
    advice = ask(
        work(team__agent=stalling, resilience=patterns, provider={"retry": {"max_retries": 0}})
    )
    assert advice.best.startswith("8, claimed")
    assert "dealt" not in advice.best


def test_a_tight_budget_wants_one_agent() -> None:
    talkative = agent(
        latency=LOGNORMAL,
        price=PRICE,
        behaviour={"talk": 1},
        tokens={"output": 300, "message": 3000},
    )
    priced = work(team__agent=talkative)
    free = ask(priced)
    alone = free.table.set_index("system").loc[ALONE, "cost_usd"]
    tight = ask(priced, Wish(budget_usd=0.5 * alone))
    assert tight.verdict == "neither"
    assert "Nothing that was tried" in in_words(tight)[0]
    within = ask(priced, Wish(budget_usd=1.02 * alone))
    fulfils = within.table[within.table["fulfils"]]
    assert (fulfils["cost_usd"] <= 1.02 * alone).all()
    # Where time is worth nothing, only what is cheaper than one agent could win.
    thrifty = ask(priced, Wish(usd_per_hour=0.0))
    cheapest = thrifty.table["objective"].min()
    assert thrifty.table.set_index("system").loc[thrifty.best, "objective"] < 1.05 * cheapest


def test_on_a_tie_it_says_so() -> None:
    """Fixed durations: dealing and claiming are the same to the second."""
    same = work(team__agent=agent(behaviour={"talk": 0}))
    advice = ask(same, sizes=(4,))
    assert advice.verdict == "team"
    assert advice.p_best < 0.95
    assert advice.as_good
    words = " ".join(in_words(advice))
    assert "as good, as far as one can tell" in words


def test_it_is_open_when_the_interval_says_so() -> None:
    noisy = work(
        team__agent=agent(latency=exponential(10.0)),
        workload={"kind": "parallel_fraction", "tasks": 20, "parallel_fraction": 0.09},
    )
    advice = advise(noisy, TIME_ONLY, (2,), replications=10, first=10)
    assert advice.gain.low < 0.05 < advice.gain.high
    assert advice.verdict == "open"
    assert "It is open" in in_words(advice)[0]


def test_a_team_that_costs_more_has_a_price_from_which_it_pays() -> None:
    talkative = agent(
        latency=LOGNORMAL,
        price=PRICE,
        behaviour={"talk": 1},
        tokens={"output": 300, "message": 900},
    )
    advice = ask(work(team__agent=talkative, topology="decentralised"), Wish(usd_per_hour=1000.0))
    assert advice.verdict == "team"
    if advice.break_even is not None:
        assert advice.break_even.estimate < 1000


def test_the_nearest_threshold_is_where_the_answer_changes() -> None:
    mostly_serial = {"kind": "parallel_fraction", "tasks": 40, "parallel_fraction": 0.3}
    each = work(workload=mostly_serial)
    advice = ask(each)
    assert advice.verdict == "team"
    found = thresholds(each, advice, replications=40)
    nearest = {threshold.parameter: threshold for threshold in found}
    fraction = nearest["workload.parallel_fraction"]
    assert 0.03 < fraction.then < 0.15 < fraction.now
    below = work(workload={**mostly_serial, "parallel_fraction": 0.5 * fraction.then})
    assert ask(below).verdict in ("alone", "open")


def test_the_scenarios_own_structure_is_tried() -> None:
    ring = work(topology="ring")
    assert "4, as it is" in candidates(ring, [4])
    listed = work(coordination__protocol={"kind": "pre_assigned"})
    assert "4, as it is" not in candidates(listed, [4])  # it is one of those tried anyway


def test_the_scenarios_own_structure_is_not_its_own_rival_under_another_name() -> None:
    silent = agent(latency=LOGNORMAL, behaviour={"talk": 0})
    mesh = work(team__agent=silent, topology="decentralised", coordination__protocol="pre_assigned")
    advice = ask(mesh, sizes=(4, 8))
    assert advice.same_as_own == "dealt out, nobody talks"
    assert not advice.table["system"].str.contains("as it is").any()
    assert any("own structure comes to the same" in line for line in in_words(advice))
    assert any("8 is the largest size that was tried" in line for line in in_words(advice))
    says = {"behaviour": {"talk": 1}, "tokens": {"output": 300, "message": 900}}
    talkative = work(team__agent=agent(latency=LOGNORMAL, **says), topology="ring")
    assert ask(talkative, sizes=(4,)).same_as_own == ""


def test_what_one_agent_cannot_have_is_named() -> None:
    led = work(
        topology="centralised",
        faults=[{"at_s": 5, "kind": "kill", "agent": "coordinator"}],
    )
    with pytest.raises(TeamsimError, match=r"no coordinator in this team.*leave that out"):
        candidates(led, [2])


def test_a_scenario_that_stops_early_is_replicated_as_often_as_it_takes() -> None:
    precise = work(precision={"relative": 0.5, "minimum": 2})
    advice = advise(precise, TIME_ONLY, (2,), replications=30, first=10)
    assert (advice.table["replications"] >= 10).all()


def test_groups_have_no_size_to_advise_on() -> None:
    groups = {"a": {"size": 2, "agent": agent()}}
    with pytest.raises(TeamsimError, match=r"give 'team.size', not 'team.groups'"):
        candidates(scenario(team={"groups": groups}), [2])
