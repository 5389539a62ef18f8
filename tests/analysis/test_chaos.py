"""The battery of faults, and its table."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from analysis.decisions.chaos import ALL, NO_FAULT, NONE, battery, changed, chaos, configurations
from tests.conftest import agent, scenario

LED: dict[str, Any] = {
    "team": {"size": 4, "agent": agent(behaviour={"talk": 1})},
    "topology": "centralised",
    "coordination": {"protocol": "lead_assign", "timing": "asynchronous"},
    "workload__tasks": 60,
}


def table(**fields: Any) -> pd.DataFrame:
    return chaos(scenario(**{**LED, **fields}), 4).set_index(["fault", "patterns"])


def test_every_fault_of_the_battery_is_a_scenario() -> None:
    led = scenario(**LED)
    trials = battery(led, 100.0)
    assert len({trial.name for trial in trials}) == len(trials) >= 15
    for trial in trials:
        assert changed(led, trial.changes) != led, trial.name
    assert any("coordinator" in trial.name for trial in trials)
    alone = scenario()
    assert not any("coordinator" in trial.name for trial in battery(alone, 100.0))


def test_a_fault_of_agents_hits_every_group() -> None:
    groups = {"a": {"size": 1, "agent": agent()}, "b": {"size": 2, "agent": agent()}}
    hit = changed(scenario(team={"groups": groups}), {"agents.faults.stall": 0.1})
    assert [each.faults.stall for each in hit.team.kinds] == [0.1, 0.1]


def test_patterns_are_tried_together_one_less_and_not_at_all() -> None:
    assert list(configurations(scenario())) == [NONE]
    one = configurations(scenario(resilience={"retry": {}}))
    assert list(one) == [ALL, NONE]
    patterns = {"retry": {}, "detector": {}, "supervisor": {}, "enough": 1.0}
    several = configurations(scenario(resilience=patterns))
    assert list(several) == [
        ALL,
        "without retry",
        "without detector",
        "without supervisor",
        NONE,
    ]
    assert "supervisor" not in several["without detector"]  # it has nobody to tell it
    assert set(several["without retry"]) == {"detector", "supervisor", "enough"}


@pytest.mark.slow
def test_the_table_says_what_a_pattern_saves() -> None:
    election = {"timeout_s": {"kind": "uniform", "low": 2, "high": 4}, "heartbeat_s": 1}
    rows = table(resilience={"election": election})
    lost = rows.loc["coordinator is lost"]
    assert (lost.loc[ALL, "completed"], lost.loc[NONE, "completed"]) == (1.0, 0.0)
    assert lost.loc[ALL, "lost_tasks"] == 0 < lost.loc[NONE, "lost_tasks"]
    healthy = rows.loc[NO_FAULT]
    assert (healthy["lost_tasks"] == 0).all()
    assert (healthy[["extra_tokens", "extra_tokens_low", "extra_tokens_high"]] == 0).all(axis=None)
    extra = rows.loc[("half the workers crash together", ALL)]
    assert extra["extra_tokens_low"] < extra["extra_tokens"] < extra["extra_tokens_high"]
    assert lost.loc[ALL, "makespan_s"] > healthy.loc[ALL, "makespan_s"]
    assert pd.isna(lost.loc[NONE, "makespan_s"])  # it never ends: no time, rather than a short one


@pytest.mark.slow
def test_no_run_takes_for_ever() -> None:
    rows = table(resilience={"retry": {"max_retries": 1_000_000, "backoff": {"kind": "none"}}})
    healthy = rows.loc[(NO_FAULT, ALL), "makespan_s"]
    length = (rows["makespan_s"] * rows["completed"]).dropna()  # of a run, finished or not
    assert (length <= 20 * healthy * 1.01).all()
    never = rows["completed"] == 0
    assert never.any()
    unknown = ["makespan_s", "makespan_low", "extra_tokens", "extra_tokens_high"]
    assert rows.loc[never, unknown].isna().all(axis=None)
