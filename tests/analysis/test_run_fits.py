"""Runs known by their totals: their analogues, and what they say of another protocol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.calibration import fit_cells, run_fits
from analysis.calibration.analogues import (
    Analogue,
    Analogues,
    analogues_in,
    analogues_of,
    document_of,
    read_analogues,
    write_analogues,
)
from analysis.calibration.estimates import Estimate
from analysis.calibration.protocol_names import has_claims, protocol_called, topology_for
from analysis.calibration.run_assumptions import assumed_of_fits, assumed_of_predictions
from analysis.calibration.run_fits import Match, RunFit, fit_runs
from analysis.calibration.run_store import read_run_fits, write_run_fits
from analysis.calibration.run_teams import TeamJob, TeamOf, run_team
from analysis.calibration.store import Calibrated, calibrated
from analysis.traces.readers.llm_teams import read_team_runs
from analysis.traces.run_tables import COLUMNS, RunTable
from analysis.validation.run_prediction import (
    RunTarget,
    carried,
    predict_runs,
    score_runs,
    summary_of,
)
from simulator.errors import TeamsimError
from simulator.scenario import Scenario
from tests.conftest import REAL_DATA

GEMINI = "google_gemini-3-flash-preview"
DEALT, CLAIMED = {"kind": "pre_assigned"}, {"kind": "self_claim"}
TWICE = {"seconds": float(np.log(2.0)), "tokens": float(np.log(3.0))}


@pytest.fixture(scope="module")
def shipped() -> Analogues:
    """The analogues that ship, of one model."""
    every = read_analogues(None)
    return replace(every, found=[each for each in every.found if each.model == GEMINI])


@pytest.fixture
def of_few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit by a few runs of each analogue, in a test of something else than how well it fits."""
    monkeypatch.setattr(run_fits, "_REPLICATIONS", 12)


def team(like: Analogue, spec: dict[str, str], n: int = 2) -> TeamOf:
    fit = like.fit(has_claims(spec))
    assert fit is not None
    return TeamOf(fit, like.tasks, spec, n)


def table_of(like: Analogue, spec: dict[str, str], runs: int, gaps: dict[str, float]) -> RunTable:
    """Return the totals of runs of an analogue's team, seconds and tokens multiplied."""
    rows = run_team(TeamJob(team(like, spec), runs, 77, gaps, {}))
    rows = rows.assign(model=GEMINI, task_list="mine", protocol=spec["kind"], n=2)
    rows["success"] = rows["success"].astype(float)
    return RunTable(rows.reindex(columns=list(COLUMNS)), [])


def test_factors_multiply_all_seconds_and_all_tokens_and_change_nothing_else(
    shipped: Analogues,
) -> None:
    for spec in (DEALT, CLAIMED):
        as_fitted, changed = (
            run_team(TeamJob(team(shipped.found[0], spec), 8, 1, gaps, {})) for gaps in ({}, TWICE)
        )
        # Parameters are rounded to four digits.
        assert changed["seconds"].to_numpy() == pytest.approx(2.0 * as_fitted["seconds"], rel=1e-3)
        assert changed["tokens"].to_numpy() == pytest.approx(3.0 * as_fitted["tokens"], rel=1e-3)
        assert changed["rounds"].tolist() == as_fitted["rounds"].tolist()
        assert changed["success"].tolist() == as_fitted["success"].tolist()


@pytest.mark.thorough
def test_runs_of_a_known_team_find_it_and_what_they_take_more(shipped: Analogues) -> None:
    for place in (0, 3):
        table = table_of(shipped.found[place], CLAIMED, 120, {"seconds": TWICE["seconds"]})
        (fit,) = fit_runs(table, shipped, {})
        match = next(each for each in fit.matches if each.analogue == place)
        # Differences of two means over 30 draws of parameters, of which seconds vary by 0.4.
        assert match.gaps["seconds"] == pytest.approx(TWICE["seconds"], abs=0.3)
        assert match.gaps["rounds"] == pytest.approx(0.0, abs=0.3)
        assert sum(each.weight for each in fit.matches) == pytest.approx(1.0)
        (plain,) = fit_runs(table_of(shipped.found[place], CLAIMED, 120, {}), shipped, {})
        weights = {each.analogue: each.weight for each in plain.matches}
        # Which of an agent's cells on one task list it is, runs hardly tell. That another is k
        # times as likely as the true one has a probability of 1 / k at most (Markov's inequality).
        assert max(weights.values()) < 20 * weights[place]
        names = [each.task_list.partition("/")[0] for each in shipped.found]
        assert sum(w for i, w in weights.items() if names[i] == names[place]) > 0.5


@pytest.mark.slow
def test_the_other_protocol_is_predicted_better_than_by_the_runs_as_they_are(
    shipped: Analogues,
) -> None:
    like = shipped.found[1]
    pilot, truth = (table_of(like, spec, 30, {}) for spec in (DEALT, CLAIMED))
    fits = fit_runs(pilot, shipped, {})
    predicted = predict_runs(fits, shipped, RunTarget(["self_claim"], [2], {}), 200)
    assert len(predicted) == 200
    scores = score_runs(predicted, truth.runs, pilot.runs).set_index("measure")
    for measure in ("seconds", "tokens", "rounds"):
        assert scores.loc[measure, "predicted"] < 0.7 * scores.loc[measure, "pilot"], measure
    summary = summary_of(scores.reset_index())
    assert summary["ratio"].to_numpy() == pytest.approx(
        (summary["predicted"] / summary["again"]).to_numpy(), nan_ok=True
    )


@pytest.mark.parametrize(("known", "compared"), [("self_claim", [100.0]), ("lead", [10.0, 100.0])])
def test_teams_are_compared_with_pilots_of_their_protocol(
    known: str, compared: list[float]
) -> None:
    team = {"model": "m", "task_list": "l", "protocol": known, "n": 3}
    measured = {"tokens": 1.0, "rounds": 1.0, "calls": 1.0, "success": True}
    predicted, truth = (pd.DataFrame([{**team, **measured, "seconds": 20.0}] * 3) for _ in range(2))
    pilot = pd.DataFrame(
        [
            {**team, **measured, "protocol": protocol, "n": 1, "seconds": seconds}
            for protocol, seconds in (("pre_assigned", 10.0), ("self_claim", 100.0))
        ]
    )
    scores = score_runs(predicted, truth, pilot).set_index("measure")
    # The CRPS of a distribution: mean distance, less half of that between two draws from it.
    logs = np.log(compared)
    crps = np.abs(logs - np.log(20.0)).mean() - np.abs(logs[:, None] - logs).mean() / 2
    assert scores.loc["seconds", "pilot"] == pytest.approx(crps)


def a_fit(error: float, weights: tuple[float, ...] = (1.0,)) -> RunFit:
    gaps = {"seconds": 1.0, "tokens": 1.0}
    return RunFit(
        model=GEMINI,
        task_list="",
        protocol="static",
        spec=DEALT,
        sizes=[2],
        runs=5,
        max_rounds=None,
        is_same=True,
        errors=dict.fromkeys(gaps, error),
        matches=[Match(i, weight, gaps) for i, weight in enumerate(weights)],
    )


def test_a_gap_carries_over_in_part_and_less_sure(shipped: Analogues) -> None:
    gaps = {"seconds": 1.0, "tokens": 1.0}
    same, errors = carried(a_fit(0.0), gaps, shipped, claims=False)
    assert same == gaps
    assert errors == {"seconds": 0.0, "tokens": 0.0}
    other, spread = carried(a_fit(0.0), gaps, shipped, claims=True)
    assert other["seconds"] == pytest.approx(shipped.carry[False].share["seconds"])
    assert spread["seconds"] == pytest.approx(shipped.carry[False].spread["seconds"])
    # Four analogues of equal weight have a part of that spread between themselves.
    _, of_four = carried(a_fit(0.0, (0.25,) * 4), gaps, shipped, claims=True)
    assert of_four["seconds"] == pytest.approx(spread["seconds"] / 2.0)
    unsure, _ = carried(a_fit(0.5), gaps, shipped, claims=False)
    assert 0.0 < unsure["seconds"] < 1.0


@pytest.mark.usefixtures("of_few_runs")
def test_what_is_not_known_of_runs_is_not_needed(shipped: Analogues) -> None:
    table = table_of(shipped.found[0], CLAIMED, 6, {})
    runs = table.runs.assign(tokens=np.nan, rounds=np.nan, calls=np.nan, success=np.nan)
    (fit,) = fit_runs(RunTable(runs.head(1), []), shipped, {})
    assert list(fit.errors) == ["seconds"]
    assert any(
        "the tokens of these runs are not known" in said for said in assumed_of_fits([fit], shipped)
    )
    predicted = predict_runs([fit], shipped, RunTarget([], [], {}), 12)
    assert predicted[["protocol", "n"]].drop_duplicates().to_numpy().tolist() == [["self_claim", 2]]
    other = predict_runs([fit], shipped, RunTarget([], [], {}), 12, seed=1)
    assert not set(other["seconds"]) & set(predicted["seconds"])


@pytest.mark.usefixtures("of_few_runs")
def test_fits_are_read_as_they_were_written(shipped: Analogues, tmp_path: Path) -> None:
    table = table_of(shipped.found[0], DEALT, 5, {})
    fits = fit_runs(table, shipped, {"mine": "self_claim"})
    write_run_fits(fits, shipped, {"mine": "self_claim"}, table, tmp_path)
    found = read_run_fits(tmp_path)
    assert found.fits == fits
    assert found.meant == {"mine": "self_claim"}
    assert found.pilot["seconds"].to_numpy() == pytest.approx(table.runs["seconds"].to_numpy())
    for name in ("seconds", "tokens"):
        assert found.analogues.carry[True].share[name] == shipped.carry[True].share[name]
    (tmp_path / "run_fits.json").write_text("{}")
    with pytest.raises(TeamsimError, match="calibrate again"):
        read_run_fits(tmp_path)


@pytest.mark.usefixtures("of_few_runs")
def test_the_scenario_of_a_fit_runs(shipped: Analogues, tmp_path: Path) -> None:
    table = table_of(shipped.found[2], DEALT, 5, TWICE)
    write_run_fits(fit_runs(table, shipped, {}), shipped, {}, table, tmp_path)
    (path,) = tmp_path.glob("*.yaml")
    import yaml

    Scenario.model_validate(yaml.safe_load(path.read_text()))


def test_protocols_have_the_names_that_tables_use() -> None:
    assert protocol_called("preassign_nolead", {}) == DEALT
    assert protocol_called("no graph", {}) == CLAIMED
    assert protocol_called("static", {}) == {"kind": "lead_assign"}
    assert protocol_called("static", {"static": "pre_assigned"}) == DEALT
    assert protocol_called("Decentralized", {}) == CLAIMED
    assert protocol_called("theirs", {"theirs": {"kind": "self_claim", "lease_rounds": 5}}) == {
        "kind": "self_claim",
        "lease_rounds": 5,
    }
    with pytest.raises(TeamsimError, match=r"unknown protocol 'metagpt'.*metagpt=KIND"):
        protocol_called("metagpt", {})
    assert topology_for(DEALT, 4) == "decentralised"
    assert topology_for({"kind": "lead_assign"}, 4) == "centralised"


@pytest.mark.usefixtures("of_few_runs")
def test_a_model_that_is_not_known_is_taken_for_the_most_alike_and_that_is_said(
    shipped: Analogues,
) -> None:
    table = table_of(shipped.found[0], DEALT, 5, {})
    fits = fit_runs(RunTable(table.runs.assign(model="their-model"), []), shipped, {})
    assert len(fits[0].matches) == len(shipped.found)
    assert not fits[0].is_same
    said = " | ".join(assumed_of_fits(fits, shipped))
    assert "'their-model' is not among them" in said
    other = assumed_of_predictions([(fits[0], "decentralized", "self_claim")], shipped)
    assert len(other) == 1
    assert "was not run" in other[0]
    assert "of the seconds" in other[0]


@pytest.mark.usefixtures("of_few_runs")
def test_analogues_that_lack_a_mode_cannot_show_it(shipped: Analogues) -> None:
    dealt = replace(shipped, found=[replace(each, claiming=None) for each in shipped.found])
    table = table_of(shipped.found[0], DEALT, 5, {})
    fits = fit_runs(table, dealt, {})
    with pytest.raises(TeamsimError, match="agents that claim their tasks"):
        predict_runs(fits, dealt, RunTarget(["self_claim"], [], {}), 4)


def made_cells(slope: float) -> list[Calibrated]:
    """Return cells of six lists whose log totals when claiming are `slope` times those dealt."""
    every = read_analogues(None)
    like = next(each for each in every.found if each.model == GEMINI)
    cells = []
    for i in range(6):
        for fit, size in ((like.dealt, 1.0), (like.claiming, slope)):
            assert fit is not None
            total = float(np.exp(size * i))
            runs = pd.DataFrame(
                {
                    "n_teammates": [1, 2],
                    "wall_clock_seconds": total,
                    "total_input_tokens": total,
                    "total_output_tokens": total,
                    "total_rounds": total,
                    "calls": total,
                }
            )
            at = {**fit.cell, "task_type": f"list {i}"}
            cells.append(Calibrated(replace(fit, cell=at), like.tasks, runs.to_dict("records")))
    return cells


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_the_share_that_carries_over_is_the_slope_between_lists(slope: float) -> None:
    found = analogues_of(made_cells(slope), "made up")
    # A prior of 1 +- 0.5 draws it a little towards 1.
    assert found.carry[False].share["seconds"] == pytest.approx(slope, rel=0.1)
    assert found.carry[True].share["seconds"] == pytest.approx(1.0 / slope, rel=0.1)
    assert found.carry[False].spread["seconds"] < 0.2
    assert found.spread(claims=False, name="tokens") == pytest.approx(
        float(np.std(range(6), ddof=1))
    )


def test_analogues_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = analogues_of(made_cells(1.0), "made up")
    write_analogues(found, tmp_path)
    again = read_analogues(tmp_path)
    assert again.source == "made up"
    assert [each.task_list for each in again.found] == [each.task_list for each in found.found]
    assert again.found[0].tasks == found.found[0].tasks
    assert {task["id"] for task in again.found[0].tasks} == {f"t{i + 1}" for i in range(20)}
    with pytest.raises(TeamsimError, match=r"no such file.*teamsim calibrate"):
        read_analogues(tmp_path / "nowhere")


@pytest.mark.thorough
def test_a_list_that_no_analogue_has_seen_is_predicted_under_the_other_protocol() -> None:
    """Of the public runs of one model, one list's totals when dealt say how it is when claimed."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"needs the real runs of arXiv 2603.12229 in {REAL_DATA}")
    team = read_team_runs(REAL_DATA)
    runs = team.runs[team.runs["model_dir"] == GEMINI]
    known = runs[runs["task_type"] == "mathutilities20"].reset_index(drop=True)
    calls = team.calls[team.calls["run_dir"].isin(known["run_dir"])].reset_index(drop=True)
    certain = {"deference": Estimate(0.0, 0.0), "noise": Estimate(0.5, 0.0)}  # nothing is matched
    fits = [
        replace(fit, **certain)
        for fit in fit_cells(replace(team, runs=known, calls=calls), match=False)
    ]
    analogues = analogues_of(calibrated(replace(team, runs=known), fits), "the other list")
    unseen = runs[runs["task_type"] != "mathutilities20"]
    table = pd.DataFrame(
        {
            "model": unseen["model_dir"],
            "protocol": unseen["mode"],
            "n": unseen["n_teammates"],
            "seconds": unseen["wall_clock_seconds"],
            "tokens": unseen["total_input_tokens"] + unseen["total_output_tokens"],
            "rounds": unseen["total_rounds"],
            "success": unseen["success"].astype(float),
            "task_list": unseen["p_label"],
        }
    ).reindex(columns=list(COLUMNS))
    every = RunTable(table.reset_index(drop=True), [])
    pilot, truth = every.of(["preassign_nolead"]), every.of(["decentralized"])
    predicted = predict_runs(
        fit_runs(pilot, analogues, {}), analogues, RunTarget(["decentralized"], [1, 2, 3], {}), 100
    )
    means = summary_of(score_runs(predicted, truth.runs, pilot.runs)).set_index("measure")
    # The dealt runs as they are score four to six times as badly as running it again.
    for measure in ("seconds", "tokens", "rounds"):
        assert means.loc[measure, "predicted"] < 0.6 * means.loc[measure, "pilot"], measure


def test_fits_of_both_modes_are_kept_where_there_are_any() -> None:
    every = read_analogues(None)
    again = analogues_in(document_of(every))
    for one, other in zip(every.found, again.found, strict=True):
        assert (one.dealt is None) == (other.dealt is None)
        assert (one.claiming is None) == (other.claiming is None)
    assert any(each.claiming is not None for each in every.found)
    assert any(each.dealt is not None for each in every.found)
