"""A calibrated cell, put together by hand, says its estimates as a scenario and as a report."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.calibration.cell import CellFit
from analysis.calibration.drafts import DraftHabit
from analysis.calibration.estimates import NOT_SEEN, UNTOLD, Estimate, VectorFit
from analysis.calibration.habits import Habits
from analysis.calibration.latency import Residual
from analysis.calibration.output_limits import Capacity
from analysis.calibration.pooled_cells import _over_cells
from analysis.calibration.profiles import write_profile
from analysis.calibration.simulated_runs import checked, rows_of
from analysis.calibration.styles import AT_TASKS
from analysis.calibration.tokens import NAMES, TokenFit
from analysis.traces.team_runs import CELL, SELF_CLAIM
from simulator.scenario import Scenario


def certain(*values: float, error: float = 0.1) -> VectorFit:
    """Return a fit with such values and independent errors."""
    return VectorFit(np.array(values), error**2 * np.eye(len(values)))


def residual(kind: str, scale: float, run_sigma: float) -> Residual:
    """Return a residual with a scale of its logarithm."""
    of_run = Estimate.of(run_sigma, 0.01, "square")
    return Residual(kind, Estimate.of(scale, 0.05, "log"), of_run, 0.02, 0.4, 3.0)


TOKENS = {"system": 1500.0, "turn": 200.0, "artifact": 30.0, "output": 120.0, "per_task": 240.0}


def cell(mode: str = SELF_CLAIM, **fields: Any) -> CellFit:
    """Return a fit whose estimates are all different."""
    values: dict[str, Any] = {
        "cell": {**dict.fromkeys(CELL, "x"), "mode": mode, "model_dir": "some model/1"},
        "runs": 12,
        "calls": 345,
        "max_rounds": 60,
        "latency": certain(*np.log([4.0, 2.5, 0.3])),
        "redo": Estimate.of(0.45, 0.1, "log"),
        "residual": residual("lognormal", 0.5, 0.2),
        "idle_median": certain(math.log(1.7)),
        "idle_residual": residual("log_logistic", 0.25, 0.0),
        "one_by_one": certain(math.log(0.3 / 0.7), 1.5),
        "habits": Habits(
            np.array([1, 2, 5]),
            np.array([10.0, 30.0, 60.0]),
            np.array([50.0, 25.0, 25.0]),
            (3.0, 1.0),
            (9.0, 1.0),
        ),
        "drafts": DraftHabit(Estimate.of(0.2, 0.1, "logit"), Estimate.of(0.7, 0.1, "logit")),
        "idle_first": Estimate.of(0.06, 0.1, "logit"),
        "idle": Estimate.of(0.1, 0.1, "logit"),
        "idle_again": Estimate.of(0.4, 0.1, "logit"),
        "error": Estimate.of(0.2, 0.1, "logit"),
        "error_run_sigma": Estimate(0.0, 0.0, "square"),
        "call_correlation": Estimate.of(0.7, 0.1, "logit"),
        "limit_s": 36.0,
        "round_sigma": Estimate.of(0.15, 0.01, "square"),
        "hung": Estimate.of(0.001, 0.3, "logit"),
        "trends": {},
        "capacity": Capacity(14.0),
        "truncation_loss": Estimate.of(0.08, 0.1, "logit"),
        "overhead_s": 0.75,
        "tokens": TokenFit(
            certain(
                *(
                    math.log(0.8 / 0.2) if name == "retention" else math.log(TOKENS[name])
                    for name in NAMES
                )
            ),
            Estimate.of(0.3, 0.01, "square"),
            0.11,
        ),
        "deference": Estimate(0.35, 0.1),
        "noise": Estimate(0.6, 0.1),
    }
    return CellFit(**{**values, **fields})


TASKS: list[dict[str, Any]] = [{"id": "a"}, {"id": "b", "dependencies": ["a"]}]


def test_an_agent_has_each_estimate_in_its_field() -> None:
    agent = cell().agent()
    latency = agent["latency"]
    assert (latency["base"], latency["per_work_unit_s"]) == (4.0, 2.5)
    assert latency["residual"] == {
        "kind": "lognormal",
        "median": 1.0,
        "sigma": 0.5,
        "run_sigma": 0.2,
    }
    assert latency["idle"] == {"kind": "log_logistic", "median": 1.7, "shape": 4.0}
    # One task a call at first is the agents' other habit, which has a field of its own.
    assert agent["first_batch"]["values"] == [2, 5]
    assert agent["first_batch"]["weights"] == pytest.approx([1 / 3, 2 / 3], abs=1e-4)
    assert agent["batch"]["values"] == [1, 2, 5]
    assert agent["batch"]["weights"] == [0.5, 0.25, 0.25]
    assert agent["batch_persistence"] == 0.75
    assert agent["one_by_one"] == {"probability": 0.3, "at_tasks": AT_TASKS, "growth": 1.5}
    assert (agent["capacity"], agent["truncation_loss"], agent["redo_work"]) == (14.0, 0.08, 0.45)
    assert agent["tokens"] == {
        "output": {"kind": "deterministic", "value": 120.0, "run_sigma": 0.3},
        "per_work_unit": 240.0,
        "message": 0,
    }
    context = agent["context"]
    said = [context[f"{name}_tokens"] for name in ("system", "artifact", "turn")]
    assert [*said, context["retention"]] == [1500.0, 30.0, 200.0, 0.8]
    assert agent["errors"] == {
        "probability": {"probability": 0.2, "run_sigma": 0.0},
        "call_correlation": 0.7,
        "detection": 1,
    }


def test_idling_again_is_as_likely_as_it_was_seen() -> None:
    behaviour = cell().agent()["behaviour"]
    p, again = behaviour["idle"], behaviour["idle_persistence"]
    assert (p, behaviour["idle_first"], behaviour["chatter"]) == (0.1, 0.06, 1)
    # Who has idled idles for the same reason again, or by chance as in any call.
    assert again + (1 - again) * p == pytest.approx(0.4, abs=1e-4)
    seldom = cell(idle_again=Estimate.of(0.05, 0.1, "logit"))
    assert seldom.agent()["behaviour"]["idle_persistence"] == 0.0
    always = cell(idle=Estimate(1.0, 0.0), idle_again=Estimate(1.0, 0.0))
    assert always.idle_persistence == 0.0


def test_who_claims_defers_and_overlooks_and_who_is_dealt_does_not() -> None:
    claiming, dealt = cell(), cell(mode="dealt")
    behaviour = claiming.agent()["behaviour"]
    assert (behaviour["deference"], behaviour["blind_calls"]) == (0.35, 0.9)
    p, again = behaviour["leave_drafts"], behaviour["leaving_persistence"]
    assert (p, again + (1 - again) * p) == (0.2, pytest.approx(0.7, abs=1e-4))
    of_claims = {"deference", "blind_calls", "leave_drafts", "leaving_persistence"}
    assert not of_claims & set(dealt.agent()["behaviour"])
    protocols = [each.scenario(TASKS)["coordination"]["protocol"] for each in (claiming, dealt)]
    assert protocols == [
        {"kind": "self_claim", "choice": "noisy", "noise": 0.6},
        {"kind": "pre_assigned"},
    ]


def test_habits_of_which_nothing_is_known_are_not_said_to_be_certain(tmp_path: Path) -> None:
    unseen, path = cell(deference=UNTOLD, noise=UNTOLD), tmp_path / "profile.yaml"
    report = unseen.report()
    for name in ("deference", "noise"):
        assert (report[name], report[f"{name}_se"]) == (None, None)
    write_profile(unseen, path, "runs")
    profile = " ".join(path.read_text().split())
    assert "choice noise not known" in profile
    assert "# deference is not known, as no team of several tells it" in profile
    assert "# deference: " not in profile
    rng = np.random.default_rng(3)
    drawn = np.array([unseen.draw(rng).deference.value for _ in range(400)])
    # Four standard errors of the mean of 400, and of their deviation.
    assert drawn.mean() == pytest.approx(0.5, abs=0.06)
    assert drawn.std() == pytest.approx(12**-0.5, rel=1 / 6)


def test_who_is_dealt_tasks_has_no_habits_of_claiming(tmp_path: Path) -> None:
    dealt, path = cell(mode="dealt"), tmp_path / "profile.yaml"
    assert dealt.untold == []
    assert not {"deference", "noise"} & set(dealt.report())
    write_profile(dealt, path, "runs")
    assert "noise" not in path.read_text()
    assert cell().report()["deference"] == 0.35


def test_a_spread_that_runs_do_not_tell_is_not_reported_as_0(tmp_path: Path) -> None:
    unseen = cell(error_run_sigma=NOT_SEEN)
    report = unseen.report()
    assert report["error_run_sigma"] is None
    assert report["error_run_sigma_se"] is None
    assert unseen.agent() == cell().agent()
    write_profile(unseen, tmp_path / "agent.yaml", "runs")
    assert "#   error_run_sigma: 0.0, not estimated" in (tmp_path / "agent.yaml").read_text()


@pytest.mark.parametrize(("redo", "said"), [(0.0001, 0.001), (0.45, 0.45), (1.7, 1.0)])
def test_a_later_attempt_takes_no_more_than_the_first(redo: float, said: float) -> None:
    assert cell(redo=Estimate.of(redo, 0.1, "log")).agent()["redo_work"] == said


def test_what_fits_into_a_reply_may_differ_between_runs() -> None:
    limit = {"kind": "deterministic", "value": 14.0, "run_sigma": 0.4321}
    agent = cell(capacity=Capacity(14.0, 0.43214, 1.0)).agent()
    assert (agent["capacity"], agent["capacity_elasticity"]) == (limit, 1.0)
    assert "capacity_elasticity" not in cell().agent()


def test_limits_that_were_never_reached_are_not_said() -> None:
    agent = cell(limit_s=None, capacity=None).agent()
    assert not {"capacity", "truncation_loss"} & set(agent)
    falling = cell(one_by_one=certain(0.0, -2.0)).agent()["one_by_one"]
    assert (falling["probability"], falling["growth"]) == (0.5, 0.0)


def test_errors_that_vary_between_runs_have_their_median_and_their_spread() -> None:
    found = cell(error_run_sigma=Estimate.of(1.2, 0.1, "square")).agent()["errors"]["probability"]
    assert found["run_sigma"] == 1.2
    assert 0.1 < found["probability"] < 0.2  # below the mean, which is skewed
    for p in (0.0, 1.0):
        each = cell(error=Estimate(p, 0.0), error_run_sigma=Estimate.of(1.2, 0.1, "square"))
        assert each.agent()["errors"]["probability"] == {"probability": p}


def test_habits_too_rare_to_tell_are_left_out() -> None:
    habits = Habits(
        np.array([1, 2, 5]), np.ones(3), np.array([9996.0, 3.0, 1.0]), (1.0, 1.0), (1.0, 1.0)
    )
    agent = cell(habits=habits).agent()
    assert agent["batch"] == {"kind": "empirical", "values": [1], "weights": [0.9996]}
    one = Habits(np.array([1]), np.ones(1), np.ones(1), (1.0, 1.0), (1.0, 1.0))
    assert cell(habits=one).agent()["first_batch"]["values"] == [1]


@pytest.mark.parametrize("size", [1, 4])
def test_a_cell_is_a_scenario_that_can_be_run(size: int) -> None:
    made = cell().scenario(TASKS, size)
    assert made["coordination"]["round_overhead_s"] == 0.75
    assert (made["limits"], made["seed"]) == ({"max_rounds": 60}, 1)
    assert "some model/1" in made["question"]
    found = Scenario.model_validate(made)
    assert found.team.size == size
    assert "/" not in made["name"]
    assert " " not in made["name"]
    default = cell().scenario(TASKS)
    assert default["team"]["size"] == 1


def test_a_report_has_each_value_and_its_error() -> None:
    row = cell().report()
    assert (row["runs"], row["calls"]) == (12, 345)
    values = {
        "base_s": 4.0,
        "per_task_s": 2.5,
        "hand_in": 0.3,
        "idle_s": 1.7,
        "one_by_one": 0.3,
        "one_by_one_growth": 1.5,
        "retention": 0.8,
        "residual_sd": 0.5,
        "batch_persistence": 0.75,
        "blind_calls": 0.9,
        **{f"{name}_tokens": tokens for name, tokens in TOKENS.items()},
    }
    assert {name: row[name] for name in values} == pytest.approx(values)
    assert row["base_s_se"] == row["per_task_s_se"] == pytest.approx(0.1)
    assert row["batch_persistence_se"] == pytest.approx(math.sqrt(0.75 * 0.25 / 5))
    assert row["first_batch_mean"] == pytest.approx((10 + 60 + 300) / 100)
    assert row["batch_mean"] == pytest.approx((50 + 50 + 125) / 100)
    assert (row["residual"], row["residual_ks"], row["residual_ad"]) == ("lognormal", 0.02, 0.4)


def test_a_log_logistic_residual_has_the_deviation_of_a_logistic() -> None:
    row = cell(residual=residual("log_logistic", 0.25, 0.0)).report()
    assert row["residual_sd"] == pytest.approx(0.25 * math.pi / math.sqrt(3))


def test_parameters_drawn_vary_by_their_errors() -> None:
    rng, fit = np.random.default_rng(5), cell()
    drawn = [fit.draw(rng) for _ in range(400)]
    for name, link, at in (("redo", np.log, 0.45), ("error", lambda p: np.log(p / (1 - p)), 0.2)):
        values = link(np.array([getattr(each, name).value for each in drawn]))
        # 400 draws: the mean within four standard errors of 0.005, the deviation within a sixth.
        assert values.mean() == pytest.approx(link(at), abs=0.02)
        assert values.std() == pytest.approx(0.1, rel=1 / 6)
    bases = np.array([each.latency.at[0] for each in drawn])
    assert bases.std() == pytest.approx(0.1, rel=1 / 6)
    assert {each.runs for each in drawn} == {12}
    assert all(each.redo.error == 0.0 for each in drawn)


def test_scenarios_with_one_workload_are_checked_as_each_alone() -> None:
    """A workload that several in a row have is checked once; another one is that document's."""
    tasks = [{"id": "a", "dependencies": []}, {"id": "b", "dependencies": ["a"]}]
    lists = [tasks, tasks, tasks[:1], tasks]
    documents = [
        cell().scenario(some, size) | {"replications": 2} for size, some in enumerate(lists, 1)
    ]
    alone = [Scenario.model_validate(each) for each in documents]
    together = list(checked(documents))
    assert together == alone
    assert together[1].workload is together[0].workload
    assert [row for each in documents for row in rows_of([each])] == rows_of(documents)


def test_habits_of_which_each_cell_tells_another_are_known() -> None:
    """Of another task list next to nothing is known; but each cell has seen its own."""
    low, high = Estimate(0.1, 0.02), Estimate(0.9, 0.02)
    assert cell(deference=_over_cells([low, high]), noise=low).untold == []
    middle = Estimate(0.5, 0.02)
    assert cell(deference=_over_cells([low, middle, high]), noise=low).untold == []
