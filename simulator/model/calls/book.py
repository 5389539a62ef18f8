"""Where every call begins and ends: the team's, and those of sub-agents."""

from __future__ import annotations

from simulator.model.agents.agent import AgentState
from simulator.model.calls.bill import Bill
from simulator.model.calls.service import Service
from simulator.model.metrics import Metrics
from simulator.model.why import Why


class CallBook:
    """Begins calls, and counts them as they end.

    Who decides on a call does so before (`CallStart`, `SubagentPool`), and makes of its results
    what they are worth afterwards (`CallEnd`). What a `Call` and a `Timesheet` say of a call's
    beginning and end is written here and nowhere else.

    Parameters
    ----------
    service : Service
    bill : Bill
    metrics : Metrics

    Attributes
    ----------
    begun : int
        Calls begun so far; they are numbered from 1.
    """

    __slots__ = ("_bill", "_metrics", "_service", "begun")

    def __init__(self, service: Service, bill: Bill, metrics: Metrics) -> None:
        self._service = service
        self._bill = bill
        self._metrics = metrics
        self.begun = 0

    def begin(
        self,
        agent: AgentState,
        now: float,
        picks: list[int],
        work: float,
        output: int,
        message: int,
        duration_s: float,
    ) -> int:
        """Begin the call of an agent that has read its prompt; return the call's number.

        Parameters
        ----------
        agent : AgentState
        now : float
            Simulated seconds.
        picks : list of int
            Tasks that it attempts.
        work : float
            Work units of the call, or of its first turn.
        output : int
            Tokens that it writes, its message included.
        message : int
            Tokens of its message; -1 for none.
        duration_s : float
            Seconds of its service. A prompt that no model can read is refused at once.
        """
        memory, call, time = agent.memory, agent.call, agent.time
        if memory.overflows and memory.is_too_long() and not self._service.other_can_read(agent):
            call.fail(Why.PROMPT_TOO_LONG)
            duration_s = 0.0
        self.begun = number = self.begun + 1
        call.number = number
        call.picks = picks
        call.work = work
        call.output = output
        call.message_tokens = message
        time.in_call = True
        time.started_s = time.read_s = now
        time.duration_s = duration_s
        time.waited_s += now - time.free_since
        return number

    def end(self, agent: AgentState, now: float, is_answered: bool) -> None:
        """End a call: count it and pay for it, answered or not."""
        time = agent.time
        time.in_call = False
        time.free_since = now
        time.busy_s += time.duration_s
        if is_answered:
            self._bill.call(agent)
            return
        metrics, is_calling = self._metrics, agent.is_calling
        metrics.calls += is_calling
        metrics.turns += is_calling and agent.loop is not None
        metrics.failed_calls += 1
        if agent.call.paid_share is not None:
            agent.memory.note_read()
            self._bill.in_vain(agent, agent.call.paid_share)

    def cut_off(self, agent: AgentState, elapsed_s: float) -> None:
        """End a call with the run, after so many seconds; pay for what it has used by then."""
        agent.time.cut_off(elapsed_s)
        if agent.call.paid_share is not None:
            self._bill.in_vain(agent, agent.call.paid_share)
