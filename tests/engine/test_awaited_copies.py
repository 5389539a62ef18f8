"""Tasks that wait for their copies after their last failure, and are undone, or cut off then."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from tests.conftest import agent, scenario


def right(base: float) -> dict[str, Any]:
    return agent(latency={"kind": "seconds", "base": base}, errors={"detection": 1.0})


WRONG = agent(
    latency={"kind": "seconds", "base": 5},
    errors={"probability": 1.0, "detection": 1.0, "max_attempts": 1},
)


def three(workers: list[dict[str, Any]], copies: int, **fields: Any) -> Metrics:
    groups = {f"group{i}": {"size": 1, "agent": each} for i, each in enumerate(workers)}
    defaults: dict[str, Any] = {
        "coordination": {
            "protocol": {"kind": "redundancy", "copies": copies},
            "timing": "asynchronous",
        },
        "limits": {"deadline_s": 1000},
    }
    return Simulation(scenario(team={"groups": groups}, **(defaults | fields))).run(0)


def test_a_task_that_has_waited_for_its_copy_can_be_done_again_when_it_is_undone() -> None:
    """One attempts A and fails at 5 s; its copy does A until 8 s. At 10 s A's file is overwritten.

    It is done again until 18 s, over B, which was done until 15 s, and B again until 26 s.
    """
    m = three(
        [right(15), WRONG, right(8)],
        copies=2,
        workload={
            "kind": "dag",
            "tasks": [{"id": "A", "files": ["f"]}, {"id": "B", "files": ["f"]}],
        },
        workspace="last_writer_wins",
    )
    assert (m.outcome, m.makespan_s, m.lost_updates, m.tasks_correct) == ("completed", 26, 2, 2)


@pytest.mark.parametrize(("aggregates", "until_s"), [(False, 40), (True, 40 + 20)])
def test_a_task_of_an_agent_that_is_cut_off_waits_for_its_copies(
    aggregates: bool, until_s: float
) -> None:
    """The last worker fails at 5 s and is cut off from 6 to 40 s. The copies crash meanwhile.

    Nobody has done the task then, so it is left as it is.
    """
    m = three(
        [right(20), right(8), WRONG],
        copies=3,
        topology={"kind": "independent", "aggregate": aggregates},
        workload={"kind": "dag", "tasks": [{"id": "A"}]},
        workspace={"kind": "last_writer_wins", "on_partition": "available"},
        network={"partitions": [{"at_s": 6, "duration_s": 34, "minority": 0.34}]},
        faults=[
            {"at_s": 7, "kind": "crash", "agent": 1, "for_s": 5},
            {"at_s": 15, "kind": "kill", "agent": 0},
        ],
    )
    assert (m.outcome, m.makespan_s, m.tasks_done) == ("completed", until_s, 1)
    assert (m.faulty_detected, m.failed_tests) == (1, 1)
