"""The calls of one agent in a round, and in which order agents make theirs."""

from __future__ import annotations

from simulator.engine.calls import Calls
from simulator.engine.schedule import Due, Timing
from simulator.model.agents.agent import AgentState
from simulator.model.metrics import Metrics


def _last_admitted(agent: AgentState) -> int:
    return agent.time.last_admitted


def in_order_of_requests(callers: list[AgentState], metrics: Metrics) -> list[AgentState]:
    """Return agents in the order in which their requests of the same instant are sent.

    Once the provider has turned anybody away, or let them wait, those come first that it has taken
    in longest ago: nobody starves. Limits that hold up nobody change no order.
    """
    is_short = metrics.rate_limits > 0 or metrics.queue_wait_s > 0.0
    return sorted(callers, key=_last_admitted) if is_short else callers


class OwnCalls(Due):
    """The calls of one agent in a round; it happens that it goes into the next.

    Parameters
    ----------
    timing : Timing
    agent : AgentState
        Its first call has begun.

    Attributes
    ----------
    made : int
        How many calls have ended.
    served_s : float
        Seconds in service, of all that have ended.
    is_at_work, is_effective : bool
        Whether the first has tasks, and whether any has succeeded.
    """

    __slots__ = ("_timing", "agent", "is_at_work", "is_effective", "made", "served_s")

    def __init__(self, timing: Timing, agent: AgentState) -> None:
        self._timing, self.agent = timing, agent
        self.made, self.served_s = 0, 0.0
        self.is_at_work, self.is_effective = bool(agent.call.picks), False

    def happen(self) -> None:
        """Go into the next call, or to the barrier."""
        self._timing.go_on(self.agent)

    def whose(self) -> int:
        """Return the agent's number."""
        return self.agent.index

    def end(self, calls: Calls, metrics: Metrics, now: float) -> None:
        """End the call under way; it has succeeded if any of its attempts passed their tests."""
        calls.stuck.note(self.agent)
        agent, failed_before = self.agent, metrics.failed_tests
        attempts, has_failed = len(agent.call.picks), agent.call.failed
        calls.ends.end_call(agent, now)
        self.made += 1
        self.served_s += agent.time.duration_s
        passed = metrics.failed_tests - failed_before < max(1, attempts)
        self.is_effective |= passed and not has_failed
        calls.resume()
