"""How a prediction compares with running the team again is said with how sure that is."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.validation.scores import ratio_to_again


def scored(cells: int, sizes: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return scores of cells that are predicted well or badly at all of their sizes together."""
    again = rng.lognormal(0.0, 0.3, (cells, 1)) * np.ones(sizes)
    predicted = again * rng.lognormal(0.0, 0.4, (cells, 1)) * rng.lognormal(0, 0.1, (cells, sizes))
    cell = np.repeat(np.arange(cells), sizes)
    return pd.DataFrame({"cell": cell, "predicted": predicted.ravel(), "again": again.ravel()})


# Taken for independent, the teams of six cells held it in 58 % of studies.
@pytest.mark.parametrize(("cells", "sizes"), [(6, 5), (12, 3), (36, 1)])
def test_the_interval_of_a_ratio_of_scores_is_over_fits(cells: int, sizes: int) -> None:
    rng, studies = np.random.default_rng(1), 300
    truth, held = math.exp(0.5 * (0.4**2 + 0.1**2)), 0
    for _ in range(studies):
        found = ratio_to_again(scored(cells, sizes, rng), ["cell"])
        held += found.low <= truth <= found.high
    assert stats.binom.cdf(held, studies, 0.95) > 0.001


def test_one_fit_shows_no_interval_and_teams_that_were_run_once_no_ratio() -> None:
    scores = scored(1, 3, np.random.default_rng(2))
    found = ratio_to_again(scores, ["cell"])
    assert found.estimate == pytest.approx(scores["predicted"].sum() / scores["again"].sum())
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert math.isnan(ratio_to_again(scores.assign(again=np.nan), ["cell"]).estimate)


@pytest.mark.parametrize("cells", [1, 4])
def test_runs_that_are_all_alike_have_no_ratio(cells: int) -> None:
    scores = scored(cells, 2, np.random.default_rng(3)).assign(again=0.0)
    assert math.isinf(ratio_to_again(scores, ["cell"]).estimate)
    assert math.isnan(ratio_to_again(scores.assign(predicted=0.0), ["cell"]).estimate)
