"""Intervals cover as often as they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.statistics import mean_interval, ratio_of_means_interval, summary


# 2,000 samples: coverage of a 95 % interval is within 0.95 +- 0.015 with probability 0.998.
def test_the_interval_of_a_mean_covers_it() -> None:
    rng = np.random.default_rng(2)
    intervals = [mean_interval(rng.normal(5, 2, 12)) for _ in range(2000)]
    hits = [interval.low <= 5 <= interval.high for interval in intervals]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.015)


def test_the_paired_interval_of_a_ratio_covers_it_and_gains_from_pairing() -> None:
    rng = np.random.default_rng(3)
    hits, paired, unpaired = [], [], []
    for i in range(300):
        run = rng.lognormal(0, 0.5, 80)
        x, y = 20 * run * rng.lognormal(0, 0.1, 80), 10 * run * rng.lognormal(0, 0.1, 80)
        interval = ratio_of_means_interval(x, y, resamples=400, seed=i)
        hits.append(interval.low <= 2 <= interval.high)
        paired.append(interval.high - interval.low)
        shuffled = ratio_of_means_interval(rng.permutation(x), y, resamples=400, seed=i)
        unpaired.append(shuffled.high - shuffled.low)
    # Percentile bootstrap of 80: a little short of 95 %; 300 samples, three standard errors.
    assert np.mean(hits) == pytest.approx(0.95, abs=0.05)
    assert np.mean(paired) < 0.4 * np.mean(unpaired)


def test_unpaired_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        ratio_of_means_interval([1, 2], [1, 2, 3])


def test_a_summary_has_a_row_a_metric() -> None:
    table = summary(pd.DataFrame({"a": [1.0, 2, 3], "b": [5.0, 5, 5]}), ["a", "b"])
    assert table.loc["a", ["mean", "p50"]].tolist() == [2, 2]
    assert table.loc["b", ["low", "high"]].tolist() == [5, 5]
