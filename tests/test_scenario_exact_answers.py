"""What answers of shipped scenarios say without an interval, because it is exact."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator import Simulation
from simulator.model.metrics import Metrics
from simulator.scenario import load_study
from tests.test_scenario_answers import CLAIMS
from tests.test_scenario_numbers import NUMBERS
from tests.test_scenario_words import WORDS

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"


def runs(
    name: str, wanted: Callable[[dict[str, Any]], bool], count: int
) -> dict[Any, list[Metrics]]:
    """Return replications of the points that are wanted, by the values that differ."""
    study = load_study(SCENARIOS / f"{name}.yaml")
    found = {
        tuple(point.overrides.values()): Simulation(point.scenario)
        for point in study.points
        if wanted(dict(point.overrides))
    }
    assert found
    return {
        key: [simulation.run(each) for each in range(count)] for key, simulation in found.items()
    }


@pytest.mark.slow
@pytest.mark.theory
def test_a_team_without_costs_follows_amdahls_law_and_no_more() -> None:
    found = {key: each[0] for key, each in runs("amdahl", lambda _: True, 1).items()}
    for (p, n), m in found.items():  # a task takes a second
        parallel = round(p * m.tasks)
        assert m.makespan_s == pytest.approx(m.tasks - parallel + math.ceil(parallel / n))
        assert m.tasks / m.makespan_s <= 1.0 / ((1.0 - p) + p / n) + 1e-9


def test_a_mesh_delivers_each_message_to_all_others_and_a_blackboard_none() -> None:
    found = runs("gossip", lambda point: point["team.size"] == 64, 2)
    delivered = {key[1]: {m.deliveries for m in each} for key, each in found.items()}
    assert delivered["blackboard"] == {0}
    assert delivered["decentralised"] == {640 * 63}
    assert delivered["gossip"] == {640}


def test_who_all_choose_alike_pick_one_task_and_block_each_other() -> None:
    path = "team.agent.behaviour.preference_correlation"
    picked = runs("claim_collisions", lambda p: p[path] == 1 and p["team.size"] == 10, 20)
    assert {m.tasks_done for each in picked.values() for m in each} == {1}
    blocked = runs("philosophers", lambda p: p[path] == 1, 20)
    assert {m.success for each in blocked.values() for m in each} == {False}


@pytest.mark.theory
def test_the_published_shares_of_blocked_philosophers_are_those_the_answer_says() -> None:
    answer = load_study(SCENARIOS / "philosophers.yaml").base.answer
    published = re.search(r"the published (\d+) to (\d+) %", answer)
    shares = re.search(r"a share s of (\S+) to ([\d.]+\d)", answer)
    assert published is not None
    assert shares is not None
    for percent, said in zip(published.groups(), shares.groups(), strict=True):
        # Each of five takes what all take, with probability s, or a coin of its own.
        law = [
            ((1 + s) / 2) ** 5 + ((1 - s) / 2) ** 5
            for s in (float(said) - 0.005, float(said) + 0.005)
        ]
        assert law[0] <= float(percent) / 100 <= law[1]


def test_quorums_that_overlap_read_nothing_stale() -> None:
    read, written = "workspace.read", "workspace.write"
    found = runs("stale_reads", lambda point: True, 10)
    study = load_study(SCENARIOS / "stale_reads.yaml")
    assert list(study.points[0].overrides) == [read, written]
    stale = {key: sum(m.stale_reads for m in each) for key, each in found.items()}
    assert {key for key, count in stale.items() if not count} == {
        (r, w) for r, w in stale if r + w > 5
    }


EXACT = {"amdahl", "gossip", "claim_collisions", "philosophers", "stale_reads"}
"""The scenarios whose words are held by the tests above."""


def test_every_scenario_has_a_test_of_its_numbers_and_of_its_words() -> None:
    names = {path.stem for path in SCENARIOS.glob("*.yaml")}
    assert names == {*NUMBERS, "amdahl"}  # which has no number
    assert names == EXACT | {claim.__name__ for claim in (*CLAIMS, *WORDS)}
