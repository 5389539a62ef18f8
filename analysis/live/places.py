"""Where the agents of a team are drawn: by who hears and who manages whom."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np

from simulator.model.streams import Purpose, Streams
from simulator.model.topologies import NO_MANAGER, Topology
from simulator.scenario import Scenario

Place = tuple[float, float]
"""Across and down, each from -1 to 1."""

_ALL_HEAR_ALL = 0.9
"""Share of possible links from which on a picture of them says nothing: only their number does."""

_MOST_JOINED = 8
"""Most agents who all hear each other of whom the links are drawn."""

_MOST_IN_RING = 26
"""Most agents on a circle of their own before it becomes several."""

_GOLDEN = math.pi * (3.0 - math.sqrt(5.0))


@dataclass(frozen=True)
class Places:
    """A team laid out.

    Attributes
    ----------
    at : list of (float, float)
        By agent: workers, coordinators, verifiers.
    links : list of (int, int)
        Pairs of agents of whom one hears the other; none if nearly all pairs do.
    hearers : mapping of int to list of int
        Who hears each agent's messages, where that is the same for all of them.
    words : str
        What the layout shows, a sentence.
    """

    at: list[Place]
    links: list[tuple[int, int]]
    hearers: Mapping[int, list[int]]
    words: str


def places_of(scenario: Scenario, replication: int) -> Places:
    """Lay a team out.

    Parameters
    ----------
    scenario : Scenario
    replication : int
        Topologies that are drawn at random are drawn as this replication does.
    """
    topology = scenario.topology
    assert isinstance(topology, Topology)
    workers = scenario.team.worker_count
    managers = topology.managers(workers)
    rng = None
    if topology.is_random:
        rng = Streams(scenario.seed, replication).generator(Purpose.TOPOLOGY)
    graph = topology.graph(workers, rng)
    pairs = sorted({(min(a, b), max(a, b)) for a, b in graph.edges})
    if any(manager != NO_MANAGER for manager in managers):
        at = _tree(managers, workers)
        words = "In the middle who coordinates, around it the workers; lines join who hears whom."
    else:
        at, words = _by_links(graph, pairs)
        if len(managers) > workers:
            words += " In the middle is who puts the results together."
            at = [*_pushed_out(at[:workers]), *[(0.0, 0.0)] * (len(managers) - workers)]
    crowded = len(managers) > _MOST_JOINED and _all_hear_all(graph)
    if crowded:
        words = "Everybody hears everybody."
    if topology.peers_per_message is not None and crowded:
        words = f"Each message goes to {topology.peers_per_message} of the others, drawn anew."
    if topology.has_notes:
        words = "Everybody reads the notes of everybody."
    verifiers = scenario.staff["verifier"]
    at += [((i + 0.5) / verifiers * 2.0 - 1.0, 1.0) for i in range(verifiers)]
    if verifiers:
        at = [(x, 0.86 * y - 0.14) if i < len(managers) else (x, y) for i, (x, y) in enumerate(at)]
        words += " Below are those who review."
    is_fixed = scenario.network.is_plain and topology.peers_per_message is None
    hearers = {i: sorted(graph.successors(i)) for i in graph} if is_fixed else {}
    rounded = [(round(x, 4), round(y, 4)) for x, y in at]
    return Places(rounded, [] if crowded else pairs, hearers, words)


def _all_hear_all(graph: nx.DiGraph[int]) -> bool:
    n = graph.number_of_nodes()
    return graph.number_of_edges() >= _ALL_HEAR_ALL * n * (n - 1)


def _by_links(graph: nx.DiGraph[int], pairs: Iterable[tuple[int, int]]) -> tuple[list[Place], str]:
    """Lay out a team that nobody leads, by the shape of its links."""
    n = graph.number_of_nodes()
    plain: nx.Graph[int] = nx.Graph(list(pairs))
    plain.add_nodes_from(range(n))
    joined = "Lines join who hears whom."
    degrees = [degree for _, degree in plain.degree()]
    if n > 2 and plain.number_of_edges() == n - 1 and max(degrees) == 2 and nx.is_connected(plain):
        return _line(plain, n), "Each agent hears the one before it."
    if not plain.number_of_edges():
        return _rings(n), "No agent hears another." if n > 1 else ""
    if set(degrees) == {2} and nx.is_connected(plain):
        return _circle(n), "Each agent hears its neighbours."
    if not _all_hear_all(graph) and n > 4:
        found = nx.spring_layout(plain, seed=0, iterations=200, k=2.2 / math.sqrt(n))
        return _stretched([(found[i][0], found[i][1]) for i in range(n)]), joined
    return _rings(n), joined


def _line(plain: nx.Graph[int], n: int) -> list[Place]:
    """Put a chain into rows that are read to and fro."""
    first = min(node for node, degree in plain.degree() if degree == 1)
    order = list(nx.dfs_preorder_nodes(plain, first))
    across = n if n <= 8 else math.ceil(math.sqrt(2.0 * n))
    rows = -(-n // across)
    at: dict[int, Place] = {}
    for place, node in enumerate(order):
        row, column = divmod(place, across)
        column = column if row % 2 == 0 else across - 1 - column
        at[node] = ((column + 0.5) / across * 2.0 - 1.0, (row + 0.5) / rows * 2.0 - 1.0)
    return [at[i] for i in range(n)]


def _circle(n: int) -> list[Place]:
    """Put agents on a circle, the first on top; one alone into the middle."""
    if n == 1:
        return [(0.0, 0.0)]
    angles = 2.0 * np.pi * np.arange(n) / n
    return [(float(np.sin(a)), float(-np.cos(a))) for a in angles]


def _rings(n: int) -> list[Place]:
    """Put agents on a circle or, if they are many, evenly over a disc."""
    if n <= _MOST_IN_RING:
        return _circle(n)
    angles, radii = _GOLDEN * np.arange(n), np.sqrt((np.arange(n) + 0.5) / n)
    across, down = radii * np.sin(angles), -radii * np.cos(angles)
    return list(zip(across.tolist(), down.tolist(), strict=True))


def _tree(managers: Sequence[int], workers: int) -> list[Place]:
    """Put the root in the middle, who reports to it around it, and the workers outermost."""
    depths: list[int] = []
    for agent in range(len(managers)):
        depth, above = 0, managers[agent]
        while above != NO_MANAGER:
            depth, above = depth + 1, managers[above]
        depths.append(depth)
    deepest = max(depths)
    rows = 1 if workers <= _MOST_IN_RING else min(4, -(-workers // 40) + 1)
    angles = [2.0 * math.pi * i / workers for i in range(workers)]
    angles += [0.0] * (len(managers) - workers)
    below: dict[int, list[int]] = {}
    for agent, manager in enumerate(managers):
        below.setdefault(manager, []).append(agent)
    for manager in sorted(range(workers, len(managers)), key=lambda i: -depths[i]):
        team = [angles[i] for i in below.get(manager, [manager])]
        angles[manager] = (team[0] + team[-1]) / 2.0
    at = []
    for agent, (angle, depth) in enumerate(zip(angles, depths, strict=True)):
        radius = depth / deepest
        if agent < workers:
            radius = 1.0 - 0.42 / deepest * (agent % rows) / max(1, rows - 1)
        at.append((radius * math.sin(angle), -radius * math.cos(angle)))
    return at


def _stretched(at: Sequence[Place]) -> list[Place]:
    """Let a layout fill its square."""
    points = np.array(at, dtype=float)
    points -= (points.max(axis=0) + points.min(axis=0)) / 2.0
    points /= np.where(np.abs(points).max(axis=0) > 0, np.abs(points).max(axis=0), 1.0)
    return [(float(x), float(y)) for x, y in points]


def _pushed_out(at: Sequence[Place]) -> list[Place]:
    """Leave the middle free."""
    found = []
    for x, y in at:
        radius = math.hypot(x, y) or 1e-9
        wider = 0.3 + 0.7 * min(1.0, radius)
        found.append((x / radius * wider, y / radius * wider))
    return found
