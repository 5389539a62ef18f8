"""Handing in what was finished: at once, later, or by somebody else."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.model.agents.agent import AgentState
from simulator.model.journal import Journal
from simulator.model.team.patterns import Patterns
from simulator.model.team.review_queue import ReviewQueue
from simulator.model.team.settlement import Settlement
from simulator.model.trace import Event


class HandIns:
    """Takes finished tasks to the review or to the board, and knows which are forgotten.

    Parameters
    ----------
    agents : sequence of AgentState
    queue : ReviewQueue
    patterns : Patterns
    settlement : Settlement
    journal : Journal
    """

    __slots__ = ("_agents", "_journal", "_patterns", "_queue", "_settlement")

    def __init__(
        self,
        agents: Sequence[AgentState],
        queue: ReviewQueue,
        patterns: Patterns,
        settlement: Settlement,
        journal: Journal,
    ) -> None:
        self._agents = agents
        self._queue = queue
        self._patterns = patterns
        self._settlement = settlement
        self._journal = journal

    @property
    def are_reviewed(self) -> bool:
        """Whether what is handed in waits for a review."""
        return self._queue.wanted

    def forgets(self, agent: AgentState, task: int, answer: int) -> bool:
        """Return whether an agent does not hand in what it has finished in the call that ends."""
        ledger, call = agent.dispatcher.ledger, agent.call
        if ledger is None:
            return False
        began_s = agent.time.started_s
        if not ledger.forgets(agent.index, task, answer, call.number, call.picks, began_s):
            return False
        agent.dispatcher.forgotten(agent.index, task)
        return True

    def overwrite(self, agent: AgentState, task: int) -> None:
        """Note that an agent's attempt at a task replaces what was finished, if it was."""
        ledger = agent.dispatcher.ledger
        if ledger is not None:
            ledger.overwrite(task)

    def hand_in(
        self,
        agent: AgentState,
        task: int,
        answer: int,
        now: float,
        freed: list[int],
        started_s: float,
        is_backup: bool,
    ) -> str:
        """Hand in a finished task; return what the trace calls it.

        `started_s` is when the call began that did it, `is_backup` whether that was a backup. Tasks
        that can start because of it are added to `freed`.
        """
        if not self._queue.wanted or self._patterns.skips("reviews"):
            return self._settlement.settle(agent, task, answer, now, freed, started_s, is_backup)
        if not is_backup:
            agent.dispatcher.handed_in(agent.index, task)
        self._queue.submit(agent, task, answer, started_s, is_backup)
        return "submitted"

    def notice(self, agent: AgentState, now: float, freed: list[int]) -> None:
        """Let an agent, whose call ends, hand in what it has noticed that nobody had handed in."""
        ledger, call = agent.dispatcher.ledger, agent.call
        if ledger is None:
            return
        turns = 1 if agent.loop is None else agent.loop.turn
        began_s = agent.time.started_s
        for task, made in ledger.noticed_by(agent.index, call.number, turns, began_s):
            doer = self._agents[made.agent]
            who = doer if doer.board is agent.board else agent
            outcome = self.hand_in(who, task, made.answer, now, freed, made.started_s, False)
            self._journal.note(
                Event.HAND_IN,
                agent.index,
                call.number,
                task,
                peer=made.agent,
                duration_s=now - made.started_s,
                outcome=outcome,
            )
