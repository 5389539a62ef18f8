"""The stack adds up, and one cause alone is found under its name."""

from __future__ import annotations

import math
from typing import Any

import pytest

from analysis.breakdown.causes import CAUSES, time_by_cause
from analysis.breakdown.speedup_stack import _means, losses, speedup_stacks
from analysis.breakdown.waiting import WITHHELD, Course, _board, _rounds
from analysis.statistics.intervals import mean_interval
from simulator.engine import Simulation
from simulator.model.trace import Event, Row, Trace
from simulator.scenario import Point, Scenario
from tests.conftest import agent, exponential, scenario
from tests.engine.test_every_combination import of_many


def stack(baseline: dict[str, Any] | None = None, **fields: Any) -> dict[str, float]:
    team = scenario(**fields)
    alone = scenario(
        **{
            **fields,
            "team__size": 1,
            "topology": {"kind": "independent", "aggregate": False},
            **(baseline or {}),
        }
    )
    points = [
        Point(0, "alone", {}, None, "", alone),
        Point(1, "team", {}, 0, "", team),
    ]
    row = speedup_stacks(points, 4).iloc[0].to_dict()
    parts = {name: float(row[name]) for name in ("speed-up", *CAUSES)}
    assert sum(parts.values()) == pytest.approx(row["n"])
    return parts


DEALT = {"kind": "pre_assigned"}
ASYNC = {"coordination__timing": "asynchronous"}

ONE_CAUSE: dict[str, dict[str, Any]] = {
    "serial work": {
        **ASYNC,
        "workload": {"kind": "parallel_fraction", "tasks": 20, "parallel_fraction": 0.0},
    },
    "imbalance": {**ASYNC, "workload__tasks": 5},
    "stragglers and barriers": {
        "coordination__protocol": DEALT,
        "team__agent": agent(latency=exponential(5.0)),
        "workload__tasks": 400,
    },
    "coordination": {
        **ASYNC,
        "topology": "centralised",
        "coordination__protocol": "lead_assign",
        "team__agent": agent(),
        "team__coordinator": agent(),
        "workload__tasks": 200,
        "baseline": {"coordination__protocol": DEALT},
    },
    "duplicates and conflicts": {
        "coordination__protocol": {"kind": "self_claim", "claims": "at_commit", "choice": "first"},
        "workload__tasks": 200,
    },
    "rework": {
        **ASYNC,
        "team__agent": agent(errors={"probability": 0.5, "detection": 1.0}),
        "workload__tasks": 400,
        "baseline": {"team__agent": agent()},
    },
    "failures": {
        **ASYNC,
        "team__agent": agent(faults={"malformed": 0.5}),
        "resilience": {"retry": {"max_retries": 99, "backoff": {"kind": "none"}}},
        "workload__tasks": 400,
        "baseline": {"team__agent": agent(), "resilience": {}},
    },
    "rate limits": {
        **ASYNC,
        "provider": {"requests_per_minute": 60, "burst_s": 1},
        "workload__tasks": 100,
        "baseline": {"provider": {}},
    },
    "queues for tools": {
        **ASYNC,
        "team__agent": agent(
            loop={"turns": 11},
            tools={"build": {"seconds": {"kind": "uniform", "low": 2, "high": 4}, "station": "ci"}},
        ),
        "stations": {"ci": {}},
        "workload__tasks": 40,
    },
    "slower calls": {
        **ASYNC,
        "topology": "decentralised",
        "team__agent": agent(
            latency={
                "kind": "tokens",
                "base_s": 1,
                "uncached_s_per_1k": 5,
                "output_s_per_1k": 0,
            },
            behaviour={"talk": 1},
            context={"retention": 0, "system_tokens": 0, "board_tokens_per_task": 0},
        ),
        "workload__tasks": 400,
    },
}


def test_every_cause_has_a_case() -> None:
    assert set(ONE_CAUSE) == set(CAUSES)


@pytest.mark.parametrize("cause", CAUSES)
def test_one_cause_is_found_under_its_name(cause: str) -> None:
    case = dict(ONE_CAUSE[cause])
    parts = stack(case.pop("baseline", None), **{"team__size": 4, **case})
    lost = {name: value for name, value in parts.items() if name != "speed-up"}
    assert lost[cause] > 0.25
    others = sum(abs(value) for name, value in lost.items() if name != cause)
    assert others < 0.25 * lost[cause], lost


def spent_in_one_call(*inside: Row) -> dict[str, float]:
    """Return what two workers' time went to: one does a task, and what else its call holds."""
    ends_s = sum(row.duration_s or 0.0 for row in inside if row.event is not Event.CALL_END)
    last = next((row.outcome for row in inside if row.event is Event.CALL_END), "work")
    rows = [
        Row(0.0, Event.RUN_START),
        Row(0.0, Event.TASK_READY, task=0),
        Row(0.0, Event.CALL_START, agent=0, call=0),
        *(
            row._replace(time_s=ends_s, agent=0, call=0)
            for row in inside
            if row.event is not Event.CALL_END
        ),
        Row(ends_s, Event.CALL_END, agent=0, call=0, duration_s=1.0, outcome=last),
        Row(ends_s, Event.RUN_END, duration_s=ends_s, outcome="completed"),
    ]
    return time_by_cause(rows, scenario(team__size=2, workload__tasks=1), 1)


DID = Row(0.0, Event.ATTEMPT, task=0, duration_s=1.0, outcome="done")
BOOKED = [
    (Row(0.0, Event.COMMIT, duration_s=3.0), "coordination"),
    *(
        (Row(0.0, Event.WAIT, duration_s=3.0, outcome=why), "rate limits")
        for why in ("rate_limit", "queue")
    ),
    (Row(0.0, Event.WAIT, duration_s=3.0, outcome="lock"), "duplicates and conflicts"),
    (Row(0.0, Event.WAIT, duration_s=3.0, outcome="tool"), "work"),
    *(
        (Row(0.0, Event.WAIT, duration_s=3.0, outcome=why), "failures")
        for why in ("partition", "retry", "breaker", "bulkhead")
    ),
    (Row(0.0, Event.REQUEST, duration_s=3.0, outcome="timeout"), "failures"),
]


@pytest.mark.parametrize(("row", "cause"), BOOKED, ids=lambda each: getattr(each, "outcome", None))
def test_what_a_call_does_beside_its_task_is_booked_under_its_cause(row: Row, cause: str) -> None:
    spent = spent_in_one_call(DID, row)
    expected = {"work": 1.0, "imbalance": 4.0}
    expected[cause] = expected.get(cause, 0.0) + 3.0
    assert {name: seconds for name, seconds in spent.items() if seconds} == expected


@pytest.mark.parametrize("outcome", ["duplicate", "blocked", "refused", "lost"])
def test_an_attempt_in_vain_is_a_duplicate_or_a_conflict(outcome: str) -> None:
    spent = spent_in_one_call(DID._replace(outcome=outcome))
    assert spent["duplicates and conflicts"] == 1.0


def test_a_second_attempt_is_rework_and_no_first_is() -> None:
    spent = spent_in_one_call(DID._replace(outcome="failed_test", duration_s=2.0), DID)
    assert (spent["work"], spent["rework"]) == (2.0, 1.0)


def test_a_commit_a_review_and_a_second_attempt_are_told_apart() -> None:
    # 8 tasks by 2 workers, a second each; every commit takes half a second, every review by a
    # peer a second; every task is rejected once or more by tests that see all faults.
    fields: dict[str, Any] = {
        **ASYNC,
        "team__size": 2,
        "workload__tasks": 8,
        "coordination__protocol": DEALT,
        "team__agent": agent(errors={"probability": 0.4, "detection": 0}),
        "workspace": {"kind": "consensus", "leader_s": 0.5},
        "coordination__review": {"by": "peers"},
    }
    each = scenario(**fields)
    trace = Trace()
    metrics = Simulation(each).run(0, trace)
    spent = time_by_cause(trace.rows, each, metrics.tasks)
    commits = sum(row.event is Event.COMMIT for row in trace.rows)
    reviews = [row for row in trace.rows if row.event is Event.CALL_END and row.outcome == "review"]
    assert spent["work"] == pytest.approx(8.0)
    assert metrics.attempts > 8
    assert spent["rework"] == pytest.approx(metrics.attempts - 8.0)
    reviewing = sum(row.duration_s or 0.0 for row in reviews)
    assert min(commits, len(reviews)) >= 8
    assert spent["coordination"] == pytest.approx(0.5 * commits + reviewing)
    assert spent["duplicates and conflicts"] == 0.0


def test_work_that_divides_loses_nothing() -> None:
    parts = stack(team__size=4, **ASYNC, workload__tasks=40)
    assert parts["speed-up"] == pytest.approx(4)


def test_the_parts_of_a_replication_are_paired() -> None:
    alone = dict.fromkeys(("work", *CAUSES), 0.0) | {"work": 100.0}
    team = {**alone, "work": 110.0, "imbalance": 10.0}
    parts = losses(team, alone, 4, 30.0)
    assert parts["speed-up"] == pytest.approx(100 / 30)
    assert parts["slower calls"] == pytest.approx(10 / 30)
    assert sum(parts.values()) == pytest.approx(4)


def test_parts_have_the_intervals_of_their_means() -> None:
    # In 600 studies of five such runs, and 300 of ten, 94 to 97 % hold the means of 3,000 runs.
    fields = {**ASYNC, "team__agent": agent(latency=exponential(5.0)), "workload__tasks": 12}
    alone, team = scenario(team__size=1, **fields), scenario(team__size=3, **fields)
    points = [Point(0, "alone", {}, None, "", alone), Point(1, "team", {}, 0, "", team)]
    row, single = speedup_stacks(points, 6).iloc[0], speedup_stacks(points, 1).iloc[0]
    found = [row[f"imbalance{end}"] for end in ("_low", "", "_high")]
    assert found[0] < found[1] < found[2]
    assert row["rework"] == 0.0  # seen in no run: what it is beyond these is not known
    assert math.isnan(row["rework_low"])
    assert math.isnan(row["rework_high"])
    assert (single["imbalance_low"], single["imbalance_high"]) == (-math.inf, math.inf)
    pairs = [[Simulation(each).run(i) for each in (alone, team)] for i in range(6)]
    runs = [one.makespan_s / three.makespan_s for one, three in pairs]
    own = mean_interval(runs)
    said = (row["speed-up"], row["speed-up_low"], row["speed-up_high"])
    assert said == pytest.approx((own.estimate, own.low, own.high))


def test_no_interval_of_a_speed_up_reaches_below_0() -> None:
    nothing = dict.fromkeys(CAUSES, 0.0)
    found = _means([{**nothing, "speed-up": each} for each in (1.0, 9.0)])
    assert (found["speed-up_low"], found["speed-up"]) == (0.0, 5.0)
    assert found["speed-up_high"] > 50.0


def point(index: int, n: int, tasks: int, **more: Any) -> Point:
    """Return a point of a grid over sizes and tasks; of a series if `more` names one."""
    each = scenario(team__size=n, workload__tasks=tasks, **ASYNC, **more.get("fields", {}))
    overrides = {"team.size": n, "workload.tasks": tasks}
    named = more.get("series", "")
    return Point(index, f"{n} {tasks}", overrides, more.get("baseline"), named, each)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_point_is_held_against_one_agent_with_the_same_other_fields(reverse: bool) -> None:
    grid = [(1, 6), (2, 6), (3, 6), (1, 12), (2, 12), (4, 12)]
    order = grid[::-1] if reverse else grid
    table = speedup_stacks([point(i, *each) for i, each in enumerate(order)], 2)
    assert sorted(table["n"]) == [2, 2, 3, 4]
    assert (table["finished"] == 2).all()
    # Unit tasks that divide: a baseline with other work would give another speed-up.
    assert table["speed-up"].tolist() == pytest.approx(table["n"].tolist())
    assert {(row.n, row.series) for row in table.itertuples()} == {
        (2, "tasks 6"),
        (3, "tasks 6"),
        (2, "tasks 12"),
        (4, "tasks 12"),
    }


def test_a_series_is_held_against_its_own_single_agent() -> None:
    slow = {"fields": {"team__agent": agent(latency={"kind": "seconds", "base": 3})}}
    points = [
        point(0, 1, 6, series="slow", **slow),
        point(1, 1, 6, series="quick"),
        point(2, 2, 6, series="quick"),
        point(3, 2, 6, series="slow", **slow),
    ]
    table = speedup_stacks(points, 1)
    assert table["series"].tolist() == ["quick", "slow"]
    assert table["speed-up"].tolist() == pytest.approx([2.0, 2.0])


def test_a_stack_is_of_ten_runs_where_nothing_else_is_said() -> None:
    table = speedup_stacks([point(0, 1, 6), point(1, 2, 6)])
    assert (table["runs"].item(), table["finished"].item()) == (10, 10)


def test_a_named_baseline_is_taken_whatever_its_size_and_its_own_has_no_row() -> None:
    # Slower than the single agent: else the work of both would be the same.
    slow = {"fields": {"team__agent": agent(latency={"kind": "seconds", "base": 2})}}
    points = [point(0, 3, 12, **slow), point(1, 1, 12), point(2, 4, 12, baseline=0)]
    table = speedup_stacks(points, 1)
    row = table.set_index("point").loc[2]
    assert row["speed-up"] == pytest.approx(24 / 3)  # the work of three agents over three seconds
    assert table["point"].tolist() == [0, 2]


def test_a_point_without_a_single_agent_has_no_stack() -> None:
    told: list[tuple[float, int]] = []
    points = [point(0, 2, 6), point(1, 3, 6), point(2, 1, 7), point(3, 7, 7)]
    table = speedup_stacks(points, 1, lambda done, of: told.append((done, of)))
    assert table["point"].tolist() == [3]
    assert told == [(0, 2), (1, 2), (2, 2)]  # the single agent is run, too
    assert speedup_stacks(points[:2]).empty


@pytest.mark.parametrize(("is_led", "cause"), [(True, "coordination"), (False, "imbalance")])
def test_who_waits_for_open_tasks_waits_for_the_lead_if_there_is_one(
    is_led: bool, cause: str
) -> None:
    fields: dict[str, Any] = {"topology": "centralised"} if is_led else {}
    each = scenario(
        team__size=2,
        **ASYNC,
        coordination__protocol="lead_assign" if is_led else DEALT,
        workload={
            "kind": "dag",
            "tasks": [{"id": str(i), "size": 1 + 3 * (i % 2)} for i in range(6)],
        },
        team__agent=agent(latency={"kind": "seconds", "base": 0, "per_work_unit_s": 1}),
        **fields,
    )
    trace = Trace()
    metrics = Simulation(each).run(0, trace)
    spent = time_by_cause(trace.rows, each, metrics.tasks)
    other = {"coordination": "imbalance", "imbalance": "coordination"}[cause]
    assert spent[cause] > 0.0
    if not is_led:
        assert spent[other] == 0.0
        # Three of one second and three of four are dealt in turn.
        assert spent[cause] == pytest.approx(12 - 3)


def test_the_harness_holds_up_nobody_who_is_down() -> None:
    each = scenario(
        team__size=3,
        workload__tasks=30,
        coordination__round_overhead_s=2.0,
        faults=[{"at_s": 1.5, "kind": "crash", "agent": 0, "for_s": 7}],
    )
    trace = Trace()
    metrics = Simulation(each).run(0, trace)
    spent = time_by_cause(trace.rows, each, metrics.tasks)
    assert sum(spent.values()) == pytest.approx(3 * metrics.makespan_s)
    assert spent["failures"] == pytest.approx(7.0)


@pytest.mark.parametrize("examples", [15, pytest.param(160, marks=pytest.mark.thorough)])
def test_the_time_of_the_workers_adds_up_whatever_happens(examples: int) -> None:
    def law(each: Scenario) -> None:
        trace = Trace()
        metrics = Simulation(each).run(0, trace)
        spent = time_by_cause(trace.rows, each, metrics.tasks)
        total = each.team.worker_count * metrics.makespan_s
        assert sum(spent.values()) == pytest.approx(total, rel=1e-6, abs=1e-6)
        assert min(spent.values()) >= -1e-6

    of_many(examples, True, law)


def test_the_time_of_tools_is_work_for_one_agent_as_for_many() -> None:
    tools = {"ci": {"seconds": 6, "station": "ci"}}
    each = scenario(
        team={"size": 2, "agent": agent(loop={"turns": 3}, tools=tools)},
        stations={"ci": {}},
        coordination__timing="asynchronous",
        workload__tasks=2,
    )
    trace = Trace()
    metrics = Simulation(each).run(0, trace)
    spent = time_by_cause(trace.rows, each, metrics.tasks)
    # One works while the other waits for the CI; the last build is the second agent's alone.
    assert metrics.makespan_s == 1 + 4 * 6 + 1
    assert spent["failures"] == spent["rate limits"] == 0.0
    assert spent["work"] == pytest.approx(2 * (3 + 2 * 6))
    queued_s = 2 * metrics.makespan_s - spent["work"] - spent["imbalance"]
    assert spent["queues for tools"] == pytest.approx(queued_s)


def test_a_wait_for_tools_is_a_queue_while_none_of_them_is_served() -> None:
    # After the first turn both ask the CI; a tool of 2 s without a station runs meanwhile.
    tools = {"build": {"seconds": 5, "station": "ci"}, "read": {"seconds": 2}}
    each = scenario(
        team={"size": 2, "agent": agent(loop={"turns": 2}, tools=tools)},
        stations={"ci": {}},
        workload__tasks=2,
        **ASYNC,
    )
    trace = Trace()
    metrics = Simulation(each).run(0, trace)
    spent = time_by_cause(trace.rows, each, metrics.tasks)
    assert metrics.makespan_s == 1 + 2 * 5 + 1
    assert spent["queues for tools"] == 5 - 2
    assert spent["imbalance"] == 5
    assert spent["work"] == 2 * (1 + 5 + 1) + 2


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("topology", ["independent", "decentralised"])
def test_the_speed_up_is_the_time_of_one_agent_over_that_of_the_team(topology: str, n: int) -> None:
    # One agent, too, does tasks again, waits for tools and for its rate: all is in its time.
    fields: dict[str, Any] = {
        "topology": topology,
        "provider": {"requests_per_minute": 40, "burst_s": 1},
        "team__agent": agent(
            latency=exponential(2.0),
            errors={"probability": 0.4, "detection": 0.7},
            faults={"malformed": 0.1},
            loop={"turns": 2},
            tools={"build": {"seconds": {"kind": "uniform", "low": 1, "high": 4}, "station": "ci"}},
        ),
        "stations": {"ci": {}},
        "resilience": {"retry": {"max_retries": 99, "backoff": {"kind": "none"}}},
        "workload__tasks": 12,
    }
    alone = scenario(
        **{**fields, "team__size": 1, "topology": {"kind": "independent", "aggregate": False}}
    )
    team = scenario(**{**fields, "team__size": n})
    for replication in range(3):
        spent, makespans = [], []
        for each in (alone, team):
            trace = Trace()
            metrics = Simulation(each).run(replication, trace)
            assert metrics.success
            makespans.append(metrics.makespan_s)
            spent.append(time_by_cause(trace.rows, each, metrics.tasks))
        assert min(spent[0]["rework"], spent[0]["failures"], spent[0]["rate limits"]) > 0.0
        parts = losses(spent[1], spent[0], n, makespans[1])
        assert parts["speed-up"] == pytest.approx(makespans[0] / makespans[1])
        assert sum(parts.values()) == pytest.approx(n)
        for cause in CAUSES[:-1]:
            taken_s = spent[1][cause] - spent[0][cause]
            assert parts[cause] == pytest.approx(taken_s / makespans[1])


def test_a_call_that_the_end_cuts_off_is_imbalance() -> None:
    # Nothing failed: the second worker still works as the first does the last task.
    rows = [
        Row(0.0, Event.RUN_START),
        Row(0.0, Event.TASK_READY, task=0),
        Row(0.0, Event.CALL_START, agent=0, call=0),
        Row(0.0, Event.CALL_START, agent=1, call=1),
        DID._replace(time_s=3.0, agent=0, call=0, duration_s=3.0),
        Row(3.0, Event.CALL_END, agent=0, call=0, duration_s=3.0, outcome="work"),
        Row(3.0, Event.CALL_END, agent=1, call=1, duration_s=3.0, outcome="cut_off"),
        Row(3.0, Event.RUN_END, duration_s=3.0, outcome="completed"),
    ]
    spent = time_by_cause(rows, scenario(team__size=2, workload__tasks=1), 1)
    assert {name: seconds for name, seconds in spent.items() if seconds} == {
        "work": 3.0,
        "imbalance": 3.0,
    }


def test_stacks_do_not_depend_on_the_processes() -> None:
    points = [point(0, 1, 6), point(1, 2, 6), point(2, 3, 6)]
    one = speedup_stacks(points, 2)
    assert one.equals(speedup_stacks(points, 2, workers=2))


@pytest.mark.parametrize("tasks", [1, 2, 3, 6])
def test_who_has_nothing_waits_for_what_another_keeps_until_the_last_is_begun(tasks: int) -> None:
    # One of two agents has all tasks, of a second each; but for the last second, some are open.
    mine = [{"id": str(i), "worker": 1} for i in range(tasks)]
    each = scenario(
        team__size=2,
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
        workload={"kind": "dag", "tasks": mine},
    )
    trace = Trace()
    assert Simulation(each).run(0, trace).makespan_s == tasks
    waits = Course(trace.rows, 2, tasks).waiting()
    assert {cause: s for cause, s in waits.items() if s} == (
        {WITHHELD: tasks - 1.0, "imbalance": 1.0} if tasks > 1 else {"imbalance": 1.0}
    )


@pytest.mark.parametrize("outcome", ["done", "idle"])
def test_a_round_lasts_until_its_last_call_also_where_that_does_nothing(outcome: str) -> None:
    rows = [
        Row(0.0, Event.ROUND_START, round=1),
        Row(1.0, Event.CALL_END, agent=0, round=1, call=0, outcome="done"),
        Row(3.0, Event.CALL_END, agent=1, round=1, call=1, outcome=outcome),
        Row(3.2, Event.CALL_END, agent=2, round=1, call=2, outcome="done"),  # the coordinator's
        Row(3.5, Event.ROUND_END, round=1),
    ]
    assert _rounds(rows, 2, 9.0) == [(0.0, 3.0, 3.5)]


@pytest.mark.parametrize(("outcome", "begun_s"), [("blocked", 3.0), ("done", 1.0)])
def test_a_task_is_open_until_a_call_begins_that_does_it(outcome: str, begun_s: float) -> None:
    rows = [
        Row(0.0, Event.TASK_READY, task=0),
        Row(1.0, Event.CALL_START, agent=0, call=0),
        Row(2.0, Event.ATTEMPT, agent=0, call=0, task=0, outcome=outcome),
        Row(3.0, Event.CALL_START, agent=1, call=1),
        Row(4.0, Event.ATTEMPT, agent=1, call=1, task=0, outcome="done"),
    ]
    assert _board(rows, 1).shares([(0.0, 5.0)]) == (begun_s, 0.0, 5.0 - begun_s)
