"""Who is up and who is down, and since when; what has gone wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import COORDINATOR, WORKER, AgentState
from simulator.model.journal import Journal
from simulator.model.resilience.recovery import Recovery
from simulator.model.team.sides import Sides
from simulator.model.trace import Event
from simulator.model.why import Why


class Health:
    """Takes agents down and lets them come back.

    Parameters
    ----------
    agents : sequence of AgentState
    agenda : Agenda
    journal : Journal
    sides : Sides

    Attributes
    ----------
    recovery : Recovery
    lives : list of int, shape (agents,)
        How often each agent has gone down or come back.
    workers_down : int
    on_loss, on_return : list of callable
        Called with an agent that has gone down, and with one that is back.
    on_found : list of callable
        Called with an agent that a detector has found, and whether it is stuck.
    """

    __slots__ = (
        "_agenda",
        "_journal",
        "_metrics",
        "_sides",
        "_stood_in",
        "_workers",
        "lives",
        "on_found",
        "on_loss",
        "on_return",
        "recovery",
        "workers_down",
    )

    def __init__(
        self, agents: Sequence[AgentState], agenda: Agenda, journal: Journal, sides: Sides
    ) -> None:
        self._agenda = agenda
        self._journal = journal
        self._metrics = journal.metrics
        self._sides = sides
        self._workers = [agent.index for agent in agents if agent.role == WORKER]
        self.recovery = Recovery()
        self.lives = [0] * len(agents)
        self.workers_down = 0
        self.on_loss: list[Callable[[AgentState], None]] = []
        self.on_return: list[Callable[[AgentState], None]] = []
        self.on_found: list[Callable[[AgentState, bool], None]] = []
        self._stood_in: dict[tuple[int, int], AgentState] = {}
        """Workers that have taken the seat of a coordinator, by the life that it lost."""

    def tell(
        self,
        on_loss: Sequence[Callable[[AgentState], None]] = (),
        on_return: Sequence[Callable[[AgentState], None]] = (),
        on_found: Sequence[Callable[[AgentState, bool], None]] = (),
    ) -> None:
        """Tell these, too, from now on."""
        self.on_loss.extend(on_loss)
        self.on_return.extend(on_return)
        self.on_found.extend(on_found)

    def forget(self) -> None:
        """Drop the listeners: they hold this object, and so form circles of references."""
        self.on_loss.clear()
        self.on_return.clear()
        self.on_found.clear()

    def after_calls(
        self, agents: Iterable[AgentState], strikes: Callable[[], None], is_loss: bool
    ) -> None:
        """Let something strike agents now, after their calls that end at this very instant.

        If it is the loss of them, they begin no others before.
        """
        calling = [agent for agent in agents if agent.time.in_call]
        if not calling:
            strikes()
            return
        held = [agent for agent in calling if is_loss and not agent.is_retired]
        for agent in held:
            agent.retire()
        # What is already to happen now comes before.
        self._agenda.at(self._agenda.instant_ends_s(), partial(self._strike, held, strikes))

    def _strike(self, held: Iterable[AgentState], strikes: Callable[[], None]) -> None:
        for agent in held:
            agent.retire(False)
        strikes()
        self._agenda.wake(*[agent.index for agent in held if not agent.is_down])

    def crash(self, agent: AgentState, repair_s: float | None, keeps_context: bool = False) -> None:
        """Let an agent go down, for `repair_s` seconds or until somebody restarts it."""
        if agent.is_down:
            return
        self._metrics.crashes += 1
        self.note(agent, "crash")
        self.go_down(agent, Why.CRASH, keeps_context)
        if repair_s is not None:
            self.return_after(agent, repair_s)
        self._tell_loss(agent)

    def _tell_loss(self, agent: AgentState) -> None:
        for react in self.on_loss:
            react(agent)

    def go_down(self, agent: AgentState, why: Why, keeps_context: bool = False) -> None:
        """Take an agent that is up down; its call in flight is lost."""
        self.lives[agent.index] += 1
        agent.go_down(self._agenda.now)
        self.workers_down += agent.role == WORKER
        if agent.time.in_call:
            self._agenda.interrupt(agent.index, why)
        else:
            agent.time.book_free(self._agenda.now)
        if agent.role == WORKER:
            self._sides.exits(agent)
        if not keeps_context:
            agent.forget()

    def return_after(self, agent: AgentState, seconds: float) -> None:
        """Let an agent that is down come back after so many seconds, unless it is by then."""
        this = agent, self.lives[agent.index]
        back_s = self._agenda.now + seconds
        self._agenda.at(
            back_s, partial(self._come_back, *this), partial(self._may_come_back, *this)
        )

    def _may_come_back(self, agent: AgentState, life: int) -> bool:
        return self.lives[agent.index] == life or (agent.index, life) in self._stood_in

    def _come_back(self, agent: AgentState, life: int) -> None:
        if self.lives[agent.index] == life:
            self._come_up(agent, "repaired")
            return
        stand_in = self._stood_in.pop((agent.index, life), None)
        if stand_in is not None and stand_in.is_down:
            self._come_up(stand_in, "repaired")  # its seat is free, the coordinator's is not

    def _come_up(self, agent: AgentState, outcome: str) -> None:
        """Let an agent that is down go on."""
        self.lives[agent.index] += 1
        self.book_down(agent, outcome)
        agent.come_up(self._agenda.now)
        self.workers_down -= agent.role == WORKER
        if agent.role == WORKER:
            self._sides.take_back(agent)
        self._agenda.wake(agent.index)
        if agent.role == COORDINATOR:
            self._agenda.wake(*self._workers)
        for react in self.on_return:
            react(agent)

    def take_seat(self, seat: AgentState, worker: AgentState) -> None:
        """Let a worker be the coordinator; its own seat is empty until the lost one is back."""
        self._stood_in[seat.index, self.lives[seat.index]] = worker
        self.go_down(worker, Why.PROMOTED, keeps_context=True)
        self._sides.give_away(worker)
        seat.go_on_as(worker)
        worker.forget()
        self._metrics.failovers += 1
        self._journal.note(Event.LEADS, seat.index, peer=worker.index)
        self._come_up(seat, "elected")
        self._tell_loss(worker)

    def book_down(self, agent: AgentState, outcome: str) -> None:
        """Book the time for which an agent has been down."""
        down_s = self._agenda.now - agent.down_since_s
        self._metrics.down_s += down_s
        self._journal.note(Event.DOWN, agent.index, duration_s=down_s, outcome=outcome)

    def note(self, agent: AgentState | None, kind: str) -> None:
        """Write a fault down, of an agent or of the provider."""
        self._metrics.fault_events += 1
        self.recovery.fault(self._agenda.now)
        index = None if agent is None else agent.index
        self._journal.note(Event.FAULT, index, outcome=kind)
