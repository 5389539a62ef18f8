"""The agenda of a replication: what time it is, and what is to happen next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from simulator.model.timers import Timer, always
from simulator.model.why import Why


@dataclass(slots=True, eq=False)
class _Action(Timer):
    """An action, and whether it can still change anything."""

    action: Callable[[], None]
    can_change: Callable[[], bool]

    def matters(self) -> bool:
        return self.can_change()

    def go_off(self) -> None:
        self.action()


class Agenda(ABC):
    """The one clock of a replication, and the model's only port to the engine.

    The model writes down here whom something concerns; the engine takes it and acts on it.
    Agents are named by their numbers.

    Attributes
    ----------
    now : float
        Simulated seconds at which something last happened.
    moved_s : float
        Simulated seconds at which a call or a task last got on.
    woken : list of int
        Agents, or `SOMEONE` and `EVERYONE` of a protocol, whom something new concerns.
    resumed : list of int
        Agents whose waiting call goes on.
    interrupted : dict of int to Why
        Agents whose call in flight is lost, or stalls, and why.
    ending : (str, str) or None
        Outcome and reason, once something in the model has ended the run.
    """

    __slots__ = ("_beginning", "ending", "interrupted", "moved_s", "now", "resumed", "woken")

    def __init__(self) -> None:
        self.now = self.moved_s = 0.0
        self.woken: list[int] = []
        self.resumed: list[int] = []
        self.interrupted: dict[int, Why] = {}
        self._beginning: set[int] = set()  # of those resumed
        self.ending: tuple[str, str] | None = None

    @abstractmethod
    def set_timer(self, time_s: float, timer: Timer) -> None:
        """Let a timer go off at a later time, in simulated seconds.

        A team in which nothing else can happen, and no timer matters, is stuck.
        """

    def at(
        self, time_s: float, action: Callable[[], None], matters: Callable[[], bool] = always
    ) -> None:
        """Do something at a later time.

        Parameters
        ----------
        time_s : float
            Simulated seconds.
        action : callable
        matters : callable
            Whether it can still change anything.
        """
        self.set_timer(time_s, _Action(action, matters))

    def instant_ends_s(self) -> float:
        """Return until when what happens counts as happening now.

        That is later than now where a call goes on a rounding error later.
        """
        return self.now

    @abstractmethod
    def count_turn(self) -> None:
        """Count a turn that begins among the calls that may be made."""

    @abstractmethod
    def end_turn(self, agent: int, served_s: float) -> None:
        """Let an agent be at the barrier, in the middle of its call, until the next round.

        `served_s` is for how many seconds the call has been in service.
        """

    @abstractmethod
    def check_limits(self) -> bool:
        """End the run if it is complete or over a limit; return whether it has ended."""

    def reach(self, now: float) -> None:
        """Note that something happens now."""
        self.now = now

    def move(self, now: float) -> None:
        """Note that a call or a task gets on now."""
        self.now = self.moved_s = now

    def wake(self, *whom: int) -> None:
        """Note that something new concerns agents, or `SOMEONE` or `EVERYONE` of a protocol."""
        self.woken.extend(whom)

    def wake_one(self, whom: int) -> None:
        """Do the same for one of them, in less time."""
        self.woken.append(whom)

    def take_woken(self) -> list[int]:
        """Return whom something new concerns, and begin anew."""
        woken, self.woken = self.woken, []
        return woken

    def resume(self, agent: int) -> None:
        """Let an agent go on that waits until it is resumed."""
        self.resumed.append(agent)

    def take_resumed(self) -> list[int]:
        """Return whose waiting call goes on, and begin anew."""
        resumed, self.resumed = self.resumed, []
        return resumed

    def begin(self, agent: int) -> None:
        """Let a sub-agent begin its steps."""
        self._beginning.add(agent)
        self.resume(agent)

    def begins(self, agent: int) -> bool:
        """Return whether the resumed agent is a sub-agent that has not begun; forget that it is."""
        if agent not in self._beginning:
            return False
        self._beginning.remove(agent)
        return True

    def interrupt(self, agent: int, why: Why) -> None:
        """Let the call that an agent is in be lost, or with ``stall`` never come back."""
        self.interrupted.setdefault(agent, why)

    def take_interrupted(self) -> dict[int, Why]:
        """Return whose call is lost or stalls, and why, and begin anew."""
        interrupted, self.interrupted = self.interrupted, {}
        return interrupted

    def stop(self, outcome: str, reason: str) -> None:
        """End the run; the first who says so gives the reason."""
        self.ending = self.ending or (outcome, reason)
