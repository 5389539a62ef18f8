"""What calls write to a prompt cache has a price of its own, in traces and in their twins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.observation.costs import fit_prices, token_counts, with_costs, write_factor
from analysis.observation.observe import Observation
from analysis.observation.simulated import simulate
from analysis.traces.reading import read_traces
from simulator.scenario.prices import list_prices
from tests.analysis.made_up_traces import Kind, Made, assert_alike, twin_of
from tests.analysis.trace_samples import lines, stamp

MODEL = "claude-sonnet-4-5"
PRICE = {name: price / 1e6 for name, price in list_prices(MODEL).items()}


def converse(made: Made, share: float | None, pause_s: float = 2.0) -> None:
    """Work in a growing conversation; `share` of what no cache has is written to it."""
    read, before, turns = 3000.0, 0.0, made.rng.integers(8, 16)
    for turn in range(turns):
        wrote = made.about(200)
        written = None if share is None else round(share * (round(read) - round(before)))
        made.chat("coder", read, wrote, turn < turns - 1, before, cache_write_input_tokens=written)
        before, read = read, read + wrote + made.about(400)
        seconds = made.about(pause_s)
        made.tool("coder", "edit", seconds)
        before = 0.0 if seconds > 300.0 else before


def test_written_tokens_cost_what_the_price_table_says() -> None:
    made = Made(1)
    made.begin("r")
    made.chat("a", 1000, 100, cached=300.0, cache_write_input_tokens=500)
    made.chat("a", 1000, 100, cached=300.0)
    costs = with_costs(made.traces().calls)[0]["cost_usd"].tolist()
    one, cached, output = (
        PRICE[name] for name in ("input_per_mtok", "cached_input_per_mtok", "output_per_mtok")
    )
    written = PRICE["cache_write_per_mtok"]
    assert written == 1.25 * one
    assert costs[0] == pytest.approx(200 * one + 500 * written + 300 * cached + 100 * output)
    assert costs[1] == pytest.approx(700 * one + 300 * cached + 100 * output)


def test_prices_that_are_fitted_have_one_of_writing() -> None:
    made = Made(2)
    made.begin("r")
    for _ in range(30):
        read, cached, written, wrote = made.rng.integers(100, 1000, 4).tolist()
        usd = (2.0 * read + 4.0 * written + 1.0 * cached + 9.0 * wrote) / 1e6
        made.chat("a", read + cached + written, wrote, cached=cached, model="mine",
                  cache_write_input_tokens=written, cost_usd=usd)  # fmt: skip
    spec = fit_prices(made.traces().calls, "mine").spec
    assert spec == pytest.approx(
        {"input_per_mtok": 2.0, "cache_write_per_mtok": 4.0, "cached_input_per_mtok": 1.0,
         "output_per_mtok": 9.0}, rel=1e-3,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cached", "written", "for_1h", "expected"),
    [
        (0, 0, 0, [1000, 0, 0, 0]),
        (300, 500, 200, [200, 300, 200, 300]),
        (300, 900, 200, [0, 500, 200, 300]),  # no more is written than is not in the cache
        (300, 500, 800, [200, 0, 500, 300]),  # nor kept for an hour than is written
        (1400, 500, 200, [0, 0, 0, 1400]),  # a format that does not count what is in the cache
    ],
)
def test_each_token_of_input_has_one_price(
    cached: int, written: int, for_1h: int, expected: list[float]
) -> None:
    made = Made(4)
    made.begin("r")
    made.chat("a", 1000, 100, cached=float(cached), cache_write_input_tokens=written,
              cache_write_1h_input_tokens=for_1h)  # fmt: skip
    (counts,) = token_counts(made.traces().calls).to_numpy().tolist()
    assert counts == [*expected, 100]


def test_where_a_price_tells_none_for_what_is_cached_it_is_that_of_input() -> None:
    made = Made(6)
    made.begin("r")
    made.chat("a", 1000, 100, model="mine", cached=400.0, cache_write_input_tokens=200)
    calls = made.traces().calls
    told = {"mine": {"input_per_mtok": 2.0, "output_per_mtok": 9.0}}
    (cost,) = with_costs(calls, told)[0]["cost_usd"]
    assert cost == pytest.approx((1000 * 2.0 + 100 * 9.0) / 1e6)


@pytest.mark.parametrize("per_call", [0.0, 0.02])
def test_prices_that_are_fitted_have_the_sum_of_the_costs(per_call: float) -> None:
    # Some is asked for each call beside its tokens, which no price of tokens says.
    made = Made(5)
    made.begin("r")
    for _ in range(200):
        read, wrote = made.rng.integers(100, 5000, 2).tolist()
        usd = (2.0 * read + 9.0 * wrote) / 1e6 + per_call
        made.chat("a", read, wrote, model="mine", cost_usd=usd)
    calls = made.traces().calls
    prices = fit_prices(calls, "mine")
    assert isinstance(prices.spec, dict)
    said = sum(
        prices.spec[f"{kind}_per_mtok"] * float(calls[f"{kind}_tokens"].sum()) / 1e6
        for kind in ("input", "output")
    )
    assert said == pytest.approx(float(calls["cost_usd"].sum()), rel=1e-3)


@pytest.mark.parametrize(("written", "factor"), [(0, 1.0), (350, 1.125), (700, 1.25)])
def test_what_no_cache_had_costs_more_by_the_share_that_was_written(
    written: int, factor: float
) -> None:
    made = Made(3)
    made.begin("r")
    for _ in range(3):
        made.chat("a", 1000, 100, cached=300.0, cache_write_input_tokens=written)
    assert write_factor(made.traces().calls, MODEL) == pytest.approx(factor)


def billed(found: Observation) -> float:
    """Return how much more a sweep's bill is than the comparison says, as a factor."""
    twin = found.twin
    made = simulate(twin.scenario, 20, twin.worker_roles, twin.lead)
    return float(sum(each.cost_usd for each in made.metrics) / made.calls["cost_usd"].sum())


@pytest.mark.slow
@pytest.mark.parametrize(
    "share",
    [
        0.5,
        *(pytest.param(it, marks=pytest.mark.thorough) for it in (None, 0.0, 1.0)),
    ],
)
@pytest.mark.parametrize("pause_s", [2.0, pytest.param(200.0, marks=pytest.mark.thorough)])
def test_a_twin_pays_for_writing_what_its_agent_did(share: float | None, pause_s: float) -> None:
    found = twin_of(lambda made: converse(made, share, pause_s), 24, 100)
    assert_alike(found, ("input_tokens", "cost_usd"))
    # Half or more of the cost is of input that no cache had: a quarter of that shows.
    assert billed(found) == pytest.approx(1.0, abs=1e-6)


HOUR = {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 500}


@pytest.mark.parametrize("details", ["input_tokens_details", "usage"])
def test_what_is_written_for_an_hour_has_a_price_of_its_own(details: str, tmp_path: Path) -> None:
    usage: dict[str, Any] = {"cache_creation_input_tokens": 800, "cache_read_input_tokens": 300}
    usage |= {"input_tokens": 200, "output_tokens": 100, "cache_creation": HOUR}
    if details != "usage":  # as LangChain does: all in the input, parts in details
        parts = {"cache_read": 300, "cache_creation": 0, **HOUR}
        usage = {"input_tokens": 1300, "output_tokens": 100, "input_token_details": parts}
    run = {"id": "r", "run_type": "llm", "name": "c", "start_time": stamp(0), "end_time": stamp(4),
           "outputs": {"usage_metadata": usage},
           "extra": {"metadata": {"ls_model_name": MODEL}}}  # fmt: skip
    (chat,) = with_costs(read_traces([lines(tmp_path / "x.jsonl", [run])]).calls)[0].to_dict(
        "records"
    )
    assert (chat["input_tokens"], chat["cache_write_input_tokens"]) == (1300, 800)
    one = PRICE["input_per_mtok"]
    assert PRICE["cache_write_1h_per_mtok"] == 2.0 * one  # Anthropic's page of prices
    rest = 300 * PRICE["cached_input_per_mtok"] + 100 * PRICE["output_per_mtok"]
    assert chat["cost_usd"] == pytest.approx(200 * one + 300 * 1.25 * one + 500 * 2 * one + rest)


def keep_for_an_hour(made: Made) -> None:
    """Work in a conversation of which all is kept for an hour."""
    read, before = 9000.0, 0.0
    for turn in range(6):
        wrote, new = made.about(200), round(read) - round(before)
        made.chat("coder", read, wrote, turn < 5, before, cache_write_input_tokens=new,
                  cache_write_1h_input_tokens=new)  # fmt: skip
        before, read = read, read + wrote + made.about(400)
        made.tool("coder", "edit", made.about(2.0))


def write_in_vain(made: Made) -> None:
    """Ask three times in a row, each time with a prompt that is written, and never read again."""
    for turn in range(3):
        read = made.about(4000)
        made.chat("coder", read, made.about(50), turn < 2, cache_write_input_tokens=round(read))


@pytest.mark.thorough
@pytest.mark.parametrize("work", [keep_for_an_hour, write_in_vain])
def test_a_twin_pays_what_is_written_for_an_hour_or_in_vain(work: Kind) -> None:
    found = twin_of(work, 24, 100)
    assert_alike(found, ("input_tokens", "cost_usd"))
    assert billed(found) == pytest.approx(1.0, abs=1e-6)
