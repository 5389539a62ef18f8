"""Leader election by the rules of Raft (Ongaro & Ousterhout 2014, section 5.2 and 5.4.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

FOLLOWER, CANDIDATE, LEADER = "follower", "candidate", "leader"


class Ground(Protocol):
    """Where an election takes place."""

    @property
    def now(self) -> float:
        """Seconds."""

    def at(self, time_s: float, action: Callable[[], None]) -> None:
        """Do something at a later time."""

    def is_up(self, server: int) -> bool:
        """Return whether a server is running."""

    def knows(self, server: int) -> int:
        """Return how far a server's log reaches."""

    def timeout_s(self, server: int) -> float:
        """Draw an election time-out."""

    def delay_s(self, server: int) -> float:
        """Draw the time of a message that the server sends."""

    def stands(self, server: int, term: int) -> None:
        """Note that a server stands for election."""

    def leads(self, server: int, term: int) -> None:
        """Note that a server has won."""


class _Server:
    __slots__ = ("role", "term", "timer", "voted_for", "votes")

    def __init__(self, term: int) -> None:
        self.term = term
        self.role = FOLLOWER
        self.voted_for: int | None = None
        self.votes: set[int] = set()
        self.timer = 0


class Election:
    """Servers that elect a leader among them.

    A server that hears nothing for its time-out begins a new term, votes for itself and asks
    the others. Each votes once a term, for the first who asks and knows at least as much as
    itself. Who has the votes of a majority of all servers leads. Whoever hears of a later term
    follows it.

    Parameters
    ----------
    servers : int
        Number of servers, those that are down included.
    ground : Ground
    write_s : float
        Seconds to write a term or a vote down before it is told.
    heartbeat_s : float or None
        Seconds between a leader's heartbeats; None where the election ends with the first.
    term : int
        The term that all servers know of at the beginning.

    Attributes
    ----------
    servers : sequence of server states, each with ``term``, ``role`` and ``voted_for``
    is_over : bool
        Whether nothing more is to happen.
    """

    __slots__ = ("_ground", "_heartbeat_s", "_write_s", "is_over", "servers")

    def __init__(
        self,
        servers: int,
        ground: Ground,
        write_s: float = 0.0,
        heartbeat_s: float | None = None,
        term: int = 0,
    ) -> None:
        self._ground = ground
        self._write_s = write_s
        self._heartbeat_s = heartbeat_s
        self.servers: Sequence[_Server] = [_Server(term) for _ in range(servers)]
        self.is_over = False

    def end(self) -> None:
        """Let nothing more happen."""
        self.is_over = True

    @property
    def majority(self) -> int:
        """Votes that it takes."""
        return len(self.servers) // 2 + 1

    def hears(self, server: int, at_s: float) -> None:
        """Let a server's time-out run from `at_s` on, when it heard of a leader."""
        state = self.servers[server]
        state.timer += 1
        due_s = max(self._ground.now, at_s + self._ground.timeout_s(server))
        self._ground.at(due_s, partial(self._time_out, server, state.timer))

    def _time_out(self, server: int, timer: int) -> None:
        state = self.servers[server]
        if self.is_over or state.timer != timer or not self._ground.is_up(server):
            return
        state.term += 1
        state.role, state.voted_for, state.votes = CANDIDATE, server, {server}
        self._ground.stands(server, state.term)
        self.hears(server, self._ground.now)
        self._win_if_elected(server)
        knows = self._ground.knows(server)
        for other in range(len(self.servers)):
            if other != server and not self.is_over:
                ask = partial(self._is_asked, other, server, state.term, knows)
                self._send(server, self._write_s, ask)

    def _send(self, sender: int, after_s: float, action: Callable[[], None]) -> None:
        ground = self._ground
        ground.at(ground.now + after_s + ground.delay_s(sender), action)

    def _follow(self, server: int, term: int) -> None:
        """Go over to a later term."""
        state = self.servers[server]
        if term > state.term:
            state.term, state.role, state.voted_for = term, FOLLOWER, None

    def _is_asked(self, server: int, candidate: int, term: int, knows: int) -> None:
        if self.is_over or not self._ground.is_up(server):
            return
        self._follow(server, term)
        state = self.servers[server]
        grants = (
            term == state.term
            and state.voted_for in (None, candidate)
            and knows >= self._ground.knows(server)
        )
        if grants:
            state.voted_for = candidate
            self.hears(server, self._ground.now)
        reply = partial(self._is_answered, candidate, server, state.term, grants)
        self._send(server, self._write_s if grants else 0.0, reply)

    def _is_answered(self, candidate: int, voter: int, term: int, granted: bool) -> None:
        if self.is_over or not self._ground.is_up(candidate):
            return
        self._follow(candidate, term)
        state = self.servers[candidate]
        if granted and state.role == CANDIDATE and state.term == term:
            state.votes.add(voter)
            self._win_if_elected(candidate)

    def _win_if_elected(self, server: int) -> None:
        state = self.servers[server]
        if len(state.votes) < self.majority:
            return
        state.role = LEADER
        state.timer += 1
        self._ground.leads(server, state.term)
        if self._heartbeat_s is None:
            self.is_over = True
        else:
            self._beat(server, state.term)

    def _beat(self, server: int, term: int) -> None:
        state = self.servers[server]
        if self.is_over or state.role != LEADER or state.term != term:
            return
        if not self._ground.is_up(server):
            return
        assert self._heartbeat_s is not None
        for other in range(len(self.servers)):
            if other != server:
                self._send(server, 0.0, partial(self._hears_heartbeat, other, term))
        beat = partial(self._beat, server, term)
        self._ground.at(self._ground.now + self._heartbeat_s, beat)

    def _hears_heartbeat(self, server: int, term: int) -> None:
        state = self.servers[server]
        if self.is_over or not self._ground.is_up(server) or term < state.term:
            return
        self._follow(server, term)
        state.role = FOLLOWER
        self.hears(server, self._ground.now)

    def restart(self, server: int) -> None:
        """Let a server that was down go on, with the term and the vote that it wrote down."""
        self.servers[server].role = FOLLOWER
        self.hears(server, self._ground.now)
