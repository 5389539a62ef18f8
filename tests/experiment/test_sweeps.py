"""Results do not depend on workers, interruptions or order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from simulator.errors import TeamsimError
from simulator.experiment import pacing, read_results, run_each, run_sweep
from simulator.experiment.intervals import mean_interval
from simulator.scenario import Study, parse_study
from tests.conftest import agent, exponential, scenario

TEXT = """\
name: small
seed: 3
replications: 30
team:
  size: 1
  agent:
    latency: {kind: seconds, base: {kind: lognormal, median: 5, sigma: 0.6, run_sigma: 0.2}}
    errors: {probability: 0.1}
topology: decentralised
coordination: {protocol: self_claim}
workload: {kind: parallel_fraction, tasks: 12, parallel_fraction: 0.9}
sweep:
  team.size: [1, 3]
  topology: [decentralised, centralised]
baseline: {team.size: 1, topology: single}
"""


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "TARGET_S", 0.03)


def small(**fields: str) -> Study:
    text = TEXT
    for old, new in fields.items():
        text = text.replace(old, new)
    return parse_study(text)


@pytest.mark.slow
def test_one_and_two_workers_give_the_same_bits(tmp_path: Path) -> None:
    study = small()
    one = run_sweep(study, tmp_path / "one", workers=1)
    two = run_sweep(study, tmp_path / "two", workers=2)
    assert one.equals(two)
    assert one.num_rows == 5 * 30
    assert one.equals(run_sweep(study))


def test_an_interrupted_sweep_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    study = small()
    whole = run_sweep(study)

    def interrupt(done: int, total: int) -> None:
        if done > total // 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(study, tmp_path / "out", progress=interrupt)
    with pytest.raises(TeamsimError, match="not finished: run its command again"):
        read_results(tmp_path / "out")

    seen: list[float] = []
    again = run_sweep(study, tmp_path / "out", progress=lambda done, total: seen.append(done))
    assert again.equals(whole)
    assert seen[0] > 0  # what was done was not done again
    assert read_results(tmp_path / "out").equals(whole)


def test_a_finished_sweep_is_not_run_again(tmp_path: Path) -> None:
    def stamps() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*")}

    run_sweep(small(), tmp_path / "out")
    before = stamps()
    seen: list[float] = []
    run_sweep(small(), tmp_path / "out", progress=lambda done, total: seen.append(done))
    assert seen == [150]
    assert stamps() == before


@pytest.mark.parametrize("fields", [{"seed: 3": "seed: 4"}, {"median: 5": "median: 6"}])
def test_results_of_another_scenario_are_never_mixed_in(
    tmp_path: Path, fields: dict[str, str]
) -> None:
    run_sweep(small(), tmp_path / "out")
    with pytest.raises(TeamsimError, match="holds results of another sweep"):
        run_sweep(small(**fields), tmp_path / "out")


def test_a_directory_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(TeamsimError, match="is not empty"):
        run_sweep(small(), tmp_path)
    (tmp_path / "manifest.json").write_text("not json")
    with pytest.raises(TeamsimError, match="not a sweep's manifest"):
        run_sweep(small(), tmp_path)


def test_the_table_tells_axes_baselines_and_where_it_comes_from(tmp_path: Path) -> None:
    table = run_sweep(small(), tmp_path / "out").to_pandas()
    assert table["team.size"].dtype == "int64"
    alone = table[table["point"] == table["baseline_point"]]
    assert set(alone["topology"]) == {"single"}
    assert set(table["baseline_point"]) == set(alone["point"])
    assert (tmp_path / "out" / "manifest.json").read_text().count('"scenario"') == 5


def test_common_random_numbers_make_pairs_of_replications_alike() -> None:
    # The same slow runs are slow at every team size: makespans correlate over replications.
    table = run_sweep(small()).to_pandas()
    wide = table[table["topology"] == "decentralised"].pivot(
        index="replication", columns="team.size", values="makespan_s"
    )
    assert wide[1].corr(wide[3]) > 0.3


PRECISE = "replications: 400\nprecision: {relative: 0.05, minimum: 10}"


def half_of_interval(x: np.ndarray) -> float:
    found = mean_interval(x)
    return max(found.high - found.estimate, found.estimate - found.low)


@pytest.mark.slow
def test_replications_stop_when_the_mean_is_known_well_enough() -> None:
    study = small(**{"replications: 30": PRECISE})
    table = run_sweep(study).to_pandas()
    most = table.groupby("point").size().max()
    whole = run_sweep(small(**{"replications: 30": f"replications: {most}"})).to_pandas()
    for point, rows in table.groupby("point"):
        x = rows["makespan_s"].to_numpy()
        assert 20 <= len(x) < 400
        assert half_of_interval(x) <= 0.05 * x.mean()
        looks, n = [], 10  # each look asks for what its interval wants, at most as many again
        while n < len(x):
            wanted = n * (half_of_interval(x[:n]) / (0.05 * x[:n].mean())) ** 2
            assert wanted > n
            looks.append(n)
            n += int(np.ceil(min(max(wanted - n, 10), n)))
        assert n == len(x)
        assert len(looks) >= 1
        same = whole[whole["point"] == point]["makespan_s"].to_numpy()[: len(x)]
        assert (x == same).all()


def test_replications_can_be_added_to_those_there_are() -> None:
    pair = [scenario(team__agent=agent(latency=exponential()), seed=seed) for seed in (1, 2)]
    whole = run_each(pair, 12).to_pandas()
    parts = [run_each(pair, 5), run_each(pair, 12, workers=2, first=5)]
    added = pa.concat_tables(parts).to_pandas().sort_values(["point", "replication"])
    pd.testing.assert_frame_equal(added.reset_index(drop=True), whole)


def test_a_budget_goes_where_the_interval_is_widest() -> None:
    text = "replications: 400\nprecision: {relative: 0.001, minimum: 10, budget: 400}"
    table = run_sweep(small(**{"replications: 30": text})).to_pandas()
    assert len(table) == 400
    makespans = [x["makespan_s"].to_numpy() for _, x in table.groupby("point")]
    widths = [half_of_interval(x) / x.mean() for x in makespans]
    alike = [half_of_interval(x) / x.mean() * np.sqrt(len(x) / 80) for x in makespans]
    assert max(widths) / min(widths) < max(alike) / min(alike)
    assert max(widths) < max(alike)
    assert np.argmax([len(x) for x in makespans]) == np.argmax(alike)


def test_a_budget_that_does_not_reach_the_first_look_is_refused() -> None:
    text = {"replications: 30": "precision: {minimum: 10, budget: 40}"}
    with pytest.raises(TeamsimError, match="fewer than the first looks at 5 points take"):
        run_sweep(small(**text))


def test_a_precision_that_is_out_of_reach_takes_all_replications() -> None:
    text = {"replications: 30": "replications: 30\nprecision: {relative: 0.001, minimum: 10}"}
    assert run_sweep(small(**text)).num_rows == 5 * 30


@pytest.mark.slow
def test_a_precise_sweep_goes_on_where_it_stopped(tmp_path: Path) -> None:
    study = small(**{"replications: 30": PRECISE})

    def stop_soon(done: int, total: int) -> None:
        if done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(study, tmp_path / "out", progress=stop_soon)
    again = run_sweep(study, tmp_path / "out")
    assert again.equals(run_sweep(study))


def test_a_precision_of_no_metric_is_refused() -> None:
    text = {"replications: 30": "precision: {metric: makespan}"}
    with pytest.raises(TeamsimError, match="did you mean 'makespan_s'"):
        run_sweep(small(**text))


def test_progress_goes_on_within_a_replication(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.engine.course._EVENTS_AT_A_TIME", 5)
    seen: list[float] = []
    study = small()
    assert run_sweep(study, progress=lambda done, total: seen.append(done)).num_rows == seen[-1]
    assert seen == sorted(seen)
    assert any(done % 1 for done in seen)


@pytest.mark.parametrize(
    ("price", "is_known"),
    [("", False), ("price: {}", False), ("price: {output_per_mtok: 0}", True)],
)
def test_money_of_a_team_without_prices_is_missing_from_its_table(
    price: str, is_known: bool
) -> None:
    text = f"""
name: money
replications: 3
team:
  size: 2
  agent:
    latency: {{kind: seconds, base: 1}}
    {price}
topology: decentralised
coordination: {{protocol: self_claim}}
workload: {{kind: parallel_fraction, tasks: 4, parallel_fraction: 1}}
"""
    table = run_sweep(parse_study(text)).to_pandas()
    assert table["cost_usd"].notna().tolist() == [is_known] * 3
    assert table["wasted_usd"].notna().tolist() == [is_known] * 3
    assert table["output_tokens"].notna().all()
