"""Calls that are more than their service: refused, locked out, committed, cut off.

A call goes through phases, and every second of it is booked as one of them: waiting, in
service, or reading from and writing to the workspace.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from simulator.model.agents.agent import SERVING, WAITING, WASTING, AgentState
from simulator.model.calls.requests import CallLostError, share_done
from simulator.model.trace import Event, Row

if TYPE_CHECKING:
    from simulator.model.replication import TeamState

Step = float | None
"""Seconds until a call goes on; None until the agent is resumed."""


class CallSteps:
    """Takes calls through their phases.

    Parameters
    ----------
    team : TeamState
    """

    def __init__(self, team: TeamState) -> None:
        self._team = team
        self._failures = team.failures

    def of(self, agent: AgentState) -> Generator[Step, None, None]:
        """Yield the seconds until the call goes on, None until it is resumed, up to its end.

        The engine sets the team's ``now`` before each step, and may throw `CallLostError` or
        `StallError` into the call.
        """
        agent.phase, agent.since_s = WAITING, agent.started_s
        agent.is_astray = False
        agent.paid_share = None
        agent.served_s = 0.0
        if not agent.failed:  # else it is refused before it is sent
            yield from self._send(agent)
        self.enter(agent, WAITING)
        agent.duration_s = agent.served_s

    def _send(self, agent: AgentState) -> Iterator[Step]:
        """Do the call, or lose it."""
        try:
            if self._failures is not None:
                self._failures.requests.begin(agent)
            yield from self._work(agent)
            yield from self._hand_in(agent)
        except CallLostError as lost:
            self._lose(agent, lost.why)

    def _lose(self, agent: AgentState, why: str) -> None:
        """End a call that has come to nothing."""
        agent.failed = True
        if agent.waits_for:
            self._book_wait(agent)
        self.enter(agent, WAITING)
        self._team.workspace.abandoned(agent)
        if self._failures is None:
            agent.paid_share = self._share_served(agent)
        else:
            agent.paid_share = self._failures.requests.share_answered(agent)
            agent.lost_to = why
            self._failures.requests.end(agent)

    def _share_served(self, agent: AgentState) -> float | None:
        """Return which share of its service a call has had; None where it has had none."""
        if agent.served_s <= 0.0:
            return None
        return share_done(agent.served_s, agent.duration_s * agent.served_at_pace)

    def _work(self, agent: AgentState) -> Iterator[Step]:
        """Do the call in the workspace."""
        if agent.picks:
            yield from self._team.workspace.call(agent)
        else:
            yield from self._team.workspace.serve(agent, agent.duration_s)
        self.enter(agent, WAITING)

    def _hand_in(self, agent: AgentState) -> Iterator[Step]:
        """Wait for the end of a partition that is in the way."""
        while agent.side and not self._team.minority_goes_on:
            yield from self.wait(agent, "partition", None)

    def in_service(self, agent: AgentState, seconds: float) -> Iterator[Step]:
        """Be taken in by the provider and served for so many seconds, longer in bad times.

        Of a call that is served in parts, the first is a request, and the others go on with it.
        """
        goes_on = agent.served_s > 0.0
        if self._failures is not None:
            yield from self._failures.requests.serve(agent, seconds, goes_on)
            self.enter(agent, WAITING)
            return
        provider = self._team.provider
        if provider.spec.refuses:
            if not (yield from provider.admits(agent, goes_on)):
                raise CallLostError("refused")
            provider.enter()
        self.enter(agent, SERVING)
        agent.served_at_pace = provider.pace(self._team.now)
        yield seconds * agent.served_at_pace
        self.enter(agent, WAITING)
        if provider.spec.refuses:
            provider.finished()

    def enter(self, agent: AgentState, phase: int) -> None:
        """End the agent's phase, book its time, and begin `phase`."""
        team = self._team
        elapsed_s = team.now - agent.since_s
        if agent.phase == SERVING:
            agent.served_s += elapsed_s
        elif agent.phase == WAITING:
            agent.waited_s += elapsed_s
        elif agent.phase == WASTING:
            team.metrics.wasted_s += elapsed_s
        else:
            team.metrics.coordination_s += elapsed_s
            if team.trace is not None and elapsed_s > 0.0:
                where = (agent.index, team.round, agent.call)
                team.trace.add(Row(team.now, Event.COMMIT, *where, duration_s=elapsed_s))
        agent.phase = phase
        agent.since_s = team.now

    def wait(self, agent: AgentState, why: str, seconds: Step) -> Iterator[Step]:
        """Wait so many seconds, or until resumed, and book it under `why`."""
        self.enter(agent, WAITING)
        agent.waits_for = why
        yield seconds
        self._book_wait(agent)

    def _book_wait(self, agent: AgentState) -> None:
        team, why = self._team, agent.waits_for
        elapsed_s = team.now - agent.since_s
        agent.waits_for = ""
        if why == "rate_limit":
            team.metrics.rate_limited_s += elapsed_s
        elif why == "lock":
            team.metrics.lock_wait_s += elapsed_s
        elif why == "partition":
            team.metrics.partition_wait_s += elapsed_s
        elif why == "queue":
            team.metrics.queue_wait_s += elapsed_s
        else:
            team.metrics.held_back_s += elapsed_s
        if team.trace is not None:
            where = (agent.index, team.round, agent.call)
            team.trace.add(Row(team.now, Event.WAIT, *where, duration_s=elapsed_s, outcome=why))
        self.enter(agent, WAITING)

    def cut_off(self, agent: AgentState) -> None:
        """End a call in flight as it stands."""
        if agent.waits_for:
            self._book_wait(agent)
        if self._failures is not None:
            agent.paid_share = self._failures.requests.cut_off(agent)
        self.enter(agent, WAITING)
        if self._failures is None:
            agent.paid_share = self._share_served(agent)
        agent.duration_s = agent.served_s
