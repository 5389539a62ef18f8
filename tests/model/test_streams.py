"""Random streams: independent of each other, of n, and of how they are read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats

from simulator.distributions import Distribution
from simulator.distributions.deterministic import Deterministic
from simulator.distributions.lognormal import Lognormal
from simulator.distributions.mixture import Mixture
from simulator.engine import Simulation
from simulator.errors import TeamsimError
from simulator.model.draws_ahead import MOST_TOGETHER
from simulator.model.limited_draws import limited
from simulator.model.stream_blocks import FIRST
from simulator.model.stream_numbers import purpose_of
from simulator.model.streams import AGAIN, ELSEWHERE, Draw, Entity, Law, Purpose, Streams
from simulator.model.trace import Event, Trace
from tests.conftest import scenario


def test_a_draw_does_not_depend_on_the_block_it_comes_in() -> None:
    streams = Streams(1, 0)
    whole = streams.block(Entity.AGENT, 3, Purpose.BATCH, 0, 200)
    stream = streams.uniforms(Entity.AGENT, 3, Purpose.BATCH)
    assert [stream() for _ in range(200)] == whole.tolist()


@pytest.mark.parametrize("agent_sigma", [0.0, 0.4])
def test_a_draw_does_not_depend_on_who_draws_beside_it(agent_sigma: float) -> None:
    """The first draws of all agents are made together, and each is what it would be alone."""
    law = Lognormal(median=5, sigma=0.6, run_sigma=0.3, agent_sigma=agent_sigma)

    def drawn(agents: Sequence[int], asked: Sequence[int]) -> dict[int, list[float]]:
        streams = Streams(1, 0)
        draws = {i: streams.draws(law, Entity.AGENT, i, Purpose.LATENCY) for i in agents}
        return {i: [draws[i]() for _ in range(90)] for i in asked}

    alone = {i: drawn([i], [i])[i] for i in range(5)}
    assert drawn(range(5), [3, 0, 4, 1, 2]) == alone
    assert drawn([4, 2], [2]) == {2: alone[2]}
    streams = Streams(1, 0)
    early = streams.draws(law, Entity.AGENT, 1, Purpose.LATENCY)
    assert early() == alone[1][0]
    late = streams.draws(law, Entity.AGENT, 0, Purpose.LATENCY)
    again = streams.draws(law, Entity.AGENT, 1, Purpose.LATENCY)
    assert [late(), again(), early()] == [alone[0][0], alone[1][0], alone[1][1]]


LOGNORMAL = {"kind": "lognormal", "median": 5, "sigma": 1, "run_sigma": 1}


@pytest.mark.parametrize(
    "law",
    [
        Deterministic(value=5.0),
        Deterministic(value=5.0, agent_sigma=0.4),
        Lognormal(median=5, sigma=0.6),
        Lognormal(median=5, sigma=0.6, at_most=9.0, run_sigma=0.3, agent_sigma=0.4),
        Lognormal(median=5, sigma=0.6, phase_sigma=0.5),
        Mixture.model_validate(
            {"kind": "mixture", "components": [
                {"weight": 1, "distribution": LOGNORMAL},
                {"weight": 2, "distribution": 3},
            ]}
        ),
    ],
)  # fmt: skip
def test_draws_are_multiplied_after_their_effects(law: Distribution) -> None:
    plain, twice = (
        Streams(1, 0).draws(law, Entity.AGENT, 2, Purpose.LATENCY, times=times)
        for times in (1.0, 2.0)
    )
    assert [twice() for _ in range(100)] == [2.0 * plain() for _ in range(100)]
    known = Streams(1, 0).by(Law(law), Entity.AGENT, 2, Purpose.LATENCY, 2.0)
    again = Streams(1, 0).draws(law, Entity.AGENT, 2, Purpose.LATENCY, times=2.0)
    assert [known() for _ in range(100)] == [again() for _ in range(100)]


@pytest.mark.parametrize("agent_sigma", [0.0, 0.4])
def test_agents_draw_the_same_at_whatever_pace(agent_sigma: float) -> None:
    """Further blocks are made together, too: of who is as far, whoever is ahead or behind."""
    law = Lognormal(median=5, sigma=0.6, agent_sigma=agent_sigma)

    def stream(of: Streams, agent: int) -> Draw:
        return of.draws(law, Entity.AGENT, agent, Purpose.LATENCY)

    alone = {}
    for agent in range(6):
        draw = stream(Streams(1, 0), agent)
        alone[agent] = [draw() for _ in range(1500)]
    streams = Streams(1, 0)
    draws = {(agent, copy): stream(streams, agent) for agent in range(6) for copy in range(2)}
    found: dict[tuple[int, int], list[float]] = {each: [] for each in draws}
    rng = np.random.default_rng(0)
    while min(len(each) for each in found.values()) < 700:
        agent, copy = int(rng.integers(6)), int(rng.integers(2))
        for _ in range(int(rng.integers(40)) * (agent + 1)):
            if len(found[agent, copy]) < 1500:
                found[agent, copy].append(draws[agent, copy]())
    for (agent, _), values in found.items():
        assert values == alone[agent][: len(values)]


def test_no_more_draws_are_made_together_than_fit_the_cache() -> None:
    """Of a large team each still draws what it would alone."""
    law = Lognormal(median=5, sigma=0.6)
    streams, team = Streams(1, 0), range(MOST_TOGETHER // FIRST + 10)
    draws = [streams.draws(law, Entity.AGENT, i, Purpose.LATENCY) for i in team]
    found = [[draw() for _ in range(40)] for draw in draws]
    for agent in (*range(3), *team[-12:]):
        draw = Streams(1, 0).draws(law, Entity.AGENT, agent, Purpose.LATENCY)
        assert found[agent] == [draw() for _ in range(40)]


def test_replications_of_one_thread_draw_in_turns() -> None:
    streams = [Streams(1, replication) for replication in range(3)]
    turns = [stream.uniforms(Entity.AGENT, 0, Purpose.BATCH) for stream in streams]
    mixed = [[turn() for turn in turns] for _ in range(90)]
    for replication, one in enumerate(zip(*mixed, strict=True)):
        alone = Streams(1, replication).uniforms(Entity.AGENT, 0, Purpose.BATCH)
        assert list(one) == [alone() for _ in range(90)]


def test_threads_draw_as_if_each_were_alone() -> None:
    def first(replication: int) -> list[float]:
        stream = Streams(1, replication).uniforms(Entity.AGENT, 0, Purpose.BATCH)
        return [stream() for _ in range(5_000)]

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(first, range(8))) == [first(each) for each in range(8)]


def test_a_constant_with_random_effects_is_one_number_an_agent() -> None:
    law = Deterministic(value=3.0, run_sigma=0.5, agent_sigma=0.4)
    beside = Lognormal(median=3.0, sigma=0.0, run_sigma=0.5, agent_sigma=0.4)
    streams = Streams(1, 0)
    for i in range(3):
        mine = streams.draws(law, Entity.AGENT, i, Purpose.LATENCY)
        first = mine()
        assert [mine() for _ in range(20)] == [first] * 20
        assert first == streams.draws(beside, Entity.AGENT, i, Purpose.LATENCY)()


def test_streams_differ_by_seed_replication_entity_and_purpose() -> None:
    starts = [
        Streams(seed, replication).block(entity, index, purpose, 0, 4).tolist()
        for seed in (0, 1)
        for replication in (0, 1)
        for entity in (Entity.AGENT, Entity.COORDINATOR)
        for index in (0, 1)
        for purpose in (Purpose.LATENCY, Purpose.BATCH)
    ]
    values = {value for start in starts for value in start}
    assert len(values) == 4 * len(starts)


def test_a_purpose_by_name_is_none_of_those_by_number() -> None:
    offsets = (0, 1000, AGAIN, ELSEWHERE)  # of phases, and of requests that are sent again
    by_number = {int(purpose) + beside for purpose in Purpose for beside in offsets}
    names = [purpose_of(f"plugin {i}") for i in range(200)]
    assert len(set(names)) == 200
    assert not by_number & set(names)
    mine = Streams(1, 0).uniforms(Entity.AGENT, 3, names[0])
    assert [mine() for _ in range(9)] != [mine() for _ in range(9)]
    again = Streams(1, 0).uniforms(Entity.AGENT, 3, purpose_of("plugin 0"))
    assert again() == Streams(1, 0).uniforms(Entity.AGENT, 3, names[0])()


@pytest.mark.parametrize(
    ("median", "sigma", "effects"),
    [
        (1.0, 300.0, {}),
        (1.0, 300.0, {"shift": -1.0}),
        (1.0, 300.0, {"phase_sigma": 0.1}),
        (1.0, 300.0, {"run_sigma": 0.1}),
        (0.0, 0.0, {"phase_sigma": 2000.0}),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_draw_of_any_component_may_be_too_large(
    median: float, sigma: float, effects: dict[str, float]
) -> None:
    """Also of one between others, at whose uniforms neither the least nor the largest is made."""
    one = {"weight": 1, "distribution": {"kind": "deterministic", "value": 1}}
    wide: dict[str, object] = {"kind": "lognormal", "median": median, "sigma": sigma}
    if not median:
        wide = {"kind": "deterministic", "value": 0}
    parts = [one, {"weight": 1, "distribution": wide}, one]
    law = Mixture.model_validate({"kind": "mixture", "components": parts, **effects})
    draw = Streams(1, 0).draws(law, Entity.AGENT, 0, Purpose.LATENCY)
    with pytest.raises(TeamsimError, match=r"a draw of latency is .*, and draws go up to 1e\+15"):
        [draw() for _ in range(400)]


def test_a_draw_that_is_no_number_is_told_wherever_it_is() -> None:
    for place in range(3):
        block = [1.0, 2.0, 3.0]
        block[place] = math.nan
        with pytest.raises(TeamsimError, match="a draw of size is nan"):
            list(limited(iter([block]), "size"))


def test_a_draw_that_is_too_large_is_refused_when_it_is_drawn_and_not_before() -> None:
    law, streams, places = Lognormal(median=10, sigma=20), Streams(1, 0), set()
    for agent in range(200):
        u = streams.block(Entity.AGENT, agent, Purpose.LATENCY, 0, 512)
        fits = law.transform(u) <= 1e15
        place = int(np.argmin(fits))
        assert not fits[place]
        draw = streams.draws(law, Entity.AGENT, agent, Purpose.LATENCY)
        assert [draw() for _ in range(place)] == law.transform(u)[:place].tolist()
        with pytest.raises(TeamsimError, match="a draw of latency is"):
            draw()
        places.add(place)
    assert {0, 3, 7, 8, 15, 16} < places


@pytest.mark.theory
def test_streams_of_neighbours_are_uniform_and_uncorrelated() -> None:
    streams = Streams(9, 4)
    draws = np.array([streams.block(Entity.AGENT, i, 0, 0, 2000) for i in range(40)])
    # Kolmogorov-Smirnov at 0.1 % on 80,000 draws; correlations within 4.5 / sqrt(2000), 780 pairs.
    assert stats.kstest(draws.ravel(), "uniform").pvalue > 0.001
    off_diagonal = np.corrcoef(draws)[np.triu_indices(40, 1)]
    assert np.abs(off_diagonal).max() < 4.5 / np.sqrt(2000)


def test_an_agent_draws_the_same_latencies_in_a_larger_team() -> None:
    def latencies(n: int) -> list[float]:
        trace = Trace()
        base = {"kind": "lognormal", "median": 5, "sigma": 0.6}
        sim = scenario(
            team__size=n,
            team__agent__latency={"kind": "seconds", "base": base},
            coordination__protocol="pre_assigned",
            workload__tasks=8 * n,
        )
        Simulation(sim).run(3, trace)
        return [r.duration_s for r in trace.rows if r.event is Event.CALL_END and r.agent == 0]

    assert latencies(1)[:8] == latencies(5)[:8]


def test_numpys_global_state_is_never_touched() -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].tolist()
    base = {"kind": "lognormal", "median": 5, "sigma": 0.6}
    Simulation(scenario(team__agent__latency={"kind": "seconds", "base": base})).run(0)
    assert np.random.get_state()[1].tolist() == before


@pytest.mark.parametrize(
    "spread",
    [
        {"sigma": 1000},
        {"sigma": 1, "run_sigma": 1000},
        {"sigma": 1, "agent_sigma": 1000},
        {"sigma": 1, "phase_sigma": 1000, "phase_length": 3},
    ],
)
def test_draws_that_no_sum_can_hold_are_refused(spread: dict[str, float]) -> None:
    wide = {"kind": "seconds", "base": {"kind": "lognormal", "median": 10, **spread}}
    simulation = Simulation(scenario(team__agent__latency=wide, team__size=4))
    with pytest.raises(TeamsimError, match=r"a draw of latency is .* spreads too widely"):
        _ = [simulation.run(replication) for replication in range(20)]
