"""Results tell what was found first, and how to give a price where a cost is not known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import simulator as ts
from analysis.decisions.advice import columns_in_words
from analysis.report.explorer.curves import _PRICE_HERE, drawn
from analysis.report.explorer.settings import Offered, base_study
from simulator.cli.json_output import plain
from simulator.errors import TeamsimError
from simulator.scenario.costs import HOW_TO_PRICE
from tests.test_api import LARGER, SAID

PRICE = {"output_per_mtok": 15}


def with_price(price: object) -> dict[str, Any]:
    agent = {**SAID["team"]["agent"], "price": price}
    return {**SAID, "team": {**SAID["team"], "agent": agent}}


@pytest.fixture(scope="module")
def advice() -> ts.AdviceResult:
    return ts.advise(SAID, sizes=2, replications=30)


@pytest.mark.parametrize(
    "make", [ts.run, ts.load, lambda said: ts.sweep({**said, "sweep": {"team.size": [1, 2]}})]
)
def test_a_cost_that_is_not_known_comes_with_its_remedy(make: Any) -> None:
    unknown, known = make(SAID), make(with_price(PRICE))
    for told in (repr(unknown), unknown._repr_html_()):
        assert "cost: unknown, since no price is said: give a price" in told
    assert "no price" not in repr(known)


def test_of_some_points_it_is_said_of_how_many_the_cost_is_unknown() -> None:
    swept = ts.sweep({**SAID, "sweep": {"team.agent.price": [{}, PRICE, PRICE]}}, replications=2)
    assert f"unknown at 1 of 3 points, since no price is said: {HOW_TO_PRICE}" in repr(swept)


def test_the_summary_of_unknown_money_is_missing_altogether() -> None:
    """Its quantiles, too, whose intervals have no ends where there are few runs."""
    result = ts.run(SAID)
    assert result.summary().loc[("said", "cost_usd"), :].isna().all()
    assert not np.isnan(result.summary().loc[("said", "makespan_s"), "mean"])


def test_a_comparison_says_its_verdict_first() -> None:
    found = ts.compare(SAID, LARGER)
    assert repr(found).startswith("larger is ")
    assert "ComparisonResult: " in repr(found)
    assert found._repr_html_().startswith("<p>larger is ")
    assert repr(found).endswith("\n".join(found.sentences[1:]))


def test_advice_says_its_verdict_first_and_what_its_columns_mean(advice: ts.AdviceResult) -> None:
    for told in (repr(advice), advice._repr_html_().removeprefix("<p>")):
        assert told.startswith(advice.sentences[0])
        assert told.index("fulfils: whether") > told.index("said, seed 0")
    assert "runs finished: those of one agent, less 2 points" in repr(advice)
    assert HOW_TO_PRICE in repr(advice)


def test_the_columns_are_explained_by_the_wish(advice: ts.AdviceResult) -> None:
    wish = ts.Wish(budget_usd=3, min_quality=0.9)
    (fulfils, *_) = columns_in_words(advice.advice, wish)
    assert "tasks right: 90.0 %; cost: at most 3 USD a run" in fulfils


def test_a_probability_of_which_nothing_is_known_is_missing(advice: ts.AdviceResult) -> None:
    unknown = advice.table[advice.table["fulfils"] == "not known"]
    assert len(unknown)
    assert unknown["p_best"].isna().all()
    assert [row["p_best"] for row in plain(unknown)] == [None] * len(unknown)
    assert math.isnan(advice.advice.p_best) or advice.advice.p_best >= 0.5


def test_advice_has_no_costs_where_none_are_known(advice: ts.AdviceResult) -> None:
    assert advice.table["cost_usd"].isna().all()


@pytest.mark.parametrize("wish", [ts.Wish(usd_per_hour=20), ts.Wish(budget_usd=2)])
def test_a_wish_about_unknown_costs_is_refused_by_its_name(wish: ts.Wish) -> None:
    name = "usd_per_hour" if wish.usd_per_hour is not None else "budget_usd"
    with pytest.raises(TeamsimError, match=f"^{name}: what a run costs is not known"):
        ts.advise(SAID, wish)


def test_the_explorer_names_fields_that_it_has_for_a_price() -> None:
    offered = Offered(base_study())
    assert not drawn(offered, offered.first, 2).is_priced
    assert "team.agent.price.input_per_mtok and output_per_mtok" in _PRICE_HERE
    prices = {f"team.agent.price.{name}_per_mtok": 3 for name in ("input", "output")}
    assert drawn(offered, offered.checked(2, prices), 2).is_priced
