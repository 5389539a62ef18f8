"""Teams that people give work to, again and again: so are their twins."""

from __future__ import annotations

import pytest

from analysis.observation.observe import observe
from analysis.observation.runs import runs_of
from analysis.observation.units import units_of
from analysis.observation.visits import pauses_of, visited_workload
from analysis.traces.canonical import Traces
from tests.analysis.test_observation import Row, together, traces


def visited(run: str = "r", longer_s: float = 0.0, pause_s: float = 60.0) -> Traces:
    """Return a run in which two agents work on two tasks each, and on two more after a pause."""
    rows: list[Row] = []
    for at_s, tasks in ((0.0, 2), (22.0 + longer_s + pause_s, 1)):
        for agent, lasts in (("worker 1", 10.0 + longer_s / 2), ("worker 2", 9.0)):
            rows += [
                (agent, "chat", at_s + i * (lasts + 1), at_s + i * (lasts + 1) + lasts, "end_turn")
                for i in range(tasks)
            ]
    return traces(*rows, run=run)


def test_pauses_are_where_all_have_ended_and_nobody_works() -> None:
    (run,) = runs_of(visited().calls)
    # The first agents end at 19 and 21 s; within the tasks are gaps of a second, in which the
    # other works.
    assert pauses_of(run.activity) == [(21.0, 82.0)]


def test_tasks_arrive_when_people_gave_them() -> None:
    found = runs_of(visited().calls)
    units = {run.name: units_of(run.operations) for run in found}
    work = visited_workload(found, units)
    assert work is not None
    assert [task.get("arrival_s", 0) for task in work.spec["tasks"]] == [0, 0, 0, 0, 82.0, 82.0]
    assert "2 times in it" in work.source


@pytest.mark.parametrize("pause_s", [0.0, 0.3])
def test_without_pauses_nothing_arrives(pause_s: float) -> None:
    found = runs_of(visited(pause_s=pause_s).calls)
    units = {run.name: units_of(run.operations) for run in found}
    assert visited_workload(found, units) is None


@pytest.mark.slow
def test_a_twin_waits_for_people_as_long_as_the_team_did() -> None:
    runs = [visited(f"r{i}", 0.3 * i) for i in range(9)]
    found = observe(together(*runs), "observed", 40)
    assert found.twin.document["workload"]["kind"] == "dag"
    for measure, most in (("makespan_s", 0.1), ("share: people", 0.1), ("share: model", 0.15)):
        real, made = (each[measure].median() for each in (found.table, found.simulated))
        assert made == pytest.approx(real, rel=most), measure
