"""Rules of Raft, one at a time: who stands when, who votes for whom, who leads until when.

Sections are those of Ongaro and Ousterhout (2014).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pytest

from simulator.model.resilience.raft import CANDIDATE, FOLLOWER, LEADER, Election
from tests.model.test_elections import Ground

NEVER_S = 1e6
DELAY_S = 0.01


class Cluster(Ground):
    """Servers of which each has a time-out of its own; every message takes `DELAY_S`."""

    def __init__(self, timeouts_s: Sequence[float], **fields: float) -> None:
        self.draws = 0
        super().__init__(len(timeouts_s), 0, lambda: NEVER_S, lambda: DELAY_S)
        self._timeouts_s = timeouts_s
        self.election = Election(len(timeouts_s), self, **fields)
        for server in range(len(timeouts_s)):
            self.election.hears(server, 0.0)

    def timeout_s(self, server: int) -> float:
        self.draws += 1
        return self._timeouts_s[server]

    def delay_s(self, server: int) -> float:
        self.draws += 1
        return super().delay_s(server)

    @property
    def roles(self) -> list[str]:
        return [server.role for server in self.election.servers]

    @property
    def terms(self) -> list[int]:
        return [server.term for server in self.election.servers]

    def run(self, until_s: float, then: Callable[[], None] | None = None) -> None:
        """Let time pass up to a moment, and something happen then."""
        is_there = False

        def stop() -> None:
            nonlocal is_there
            is_there = True

        self.at(until_s, stop)
        while not is_there:
            assert self.step()
        if then is not None:
            then()


def test_all_begin_as_followers() -> None:
    assert Cluster([1.0, 2.0, 3.0]).roles == [FOLLOWER] * 3


def test_a_server_alone_leads_as_soon_as_it_stands() -> None:
    alone = Cluster([2.0])
    alone.run(2.5)
    assert (alone.won, alone.roles) == ([(2.0, 1, 0)], [LEADER])


@pytest.mark.parametrize("servers", [2, 3, 4, 5, 8])
def test_the_first_to_stand_leads_after_one_message_to_and_fro(servers: int) -> None:
    cluster = Cluster([1.0] + [2.0] * (servers - 1))
    cluster.run(1.5)
    assert cluster.stood == [(1.0, 1)]
    assert cluster.won == [(pytest.approx(1.0 + 2 * DELAY_S), 1, 0)]


@pytest.mark.parametrize("servers", [3, 4, 5])
def test_who_is_not_elected_stands_again_after_its_time_out_in_the_next_term(servers: int) -> None:
    cluster = Cluster([1.0] + [NEVER_S] * (servers - 1))
    cluster.down.update(range(1, servers))
    cluster.run(4.5)
    assert cluster.stood == [(1.0, 1), (2.0, 2), (3.0, 3), (4.0, 4)]
    assert (cluster.won, cluster.roles[0]) == ([], CANDIDATE)


def test_a_time_out_counts_from_when_a_leader_was_heard_last() -> None:
    cluster = Cluster([1.0, NEVER_S])
    for heard_s in (0.6, 0.9):
        cluster.run(heard_s, lambda: cluster.election.hears(0, cluster.now))
    cluster.run(3.0)
    assert cluster.stood[0] == (1.9, 1)


def test_who_has_voted_does_not_stand_before_its_time_out_since_then() -> None:
    # Section 5.2. Two of five are up, which is no majority.
    cluster = Cluster([1.0, 1.05, NEVER_S, NEVER_S, NEVER_S])
    cluster.down.update((2, 3, 4))
    cluster.run(1.5)
    assert cluster.stood == [(1.0, 1)]
    assert cluster.election.servers[1].voted_for == 0


def test_a_candidate_of_a_past_term_gets_no_vote_and_follows_the_term_it_is_told() -> None:
    # Section 5.1; the refusal takes two messages, and nothing is written down for it.
    cluster = Cluster([1.0, NEVER_S, NEVER_S], write_s=0.3)
    cluster.election.servers[1].term = 5
    cluster.down.add(2)
    cluster.run(1.0 + 0.3 + 2 * DELAY_S + 1e-6)
    assert cluster.election.servers[1].voted_for is None
    assert (cluster.terms[:2], cluster.roles[0]) == ([5, 5], FOLLOWER)


def test_each_votes_once_a_term_for_the_first_who_asks() -> None:
    # Of four servers, two stand at the same time and hear a vote each: nobody has three.
    cluster = Cluster([1.0, 1.0, NEVER_S, NEVER_S])
    cluster.run(1.5)
    votes = [server.voted_for for server in cluster.election.servers]
    assert votes == [0, 1, 0, 0]  # both asked, the first in the order of the queue first
    assert cluster.won == [(pytest.approx(1.0 + 2 * DELAY_S), 1, 0)]


def test_who_goes_down_before_it_is_answered_does_not_lead() -> None:
    cluster = Cluster([1.0, NEVER_S, NEVER_S])
    cluster.run(1.0 + 1.5 * DELAY_S, lambda: cluster.down.add(0))
    cluster.run(3.0)
    assert (cluster.stood, cluster.won) == ([(1.0, 1)], [])


# Requests under way, votes, heartbeats, and a leader that waits to send the next.
@pytest.mark.parametrize("steps", [0.5, 1.5, 2.5, 3.5])
def test_when_the_election_is_over_nobody_writes_votes_or_waits_any_more(steps: float) -> None:
    cluster = Cluster([1.0, 1.0 + DELAY_S / 2, 2.0, 2.0, 2.0], heartbeat_s=0.4)
    cluster.run(1.0 + steps * DELAY_S, cluster.election.end)
    state, draws = (cluster.terms, cluster.roles), cluster.draws
    cluster.run(50.0)
    assert (cluster.terms, cluster.roles, cluster.draws) == (*state, draws)
    assert len(cluster.won) == (steps > 2)


@pytest.mark.parametrize("servers", [1, 2, 3, 4, 5, 8])
def test_a_leader_whose_heartbeats_come_before_any_time_out_leads_on(servers: int) -> None:
    cluster = Cluster([0.5 + 0.1 * i for i in range(servers)], heartbeat_s=0.4)
    cluster.run(60.0)
    # It wins once, though more vote for it than it needs.
    assert (len(cluster.stood), len(cluster.won)) == (1, 1)
    assert cluster.roles == [LEADER] + [FOLLOWER] * (servers - 1)
    assert cluster.terms == [1] * servers


@pytest.mark.parametrize("heartbeat_s", [1.2, 5.0])
def test_a_leader_whose_heartbeats_come_too_late_is_followed_by_another(heartbeat_s: float) -> None:
    # Both hear it when it is elected, and next after their time-outs of one second.
    cluster = Cluster([0.5, 1.0, NEVER_S], heartbeat_s=heartbeat_s)
    cluster.run(2.0)
    heard_s = 0.5 + 3 * DELAY_S
    assert cluster.stood == [(0.5, 1), (pytest.approx(heard_s + 1.0), 2)]
    assert cluster.roles == [FOLLOWER, LEADER, FOLLOWER]


def test_a_leader_that_is_down_is_replaced_and_follows_when_it_is_back() -> None:
    cluster = Cluster([0.5, 1.0, 3.0], heartbeat_s=0.2)
    cluster.run(10.05, lambda: cluster.down.add(0))
    cluster.run(15.0)
    # The last heartbeat went out at 9.92 s or so: the second stands a second after it.
    assert len(cluster.stood) == 2
    assert 10.05 - 0.2 + 1.0 < cluster.stood[1][0] < 10.05 + DELAY_S + 1.0
    assert [(term, server) for _, term, server in cluster.won] == [(1, 0), (2, 1)]
    assert cluster.terms == [1, 2, 2]  # who is down hears nothing
    cluster.down.discard(0)
    cluster.election.restart(0)
    assert cluster.roles[0] == FOLLOWER
    cluster.run(60.0)
    assert (cluster.roles, cluster.terms) == ([FOLLOWER, LEADER, FOLLOWER], [2, 2, 2])
    assert len(cluster.stood) == 2


def test_a_leader_that_is_back_before_it_was_missed_leads_no_more() -> None:
    timeouts_s = [0.5, 1.0, 3.0]
    cluster = Cluster(timeouts_s, heartbeat_s=0.4)
    cluster.run(10.0, lambda: cluster.down.add(0))
    cluster.run(10.01, cluster.down.clear)
    timeouts_s[0] = 5.0
    cluster.election.restart(0)
    # Nobody has a later term, and yet it sends no heartbeats: the second stands for want of them.
    cluster.run(11.0)
    assert [(term, server) for _, term, server in cluster.won] == [(1, 0), (2, 1)]
    assert cluster.roles == [FOLLOWER, LEADER, FOLLOWER]


def test_heartbeats_of_a_past_term_are_not_heard() -> None:
    # Server 1 has not heard that 0 was elected in a later term: 2 does not listen to it.
    cluster = Cluster([0.5, NEVER_S, 1.0], heartbeat_s=0.4)
    cluster.run(0.6)
    cluster.election.servers[2].term = 7
    cluster.run(0.52 + 2.0)
    assert (cluster.stood[1][1], cluster.roles[2]) == (8, LEADER)
    assert cluster.roles[0] == FOLLOWER


def test_a_heartbeat_makes_candidates_of_the_same_term_follow() -> None:
    # Two stand at about the same time; the first has the votes of the three others.
    cluster = Cluster([1.0, 1.0 + DELAY_S / 2, NEVER_S, NEVER_S, NEVER_S], heartbeat_s=0.4)
    cluster.run(1.0 + 2.5 * DELAY_S)
    assert cluster.roles == [LEADER, CANDIDATE, FOLLOWER, FOLLOWER, FOLLOWER]
    cluster.run(1.0 + 3.5 * DELAY_S)
    assert cluster.roles == [LEADER, *[FOLLOWER] * 4]


def test_servers_that_were_all_down_elect_a_leader_when_they_are_back() -> None:
    cluster = Cluster([0.5, 1.0, 1.5], heartbeat_s=0.2)
    cluster.run(5.0, partial(cluster.down.update, range(3)))
    cluster.run(20.0, cluster.down.clear)
    for server in range(3):
        cluster.election.restart(server)
    assert cluster.roles == [FOLLOWER] * 3
    cluster.run(25.0)
    assert [(term, server) for _, term, server in cluster.won] == [(1, 0), (2, 0)]
    assert cluster.won[1][0] == pytest.approx(20.5 + 2 * DELAY_S)
