"""Leader election by Raft's rules: its safety, and the times of Ongaro's thesis (chapter 9).

The elections are the simulator's own, on a bare queue of timers: servers, messages and timers
are all there is.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.model.resilience.raft import LEADER, Election

pytestmark = pytest.mark.theory

Draw = Callable[[], float]


def uniform(rng: np.random.Generator, low: float, high: float) -> Draw:
    blocks = (rng.uniform(low, high, 4096) for _ in itertools.count())
    return itertools.chain.from_iterable(blocks).__next__


class Ground:
    """A queue of timers; servers 0 to `down` - 1 are down."""

    def __init__(self, servers: int, down: int, timeout: Draw, delay: Draw) -> None:
        self.servers = servers
        self.now = 0.0
        self.down = set(range(down))
        self.log = [0] * servers
        self.stood: list[tuple[float, int]] = []
        self.won: list[tuple[float, int, int]] = []
        self._timeout, self._delay = timeout, delay
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def at(self, time_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (time_s, next(self._count), action))

    def is_up(self, server: int) -> bool:
        return server not in self.down

    def knows(self, server: int) -> int:
        return self.log[server]

    def timeout_s(self, server: int) -> float:
        return self._timeout()

    def delay_s(self, server: int) -> float:
        return self._delay()

    def stands(self, server: int, term: int) -> None:
        self.stood.append((self.now, term))

    def leads(self, server: int, term: int) -> None:
        self.won.append((self.now, term, server))

    def step(self) -> bool:
        if not self._queue:
            return False
        self.now, _, action = heapq.heappop(self._queue)
        action()
        return True


def elect(servers: int, down: int, timeout: Draw, delay: Draw, until_s: float = math.inf) -> Ground:
    """Hold one election; every timer is fresh at 0."""
    ground = Ground(servers, down, timeout, delay)
    election = Election(servers, ground)
    for server in range(down, servers):
        election.hears(server, 0.0)
    while not ground.won and ground.now < until_s:
        assert ground.step()
    return ground


def split_vote(servers: int, down: int, latency: float) -> float:
    """P(so many time out within a latency that nobody gets a majority), the thesis's D."""
    s = servers - down
    c = s - servers // 2 + 1
    return sum(math.comb(s, k) * latency**k * (1 - latency) ** (s - k) for k in range(c - 1, s + 1))


def test_without_randomness_nobody_wins_in_ten_seconds() -> None:
    delay = uniform(np.random.default_rng(2), 10, 15)
    stuck = [elect(5, 1, lambda: 150.0, delay, 10_000.0) for _ in range(12)]
    assert np.mean([not ground.won for ground in stuck]) > 0.9


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    servers=st.integers(1, 7),
    seed=st.integers(0, 10_000),
    loss=st.sampled_from([0.0, 0.2, 0.5]),
    logs=st.lists(st.integers(0, 3), min_size=7, max_size=7),
    heartbeat=st.sampled_from([None, 0.5]),
)
def test_there_is_at_most_one_leader_a_term_and_it_knows_what_a_majority_knows(
    servers: int, seed: int, loss: float, logs: list[int], heartbeat: float | None
) -> None:
    """Raft's election safety and leader completeness, with delays, losses and restarts."""
    rng = np.random.default_rng(seed)
    lossy = uniform(rng, 0, 1)
    late = uniform(rng, 0.01, 1.5)
    ground = Ground(servers, 0, uniform(rng, 1, 2), lambda: 1e9 if lossy() < loss else late())
    ground.log = logs[:servers]
    election = Election(servers, ground, 0.01, heartbeat)
    for server in range(servers):
        election.hears(server, 0.0)
    for _ in range(400):
        if not ground.step():
            break
        if lossy() < 0.03:
            server = int(lossy() * servers)
            if server in ground.down:
                ground.down.discard(server)
                election.restart(server)
            else:
                ground.down.add(server)
    leaders: dict[int, set[int]] = {}
    for _, term, server in ground.won:
        leaders.setdefault(term, set()).add(server)
        knowing = sum(known <= ground.log[server] for known in ground.log)
        assert knowing > servers // 2
    assert all(len(found) == 1 for found in leaders.values())
    for server, state in enumerate(election.servers):
        if state.role == LEADER:
            assert leaders[state.term] == {server}
