"""Advice where the answer is known, and where it is not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import pytest

from analysis.decisions.advice import (
    ALONE,
    TIME_ONLY,
    Advice,
    Wish,
    advise,
    advising,
    candidates,
    in_words,
    moves,
    thresholds,
)
from analysis.decisions.advice.structures import come_to_the_same, replicate, sized
from analysis.statistics.intervals import Interval
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
            "workload__tasks": 24,
            **fields,
        }
    )


def ask(
    each: Scenario,
    wish: Wish = TIME_ONLY,
    sizes: tuple[int, ...] = (2, 8),
    replications: int = 240,
) -> Advice:
    return advise(each, wish, sizes, replications)


@pytest.mark.slow
def test_work_that_divides_wants_the_largest_team() -> None:
    advice = ask(work())
    assert advice.verdict == "team"
    assert advice.best.startswith("8, ")
    assert advice.gain.low > 0.75
    assert "team is worth it: 8, " in in_words(advice)[0]


@pytest.mark.slow
def test_nothing_is_hedged_where_nothing_is_random() -> None:
    steady = agent(latency={"kind": "seconds", "base": 10}, price=PRICE)
    each = work(team__agent=steady, coordination__protocol="pre_assigned")
    advice = ask(each, sizes=(2, 4))
    assert advice.verdict == "team"
    table = advice.table.set_index("system")
    # Those who claim, and talk, take any of the open tasks; that may matter unseen.
    dealt = table.loc[["one agent", "4, dealt out, nobody talks", "2, dealt out, nobody talks"]]
    assert dealt["replications"].eq(30).all()  # more of them show nothing
    assert dealt["fulfils"].eq("yes").all()
    assert advice.best == "4, dealt out, nobody talks"
    assert advice.gain.low == pytest.approx(0.75)  # 24 calls of 10 s, by one agent or by four
    assert advice.gain.high == pytest.approx(0.75)
    assert "saves 75 % of time over one agent" in in_words(advice)[0]
    priced = dataclasses.replace(advice, break_even=Interval(0.97, 0.97, 0.9705))  # as it is found
    assert "worth more than 0.97 US dollars." in " ".join(in_words(priced))
    # A cost just at the budget is within it.
    usd = float(dealt.loc[advice.best, "cost_usd"])
    assert ask(each, Wish(budget_usd=usd), sizes=(2, 4)).best == advice.best


@pytest.mark.slow
def test_a_chain_wants_one_agent() -> None:
    chain = {"kind": "parallel_fraction", "tasks": 6, "parallel_fraction": 0.0}
    advice = ask(work(workload=chain), sizes=(2,), replications=400)
    assert (advice.verdict, advice.best) == ("alone", ALONE)
    assert in_words(advice)[0].startswith("One agent is enough")


@pytest.mark.slow
def test_heavy_coordination_wants_whoever_does_without_it() -> None:
    slow_lead = agent(latency={"kind": "seconds", "base": 60})
    advice = ask(work(team__coordinator=slow_lead))
    assert advice.verdict == "team"
    assert "coordinator" not in advice.best
    assert "lead" not in advice.best
    led = advice.table[advice.table["structure"] == "a lead hands out the work"]
    alone = advice.table.set_index("system").loc[ALONE, "objective"]
    assert (led["objective"] > alone).all()


@pytest.mark.thorough
def test_agents_that_stall_want_claimed_work() -> None:
    stalling = agent(latency=LOGNORMAL, faults={"stall": 0.05}, behaviour={"talk": 0})
    patterns = {"timeout": {"seconds": 120}, "retry": {"max_retries": 50}}
    advice = ask(
        work(team__agent=stalling, resilience=patterns, provider={"retry": {"max_retries": 0}}),
        sizes=(8,),
    )
    assert advice.best.startswith("8, claimed")
    assert "dealt" not in advice.best


@pytest.mark.slow
def test_a_tight_budget_wants_one_agent() -> None:
    talkative = agent(
        latency=LOGNORMAL,
        price=PRICE,
        behaviour={"talk": 1},
        tokens={"output": 300, "message": 3000},
    )
    priced = work(team__agent=talkative)
    free = ask(priced, sizes=(8,), replications=30)
    alone = free.table.set_index("system").loc[ALONE, "cost_usd"]
    tight = ask(priced, Wish(budget_usd=0.3 * alone), (8,))
    assert tight.verdict == "neither"
    assert "Nothing that was tried" in in_words(tight)[0]
    within = ask(priced, Wish(budget_usd=1.02 * alone), (8,))
    table = within.table.set_index("system")
    assert table.loc[within.best, "cost_usd"] <= 1.02 * alone
    assert (table.loc[table["fulfils"] == "yes", "cost_usd"] <= 1.02 * alone).all()
    assert (table.loc[table["cost_usd"] > 1.5 * alone, "fulfils"] == "no").all()
    # Where time is worth nothing, only what is cheaper than one agent could win.
    thrifty = ask(priced, Wish(usd_per_hour=0.0), (8,))
    cheapest = thrifty.table["objective"].min()
    assert thrifty.table.set_index("system").loc[thrifty.best, "objective"] < 1.05 * cheapest


@pytest.mark.slow
def test_on_a_tie_it_says_so() -> None:
    """With fixed durations, pre-assigned and claimed tasks take the same time to the second."""
    same = work(team__agent=agent(behaviour={"talk": 0}), workload__tasks=8)
    advice = ask(same, sizes=(4,), replications=800)
    assert advice.verdict == "team"
    assert advice.p_best >= 0.95
    tied = {"4, dealt out, nobody talks", "4, claimed from one queue, nobody talks"}
    assert tied < {advice.best, *advice.as_good}
    assert any("As good to within 1 %" in line for line in in_words(advice))
    few = advise(same, TIME_ONLY, (4,), replications=20, first=20)
    # Of 20 runs some may have failed unseen, where agents take any of the open tasks.
    assert "4, claimed from one queue, nobody talks" in {few.best, *few.as_good}
    assert "4, claimed, everybody talks" in few.not_excluded
    assert any("Perhaps as good, but not known" in line for line in in_words(few))


def test_it_is_open_when_the_interval_says_so() -> None:
    noisy = work(
        team__agent=agent(latency=exponential(10.0)),
        workload={"kind": "parallel_fraction", "tasks": 20, "parallel_fraction": 0.09},
    )
    advice = advise(noisy, TIME_ONLY, (2,), replications=10, first=10)
    assert advice.gain.low < 0.05 < advice.gain.high
    assert advice.verdict == "open"
    assert "It is open" in in_words(advice)[0]


@pytest.mark.slow
def test_a_team_that_costs_more_has_a_price_from_which_it_pays() -> None:
    # Each agent reads its long instructions once at the full price, and then from its cache.
    instructed = agent(
        latency=LOGNORMAL,
        price={**PRICE, "cached_input_per_mtok": 0.1 * PRICE["input_per_mtok"]},
        context={"system_tokens": 100_000},
    )
    advice = ask(work(team__agent=instructed), Wish(usd_per_hour=1000.0), (4,))
    assert advice.verdict == "team"
    assert advice.break_even is not None
    assert advice.break_even.low <= advice.break_even.estimate <= advice.break_even.high < 1000


@pytest.mark.slow
def test_the_nearest_threshold_is_where_the_answer_changes() -> None:
    mostly_serial = {"kind": "parallel_fraction", "tasks": 40, "parallel_fraction": 0.2}
    each = work(workload=mostly_serial)
    advice = ask(each, sizes=(8,))
    assert advice.verdict == "team"
    varied = ("workload.parallel_fraction", "no.such.number")
    found = thresholds(each, advice, parameters=varied, replications=60)
    assert found[0].parameter == varied[0]
    nearest = {threshold.parameter: threshold for threshold in found}
    fraction = nearest["workload.parallel_fraction"]
    assert 0.02 < fraction.low < fraction.then < fraction.high <= 0.1 < fraction.now
    below = work(workload={**mostly_serial, "parallel_fraction": fraction.low})
    assert ask(below, sizes=(8,)).verdict in ("alone", "open")


@pytest.mark.parametrize(
    ("low", "said"), [(3.0, "costs more than one agent, and"), (0.0, "is open")]
)
def test_a_team_costs_more_only_where_that_is_known(low: float, said: str) -> None:
    advice = ask(work(), sizes=(2,), replications=30)
    dearer = dataclasses.replace(advice, break_even=Interval(9.0, low, 20.0))
    (line,) = [line for line in in_words(dearer) if "pays if an hour" in line]
    assert said in line


def test_the_scenarios_own_structure_is_tried() -> None:
    ring = work(topology="ring")
    assert "4, as it is" in candidates(ring, [4])
    listed = work(coordination__protocol={"kind": "pre_assigned"})
    assert "4, as it is" not in candidates(listed, [4])  # it is one of those tried anyway


@pytest.mark.slow
def test_the_scenarios_own_structure_is_not_its_own_rival_under_another_name() -> None:
    silent = agent(latency=LOGNORMAL, behaviour={"talk": 0})
    mesh = work(team__agent=silent, topology="decentralised", coordination__protocol="pre_assigned")
    advice = ask(mesh, sizes=(8,), replications=60)
    assert advice.same_as_own == "dealt out, nobody talks"
    assert not advice.table["system"].str.contains("as it is").any()
    assert any("own structure came to the same" in line for line in in_words(advice))
    assert any("8 is the largest size that was tried" in line for line in in_words(advice))
    table = advice.table.assign(behind=0.0)  # a smaller team takes no more
    level = dataclasses.replace(advice, table=table)
    assert not any("largest size that was tried" in line for line in in_words(level))
    says = {"behaviour": {"talk": 1}, "tokens": {"output": 300, "message": 900}}
    talkative = work(team__agent=agent(latency=LOGNORMAL, **says), topology="ring")
    assert ask(talkative, sizes=(4,)).same_as_own == ""


@pytest.mark.slow
def test_teams_that_come_to_the_same_are_simulated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 16 agents that are dealt 12 tasks four have nothing to do. 240 equal runs must show it."""
    made: dict[str, int] = {}
    silent = agent(latency=LOGNORMAL, behaviour={"talk": 0})

    def counted(systems: dict[str, Scenario], count: int, *others: Any) -> dict[str, pd.DataFrame]:
        for name in systems:
            made[name] = count
        return replicate(systems, count, *others)

    monkeypatch.setattr(advising, "replicate", counted)
    each = work(team__agent=silent, workload__tasks=12)
    advice = ask(each, sizes=(12, 16), replications=480)
    dealt = [f"{n}, dealt out, nobody talks" for n in (12, 16)]
    assert [made[name] for name in dealt] == [480, 240]
    table = advice.table.set_index("system")
    assert table.loc[dealt, "replications"].tolist() == [480, 480]
    # What is put in their place is what they would have come to.
    systems = candidates(each, [12, 16])
    one, other = replicate({name: systems[name] for name in dealt}, 480, 1, None).values()
    assert come_to_the_same(one, other)
    assert not come_to_the_same(one, other.assign(makespan_s=other["makespan_s"] + 1e-9))


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


def test_groups_keep_their_shares_of_a_team() -> None:
    groups = {"a": {"size": 1, "agent": agent()}, "b": {"size": 3, "agent": agent()}}
    team = scenario(team={"groups": groups})
    assert sized(team, 8) == {"team.groups.a.size": 2, "team.groups.b.size": 6}
    assert sized(team, 3) == {"team.groups.a.size": 1, "team.groups.b.size": 2}
    assert sized(team, 1) == {"team.groups.a.size": 0, "team.groups.b.size": 1}
    found = candidates(team, [2, 4])
    assert found["one agent"].team.worker_count == 1
    assert {each.team.worker_count for each in found.values()} == {1, 2, 4}


@pytest.mark.slow
def test_runs_that_do_not_finish_are_started_again() -> None:
    """One agent finishes about half of its runs before the deadline: it takes twice a run and
    more, and the words say how many finished."""
    late = work(workload__tasks=12, limits={"deadline_s": 130})
    advice = advise(late, TIME_ONLY, (4,), replications=240)
    alone = advice.table.set_index("system").loc[ALONE]
    assert 0.2 < alone["success"] < 0.8
    assert alone["time_to_success_s"] == pytest.approx(alone["makespan_s"] / alone["success"])
    assert alone["objective"] == pytest.approx(alone["time_to_success_s"])
    assert advice.verdict == "team"
    said = f"{alone['finished']} of {alone['replications']} runs of one agent"
    assert any(said in line for line in in_words(advice))


def test_a_deadline_that_nobody_meets_is_said() -> None:
    hopeless = work(limits={"deadline_s": 1})
    advice = advise(hopeless, TIME_ONLY, (2, 4))
    assert advice.verdict == "neither"
    assert "Nothing that was tried finishes: not one of" in in_words(advice)[0]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_teams_that_are_stuck_at_once_are_no_free_teams() -> None:
    stuck = work(
        team__agent=agent(faults={"stall": 1}, price=PRICE), coordination__protocol="pre_assigned"
    )
    advice = advise(stuck, TIME_ONLY, (2, 4))
    assert advice.verdict == "neither"
    assert "Nothing that was tried finishes: not one of" in in_words(advice)[0]
    assert "yes" not in set(advice.table["fulfils"])


def test_a_team_is_not_compared_with_one_agent_that_never_finished() -> None:
    hurried = work(workload__tasks=16, limits={"deadline_s": 15})
    advice = advise(hurried, TIME_ONLY, (16,), replications=60)
    alone = advice.table.set_index("system").loc[ALONE]
    assert (alone["finished"], advice.verdict) == (0, "open")
    said = " ".join(in_words(advice))
    assert f"one agent finished none of {alone['replications']} runs" in said
    assert "inf %" not in said
    assert "saves" not in said
    assert "0.0 % is wanted" not in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"indifference": -0.01}, "indifference is -0.01: it must be between 0 and 0.5"),
        ({"confidence": 1.0}, r"confidence is 1.0: it must be between 0.5 and 0.99"),
        ({"min_quality": 1.5}, r"min_quality is 1.5"),
        ({"budget_usd": float("nan")}, r"budget_usd is nan"),
        ({"usd_per_hour": float("inf")}, r"usd_per_hour is inf"),
        ({"worth": 2.0}, r"worth is 2.0"),
    ],
)
def test_a_wish_out_of_range_is_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(TeamsimError, match=message):
        Wish(**changes)


def test_one_replication_tells_nothing_apart() -> None:
    with pytest.raises(TeamsimError, match="at least 2 replications"):
        advise(work(), TIME_ONLY, (2,), replications=1)
    with pytest.raises(TeamsimError, match="no team to compare"):
        advise(work(), TIME_ONLY, (1,))


# Same agents, same tests: in truth all teams get as much right as one agent, and eight that claim
# are 14 % quicker than eight that are dealt their tasks. With 12 tasks a run, 30 runs differ in
# quality by 2.5 points (one standard error), more than the two points that are allowed.
@pytest.mark.thorough
def test_equal_agents_are_not_excluded_for_their_quality() -> None:
    half_caught = {"probability": 0.4, "detection": 0.5}
    for seed in range(8):
        equal = work(
            seed=seed,
            team__agent=agent(latency=LOGNORMAL, errors=half_caught),
            workload__tasks=12,
        )
        advice = advise(equal, TIME_ONLY, (2, 8), replications=480)
        assert advice.best.startswith("8, claimed"), seed
        assert "no" not in set(advice.table["fulfils"]), seed


def building(**fields: Any) -> Scenario:
    """Return a team whose agents build at one CI after each turn but the last."""
    build = {"build": {"seconds": {"kind": "exponential", "mean": 10}, "station": "ci"}}
    who = agent(latency=LOGNORMAL, loop={"turns": 5}, tools=build, **fields)
    return work(team__agent=who, stations={"ci": {}}, workload__tasks=12)


@pytest.mark.thorough
def test_a_second_place_at_a_busy_station_is_what_helps() -> None:
    each = building(context={"cache": {"life_s": 300}, "board_tokens_per_task": 0})
    advice = ask(each, sizes=(6,), replications=60)
    found = moves(each, advice, replications=30)
    assert [move.parameter for move in found] == [
        "stations.ci.concurrency",
        "team.agent.context.cache.life_s",
    ]
    places, life = found
    assert (places.now, places.then, life.then) == (1, 2, 3600)
    # Almost half of the time is the CI's: six agents keep two places busy too, but for the ends.
    assert 0.25 < places.saves.low < places.saves.estimate < places.saves.high < 0.6
    assert life.saves.estimate == 0.0
    said = in_words(dataclasses.replace(advice, moves=found))[-1]
    assert said.startswith("What else would help 6, ")
    assert "stations.ci.concurrency 2 (now 1) saves" in said
    assert "life_s" not in said


@pytest.mark.thorough
def test_more_sub_agents_than_there_is_work_for_do_not_help() -> None:
    helper = agent(loop={"turns": 3})
    ask_them = {"ask": {"starts": {"agent": "helper"}, "calls": 4}}
    team = {
        "size": 1,
        "agent": agent(latency=LOGNORMAL, loop={"turns": 2}, tools=ask_them),
        "subagents": {"kinds": {"helper": helper}},
    }
    each = scenario(team=team, coordination__timing="asynchronous", workload__tasks=4)
    advice = ask(each, sizes=(2,), replications=60)
    found = moves(each, advice, replications=20)
    assert {(move.parameter, move.then) for move in found} == {
        ("team.agent.tools.ask.calls.value", 2),
        ("team.agent.tools.ask.calls.value", 8),
    }
    assert "No other change" in in_words(dataclasses.replace(advice, moves=found))[-1]


@pytest.mark.thorough
def test_what_changes_the_answer_may_be_the_time_of_a_tool() -> None:
    each = building()
    advice = ask(each, sizes=(2,), replications=60)
    assert advice.verdict == "team"
    nearest = thresholds(each, advice, Wish(worth=0.3), replications=15)
    assert "team.agent.tools.build.seconds.mean" in {found.parameter for found in nearest}
