"""Pessimistic concurrency: an artifact is locked by who works on it (two-phase locking)."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import ClassVar, Literal

from simulator.model.agents.agent import AgentState
from simulator.model.calls.phases import Step
from simulator.model.stream_numbers import number_of
from simulator.model.streams import Draw, Entity, Purpose
from simulator.model.timers import AN_INSTANT
from simulator.model.workspaces._workspace import Desk, Workspace, WorkspaceState
from simulator.spec import Positive


class Locks(Workspace):
    """A call holds the locks of all artifacts that it writes until it ends.

    With ``acquire: one_by_one`` it takes the first, works its share of the call, takes the
    next, and so on: agents that take the same locks in different orders can wait for each
    other in a circle. ``order: sorted`` makes that impossible (Havender 1968).
    """

    can_be_available: ClassVar[bool] = False
    holds_others_up: ClassVar[bool] = True
    has_phases: ClassVar[bool] = True

    kind: Literal["locks"] = "locks"
    acquire: Literal["at_start", "one_by_one"] = "at_start"
    """When the locks are asked for."""
    order: Literal["sorted", "listed", "chosen"] = "sorted"
    """In which order: of the artifacts' numbers; as the task lists them; or listed forwards or
    backwards as the agent prefers (agents of a family may have the same preference)."""
    on_deadlock: Literal["abort", "stop"] = "abort"
    """``abort``: who closes the circle gives up its locks and its call. ``stop``: the run ends."""
    lease_s: Positive | None = None
    """A lock ends after so many seconds, and what its holder then writes is refused; what it writes
    at that very instant is not."""

    @property
    def is_random(self) -> bool:
        """Whether agents choose in which order they take the locks."""
        return self.order == "chosen"

    def state(self, desk: Desk) -> WorkspaceState:
        """Return the state of the workspace for one replication."""
        return _LockTable(self, desk)


class _LockTable(WorkspaceState):
    __slots__ = (
        "_ending",
        "_grant",
        "_grants",
        "_held",
        "_holder",
        "_lapsed_s",
        "_preference",
        "_queue",
        "_wanted",
    )

    spec: Locks

    def __init__(self, spec: Locks, desk: Desk) -> None:
        super().__init__(spec, desk)
        self._holder: dict[int, AgentState] = {}
        self._queue: dict[int, deque[AgentState]] = {}
        self._held: dict[int, list[int]] = {}
        self._lapsed_s: dict[int, dict[int, float]] = {}
        """Of agents in calls: the locks whose leases have run out, and when."""
        self._wanted: dict[int, int] = {}
        self._grants = 0
        self._grant: dict[int, int] = {}
        self._ending: dict[float, list[tuple[int, int]]] = {}
        """The locks, and which grants of them, whose leases end at an instant."""
        self._preference: dict[int, tuple[Draw, Draw, Draw]] = {}

    def access(self, agent: AgentState) -> Iterator[Step]:
        """Take the locks, serving between them or after them."""
        artifacts = self._ordered(agent)
        parts = len(artifacts) if self.spec.acquire == "one_by_one" else 0
        for artifact in artifacts:
            if not (yield from self._take(agent, artifact)):
                agent.call.reject(agent.call.picks)
                return
            agent.time.read_anew(self.desk.agenda.now)
            if parts:
                yield from self.serve(agent, agent.time.duration_s / parts)
        if not parts:
            yield from self.serve(agent, agent.time.duration_s)
        held = {*self._held.get(agent.index, ()), *self._just_lapsed(agent)}
        graph = self.desk.board.graph
        for task in agent.call.picks:
            mine = (task,) if graph.artifacts is None else graph.artifacts[task]
            if not held.issuperset(mine):  # a lease has run out
                agent.call.reject([task])

    def _just_lapsed(self, agent: AgentState) -> list[int]:
        """Return the locks of an agent whose leases have run out at this instant."""
        lapsed_s = self._lapsed_s.get(agent.index)
        if lapsed_s is None:
            return []
        since_s = self.desk.agenda.now - AN_INSTANT * (self.spec.lease_s or 0.0)
        return [artifact for artifact, at_s in lapsed_s.items() if at_s >= since_s]

    def _ordered(self, agent: AgentState) -> list[int]:
        artifacts = self.artifacts(agent)
        if self.spec.order == "sorted":
            return sorted(artifacts)
        if self.spec.order == "chosen" and self._prefers_backwards(agent):
            artifacts.reverse()
        return artifacts

    def _prefers_backwards(self, agent: AgentState) -> bool:
        if agent.index not in self._preference:
            streams, purpose = self.desk.streams, Purpose.WORKSPACE
            family = number_of(agent.spec.family)
            self._preference[agent.index] = (
                streams.uniforms(Entity.AGENT, agent.index, Purpose.LOCK_ORDER),
                # Everybody reads the family's stream for itself: the same at its k-th choice.
                streams.uniforms(Entity.FAMILY, family, purpose),
                streams.uniforms(Entity.AGENT, agent.index, purpose),
            )
        mixes, common, own = (draw() for draw in self._preference[agent.index])
        together = mixes < agent.spec.behaviour.preference_correlation
        return (common if together else own) < 0.5

    def _take(self, agent: AgentState, artifact: int) -> Generator[Step, None, bool]:
        """Get a lock, waiting for it; return False if that closed a circle of waiting."""
        desk = self.desk
        holder = self._holder.get(artifact)
        if holder is None:
            self._give(artifact, agent)
            return True
        if holder is agent:
            return True
        self._wanted[agent.index] = artifact
        circle = self._circle(agent)
        if circle:
            desk.metrics.deadlocks += 1
            if self.spec.on_deadlock == "stop":
                desk.agenda.stop("deadlock", "; ".join(self._says(other) for other in circle))
                yield None
            del self._wanted[agent.index]
            self._release(agent)
            return False
        self._queue.setdefault(artifact, deque()).append(agent)
        yield from desk.phases.wait(agent, "lock", None)
        return True

    def _circle(self, agent: AgentState) -> list[AgentState]:
        """Return the agents that wait for each other, or none; each waits for one lock."""
        found = [agent]
        while found[-1].index in self._wanted:
            holder = self._holder[self._wanted[found[-1].index]]
            if holder is agent:
                return found
            found.append(holder)
        return []

    def _says(self, agent: AgentState) -> str:
        artifact = self._wanted[agent.index]
        holder = self._holder[artifact].index
        return f"agent {agent.index} waits for artifact {artifact}, locked by agent {holder}"

    def waits(self) -> Sequence[str]:
        """Say who waits for whom."""
        return [self._says(self.desk.agents[index]) for index in self._wanted]

    def _give(self, artifact: int, agent: AgentState) -> None:
        self._holder[artifact] = agent
        self._held.setdefault(agent.index, []).append(artifact)
        self._wanted.pop(agent.index, None)
        self._grants += 1
        self._grant[artifact] = self._grants
        if self.spec.lease_s is not None:
            this = artifact, self._grants
            ends_s = self.desk.agenda.now + self.spec.lease_s
            self.desk.agenda.at(
                ends_s, partial(self._end_now, *this), partial(self._is_awaited, *this)
            )

    def _end_now(self, artifact: int, grant: int) -> None:
        """Let a lease end after the calls that end at this very instant: they give back theirs."""
        if not self._is_held(artifact, grant):
            return
        agenda = self.desk.agenda
        ends_s = agenda.instant_ends_s()
        ending = self._ending.setdefault(ends_s, [])
        ending.append((artifact, grant))
        if len(ending) == 1:  # all leases that end at one instant share a timer
            agenda.at(ends_s, partial(self._expire_all, ends_s), partial(self._is_any, ending))

    def _is_any(self, ending: list[tuple[int, int]]) -> bool:
        return any(self._is_awaited(*each) for each in ending)

    def _expire_all(self, ends_s: float) -> None:
        for artifact, grant in self._ending.pop(ends_s):
            self._expire(artifact, grant)

    def _is_held(self, artifact: int, grant: int) -> bool:
        return artifact in self._holder and self._grant[artifact] == grant

    def _is_awaited(self, artifact: int, grant: int) -> bool:
        return self._is_held(artifact, grant) and bool(self._queue.get(artifact))

    def _expire(self, artifact: int, grant: int) -> None:
        if self._is_held(artifact, grant):
            self.desk.metrics.lease_expiries += 1
            holder = self._holder[artifact].index
            self._held[holder].remove(artifact)
            self._lapsed_s.setdefault(holder, {})[artifact] = self.desk.agenda.now
            self._pass_on(artifact)

    def _pass_on(self, artifact: int) -> None:
        del self._holder[artifact]
        queue = self._queue.get(artifact)
        if queue:
            following = queue.popleft()
            self._give(artifact, following)
            self.desk.agenda.resume(following.index)

    def _release(self, agent: AgentState) -> None:
        self._lapsed_s.pop(agent.index, None)
        for artifact in self._held.pop(agent.index, ()):
            self._pass_on(artifact)

    def call_ended(self, agent: AgentState) -> None:
        """Give the call's locks back."""
        self._release(agent)

    def abandoned(self, agent: AgentState) -> None:
        """Take the agent out of the queue for a lock."""
        artifact = self._wanted.pop(agent.index, None)
        if artifact is not None and agent in self._queue.get(artifact, ()):
            self._queue[artifact].remove(agent)
