"""Time that stands still is an error; time that moves, however many events there are, is not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from simulator.engine import Simulation, course
from simulator.errors import TeamsimError
from tests.conftest import agent, run, scenario

AT_ONCE = {"latency": {"kind": "seconds", "base": 0}}
IN_VAIN = {"errors": {"probability": 1, "detection": 1}}
ASYNC: dict[str, Any] = {"coordination__timing": "asynchronous"}

LOOPS: dict[str, tuple[dict[str, Any], str]] = {
    "calls that always fail their tests": (ASYNC, "calls"),
    "such calls, with steps": ({**ASYNC, "workspace": "locks"}, "calls"),
    "calls that keep pace": ({"coordination__timing": "bounded_staleness"}, "calls"),
    "rounds": ({"limits": {"max_rounds": 10**6}}, "calls"),
    "a coordinator and its workers": ({**ASYNC, "topology": "centralised"}, "calls"),
    "loops of turns": (
        {**ASYNC, "team": {"size": 2, "agent": agent(**AT_ONCE, **IN_VAIN, loop={"turns": 3})}},
        "turns",
    ),
}


@pytest.fixture(autouse=True)
def _few_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "_EVENTS_AT_A_TIME", 100)
    monkeypatch.setattr(course, "_EVENTS", 2_000)


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_that_takes_no_time_is_named(name: str) -> None:
    said, counted = LOOPS[name]
    team = {"size": 2, "agent": agent(**AT_ONCE, **IN_VAIN)}
    with pytest.raises(TeamsimError, match=r"time stands still at 0 s.* no task was done") as found:
        run(**{"team": team, **said})
    assert counted in str(found.value)
    assert re.search(r"agent \d at task independent-", str(found.value))


def test_time_too_late_for_its_steps_stands_still() -> None:
    # In floating point, 1e15 s and 0.01 s are 1e15 s.
    team = {"size": 1, "agent": agent(latency={"kind": "seconds", "base": 0.01}, **IN_VAIN)}
    late = {"kind": "arrivals", "tasks": 1, "interarrival_s": 1e15}
    with pytest.raises(TeamsimError, match=r"time stands still at 1e\+15 s"):
        run(team=team, **ASYNC, workload=late)


@pytest.mark.parametrize("timing", ["rounds", "asynchronous", "bounded_staleness"])
def test_work_that_takes_no_time_is_done(timing: str) -> None:
    team = {"size": 3, "agent": agent(**AT_ONCE)}
    metrics = run(team=team, coordination__timing=timing, workload__tasks=9_000)
    assert (metrics.outcome, metrics.makespan_s) == ("completed", 0.0)
    assert metrics.tasks_done == 9_000


def test_a_large_team_that_begins_at_once_is_no_loop() -> None:
    metrics = run(team__size=3_000, **ASYNC, workload__tasks=6_000)
    assert metrics.outcome == "completed"


def test_progress_of_a_replication_is_told() -> None:
    heard: list[float] = []
    long = scenario(team__size=2, **ASYNC, workload__tasks=1_000)
    alone = Simulation(long).run(0)
    assert Simulation(long).run(0, progress=heard.append) == alone
    assert len(heard) > 5
    assert heard == sorted(heard)
    assert 0.0 < heard[0] < 0.5 < heard[-1] <= 1.0
