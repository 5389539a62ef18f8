"""Comparisons of teams: pairs of runs, and intervals that hold as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.decisions.comparison_words import same_runs_note, sentences
from analysis.decisions.side_by_side import Comparison, compare
from analysis.statistics.completion import ratio_to_success
from analysis.statistics.intervals import difference_of_shares_interval, mean_interval
from simulator.errors import TeamsimError


def rows(
    makespan_s: np.ndarray, success: object = True, quality: object = 1.0, first: int = 0
) -> pd.DataFrame:
    count = len(makespan_s)
    columns = {"cost_usd": makespan_s / 100, "input_tokens": makespan_s, "output_tokens": 0.0}
    return pd.DataFrame(
        {
            "replication": range(first, first + count),
            "makespan_s": makespan_s,
            "success": success,
            "quality": quality,
            "agents": 1,
            "work_s": makespan_s,
            **columns,
        }
    )


def of(metric: str, first: pd.DataFrame, second: pd.DataFrame) -> Comparison:
    found = compare({"a": first, "b": second})
    return next(each for each in found.comparisons["b"] if each.metric == metric)


def test_the_change_is_how_much_more_the_second_takes() -> None:
    spent = np.random.default_rng(1).exponential(100.0, 200)
    change = of("makespan_s", rows(spent), rows(spent * 1.25)).change
    assert change.estimate == pytest.approx(0.25)
    # The luck is the same for both, so that nothing is left to be unsure of.
    assert change.high - change.low < 1e-6
    assert of("makespan_s", rows(spent), rows(spent * 0.5)).verdict == "less"


def test_pairs_narrow_the_interval_only_if_they_are_pairs() -> None:
    rng = np.random.default_rng(2)
    spent = rng.exponential(100.0, 200)
    noise = rng.normal(1.0, 0.05, 200)
    together = of("tokens", rows(spent), rows(spent * noise)).change
    apart = of("tokens", rows(spent), rows(rng.permutation(spent * noise))).change
    assert together.high - together.low < 0.3 * (apart.high - apart.low)


def test_rows_are_paired_by_their_replication() -> None:
    spent = np.random.default_rng(3).exponential(100.0, 60)
    first, second = rows(spent), rows(2.0 * spent)
    shuffled = second.sample(frac=1.0, random_state=1).iloc[:50]
    found = compare({"a": first, "b": shuffled})
    assert found.replications == {"b": 50}
    assert found.comparisons["b"][0].change.estimate == pytest.approx(1.0)


def test_the_time_counts_failed_runs_again() -> None:
    spent = np.full(100, 10.0)
    half = np.arange(100) % 2 == 0
    found = of("makespan_s", rows(spent), rows(spent, half))
    assert found.change.estimate == pytest.approx(1.0)
    assert found.verdict == "more"
    never = of("makespan_s", rows(spent), rows(spent, np.zeros(100, dtype=bool)))
    assert never.verdict == "unknown"
    assert math.isnan(never.change.estimate)


def test_shares_that_were_always_1_are_not_known_to_be_equal() -> None:
    rng = np.random.default_rng(4)
    found = of("success", rows(rng.random(10)), rows(rng.random(10)))
    assert found.verdict == "not resolved"
    assert found.change.low == pytest.approx(-found.change.high)
    assert 0.25 < found.change.high < 0.5


def test_the_same_runs_are_the_same() -> None:
    spent = np.random.default_rng(5).random(10)
    found = compare({"a": rows(spent), "b": rows(spent)})
    assert {each.verdict for each in found.comparisons["b"]} == {"same"}
    assert all(math.isnan(each.change.low) for each in found.comparisons["b"])
    assert "up to 26 % of further pairs may differ" in same_runs_note(found)[0]


def test_a_change_by_the_same_in_all_pairs_is_said_to_leave_others_open() -> None:
    spent = np.full(10, 10.0)
    found = compare({"a": rows(spent), "b": rows(1.2 * spent)})
    (said,) = same_runs_note(found)
    assert said.startswith("What changes by the same in all pairs has an interval of no width")
    assert "up to 26 % of further pairs may differ" in said
    assert same_runs_note(found, {"a"}) == [said]
    assert same_runs_note(found, {"a", "b"}) == []


@pytest.mark.slow
def test_what_is_said_of_a_change_that_few_pairs_show_holds_as_often_as_it_says() -> None:
    """One pair in fifty takes twice as long, which few studies of ten pairs see."""
    rng, truth = np.random.default_rng(8), 0.02
    said, missed = 0, 0
    for _ in range(100):
        before = rng.gamma(20.0, 0.05, 10)
        after = before * (1.0 + (rng.random(10) < truth))
        each = of("makespan_s", rows(before), rows(after))
        if each.verdict != "same":
            said += 1
            missed += not each.change.low <= truth <= each.change.high
        else:
            missed += each.change.low == each.change.high  # an interval that holds nothing else
    assert 5 < said < 40
    assert missed <= 0.05 * 100 + 4 * math.sqrt(0.05 * 0.95 * 100)


def test_a_cost_without_a_price_is_unknown() -> None:
    spent = np.random.default_rng(6).random(10)
    found = compare({"a": rows(spent), "b": rows(2 * spent)}, {"a": True, "b": False})
    (cost,) = [each for each in found.comparisons["b"] if each.metric == "cost_usd"]
    assert cost.verdict == "unknown"
    # That of the other team is known all the same.
    assert cost.reference.estimate == pytest.approx(spent.mean() / 100)
    assert math.isnan(cost.value.estimate)


def test_runs_that_differ_in_their_price_alone_are_the_same() -> None:
    one = rows(np.random.default_rng(6).random(10))
    found = compare({"a": one, "b": one.assign(cost_usd=np.nan)}, {"a": True, "b": False})
    verdicts = {each.metric: each.verdict for each in found.comparisons["b"]}
    assert verdicts.pop("cost_usd") == "unknown"
    assert set(verdicts.values()) == {"same"}


def test_intervals_of_several_teams_hold_together() -> None:
    rng = np.random.default_rng(7)
    first, second, third = (rows(rng.exponential(1.0, 50)) for _ in range(3))
    two = compare({"a": first, "b": second}).comparisons["b"][0].change
    three = compare({"a": first, "b": second, "c": third}).comparisons["b"][0].change
    assert three.low < two.low < two.high < three.high


def test_what_more_replications_would_tell_is_said_of_the_change_that_was_found() -> None:
    """Where there is none, as here, so many tell one in 5 % of studies."""
    rng = np.random.default_rng(15)
    (said,) = sentences(compare({"a": rows(rng.random(20)), "b": rows(rng.random(20))}))
    assert " would tell), " in said
    assert said.endswith("would, four times in five, if the change is as large as was found.")
    (said,) = sentences(compare({"a": rows(np.ones(20)), "b": rows(np.full(20, 2.0))}))
    assert said.endswith("Not told apart after 20 replications: runs finished, tasks right.")


def test_too_little_to_compare_is_refused() -> None:
    few = rows(np.ones(3))
    with pytest.raises(TeamsimError, match="two teams"):
        compare({"a": few})
    with pytest.raises(TeamsimError, match="0 replications in common"):
        compare({"a": few, "b": rows(np.ones(3), first=10)})


def test_a_difference_of_shares_is_of_pairs() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        difference_of_shares_interval([1.0, 0.0], [1.0])
    rng = np.random.default_rng(8)
    x = rng.random(400) < 0.5
    alike = difference_of_shares_interval(x, x ^ (rng.random(400) < 0.02))
    other = difference_of_shares_interval(x, rng.random(400) < 0.5)
    assert alike.high - alike.low < 0.4 * (other.high - other.low)
    # Between these extremes it is about the interval of the mean of the differences.
    paired = mean_interval(x.astype(float) - (rng.random(400) < 0.5))
    assert other.high - other.low == pytest.approx(paired.high - paired.low, rel=0.1)


def correlated(rng: np.random.Generator, count: int, rho: float) -> tuple[np.ndarray, np.ndarray]:
    one = rng.normal(size=count)
    return one, rho * one + math.sqrt(1.0 - rho * rho) * rng.normal(size=count)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rho", "count", "fails"),
    [(0.0, 20, 0.0), (0.8, 20, 0.2), pytest.param(0.8, 100, 0.2, marks=pytest.mark.thorough)],
)
def test_the_interval_of_a_ratio_of_times_holds_as_often_as_it_says(
    rho: float, count: int, fails: float
) -> None:
    # Lognormal times (sigma 0.4) of which the second takes 0.8 as long, some runs of both failing.
    # 1,500 trials: a coverage of 0.95 gives less than 0.932 with probability 0.001, one of 0.91
    # with probability 0.998.
    rng, held = np.random.default_rng(11), 0
    for _ in range(1500):
        x, y = correlated(rng, count, rho)
        u, v = correlated(rng, count, rho)
        gone = -9.0 if fails == 0.0 else -0.8416
        first, second = np.exp(0.4 * x), 0.8 * np.exp(0.4 * y)
        one, other = (u > gone).astype(float), (v > gone).astype(float)
        may_fail = not (one.all() and other.all())
        ratio = ratio_to_success(second, other, first, one, may_fail=may_fail)
        held += ratio.low <= 0.8 <= ratio.high
    assert held / 1500 >= 0.932
    # This is what a comparison says.
    change = of("makespan_s", rows(first, one > 0), rows(second, other > 0)).change
    assert (change.low, change.high) == (ratio.low - 1.0, ratio.high - 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.8])
@pytest.mark.parametrize("count", [20, pytest.param(100, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_the_interval_of_a_difference_of_shares_holds_as_often_as_it_says(
    rho: float, count: int, share: float
) -> None:
    # As above; the second team succeeds in 0.9 of the first's share.
    from scipy.special import ndtri

    rng, held = np.random.default_rng(12), 0
    for _ in range(2000):
        x, y = correlated(rng, count, rho)
        found = difference_of_shares_interval(x < ndtri(share), y < ndtri(0.9 * share))
        held += found.low <= 0.1 * share <= found.high
    assert held / 2000 >= 0.935


@pytest.mark.thorough
def test_the_joint_interval_of_three_teams_holds_as_often_as_it_says() -> None:
    # 1,000 trials of three teams beside a first: 0.95 gives less than 0.928 with probability 0.001.
    rng, held = np.random.default_rng(13), 0
    for _ in range(1000):
        luck = rng.normal(size=60)
        teams = {
            name: rows(np.exp(0.3 * (luck + rng.normal(size=60)))) for name in ("a", "b", "c", "d")
        }
        changes = [each[0].change for each in compare(teams).comparisons.values()]
        held += all(change.low <= 0.0 <= change.high for change in changes)
    assert held / 1000 >= 0.928


@pytest.mark.thorough
def test_as_many_replications_as_advised_mostly_tell_two_teams_apart() -> None:
    # Where the second takes 6 % longer, a first look at 60 pairs says how many would tell. Four in
    # five of so many are aimed at, if the first look were exact; it is here by its choice of a
    # sample near the truth. 200 trials fall below 70 % with probability 0.0003.
    rng = np.random.default_rng(14)

    def looked(count: int) -> Comparison:
        x, y = correlated(rng, count, 0.5)
        return of("makespan_s", rows(np.exp(0.4 * x)), rows(1.06 * np.exp(0.4 * y)))

    firsts = [looked(60) for _ in range(400)]
    near = [
        each.needed
        for each in firsts
        if each.needed is not None and abs(each.change.estimate - 0.06) < 0.01
    ]
    assert len(near) > 20
    needed = int(np.median(near))
    told = [looked(needed).verdict == "more" for _ in range(200)]
    assert 0.70 <= np.mean(told) <= 0.90
