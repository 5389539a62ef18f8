"""The published task lists, and chains beside independent tasks."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.conftest import run

# N = 20 unit tasks of arXiv 2603.12229: greedy list scheduling, and the largest share of the
# pre-assignment, for n = 1..5 (recomputed from the released task lists).
TABLE = {
    "p09": ([20, 10, 7, 5, 4], [20, 11, 8, 6, 5]),
    "p05": ([20, 10, 10, 10, 10], [20, 15, 13, 12, 12]),
    "p02": ([20, 16, 16, 16, 16], [20, 18, 17, 17, 16]),
}


@pytest.mark.parametrize("suite", ["dataanalysis", "mathutilities20"])
@pytest.mark.parametrize("p", list(TABLE))
def test_the_released_lists_take_as_long_as_recomputed(real_data: Any, suite: str, p: str) -> None:
    tasks = json.loads((real_data / "tasks" / suite / f"{p}.json").read_text())
    workload = {"kind": "dag", "tasks": tasks}
    for n in range(1, 6):
        claimed = run(team__size=n, workload=workload)
        dealt = run(team__size=n, workload=workload, coordination__protocol="pre_assigned")
        assert (claimed.makespan_s, dealt.makespan_s) == (TABLE[p][0][n - 1], TABLE[p][1][n - 1])


def test_a_chain_beside_independent_tasks_meets_the_list_scheduling_bound() -> None:
    # p N independent tasks beside a chain of (1 - p) N: T_n = max(N / n rounded up, chain).
    for p in (0.2, 0.5, 0.9, 1.0):
        for n in (1, 2, 3, 4, 7, 16):
            m = run(
                team__size=n,
                coordination__timing="asynchronous",
                workload={"kind": "parallel_fraction", "tasks": 40, "parallel_fraction": p},
            )
            assert m.makespan_s == max(np.ceil(40 / n), round(40 * (1 - p)))
