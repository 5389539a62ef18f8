"""Predicted distributions cover the real runs; scores agree with their definitions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.calibration import fit_cells
from analysis.calibration.store import Calibrated, calibrated, write_calibration
from analysis.plots.posterior_predictive import posterior_predictive_figure
from analysis.plots.validation import summary_table, validation_figure
from analysis.traces.readers.llm_teams import read_team_runs
from analysis.traces.team_runs import CELL, TeamRuns
from analysis.validation import read_predictions, validate
from analysis.validation.ablation import (
    CARRIED,
    PARTS,
    POOLING,
    UNCERTAINTY,
    WITHOUT,
    ablation_table,
    parts_in,
)
from analysis.validation.baselines import BASELINES, Pilot
from analysis.validation.carry_over import MAPPED, PilotRuns, carried_over, success_shares
from analysis.validation.compare import _skill, write_predictions
from analysis.validation.findings import findings
from analysis.validation.prediction import COLUMNS, _Draws, _scenarios, _Team, predict_cells
from analysis.validation.real_and_simulated import real, simulated
from analysis.validation.scores import (
    brier,
    brier_again,
    covers,
    crps,
    fair_crps,
    mean_crps,
    noise_floor,
    pit,
    running_again,
)
from analysis.validation.targets import (
    Target,
    Team,
    check_target,
    parse_changes,
    read_teams,
)
from simulator.errors import ScenarioError, TeamsimError
from tests.analysis.harness import CLAIMING, DEALT, team_runs
from tests.analysis.test_calibration import TRUTH, logged


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("truth")
    team_runs(
        directory,
        [*logged(TRUTH, DEALT, (1, 2, 3, 5), 30), *logged(TRUTH, CLAIMING, (1, 2, 3, 5), 30)],
    )
    return directory


@pytest.fixture(scope="module")
def pilot(data: Path) -> TeamRuns:
    return read_team_runs(data).of_sizes([1, 2])


@pytest.fixture(scope="module")
def cells(pilot: TeamRuns) -> list[Calibrated]:
    return calibrated(pilot, fit_cells(pilot))


def test_fair_crps_is_that_of_the_distribution_whatever_the_sample() -> None:
    # Exact for a normal: sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)).
    z, rng = 0.7, np.random.default_rng(0)
    exact = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi)
    for size, times in ((2, 20_000), (5, 8_000), (400, 200)):
        scores = [fair_crps(rng.standard_normal(size), z) for _ in range(times)]
        assert np.mean(scores) == pytest.approx(exact, abs=4 * np.std(scores) / np.sqrt(times))
    assert fair_crps(np.asarray([2.0]), 5.0) == 3.0


def test_the_crps_of_a_sample_is_the_integral_over_its_steps() -> None:
    rng = np.random.default_rng(0)
    x = np.sort(rng.gamma(2.0, size=60))
    edges = np.sort(np.append(x, 1.3))
    share = np.searchsorted(x, edges[:-1], side="right") / 60
    integral = float((np.diff(edges) * (share - (edges[:-1] >= 1.3)) ** 2).sum())
    assert crps(x, 1.3) == pytest.approx(integral)
    assert crps(np.asarray([2.0]), 5.0) == 3.0


def test_runs_of_a_team_are_told_of_in_parts_and_are_the_same_for_all_processes(
    cells: list[Calibrated],
) -> None:
    heard: list[tuple[float, int]] = []
    alone = predict_cells(cells[:1], Target([1], {}), 90, 1, lambda *told: heard.append(told))
    # The pilot's teams of 2 are simulated, too: half as often.
    assert [done for done, _ in heard] == pytest.approx([2 * part / 5 for part in range(6)])
    assert {most for _, most in heard} == {2}
    pd.testing.assert_frame_equal(alone, predict_cells(cells[:1], Target([1], {}), 90, 2))
    assert alone["replication"].tolist() == list(range(90))


def test_teams_of_all_sizes_have_the_same_draws_of_parameters(cells: list[Calibrated]) -> None:
    draws = [_Draws(cells[0], seed) for seed in (0, 0, 5)]
    said = [
        list(_scenarios(_Team(0, n, some, {}, replications, None)))
        for n, some, replications in ((1, draws[0], 40), (3, draws[0], 23), (2, draws[1], 40))
    ]
    agents = [[each["team"]["agent"] for each in of] for of in said]
    assert [each["team"]["size"] for each in said[1]] == [3] * 6
    assert agents[0] == agents[2]
    assert agents[1] == agents[0][:6]
    assert agents[0][0] != agents[0][1]
    other = next(_scenarios(_Team(0, 1, draws[2], {}, 4, None)))
    assert other["team"]["agent"] != agents[0][0]


def test_teams_begin_to_be_simulated_before_pandas_is_imported(
    cells: list[Calibrated], tmp_path: Path
) -> None:
    write_calibration(cells, tmp_path, "runs")
    code = (
        "import sys; from pathlib import Path; from simulator.late import be_late\n"
        "be_late('pandas')\n"
        "from simulator.cli import predicting_teams as made\n"
        f"cells = made.read_calibration(Path({str(tmp_path)!r}))\n"
        "finish = made.begin_prediction(cells, made.Target([1], {}), 4)\n"
        "assert 'pandas.core' not in sys.modules\n"
        "assert len(finish(None)) == 8\n"
        "import pandas.api.types; assert pandas.DataFrame({'a': [1]})['a'].sum() == 1\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("runs", [2, 5])
def test_the_floor_is_the_score_of_the_truth_itself(runs: int) -> None:
    rng = np.random.default_rng(1)
    floors = [noise_floor(rng.standard_normal(runs)) for _ in range(4000)]
    assert np.mean(floors) == pytest.approx(1 / np.sqrt(np.pi), abs=4 * np.std(floors) / 63)
    assert np.isnan(noise_floor(np.asarray([1.0])))


def of_fits(best: Sequence[float], predicted: float = 0.25) -> pd.DataFrame:
    """Return scores of a team of each of some fits, beside a floor of 0.2."""
    cells = [dict.fromkeys(CELL, f"cell {i}") for i in range(len(best))]
    scores = {"floor": 0.2, "predicted": predicted}
    return pd.DataFrame([{**cell, **scores, "all": x} for cell, x in zip(cells, best, strict=True)])


def test_skill_is_the_share_of_a_gap_that_shows() -> None:
    """Where the best baseline was below the floor by chance, worse predictions had more skill."""
    assert _skill(of_fits([0.4, 0.42, 0.38]), "all") == pytest.approx(0.75)
    assert _skill(of_fits([0.4]), "all") == pytest.approx(0.75)
    assert np.isnan(_skill(of_fits([0.19]), "all"))
    assert np.isnan(_skill(of_fits([0.19, 0.198, 0.201]), "all"))
    assert np.isnan(_skill(of_fits([0.1, 0.6, 0.15]), "all"))  # a gap of 0.08, from one fit
    assert np.isnan(_skill(of_fits([0.4]), float("nan")))


def test_skill_is_of_teams_that_have_a_floor() -> None:
    single = of_fits([0.9]).assign(floor=np.nan, predicted=0.9, model="one run")
    some = of_fits([0.4, 0.42, 0.38])
    assert _skill(pd.concat([some, single]), "all") == _skill(some, "all")


def test_to_run_it_again_is_a_forecast_as_coarse_as_there_are_other_runs() -> None:
    # Of m draws of a standard normal, the CRPS is on average (1 + 1 / m) / sqrt(pi).
    rng = np.random.default_rng(3)
    scores = [running_again(rng.standard_normal(5)) for _ in range(4000)]
    assert np.mean(scores) == pytest.approx(1.25 / np.sqrt(np.pi), abs=4 * np.std(scores) / 63)
    assert np.isnan(running_again(np.asarray([1.0])))
    assert brier_again(np.asarray([1.0, 1.0, 0.0])) == pytest.approx((0.25 + 0.25 + 1.0) / 3)
    assert np.isnan(brier_again(np.asarray([1.0])))


def test_pit_and_coverage_of_a_right_and_a_too_sure_forecast() -> None:
    rng = np.random.default_rng(2)
    truths, forecast = rng.standard_normal(2000), rng.standard_normal(200_000)
    assert stats.kstest(pit(forecast, truths, rng), "uniform").pvalue > 0.001
    assert covers(forecast, truths, 0.8) == pytest.approx(0.8, abs=0.04)
    assert covers(0.5 * forecast, truths, 0.8) < 0.55
    counts = rng.poisson(1.0, 2000).astype(float)
    assert stats.kstest(pit(rng.poisson(1.0, 200_000), counts, rng), "uniform").pvalue > 0.001
    assert brier(0.25, [True, False, False, False]) == pytest.approx(0.1875)


def test_baselines_say_what_their_laws_say() -> None:
    sizes = np.repeat([1.0, 2.0, 4.0], 3)
    exact = {"is_time": True, "parallel": 0.8, "sizes": sizes}
    law = np.log(100 * (0.2 + 0.8 / sizes))
    assert BASELINES["Amdahl"](Pilot(logs=law, **exact), 8.0) == pytest.approx(
        np.full(9, np.log(100 * (0.2 + 0.1)))
    )
    usl = np.log(100 * (1 + 0.1 * (sizes - 1) + 0.02 * sizes * (sizes - 1)) / sizes)
    found = BASELINES["USL"](Pilot(logs=usl, **exact), 8.0)
    assert found == pytest.approx(np.full(9, np.log(100 * (1 + 0.7 + 0.02 * 56) / 8)), rel=1e-3)
    power = Pilot(sizes, np.log(5 * sizes**0.7), float("nan"), False)
    assert BASELINES["power law"](power, 8.0) == pytest.approx(np.full(9, np.log(5 * 8**0.7)))
    assert BASELINES["Amdahl"](power, 8.0) is None
    assert BASELINES["USL"](power, 8.0) is None
    assert BASELINES["largest pilot"](power, 8.0) == pytest.approx(np.log(5 * 4**0.7))
    noisy = Pilot(sizes, law + np.tile([-0.1, 0.0, 0.1], 3), 0.8, True)
    spread = BASELINES["Amdahl"](noisy, 8.0)
    assert spread is not None
    assert np.ptp(spread) == pytest.approx(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("carry_over", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_a_pilot_predicts_teams_it_has_not_run(
    data: Path, pilot: TeamRuns, cells: list[Calibrated], tmp_path: Path, carry_over: bool
) -> None:
    table = predict_cells(cells, Target([3, 5], {}), 200, carry_over=carry_over)
    assert list(table.columns) == COLUMNS
    assert len(table) == 2 * 2 * 200
    write_predictions(table, pilot.runs, tmp_path / "predictions.parquet")
    read, known = read_predictions(tmp_path / "predictions.parquet")
    found = validate(read, known, data)
    assert not found.in_sample
    summary = found.summary.set_index("metric")
    for metric in MAPPED:
        row = summary.loc[metric]
        assert row["predicted"] < row["single agent"], metric
        # 240 runs of four cells and sizes, the parameters' errors shared by 30 runs each.
        assert 0.65 < row["cover_80%"] <= 0.97, metric
        # A model of the right form gets near what is possible.
        assert row["predicted"] - row["floor"] < 0.5 * (row["single agent"] - row["floor"]), metric
    assert summary.loc["success", "predicted"] < 0.05
    figure = validation_figure(found)
    assert len(figure.axes) == 3
    assert list(summary_table(found)["metric"]) == ["wall clock", "tokens", "rounds", "success"]


@pytest.mark.slow
def test_teams_of_a_table_are_predicted_with_their_limits(
    cells: list[Calibrated], tmp_path: Path
) -> None:
    cell = cells[0].fit.cell
    asked = pd.DataFrame(
        [{**cell, "n_teammates": 2, "max_rounds": 3}, {**cell, "n_teammates": 4}] * 2
    )
    asked.to_csv(tmp_path / "asked.csv", index=False)
    asked.to_parquet(tmp_path / "asked.parquet")
    teams = read_teams(tmp_path / "asked.csv", cells)
    assert teams == read_teams(tmp_path / "asked.parquet", cells) == [Team(0, 2, 3), Team(0, 4)]
    table = predict_cells(cells, Target([], {}, teams), 12)
    assert table.groupby(["n_teammates", "max_rounds"]).size().to_dict() == {
        (2, 3): 12,
        (4, cells[0].fit.max_rounds): 12,
    }
    assert table.loc[table["n_teammates"] == 2, "total_rounds"].max() <= 3
    everywhere = predict_cells(cells[:1], Target([2], {}, max_rounds=3), 12)
    assert everywhere["total_rounds"].max() <= 3


@pytest.mark.each
@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"p_label": "p99"}, "row 1: unknown cell '.*did you mean"),
        ({"n_teammates": 0}, "row 1: 'n_teammates' is 0, not a whole number from 1"),
        ({"n_teammates": 2.5}, "row 1: 'n_teammates' is 2.5, not a whole number"),
        ({"n_teammates": None}, "row 1: 'n_teammates' is missing, not a whole number from 1"),
        ({"n_teammates": "two"}, "'n_teammates' is 'two'"),
        ({"max_rounds": -1}, "row 1: 'max_rounds' is -1, not a whole number from 1 to 10,000"),
        ({"max_rounds": 1e9}, "'max_rounds' is 1e[+]09"),
    ],
)
def test_teams_that_are_not_there_are_refused(
    changes: dict[str, Any], said: str, cells: list[Calibrated], tmp_path: Path
) -> None:
    row = {**cells[0].fit.cell, "n_teammates": 2, "max_rounds": 30, **changes}
    pd.DataFrame([row]).to_csv(tmp_path / "asked.csv", index=False)
    with pytest.raises(TeamsimError, match=said):
        read_teams(tmp_path / "asked.csv", cells)


@pytest.mark.each
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("max_rounds", "max_round", "has the column 'max_round': call it 'max_rounds', or drop"),
        ("max_rounds", "MaxRounds", "has the column 'MaxRounds': call it"),
        ("p_label", "plabel", "lacks the column 'p_label'; is it 'plabel'[?] [(]it has "),
    ],
)
def test_misspelled_columns_of_teams_are_refused(
    name: str, wrong: str, said: str, cells: list[Calibrated], tmp_path: Path
) -> None:
    row = {**cells[0].fit.cell, "n_teammates": 2, "max_rounds": 30, "note": "ours"}
    pd.DataFrame([row]).rename(columns={name: wrong}).to_csv(tmp_path / "asked.csv", index=False)
    with pytest.raises(TeamsimError, match=said):
        read_teams(tmp_path / "asked.csv", cells)


def test_what_fails_ends_at_the_limit_and_what_never_failed_hardly_does() -> None:
    rng = np.random.default_rng(1)

    def runs(count: int, failed: int, rounds: int, model: str = "a") -> pd.DataFrame:
        """Return runs of a pair, of which some were given up after 30 rounds."""
        success = np.arange(count) >= failed
        table = pd.DataFrame({"success": success, "n_teammates": 2, "model_dir": model})
        table["total_rounds"] = np.where(success, rounds, 30)
        table["wall_clock_seconds"] = 10.0 * table["total_rounds"]
        for name in ("total_tokens", "total_input_tokens", "total_output_tokens"):
            table[name] = 100.0 * table["total_rounds"]
        return table.assign(mode="m")

    pilots = [runs(5, 0, 4), runs(5, 0, 6), runs(5, 2, 5, "b"), runs(5, 1, 5, "b")]
    shares = success_shares(pilots)
    # None of this agent's ten runs failed: if its cells are alike, that leaves 10.5 / 11, and five
    # alone would leave 5.5 / 6.
    assert shares[0][2] == pytest.approx(10.5 / 11, abs=0.01)
    assert 0.6 < shares[2][2] < shares[3][2] < 0.85
    simulated = runs(400, 80, 5, "b")
    pilot = PilotRuns(pilots[2], {2: simulated}, shares[2], 30)
    here = carried_over(pilot, simulated, 3, 30, dict.fromkeys(MAPPED, 1.0), rng)
    assert (here.loc[~here["success"], "total_rounds"] == 30).all()
    assert (here.loc[here["success"], "total_rounds"] < 30).all()
    # The simulator changes nothing, so that the share is the pilot's, or in 35 % its own.
    expected = 0.65 * shares[2][2] + 0.35 * 0.8
    assert abs(here["success"].mean() - expected) < 4 * (0.25 / 400) ** 0.5


@pytest.mark.slow
def test_predictions_do_not_depend_on_processes(cells: list[Calibrated]) -> None:
    one = predict_cells(cells, Target([3], {}), 24, workers=1)
    two = predict_cells(cells, Target([3], {}), 24, workers=2)
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.slow
def test_another_protocol_topology_and_workload_can_be_asked_for(
    cells: list[Calibrated], tmp_path: Path
) -> None:
    (tmp_path / "work.yaml").write_text("{kind: parallel_fraction, tasks: 8, parallel_fraction: 1}")
    changes = parse_changes("ring", "{kind: work_stealing}", str(tmp_path / "work.yaml"))
    table = predict_cells(cells, Target([4], changes), 24)
    # Eight tasks instead of twenty.
    before = predict_cells(cells, Target([4], {}), 24)
    assert table["total_tokens"].median() < before["total_tokens"].median()
    with pytest.raises(ScenarioError, match="rnig"):
        check_target(cells, Target([2], parse_changes("rnig", None, None)))
    with pytest.raises(TeamsimError, match="not YAML"):
        parse_changes("{kind: [", None, None)
    with pytest.raises(TeamsimError, match="no such file"):
        parse_changes(None, None, "nothing.yaml")


@pytest.mark.slow
def test_validation_refuses_what_it_cannot_score(
    data: Path, pilot: TeamRuns, cells: list[Calibrated], tmp_path: Path
) -> None:
    table = predict_cells(cells, Target([2], {}), 12)
    other = predict_cells(cells, Target([2], {}), 12, seed=1)
    assert not table["wall_clock_seconds"].equals(other["wall_clock_seconds"])
    assert validate(table, pilot.runs, data).in_sample
    with pytest.raises(TeamsimError, match="no cell and team size is in both"):
        validate(table.assign(n_teammates=99), pilot.runs, data)
    table.to_parquet(tmp_path / "plain.parquet")
    with pytest.raises(TeamsimError, match="does not say which pilot"):
        read_predictions(tmp_path / "plain.parquet")
    with pytest.raises(TeamsimError, match="no such file"):
        read_predictions(tmp_path / "none.parquet")


@pytest.mark.slow
def test_every_ablation_changes_a_scenario_it_applies_to(cells: list[Calibrated]) -> None:
    claiming = next(cell for cell in cells if cell.fit.claims_itself)
    for name, adjust in WITHOUT.items():
        document: dict[str, Any] = claiming.fit.scenario(claiming.tasks, 2)
        document["team"]["agent"] |= {"capacity": 5}
        before = str(document)
        assert str(adjust(document)) != before, name


def test_parts_are_named_with_spaces_or_hyphens() -> None:
    assert parts_in([]) == ()
    assert parts_in(["each"]) == PARTS
    assert parts_in(["run-level-variation", "run level variation"]) == ("run-level variation",) * 2
    with pytest.raises(
        TeamsimError, match=r"--without: unknown part 'habit'; did you mean 'habits'"
    ):
        parts_in(["forgetting", "habit"])


@pytest.mark.thorough
def test_an_ablation_scores_what_was_asked_for(data: Path, cells: list[Calibrated]) -> None:
    parts = ("forgetting", POOLING, UNCERTAINTY, CARRIED)
    seen: list[tuple[int, int]] = []
    table = ablation_table(
        read_team_runs(data), cells, data, [2], 20, 1, lambda *done: seen.append(done), parts
    )
    assert list(table.index) == ["nothing", *parts]
    assert seen[-1] == (5, 5)
    assert table.notna().all().all()
    for part in (POOLING, UNCERTAINTY, CARRIED):
        assert not table.loc[part].equals(table.loc["nothing"]), part


@pytest.mark.slow
def test_findings_and_checks_of_a_model_against_itself(
    data: Path, cells: list[Calibrated], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.validation.findings._RESAMPLES", 100)
    team = read_team_runs(data)
    # A run in fifty that forgets a task takes ten times as long: of 30 the mean would be uncertain.
    made = simulated(cells, [1, 2, 3, 5], 120, traced=4)
    seen = real(team)
    table = findings(seen.runs, made.runs)
    assert {"all", "successful"} == set(table["runs"])
    table = table[table["runs"] == "all"].set_index("finding")
    for name in (
        "median speed-up, pre-assigned",
        "straggler gap (median s), pre-assigned",
        "time, self-claimed over pre-assigned, n = 1",
        "concurrent writes at n = 2, self-claimed",
    ):
        row = table.loc[name]
        assert row["real_low"] <= row["real"] <= row["real_high"], name
        assert row["simulated"] == pytest.approx(row["real"], rel=0.3), name
    figure = posterior_predictive_figure(seen, made)
    assert figure.axes[0].get_xlabel() == "call duration (s)"
    assert mean_crps(np.log(made.calls["latency_s"].to_numpy()[:500]), np.log([5.0])) > 0


# A small version, of simulated runs, is the test of `teamsim backtest`.
@pytest.mark.thorough
def test_pilots_of_one_and_two_predict_three_real_agents(real_data: Path) -> None:
    known = read_team_runs(real_data).of_sizes([1, 2])
    cells = calibrated(known, fit_cells(known, workers=2))
    assert len(cells) == 36
    table = predict_cells(cells, Target([3], {}), 120, workers=2)
    summary = validate(table, known.runs, real_data).summary.set_index("metric")
    # What the manual says: better than every baseline on tokens; on the others better than all
    # that extrapolate, and not better than the largest pilot's runs as they are.
    assert summary.loc["total_tokens", "skill"] > 0.15
    for metric in ("wall_clock_seconds", "total_rounds"):
        row = summary.loc[metric]
        assert row["predicted"] < min(row["single agent"], row["power law"])
        assert row["predicted"] < 1.15 * row["largest pilot"]
    for metric in MAPPED:
        assert 0.7 <= summary.loc[metric, "cover_80%"] <= 0.9
