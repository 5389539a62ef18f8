"""The bill alone: what an answer costs, and what a request that came to nothing."""

from __future__ import annotations

import pytest

from simulator.model.calls.bill import Bill
from tests.model.parts import Bench, begin_call

PRICE = {"input_per_mtok": 10, "cached_input_per_mtok": 1, "output_per_mtok": 50}


@pytest.mark.parametrize("factor", [1.0, 1.25, 2.0])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("is_read", [True, False])
def test_a_request_in_vain_costs_what_it_has_read_written_and_put_into_the_cache(
    is_read: bool, share: float, factor: float
) -> None:
    cache = {"life_s": 300, "write_price_factor": factor}
    bench = Bench(price=PRICE, context={"cache": cache})
    (agent,), metrics = bench.agents, bench.metrics
    agent.memory.uncached, agent.memory.cached = 2000, 1000
    begin_call(agent)
    read, cached, written = Bill(metrics, True, None).in_vain(agent, share, is_read)
    assert (read, cached, written) == (3000 * is_read, 1000 * is_read, int(100 * share) * is_read)
    usd = (2000 * 10 * factor + 1000 * 1 + int(100 * share) * 50) / 1e6 * is_read
    assert metrics.cost_usd == pytest.approx(usd)
    assert metrics.wasted_usd == metrics.cost_usd
    assert metrics.cache_write_tokens == 2000 * is_read
    assert metrics.wasted_tokens == metrics.input_tokens + metrics.output_tokens == read + written


@pytest.mark.parametrize("factor", [1.0, 1.25, 2.0])
def test_an_answer_costs_the_same_and_is_not_wasted(factor: float) -> None:
    cache = {"life_s": 300, "write_price_factor": factor}
    bench = Bench(price=PRICE, context={"cache": cache})
    (agent,), metrics = bench.agents, bench.metrics
    agent.memory.uncached, agent.memory.cached = 2000, 1000
    begin_call(agent)
    Bill(metrics, True, None).call(agent)
    assert metrics.cost_usd == pytest.approx((2000 * 10 * factor + 1000 + 100 * 50) / 1e6)
    assert (metrics.cache_write_tokens, metrics.wasted_usd, metrics.calls) == (2000, 0.0, 1)


def test_what_the_provider_failed_itself_does_not_say_what_had_left_the_cache() -> None:
    bench = Bench(price=PRICE, context={"cache": {"life_s": 300}})
    (agent,), metrics = bench.agents, bench.metrics
    begin_call(agent)
    assert agent.memory.life is not None
    agent.memory.life.expired = 700
    bill = Bill(metrics, True, None)
    bill.in_vain(agent, 0.0, is_read=False)
    assert metrics.expired_tokens == 0
    bill.in_vain(agent, 0.0)
    assert metrics.expired_tokens == 700
