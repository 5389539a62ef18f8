"""Shares of outcomes that go together within clusters have intervals that hold the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.statistics.clusters import clustered_share_interval
from analysis.statistics.intervals import proportion_interval
from analysis.validation.compare import LEVELS, _summary
from analysis.validation.request_scores import SCORED, SUMMED, score_requests
from analysis.validation.run_prediction import summary_of
from analysis.validation.scores import coverage_of
from simulator.cli.predicting import _truth
from simulator.errors import TeamsimError
from simulator.experiment.intervals import clopper_pearson
from tests.conftest import first_in_ci

STUDIES = 400


def chances(rng: np.random.Generator, share: float, correlation: float, count: int) -> np.ndarray:
    """Return the probabilities of clusters, whose outcomes have this intra-class correlation."""
    if not correlation:
        return np.full(count, share)
    other = 1.0 / correlation - 1.0
    return np.asarray(rng.beta(share * other, (1.0 - share) * other, count))


# As if outcomes were independent, intervals of 30 clusters with a correlation of 0.3 hold 64 %.
@pytest.mark.theory
@pytest.mark.parametrize("correlation", first_in_ci(1, [0.3, 0.0, 0.05, 0.8]))
@pytest.mark.parametrize("count", [8, 30])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_intervals_of_shares_of_clusters_hold(share: float, count: int, correlation: float) -> None:
    """Clusters of very different sizes: a coverage of 0.92 fails in one of 1,000, 0.86 in 78 %."""
    rng, held = np.random.default_rng([61, count]), 0
    for _ in range(STUDIES):
        sizes = np.maximum(1, rng.lognormal(1.2, 1.0, count).round()).astype(int)
        cluster = np.repeat(np.arange(count), sizes)
        outcomes = rng.random(len(cluster)) < chances(rng, share, correlation, count)[cluster]
        found = clustered_share_interval(outcomes, cluster)
        held += found.low <= share <= found.high
    assert stats.binom.cdf(held, STUDIES, 0.92) > 0.001, held


@pytest.mark.theory
@pytest.mark.parametrize("count", [5, 10])
def test_intervals_hold_where_a_few_clusters_have_most_outcomes(count: int) -> None:
    """Of 1, 2 or 50 outcomes: the mean is near the large ones' own; intervals held 71 to 85 %."""
    rng, held = np.random.default_rng([64, count]), 0
    for _ in range(STUDIES):
        cluster = np.repeat(np.arange(count), rng.choice([1, 2, 50], count))
        outcomes = rng.random(len(cluster)) < chances(rng, 0.5, 0.3, count)[cluster]
        found = clustered_share_interval(outcomes, cluster)
        held += found.low <= 0.5 <= found.high
    assert stats.binom.cdf(held, STUDIES, 0.95) > 0.001, held


@pytest.mark.theory
@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_intervals_of_how_many_runs_are_in_their_intervals_hold(correlation: float) -> None:
    """Of 18 fits, two teams of each of four to six runs: as a backtest of two sizes scores them."""
    rng, held = np.random.default_rng(62), 0
    fit = np.repeat(np.arange(18), 2)
    for _ in range(STUDIES):
        runs = rng.integers(4, 7, len(fit))
        inside = rng.binomial(runs, chances(rng, 0.8, correlation, 18)[fit])
        teams = pd.DataFrame({"fit": fit, "runs": runs, "in 80 %": inside / runs})
        found = coverage_of(teams, "in 80 %", ["fit"])
        held += found.low <= 0.8 <= found.high
    assert stats.binom.cdf(held, STUDIES, 0.94) > 0.001, held


def test_clusters_of_one_outcome_are_nearly_as_sure_as_independent_ones() -> None:
    outcomes = np.arange(50) < 40
    found, alone = clustered_share_interval(outcomes, np.arange(50)), proportion_interval(outcomes)
    assert found.estimate == alone.estimate
    assert (alone.low, alone.high) == pytest.approx((found.low, found.high), abs=0.02)


def test_outcomes_of_clusters_that_are_all_alike_count_once_for_each_cluster() -> None:
    cluster = np.repeat(np.arange(6), 50)
    found = clustered_share_interval(np.ones(300), cluster)
    assert (found.low, found.high) == clopper_pearson(1.0, 6.0, 0.95)
    one = clustered_share_interval([0.0, 1.0, 1.0], ["a"] * 3)
    assert (one.low, one.high) == clopper_pearson(2 / 3, 1.0, 0.95)


def test_no_interval_is_surer_than_one_of_independent_outcomes() -> None:
    """Clusters that share their hits evenly, by chance, are no surer than as many outcomes."""
    cluster = np.repeat(np.arange(20), 10)
    outcomes = np.tile([0.0, *[1.0] * 9], 20)
    outcomes[:2] = 0.0
    found = clustered_share_interval(outcomes, cluster)
    low, high = clopper_pearson(found.estimate, 200.0, 0.95)
    assert (found.low, found.high) == pytest.approx((low, high))
    shares = clustered_share_interval(np.r_[0.8, [0.9] * 19], np.arange(20), np.full(20, 10))
    assert (shares.low, shares.high) == pytest.approx((low, high))


def test_a_share_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no share"):
        clustered_share_interval([], [])


def requests(sessions: list[str]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return draws, what was asked, and the truth: each odd session is far beyond its draws."""
    rng, names = np.random.default_rng(63), [f"r{i}" for i in range(len(sessions))]
    columns = sorted({*SCORED, *SUMMED})
    asked = pd.DataFrame({"request": names, "context_tokens": 1000.0, "turns": 3.0})
    many = rng.lognormal(5.0, 0.2, (len(names) * 40, len(columns)))
    draws = pd.DataFrame(many, columns=columns).assign(request=np.repeat(names, 40))
    is_odd = np.asarray([int(session) % 2 for session in sessions])
    truth = pd.DataFrame({"request": names, "session": sessions})
    return draws, asked, truth.assign(**{name: np.exp(5.0 + 3.0 * is_odd) for name in columns})


def test_coverage_of_requests_is_as_sure_as_their_sessions_are_many() -> None:
    draws, asked, truth = requests(np.repeat(np.arange(8), 25).astype(str).tolist())
    table = score_requests(draws, asked, None, truth).table
    assert (table["coverage"] == 0.5).all()
    assert (table["coverage_low"] < 0.2).all()  # of eight outcomes; of 200 it would be 0.43
    assert (table["coverage_high"] > 0.8).all()
    sums = score_requests(draws, asked, None, truth).sums
    assert (sums["ratio_low"] < sums["ratio"]).all()
    assert (sums["ratio_high"] > 2 * sums["ratio"]).all()


@pytest.mark.parametrize("unknown", ["", None, "left out"])
def test_requests_of_no_known_session_count_each(unknown: str | None) -> None:
    draws, asked, truth = requests(np.repeat(np.arange(8), 25).astype(str).tolist())
    other = truth.drop(columns="session") if unknown else truth.assign(session=unknown)
    found = score_requests(draws, asked, None, other)
    assert (found.table["coverage_low"] > 0.4).all()
    assert (found.sums["predicted"] < 200).all()  # sums of a request each


def test_sums_are_of_requests_whose_real_value_is_known() -> None:
    """Unknown ones were counted as 0 in the real sum only, so that the ratio doubled."""
    draws, asked, truth = requests(["0"] * 20)
    is_known = np.arange(20) % 2 == 0
    some = truth.assign(uncached_tokens=truth["uncached_tokens"].where(is_known))
    whole, part = (
        score_requests(draws, asked, None, each).sums.set_index("session sum")
        for each in (truth, some)
    )
    ratio = part.loc["uncached_tokens", "ratio"]
    assert ratio == pytest.approx(whole.loc["uncached_tokens", "ratio"], rel=0.05)
    assert part.loc["seconds"].equals(whole.loc["seconds"])
    none = score_requests(draws, asked, None, truth.assign(uncached_tokens=np.nan)).sums
    assert "uncached_tokens" not in set(none["session sum"])


def test_scores_are_of_requests_whose_real_value_is_known() -> None:
    """An unknown one made all scores NaN, and counted as outside of its interval."""
    draws, asked, truth = requests(np.repeat(np.arange(8), 25).astype(str).tolist())
    is_even = truth["session"].astype(int) % 2 == 0
    some = truth.assign(
        input_tokens=truth["input_tokens"].where(is_even), output_tokens=np.nan, turns=3.0
    )
    whole = score_requests(draws, asked, None, truth).table.set_index("quantity")
    part = score_requests(draws, asked, None, some).table.set_index("quantity")
    assert part.index.tolist() == ["seconds", "llm_s", "input_tokens"]
    assert part.loc["seconds"].equals(whole.loc["seconds"])
    assert part["requests"].tolist() == [200, 200, 100]
    assert whole.loc["input_tokens", "coverage"] == 0.5
    assert part.loc["input_tokens", "coverage"] == 1.0
    assert part.loc["input_tokens", "simulated"] < whole.loc["input_tokens", "simulated"]


def test_requests_of_a_pilot_whose_value_is_unknown_are_no_neighbours() -> None:
    draws, asked, truth = requests(["0"] * 20)
    pilot = truth.assign(turns=3.0, context_tokens=1000.0)
    some = pd.concat([pilot, pilot.assign(input_tokens=np.nan)], ignore_index=True)
    none = pilot.assign(input_tokens=np.nan)
    known, part, rest = (
        score_requests(draws, asked, each, truth).table.set_index("quantity")
        for each in (pilot, some, none)
    )
    assert part.loc["input_tokens"].equals(known.loc["input_tokens"])
    baselines = ["like length", "scaled by turns", "like length, context"]
    assert rest.loc["input_tokens", baselines].isna().all()
    assert rest.loc["seconds", baselines].equals(known.loc["seconds", baselines])


def test_times_below_a_second_are_scored_as_others_are() -> None:
    """Both were taken as one second: a prediction of half of the time scored 0."""
    draws, asked, truth = requests(["0"] * 20)
    half = draws.assign(seconds=0.2, llm_s=20.0)
    found = score_requests(half, asked, None, truth.assign(seconds=0.4, llm_s=40.0)).table
    scores = found.set_index("quantity")["simulated"]
    assert scores[["seconds", "llm_s"]].tolist() == pytest.approx([np.log(2.0)] * 2)


@pytest.mark.parametrize("wrong", ["many", "-3", "inf"])
def test_a_table_of_requests_with_a_wrong_sum_is_refused(wrong: str, tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    truth = requests(["0", "1"])[2].astype({"uncached_tokens": object})
    truth.loc[1, "uncached_tokens"] = wrong
    truth.to_csv(path, index=False)
    with pytest.raises(TeamsimError, match=rf"row 2: 'uncached_tokens' is '{wrong}"):
        _truth(path)


def test_validations_say_how_sure_their_coverage_is() -> None:
    """Of twelve teams, those of each second fit are never in their intervals."""
    cell = {"model_dir": "m", "mode": "decentralized", "task_type": "t"}
    rows = []
    for i in range(12):
        row = {**cell, "p_label": f"p{i}", "n_teammates": 3, "runs": 5.0, "metric": "total_rounds"}
        row |= dict.fromkeys(("floor", "again", "predicted", "median_error", "largest pilot"), 0.3)
        row |= {"median_error largest pilot": 0.3}
        rows.append({**row, **{f"cover_{level:.0%}": float(i % 2) for level in LEVELS}})
    (found,) = _summary(pd.DataFrame(rows)).to_dict("records")
    for level in LEVELS:
        assert found[f"cover_{level:.0%}"] == 0.5
        assert found[f"cover_{level:.0%}_low"] < 0.25  # sixty independent runs: 0.37
        assert found[f"cover_{level:.0%}_high"] > 0.75
    runs = pd.DataFrame(rows).rename(columns={"p_label": "task_list", "cover_80%": "in 80 %"})
    runs = runs.assign(model="m", protocol="p", n=3, measure="rounds", pilot=0.3)
    (said,) = summary_of(runs).to_dict("records")
    assert said["in 80 %, low"] == found["cover_80%_low"]
    assert said["in 80 %, high"] == found["cover_80%_high"]
