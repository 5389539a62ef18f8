"""What replies could take, beside what simulated agents could take when they began."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.calibration.finished import COULD_TAKE, ListedTasks, could_take
from analysis.calibration.observations import observe
from simulator.engine import Simulation
from simulator.model.tasks import Task, TaskGraph
from simulator.model.trace import Event, Trace
from simulator.scenario import Scenario
from tests.analysis.harness import CLAIMING, logged_run, team_runs
from tests.analysis.made_up_habits import made_up

NEEDS = {"a": (), "b": ("a",), "c": (), "d": ("b", "c")}
TASKS: list[dict[str, Any]] = [
    {"id": name, "dependencies": list(needs), "files": [f"{name}.py"]}
    for name, needs in NEEDS.items()
]
LISTED = ListedTasks(
    TaskGraph.of([Task.model_validate(task) for task in TASKS]), [x["files"] for x in TASKS]
)


def counts(*replies: tuple[int, str, int, int, str]) -> list[dict[str, int]]:
    """Return what replies could take: round, agent, claims, completed, tasks written."""
    table = pd.DataFrame(replies, columns=["round", "agent", "claims", "completed", "wrote"])
    table["paths"] = [tuple(f"{task}.py" for task in wrote) for wrote in table.pop("wrote")]
    table = table.assign(run_dir="r", latency_s=range(len(table)), task_type="toy", p_label="p")
    found = could_take(table, {("toy", "p"): LISTED})
    return [dict(zip(COULD_TAKE, row, strict=True)) for row in found.tolist()]


def test_what_is_done_or_held_by_others_cannot_be_taken() -> None:
    first, second, third, fourth = counts(
        (1, "x", 2, 1, "ac"),  # c is written again: it was not done
        (1, "y", 0, 0, "ab"),  # a was taken, and b had to wait for it
        (2, "y", 1, 1, "b"),
        (2, "x", 0, 1, "c"),
    )
    alone = {"open": 4, "held": 0, "ready": 2, "others": 4, "leading": 1}
    assert first == {**alone, "worked_on": 2, "unblocked": 2}
    # As it ended a was done, so that b could have started; c had been claimed since.
    assert second == {**alone, "worked_on": 2, "unblocked": 3, "leading": 3}
    assert third == {
        "worked_on": 1, "open": 2, "held": 0, "ready": 1, "others": 2, "unblocked": 1, "leading": 1,
    }  # fmt: skip
    assert fourth == {
        "worked_on": 1, "open": 3, "held": 1, "ready": 2, "others": 2, "unblocked": 1, "leading": 1,
    }  # fmt: skip


def test_tasks_that_no_file_shows_are_done_in_the_order_of_the_list() -> None:
    found = counts((1, "x", 1, 1, ""), (2, "x", 2, 2, ""), (3, "x", 1, 1, ""))
    assert [each["open"] for each in found] == [4, 3, 1]
    assert [each["ready"] for each in found] == [2, 2, 1]
    # A log that hands in more tasks than there are finishes all of them.
    assert counts((1, "x", 9, 9, "a"), (2, "x", 0, 0, ""))[1]["open"] == 0


@pytest.mark.parametrize("errors", [0.0, 0.3])
def test_what_simulated_agents_could_take_is_known(errors: float, tmp_path: Path) -> None:
    world = made_up(np.random.default_rng(8), errors)
    team = world.team(3)
    runs = [logged_run(team, CLAIMING, replication) for replication in range(20)]
    calls = observe(team_runs(tmp_path, runs, world.tasks))
    needs = [{int(name[1:]) for name in task["dependencies"]} for task in world.tasks]
    right = []
    for name, run in calls.groupby("run_dir"):
        ready = _ready(team, int(str(name).rsplit("-", 1)[1]), needs)
        keys = zip(run["round"], run["agent"], strict=True)
        right += (run["ready"] == [ready[key] for key in keys]).tolist()
    # With errors it may not be the first on the list that a call could not finish.
    assert np.mean(right) == 1.0 if not errors else np.mean(right) > 0.9


def _ready(team: Scenario, replication: int, needs: list[set[int]]) -> dict[tuple[int, str], int]:
    """Return how many tasks could start, and were held by no other agent, by round and agent."""
    trace, found = Trace(), {}
    Simulation(team).run(replication, trace)
    done: set[int] = set()
    holder: dict[int, int] = {}
    for event in trace.rows:
        if event.event is Event.ROUND_START:
            free = [t for t, of in enumerate(needs) if t not in done and of <= done]
            for agent in range(3):
                mine = [task for task in free if holder.get(task, agent) == agent]
                found[event.round, f"Dev{agent + 1}"] = len(mine)
        elif event.event is Event.ATTEMPT:
            assert event.task is not None
            assert event.agent is not None
            if event.outcome == "failed_test":
                holder[event.task] = event.agent
            elif event.outcome == "done":
                done.add(event.task)
    return found
