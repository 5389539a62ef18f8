"""Messages and deliveries of a round are counted, against their formulas."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.law_fits import fit_power_law
from simulator.scenario import REGISTRIES
from simulator.scenario.families import TOPOLOGIES
from tests.conftest import run

SIZES = [2, 3, 4, 8, 16, 64, 256]


def one_round(topology: str, n: int, **fields: object) -> tuple[int, int, int]:
    """Messages, deliveries and message tokens of a round in which everybody talks."""
    m = run(
        team__size=n,
        team__agent={"latency": {"kind": "seconds", "base": 1}, "behaviour": {"talk": 1}},
        topology=topology,
        workload__tasks=2 * n,
        coordination__protocol="pre_assigned",
        limits={"max_rounds": 1},
        **fields,
    )
    return m.messages, m.deliveries, m.message_tokens


@pytest.mark.parametrize("n", SIZES)
def test_a_mesh_delivers_n_times_n_minus_1(n: int) -> None:
    assert one_round("decentralised", n) == (n, n * (n - 1), 150 * n)


@pytest.mark.parametrize("n", SIZES)
def test_a_star_of_n_workers_delivers_2n(n: int) -> None:
    # n reports to the coordinator, and one answer that reaches n workers.
    assert one_round("centralised", n) == (n + 1, 2 * n, 150 * (n + 1))


@pytest.mark.parametrize("n", SIZES)
def test_independent_agents_say_nothing(n: int) -> None:
    assert one_round("independent", n) == (0, 0, 0)


def test_one_agent_in_a_mesh_has_nobody_to_talk_to() -> None:
    assert one_round("decentralised", 1) == (0, 0, 0)


def test_fitted_exponents_tell_calls_messages_and_deliveries_apart() -> None:
    counted = {n: one_round("decentralised", n) for n in SIZES}
    messages = fit_power_law(SIZES, [counted[n][0] for n in SIZES])
    large = SIZES[-2:]  # n (n - 1) has the slope 2 + 1 / (n - 1) on log-log axes
    deliveries = fit_power_law(large, [counted[n][1] for n in large])
    assert messages.exponent == pytest.approx(1.0)
    assert deliveries.exponent == pytest.approx(2.0, abs=1 / (large[0] - 1))


def test_every_reader_pays_for_what_the_others_wrote() -> None:
    # In a mesh, the second call of each of n agents reads n - 1 messages of 150 tokens.
    fields = {
        "team__agent": {
            "latency": {"kind": "seconds", "base": 1},
            "behaviour": {"talk": 1},
            "tokens": {"output": 0},
            "context": {"system_tokens": 1000, "board_tokens_per_task": 0, "retention": 0},
        },
        "topology": "decentralised",
        "coordination__protocol": "pre_assigned",
    }
    for n in (2, 5, 10):
        m = run(team__size=n, workload__tasks=2 * n, **fields)
        assert m.calls == 2 * n
        assert m.input_tokens == 2 * n * 1000 + n * (n - 1) * 150


def test_context_grows_with_what_was_read_and_written_up_to_the_window() -> None:
    agent = {
        "latency": {"kind": "seconds", "base": 1},
        "tokens": {"output": 100},
        "context": {"system_tokens": 50, "board_tokens_per_task": 0, "window_tokens": 500},
    }
    # Calls read 50, 150, 250, 350, 450; the sixth would read 550: compacted to 20 % of 500.
    m = run(team__agent=agent, workload__tasks=6)
    assert m.input_tokens == 50 + 150 + 250 + 350 + 450 + (100 + 50)
    # Cached: what the call before has read, and of the compacted one the system prompt.
    assert m.cached_tokens == 50 + 150 + 250 + 350 + 50


@pytest.mark.parametrize("name", next(r for r in REGISTRIES if r.family == "topology").names())
def test_a_topology_names_only_agents_that_exist(name: str) -> None:
    registry = next(r for r in REGISTRIES if r.family == "topology")
    topology = registry.get(name)()
    for n in (1, 2, 7):
        agents = set(range(len(topology.managers(n))))
        for channel in topology.channels(n, np.random.default_rng(1)):
            assert set(channel.senders) | set(channel.receivers) <= agents


@pytest.mark.parametrize("kind", TOPOLOGIES.names())
def test_a_topology_says_whether_its_links_are_drawn_for_each_replication(kind: str) -> None:
    topology = TOPOLOGIES.get(kind).model_validate({"kind": kind})
    workers = 1 if topology.problem_in(12) else 12
    links = [str(topology.channels(workers, np.random.default_rng(seed))) for seed in range(5)]
    assert topology.is_random == (len(set(links)) > 1)


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 5, 6, 9])
def test_a_small_world_that_is_not_rewired_is_a_ring_of_neighbours_or_a_mesh(workers: int) -> None:
    world = TOPOLOGIES.get("small_world").model_validate({"kind": "small_world", "rewiring": 0})
    heard: dict[int, set[int]] = {agent: set() for agent in range(workers)}
    for channel in world.channels(workers, np.random.default_rng(0)):
        for sender in channel.senders:
            heard[sender] |= set(channel.receivers) - {sender}
    for agent in range(workers):
        near = {(agent + step) % workers for step in (-2, -1, 1, 2)} - {agent}
        assert heard[agent] == near
