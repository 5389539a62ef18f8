"""Messages and deliveries of a round in every topology, against their formulas."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from simulator.scenario.families import TOPOLOGIES
from tests.conftest import agent, run, runs

SIZES = [1, 2, 3, 5, 8, 16, 64]


def one_round(topology: dict[str, object], n: int) -> tuple[int, int]:
    """Messages and deliveries of a round in which everybody talks and work is left."""
    m = run(
        team={"size": n, "agent": {**agent(), "behaviour": {"talk": 1}}},
        topology=topology,
        workload={"kind": "parallel_fraction", "tasks": 2 * n, "parallel_fraction": 1},
        coordination__protocol="pre_assigned",
        limits={"max_rounds": 1},
    )
    return m.messages, m.deliveries


@pytest.mark.parametrize("n", SIZES)
def test_a_ring_delivers_n_and_a_line_one_less(n: int) -> None:
    around = n if n > 1 else 0
    assert one_round({"kind": "ring"}, n) == (around, around)
    assert one_round({"kind": "pipeline"}, n) == (n - 1, n - 1)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("fan_out", [2, 3, 8])
def test_a_tree_delivers_twice_its_edges(n: int, fan_out: int) -> None:
    # Up and down each of the n + managers - 1 edges; every agent sends one message.
    managers, level = 0, n
    while level > 1 or not managers:
        level = -(-level // fan_out)
        managers += level
    edges = n + managers - 1
    messages = n + managers
    assert one_round({"kind": "hierarchical", "fan_out": fan_out}, n) == (messages, 2 * edges)


def test_a_tree_can_be_deeper_than_it_must() -> None:
    # Four workers under one manager need one level; three are asked for.
    assert one_round({"kind": "hierarchical", "depth": 3}, 4) == (4 + 3, 2 * (4 + 2))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("peers", [1, 2, 4])
def test_a_hybrid_delivers_a_star_and_its_peer_links(n: int, peers: int) -> None:
    links = n * min(peers, n - 1)
    assert one_round({"kind": "hybrid", "peers": peers}, n) == (n + 1, 2 * n + links)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("said", [{}, {"peers": 1}, {"peers": 3}])
def test_gossip_delivers_its_peers_each_one_if_none_are_said(n: int, said: dict[str, int]) -> None:
    delivered = n * min(said.get("peers", 1), n - 1)
    assert one_round({"kind": "gossip", **said}, n) == (n * (n > 1), delivered)


@pytest.mark.parametrize("n", SIZES)
def test_a_blackboard_delivers_nothing(n: int) -> None:
    assert one_round({"kind": "blackboard"}, n) == (0, 0)


@pytest.mark.parametrize(("n", "links"), [(1, 0), (2, 1), (3, 3), (4, 3), (5, 6)])
def test_a_scale_free_graph_begins_as_a_star_and_is_complete_below(n: int, links: int) -> None:
    # The first newcomer links to all three that are there; two or three are all linked.
    assert one_round({"kind": "scale_free", "links": 3}, n)[1] == 2 * links


@pytest.mark.parametrize("n", [8, 16, 64])
def test_a_small_world_keeps_n_k_links_and_a_scale_free_graph_2_m_n_minus_m(n: int) -> None:
    assert one_round({"kind": "small_world", "neighbours": 4}, n)[1] == 4 * n
    assert one_round({"kind": "scale_free", "links": 3}, n)[1] == 2 * 3 * (n - 3)


@pytest.mark.theory
@pytest.mark.parametrize("rewiring", [0.0, 0.3, 1.0])
def test_a_small_world_rewires_its_share_of_links(rewiring: float) -> None:
    # A link is moved with this probability, and comes back to a place of the ring with about
    # neighbours / n of the draws, since it may not be there already. 4 standard errors.
    n, k, count = 400, 4, 30
    spec = TOPOLOGIES.get("small_world")(neighbours=k, rewiring=rewiring)
    ring = {frozenset((i, (i + d) % n)) for i in range(n) for d in range(1, k // 2 + 1)}
    rng = np.random.default_rng(11)
    graphs = (spec.graph(n, rng).to_undirected() for _ in range(count))
    moved = [sum(frozenset(edge) not in ring for edge in graph.edges) for graph in graphs]
    links = n * k / 2
    error = np.sqrt(links * rewiring * (1 - rewiring) / count)
    assert abs(np.mean(moved) - rewiring * links) <= 4 * error + rewiring * links * k / n


@pytest.mark.theory
def test_a_random_graph_has_its_density_of_links() -> None:
    # p n (n - 1) deliveries; each of the n (n - 1) / 2 links counts twice. 4 standard errors.
    n, p, count = 12, 0.3, 400
    found = runs(
        count,
        team={"size": n, "agent": {**agent(), "behaviour": {"talk": 1}}},
        topology={"kind": "random", "density": p},
        workload={"kind": "parallel_fraction", "tasks": 2 * n, "parallel_fraction": 1},
        coordination__protocol="pre_assigned",
        limits={"max_rounds": 1},
    )
    error = 2 * np.sqrt(n * (n - 1) / 2 * p * (1 - p) / count)
    assert abs(np.mean([m.deliveries for m in found]) - p * n * (n - 1)) < 4 * error
    assert len({m.deliveries for m in found}) > 10  # drawn anew for each replication


def test_diameters_are_those_of_the_graphs() -> None:
    def diameter(name: str, n: int) -> int:
        graph = TOPOLOGIES.get(name)().graph(n, np.random.default_rng(1))
        return int(nx.diameter(graph.to_undirected()))

    assert diameter("decentralised", 9) == 1
    assert diameter("centralised", 9) == 2
    assert diameter("ring", 9) == 4
    assert diameter("pipeline", 9) == 8
    assert diameter("small_world", 60) < diameter("ring", 60)


def test_a_blackboard_is_read_by_all_and_replaced_by_its_writer() -> None:
    # The first call reads no notes; each later one the notes of 150 tokens of the 3 others.
    m = run(
        team={
            "size": 4,
            "agent": {
                **agent(),
                "behaviour": {"talk": 1},
                "context": {"system_tokens": 100, "board_tokens_per_task": 0, "retention": 0},
            },
        },
        topology="blackboard",
        workload={"kind": "parallel_fraction", "tasks": 12, "parallel_fraction": 1},
        coordination__protocol="pre_assigned",
    )
    assert m.rounds == 3
    assert m.input_tokens == 4 * 100 + 2 * 4 * (100 + 3 * 150)
    assert (m.messages, m.deliveries) == (0, 0)


def test_the_network_delays_loses_and_reorders() -> None:
    def mesh(**network: object) -> object:
        return run(
            team={
                "size": 3,
                "agent": {
                    **agent(),
                    "behaviour": {"talk": 1},
                    "context": {"system_tokens": 0, "board_tokens_per_task": 0, "retention": 0},
                },
            },
            topology="decentralised",
            workload={"kind": "parallel_fraction", "tasks": 300, "parallel_fraction": 1},
            coordination__protocol="pre_assigned",
            network=network,
        )

    at_once, late = mesh(), mesh(delay_s=2.5)
    # Rounds of 1 s: what was said in round r, at r, is read in round r + 1; or, there at
    # r + 2.5, in round r + 4, which begins at r + 3.
    assert at_once.input_tokens == 99 * 3 * 2 * 150
    assert late.input_tokens == 96 * 3 * 2 * 150
    assert late.reordered_messages == 0
    lossy = mesh(loss=0.2)
    assert lossy.lost_messages + lossy.deliveries == 300 * 2
    assert abs(lossy.lost_messages / 600 - 0.2) < 3 * np.sqrt(0.16 / 600)
    jittery = {"delay_s": {"kind": "exponential", "mean": 3}}
    assert mesh(**jittery).reordered_messages > 0
    assert mesh(**jittery, in_order=True).reordered_messages == 0


@pytest.mark.parametrize("fan_out", [2, 3, 4])
@pytest.mark.parametrize("n", [*SIZES, 7, 9, 17])
def test_managers_of_a_level_have_equally_many_below_them_up_to_one(n: int, fan_out: int) -> None:
    tree = TOPOLOGIES.get("hierarchical").model_validate(
        {"kind": "hierarchical", "fan_out": fan_out}
    )
    above = np.asarray(tree.managers(n))
    level, below = n, above[:n]
    while level > 1:
        teams = np.unique(below, return_counts=True)[1]
        assert teams.max() - teams.min() <= 1
        assert teams.max() <= fan_out
        first = int(below.min())
        level = len(teams)
        below = above[first : first + level]


@pytest.mark.parametrize(
    ("peers", "near"), [(1, {1}), (2, {-1, 1}), (3, {-1, 1, 2}), (4, {-2, -1, 1, 2})]
)
def test_peers_of_a_hybrid_are_the_nearest_on_both_sides(peers: int, near: set[int]) -> None:
    hybrid = TOPOLOGIES.get("hybrid").model_validate({"kind": "hybrid", "peers": peers})
    links = hybrid.channels(9, np.random.default_rng(0))
    heard = {link.senders[0]: set(link.receivers) - {9} for link in links if link.senders[0] < 9}
    assert heard == {agent: {(agent + step) % 9 for step in near} for agent in range(9)}
