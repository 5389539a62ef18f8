"""Deterministic work against exact bounds: table 1.4 of the paper's task lists, Amdahl, Graham."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.laws import amdahl_speedup
from tests.conftest import run

# N = 20 unit tasks of arXiv 2603.12229: greedy list scheduling, and the largest share of the
# pre-assignment, for n = 1..5 (recomputed from the released task lists).
TABLE = {
    "p09": ([20, 10, 7, 5, 4], [20, 11, 8, 6, 5]),
    "p05": ([20, 10, 10, 10, 10], [20, 15, 13, 12, 12]),
    "p02": ([20, 16, 16, 16, 16], [20, 18, 17, 17, 16]),
}

# The shapes of these lists, without the lists: a chain beside tasks that nothing waits for.
SHAPES = {"p09": 2, "p05": 10, "p02": 16}


def shape(p: str) -> dict[str, Any]:
    chain = SHAPES[p]
    tasks: list[dict[str, Any]] = [{"id": f"t{i}"} for i in range(20)]
    for i in range(1, chain):
        tasks[i]["dependencies"] = [f"t{i - 1}"]
    return {"kind": "dag", "tasks": tasks}


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("p", list(TABLE))
@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
def test_self_claim_with_atomic_claims_is_list_scheduling(p: str, n: int, timing: str) -> None:
    m = run(team__size=n, workload=shape(p), coordination__timing=timing)
    assert m.makespan_s == TABLE[p][0][n - 1]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("p", list(TABLE))
def test_pre_assignment_takes_as_long_as_its_largest_share(p: str, n: int) -> None:
    m = run(team__size=n, workload=shape(p), coordination__protocol="pre_assigned")
    assert m.makespan_s == TABLE[p][1][n - 1]


@pytest.mark.parametrize("suite", ["dataanalysis", "mathutilities20"])
@pytest.mark.parametrize("p", list(TABLE))
def test_the_released_task_lists_give_table_1_4(real_data: Any, suite: str, p: str) -> None:
    tasks = json.loads((real_data / "tasks" / suite / f"{p}.json").read_text())
    workload = {"kind": "dag", "tasks": tasks}
    for n in range(1, 6):
        claimed = run(team__size=n, workload=workload)
        dealt = run(team__size=n, workload=workload, coordination__protocol="pre_assigned")
        assert (claimed.makespan_s, dealt.makespan_s) == (TABLE[p][0][n - 1], TABLE[p][1][n - 1])


@pytest.mark.parametrize("p", [0.5, 0.75, 0.9, 0.95])
def test_finely_divisible_work_after_a_serial_part_follows_amdahl(p: float) -> None:
    # The parallel part divides evenly by every n here, so the law is met exactly.
    tasks = 2400
    for n in (1, 2, 3, 4, 5, 6):
        m = run(
            team__size=n,
            coordination__timing="asynchronous",
            workload={
                "kind": "parallel_fraction",
                "tasks": tasks,
                "parallel_fraction": p,
                "arrangement": "after",
            },
        )
        assert tasks / m.makespan_s == pytest.approx(float(amdahl_speedup(n, p)), rel=1e-12)


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


@st.composite
def dags(draw: st.DrawFn) -> list[dict[str, Any]]:
    count = draw(st.integers(1, 14))
    tasks = []
    for i in range(count):
        needed = draw(st.sets(st.integers(0, i - 1), max_size=3)) if i else set()
        size = draw(st.integers(1, 5))
        tasks.append({"id": f"t{i}", "dependencies": [f"t{j}" for j in needed], "size": size})
    return tasks


@settings(max_examples=150, deadline=None, derandomize=True)
@given(tasks=dags(), n=st.integers(1, 5), protocol=st.sampled_from(["self_claim", "pre_assigned"]))
def test_no_schedule_beats_the_critical_path_and_greedy_ones_meet_graham(
    tasks: list[dict[str, Any]], n: int, protocol: str
) -> None:
    # Graham (1969): max(T_1 / n, T_inf) <= T_n, and T_n <= T_1/n + (1 - 1/n) T_inf if greedy.
    finish: dict[str, float] = {}
    for task in tasks:
        start = max((finish[d] for d in task["dependencies"]), default=0.0)
        finish[task["id"]] = start + task["size"]
    total, longest = sum(task["size"] for task in tasks), max(finish.values())
    greedy = {"kind": "self_claim", "claims": "immediate", "choice": "first"}
    m = run(
        team__size=n,
        team__agent__latency={"kind": "seconds", "per_work_unit_s": 1},
        workload={"kind": "dag", "tasks": tasks},
        coordination={
            "timing": "asynchronous",
            "protocol": greedy if protocol == "self_claim" else protocol,
        },
    )
    assert m.outcome == "completed"
    assert m.makespan_s >= max(total / n, longest) - 1e-9
    if protocol == "self_claim":
        assert m.makespan_s <= total / n + (1 - 1 / n) * longest + 1e-9


@settings(max_examples=60, deadline=None, derandomize=True)
@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=8), n=st.integers(2, 3))
def test_dealing_the_longest_first_keeps_grahams_bound(sizes: list[int], n: int) -> None:
    # LPT <= (4/3 - 1/(3n)) OPT (Graham 1969), with the optimum by trying every deal.
    optimum = min(
        max(sum(s for s, agent in zip(sizes, deal, strict=True) if agent == i) for i in range(n))
        for deal in itertools.product(range(n), repeat=len(sizes))
    )
    m = run(
        team__size=n,
        team__agent={
            "latency": {"kind": "seconds", "per_work_unit_s": 1},
            "behaviour": {"talk": 0},
        },
        workload={"kind": "dag", "tasks": [{"id": str(i), "size": s} for i, s in enumerate(sizes)]},
        coordination={
            "protocol": {"kind": "pre_assigned", "deal": "longest_first"},
            "timing": "asynchronous",
        },
    )
    assert optimum <= m.makespan_s <= (4 / 3 - 1 / (3 * n)) * optimum + 1e-9
