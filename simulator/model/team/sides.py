"""The board and its protocol: one for the whole team, or two while it is cut in two."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import WORKER, AgentState
from simulator.model.board import Board
from simulator.model.journal import Journal
from simulator.model.protocols import EVERYONE, Dispatcher, preferred
from simulator.model.trace import Event


class Side:
    """A board and its protocol, and what was done there since the team was cut in two.

    Parameters
    ----------
    board : Board
    dispatcher : Dispatcher
        As they stand when the partition begins; the side works on copies.
    cut_off : list of AgentState
        Who is on the side.
    """

    __slots__ = ("_done_before", "_picks", "_spent", "board", "cut_off", "dispatcher", "under_way")

    def __init__(self, board: Board, dispatcher: Dispatcher, cut_off: list[AgentState]) -> None:
        self.board = board.copy()
        self.dispatcher = dispatcher.fork(self.board)
        self.cut_off = cut_off
        self._done_before = bytes(board.done)
        self.under_way = [(agent, agent.call.number) for agent in cut_off if agent.time.in_call]
        """Calls that began before the partition."""
        self._picks = {agent.index: list(agent.call.picks) for agent in cut_off}
        self._spent: dict[int, tuple[float, float]] = {}

    def note(self, task: int, seconds: float, is_rework: bool) -> None:
        """Remember what an attempt on this side has taken."""
        work_s, rework_s = self._spent.get(task, (0.0, 0.0))
        if is_rework:
            rework_s += seconds
        else:
            work_s += seconds
        self._spent[task] = (work_s, rework_s)

    def rejoin(self, dispatcher: Dispatcher) -> None:
        """Tell the main side what became of calls that were under way when the team was cut.

        Tasks that the minority took with it and has not done can be done again. Calls that began
        on this side and are still under way take no effect: they build on its board.
        """
        own, theirs = dispatcher.ledger, self.dispatcher.ledger
        self.dispatcher.end()
        if own is not None and theirs is not None:
            own.take_in(theirs)
        before = {agent.index: call for agent, call in self.under_way}
        board = dispatcher.board
        for agent, call in self.under_way:
            if not (agent.time.in_call and agent.call.number == call):
                for task in self._picks[agent.index]:
                    if not (board.done[task] or task in board.awaited):
                        dispatcher.returned(agent.index, task)
        for agent in self.cut_off:
            if agent.time.in_call and before.get(agent.index) != agent.call.number:
                agent.call.go_astray()

    def done(self) -> list[tuple[int, float, float]]:
        """Return the tasks done on this side, each with its seconds of work and of rework."""
        return [
            (task, *self._spent.get(task, (0.0, 0.0)))
            for task in self.board.graph.order
            if self.board.done[task] and not self._done_before[task]
        ]


class Sides:
    """The main board and its protocol and, while an available team is cut, the minority's.

    Parameters
    ----------
    board : Board
    dispatcher : Dispatcher
    agents : iterable of AgentState
    agenda : Agenda
    journal : Journal
    spare : int
        Tasks that need not be done.
    minority_goes_on : bool
        Whether those who are cut off work on with a copy of the board.

    Attributes
    ----------
    other : Side or None
        That of the minority.
    split_s : float
        When the last partition began.
    owed_s : dict of int to float
        Seconds of merging that agents owe after a partition.
    has_duties, sets_context : bool
        What the protocol says of itself, of both sides.
    """

    __slots__ = (
        "_agenda",
        "_agents",
        "_heirless",
        "_journal",
        "_merging_s",
        "board",
        "dispatcher",
        "has_duties",
        "minority_goes_on",
        "other",
        "owed_s",
        "sets_context",
        "spare",
        "split_s",
    )

    def __init__(
        self,
        board: Board,
        dispatcher: Dispatcher,
        agents: Iterable[AgentState],
        agenda: Agenda,
        journal: Journal,
        spare: int,
        minority_goes_on: bool,
    ) -> None:
        self._agenda = agenda
        self._journal = journal
        self._agents = list(agents)
        self.board = board
        self.spare = spare
        self.minority_goes_on = minority_goes_on
        self.other: Side | None = None
        self.split_s = 0.0
        self.owed_s: dict[int, float] = {}
        self._merging_s: dict[int, float] = {}
        """Of what agents owe, what their merge that is under way is about."""
        self._heirless: set[int] = set()
        """Lost workers whose merges nobody could make when they were given away."""
        for agent in self._agents:
            agent.work_on(board, dispatcher)
        self.adopt(dispatcher)

    def adopt(self, dispatcher: Dispatcher) -> None:
        """Go on with another protocol."""
        self.dispatcher = dispatcher
        self.has_duties = dispatcher.has_duties
        self.sets_context = dispatcher.sets_context
        for agent in self._agents:
            agent.work_on(agent.board, dispatcher)

    @property
    def tasks_are_done(self) -> bool:
        """Whether so many tasks are done that no more is asked of the workers."""
        left = self.board.left
        return left <= self.spare and (left > 0 or self.dispatcher.is_over())

    def note_split(self) -> None:
        """Note that the team is cut in two now."""
        self.split_s = self._agenda.now

    def cut(self, cut_off: list[AgentState]) -> None:
        """Give those who are cut off a copy of the board, on which they go on."""
        self.other = side = Side(self.board, self.dispatcher, cut_off)
        for agent in cut_off:
            agent.work_on(side.board, side.dispatcher)

    def join(self, cut_off: list[AgentState]) -> Side | None:
        """Give everybody the main board again; return the side that there was."""
        side, self.other = self.other, None
        for agent in cut_off:
            agent.work_on(self.board, self.dispatcher)
        return side

    def owe_merge(self, agent: AgentState, seconds: float) -> None:
        """Let an agent's next call be the merge of what both sides did."""
        self._journal.metrics.merges += 1
        self.owed_s[agent.index] = self.owed_s.get(agent.index, 0.0) + seconds

    def begin_merge(self, agent: AgentState) -> float | None:
        """Note that an agent begins the merge that it owes, if any; return how long it takes."""
        owed_s = self.owed_s.get(agent.index)
        if owed_s is not None:
            self._merging_s[agent.index] = owed_s
        return owed_s

    def merged(self, agent: AgentState) -> None:
        """Note that an agent has made its merge; it may have come to owe another meanwhile."""
        rest_s = self.owed_s.pop(agent.index) - self._merging_s.pop(agent.index)
        if rest_s > 0.0:
            self.owed_s[agent.index] = rest_s

    def put_on_board(self, tasks: list[int]) -> None:
        """Put the tasks that can start on the main board, before anybody has begun."""
        for task in tasks if self._journal.trace is not None else ():
            self._journal.note(Event.TASK_READY, task=task)
        for task in tasks:
            self.dispatcher.task_ready(task)
        self.note_woken()

    def announce(self, tasks: list[int]) -> None:
        """Put tasks that can start on the main board."""
        for task in tasks if self._journal.trace is not None else ():
            self._journal.note(Event.TASK_READY, task=task)
        for task in tasks:
            self._agenda.wake_one(self.dispatcher.task_ready(task))
        self.note_woken()

    def announce_on_side_of(self, agent: AgentState, tasks: list[int]) -> None:
        """Put tasks that can start on the board of the agent's side."""
        if agent.dispatcher is self.dispatcher:
            self.announce(tasks)
        elif self.other is not None:
            for task in tasks:
                self._wake_on_other_side(self.other, [agent.dispatcher.task_ready(task)])

    def _wake_on_other_side(self, side: Side, whom: Iterable[int]) -> None:
        """Wake those who are cut off by their names: `SOMEONE` and `EVERYONE` are the others."""
        for concerned in whom:
            if concerned >= 0:
                self._agenda.wake(concerned)
                continue
            if concerned < EVERYONE:
                self._agenda.wake(preferred(concerned))
            self._agenda.wake(*[agent.index for agent in side.cut_off])

    def arrive(self, task: int, now: float) -> bool:
        """Let a task arrive; return whether there is something new for anybody to do."""
        self._agenda.move(now)
        startable = self.board.arrive(task, now)
        if startable:
            self.announce([task])
        else:
            self.dispatcher.task_appears(task)
        if self.other is not None:
            if self.other.board.arrive(task, now):
                self._wake_on_other_side(self.other, [self.other.dispatcher.task_ready(task)])
            else:
                self.other.dispatcher.task_appears(task)
        self.note_woken()
        return startable or bool(self._agenda.woken)

    def note_woken(self) -> None:
        """Write down whom the protocols have found something new to do for."""
        if self.dispatcher.woken:
            self._agenda.wake(*self.dispatcher.take_woken())
        if self.other is not None and self.other.dispatcher.woken:
            self._wake_on_other_side(self.other, self.other.dispatcher.take_woken())

    def give_away(self, agent: AgentState) -> int:
        """Give a lost worker's tasks to the others, and its merge; return how many tasks."""
        self._give_merge_away(agent)
        count = self.dispatcher.lost(agent.index)
        if self.other is not None:
            count += self.other.dispatcher.lost(agent.index)
        self.wake_everyone()
        self.note_woken()
        return count

    def wake_everyone(self) -> None:
        """Let all look again whether there is something for them, on both sides."""
        self._agenda.wake(EVERYONE)
        if self.other is not None:
            self._wake_on_other_side(self.other, [EVERYONE])

    def _give_merge_away(self, agent: AgentState) -> None:
        """Let a worker make the merge that a lost one owes, the first of those free, if any is."""
        if agent.index not in self.owed_s:
            return
        others = [each for each in self._agents if each is not agent and _can_call(each)]
        heir = min(others, key=lambda each: each.time.in_call or each.awaits_answer, default=None)
        self._heirless.add(agent.index)
        if heir is not None:
            self._inherit(heir)
            self._agenda.wake(heir.index)

    def _inherit(self, heir: AgentState) -> None:
        """Let a worker make the merges of lost ones that nobody could make."""
        for index in sorted(self._heirless - {heir.index}):
            self.owed_s[heir.index] = self.owed_s.get(heir.index, 0.0) + self.owed_s.pop(index)
        self._heirless.clear()

    def waits(self) -> list[str]:
        """Say who has not made a merge, where nothing can happen any more."""
        return [f"agent {index} has a merge to make" for index in sorted(self.owed_s)]

    def exits(self, agent: AgentState) -> None:
        """Tell the protocols that a worker has gone down."""
        self.dispatcher.exits(agent.index)
        if self.other is not None:
            self.other.dispatcher.exits(agent.index)
        self.note_woken()

    def begin_round(self, number: int) -> None:
        """Tell the protocols that a round begins."""
        self.dispatcher.begin_round(number)
        if self.other is not None:
            self.other.dispatcher.begin_round(number)
        self.note_woken()

    def close_ledgers(self) -> int:
        """End the claims that are open at the end of a run.

        Returns how many tasks are finished without a fault, and not marked done.
        """
        if self.other is not None and self.other.dispatcher.ledger is not None:
            self.other.dispatcher.ledger.close()
        ledger = self.dispatcher.ledger
        if ledger is None:
            return 0
        correct = ledger.sum_up()
        ledger.close()
        return correct

    def take_back(self, agent: AgentState) -> None:
        """Let a worker that is there again be given tasks, and merges that nobody could make."""
        if self._heirless and _can_call(agent):
            self._inherit(agent)
        if agent.is_there:
            self.dispatcher.back(agent.index)
            if self.other is not None:
                self.other.dispatcher.back(agent.index)

    def shut_out(self, agent: AgentState) -> None:
        """Let an agent wait whose prompt is too long, and others do what it had to do."""
        self._journal.metrics.too_long_prompts += 1
        agent.shut_out()
        if agent.role == WORKER:
            self.give_away(agent)

    def let_in(self, agents: Iterable[AgentState]) -> None:
        """Let those try again whose prompt was too long and may have become shorter."""
        for agent in agents:
            if agent.is_shut_out:
                agent.let_in()
                if agent.role == WORKER:
                    self.take_back(agent)
                self._agenda.wake(agent.index)


def _can_call(agent: AgentState) -> bool:
    """Return whether a worker can begin a call, now or when the one that it is in is over."""
    return agent.role == WORKER and agent.is_there and not agent.is_shut_out
