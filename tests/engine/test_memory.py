"""A replication leaves nothing behind, although the garbage collector rests while it runs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from simulator.engine import Simulation
from simulator.model.agents.agent import AgentState
from simulator.model.call_start import CallStart
from simulator.model.replication import Replication
from simulator.scenario import Scenario, load_study
from tests.conftest import scenario

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"))


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    gc.freeze()  # it looks only at what is made from now on, and so is quick
    yield
    gc.unfreeze()
    gc.enable()


def cycles(case: Scenario) -> tuple[int, str]:
    """Return how many objects of a replication only the collector frees, and how it ended."""
    simulation = Simulation(case)
    simulation.run(0)  # what imports and caches leave behind once
    gc.collect()
    row = simulation.run(1)
    return gc.collect(), row.outcome


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_reference_counts_free_a_replication(path: Path) -> None:
    left, outcome = cycles(load_study(path).base)
    # Requests that stand in a queue when the time is up, and their callers, hold each other.
    assert left == 0 or outcome == "deadline"


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
def test_tasks_that_have_not_arrived_when_the_run_ends_are_freed(timing: str) -> None:
    case = scenario(
        coordination__timing=timing,
        workload={"kind": "arrivals", "tasks": 5, "interarrival_s": 3},
        limits={"deadline_s": 7},
    )
    assert cycles(case) == (0, "deadline")


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
@pytest.mark.parametrize("tasks", [50, 20_000])
def test_a_long_replication_makes_no_more_garbage_than_a_short_one(timing: str, tasks: int) -> None:
    case = scenario(team__size=5, workload__tasks=tasks, coordination__timing=timing)
    assert cycles(case) == (0, "completed")


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
def test_calls_that_wait_when_the_time_is_up_leave_nothing_behind(timing: str) -> None:
    case = scenario(
        team__size=3,
        team__agent__loop={"turns": 20},
        team__agent__tools={"read": {"seconds": 50}, "ask": {"seconds": 80, "background": True}},
        coordination__timing=timing,
        limits__deadline_s=100,
    )
    assert cycles(case) == (0, "deadline")


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("deadline_s", [8.0, 15.5, 60.0])
def test_elections_leave_nothing_behind_whether_they_are_over_or_not(deadline_s: float) -> None:
    case = scenario(
        team__size=4,
        topology="centralised",
        workload__tasks=1000,
        faults=[{"kind": "kill", "agent": "coordinator", "at_s": 5}],
        resilience={"election": {"timeout_s": {"kind": "uniform", "low": 10, "high": 20}}},
        limits__deadline_s=deadline_s,
    )
    assert cycles(case) == (0, "deadline")


def test_the_garbage_collector_is_left_as_it_was() -> None:
    simulation = Simulation(scenario())
    simulation.run(0)
    assert gc.isenabled()
    gc.disable()
    try:
        simulation.run(0)
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
@pytest.mark.parametrize(
    "where",
    [
        "simulator.model.team.sides.Sides.put_on_board",
        "simulator.model.replication.Replication.set_timers",
        "simulator.model.call_start.CallStart.begin_call",
        "simulator.model.call_end.CallEnd.end_call",
        "simulator.model.ending.Closing.finish",
    ],
)
def test_a_replication_that_breaks_off_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, where: str, timing: str
) -> None:
    simulation = Simulation(scenario(coordination__timing=timing))
    simulation.run(0)
    gc.collect()

    def breaks(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(where, breaks)
    with pytest.raises(ZeroDivisionError):
        simulation.run(1)
    alive = [each for each in gc.get_objects() if isinstance(each, Replication)]
    assert alive == []


class NoArgumentsError(Exception):
    """An error that a plugin may raise, which cannot be made anew from its arguments."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
@pytest.mark.parametrize("call", [1, 2, 7])
def test_an_error_of_a_plugin_comes_as_it_is_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, call: int, timing: str
) -> None:
    simulation = Simulation(scenario(team__size=2, coordination__timing=timing))
    simulation.run(0)
    begun = []
    begin = CallStart.begin_call

    def breaks(starts: CallStart, agent: AgentState, now: float, must_call: bool) -> bool:
        begun.append(agent.index)
        if len(begun) == call:
            raise NoArgumentsError("a plugin", "does not know what to do")
        return begin(starts, agent, now, must_call)

    monkeypatch.setattr("simulator.model.call_start.CallStart.begin_call", breaks)
    gc.collect()
    with suppress(NoArgumentsError):
        simulation.run(1)
    assert len(begun) == call
    assert gc.collect() == 0


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("kind", ["random", "small_world", "scale_free"])
@pytest.mark.parametrize("size", [2, 8])
def test_graphs_that_are_drawn_anew_leave_nothing_behind(kind: str, size: int) -> None:
    assert cycles(scenario(team__size=size, topology=kind)) == (0, "completed")
