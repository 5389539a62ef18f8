"""The work of single agents is resampled run by run: what goes together in sessions stays so."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.observation import resampling
from analysis.observation.observe import Observation, observe
from analysis.observation.resampling import FEWEST
from analysis.observation.team_file import team_yaml
from analysis.traces.reading import read_traces
from simulator.scenario import parse_study
from tests.analysis.observed_teams import agent, write_runs

LONG, MANY = {"sizes": [24], "start_tokens": 60_000}, {"sizes": [2] * 6, "start_tokens": 0}


def sessions(path: Path, count: int, *runs: dict[str, Any], **fields: Any) -> Observation:
    """Return what is observed of sessions whose work is one of some runs'."""

    each = agent(random.Random(5)) | {"loop": {"work_per_turn": 1}, **fields}
    said = {
        "name": "sessions",
        "team": {"size": 1, "agent": each},
        "topology": {"kind": "independent", "aggregate": False},
        "coordination": {"protocol": {"kind": "self_claim"}, "timing": "asynchronous"},
        "workload": {"kind": "resampled", "runs": list(runs)},
    }
    write_runs(said, path, count)
    return observe(read_traces([path]), "observed", 200)


def work_of(found: Observation) -> list[dict[str, Any]]:
    workload = found.twin.document["workload"]
    assert workload["kind"] == "resampled"
    return list(workload["runs"])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Observation:
    return sessions(tmp_path_factory.mktemp("sessions"), 40, LONG, MANY)


@pytest.mark.slow
def test_the_twin_has_the_requests_of_each_session(found: Observation) -> None:
    sizes = Counter(tuple(run["sizes"]) for run in work_of(found))
    assert set(sizes) == {(24,), (2,) * 6}
    assert sizes.total() == 40
    assert found.twin.document["team"]["agent"]["loop"] == {"work_per_turn": 1}


@pytest.mark.slow
def test_what_a_session_begins_with_stays_with_its_requests(found: Observation) -> None:
    begun = {len(run["sizes"]): run["start_tokens"] for run in work_of(found)}
    assert begun[1] - begun[6] == pytest.approx(60_000, rel=0.01)


@pytest.mark.slow
def test_runs_of_the_twin_are_as_those_of_the_trace(found: Observation) -> None:
    real, made = found.table, found.simulated
    for measure, most in (("calls", 0.1), ("makespan_s", 0.12), ("input_tokens", 0.15)):
        assert made[measure].mean() == pytest.approx(real[measure].mean(), rel=most), measure
    # Sessions of many requests are the short ones.
    for table in (real, made):
        short = table["calls"] < 20
        assert table["calls"][short].median() == 12
        assert table["calls"][~short].median() == 24


@pytest.mark.slow
def test_the_scenario_that_is_written_says_where_the_work_comes_from(found: Observation) -> None:
    text = team_yaml(found.twin, [])
    said = " ".join(line.strip().lstrip("# ") for line in text.splitlines())
    assert "each replication draws one of these runs" in said
    base = parse_study(text).base
    assert base.workload.task_count in (3, 4)  # 1 and 6 requests
    assert "no team can share them" in base.assumptions[0]


@pytest.mark.thorough
def test_of_few_sessions_the_median_one_stands_for_all(tmp_path: Path) -> None:
    few = sessions(tmp_path, FEWEST - 1, LONG, MANY)
    assert few.twin.document["workload"]["kind"] == "parallel_fraction"


@pytest.mark.slow
@pytest.mark.usefixtures("hardly_tuned")
def test_sessions_that_are_alike_are_not_listed(tmp_path: Path) -> None:
    alike = sessions(tmp_path, 10, MANY)
    assert alike.twin.document["workload"] == {
        "kind": "parallel_fraction",
        "tasks": 6,
        "parallel_fraction": 1,
    }


@pytest.mark.slow
@pytest.mark.usefixtures("hardly_tuned")
def test_of_many_sessions_as_many_as_can_be_read_stand_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resampling, "_MOST", 60)
    runs = [{"sizes": [n]} for n in range(1, 12)]
    many = sessions(tmp_path, 80, *runs, tools={})
    listed = [sum(run["sizes"]) for run in work_of(many)]
    assert len(listed) == 60
    assert np.mean(listed) == pytest.approx(many.table["calls"].mean(), rel=0.01)
