"""Stations: where the calls of tools wait and are served."""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.agents.toolkit import ToolCall
from simulator.model.calls.outages import OutageCalendar
from simulator.model.stream_numbers import number_of
from simulator.model.streams import Streams
from simulator.model.timers import AN_INSTANT
from simulator.scenario.tools import DAYS, Hours, StationSpec, WeekTime

_DAY_S, _HOUR_S = 86_400.0, 3_600.0

_MOST_OPENINGS = 1000
"""After so many openings in a row that fall into outages, a station is taken to be closed for
good."""


class CallGroup:
    """Calls of one tool at once, of which not all must succeed.

    Parameters
    ----------
    calls, needed : int
        How many there are, and how many must succeed.
    """

    __slots__ = ("_needed", "_spare")

    def __init__(self, calls: int, needed: int) -> None:
        self._needed = needed
        self._spare = calls - needed

    def succeed(self) -> bool:
        """Note that one has succeeded; return whether it was the last that is needed."""
        self._needed -= 1
        return not self._needed

    def fail(self) -> bool:
        """Note that one has failed; return whether too many have."""
        self._spare -= 1
        return self._spare < 0


class Run:
    """A call of a tool under way.

    Parameters
    ----------
    call : ToolCall
    agent : AgentState
        Who waits for it.
    asked_s : float
        When it was asked for.

    Attributes
    ----------
    began_s : float or None
        When its service began; None while it waits.
    is_over : bool
    group : CallGroup or None
        The calls of one turn with it of which not all must succeed.
    child : int
        The number that names the draws of the sub-agent that it is, if it is one.
    """

    __slots__ = ("agent", "asked_s", "began_s", "call", "child", "group", "is_over")

    def __init__(
        self, call: ToolCall, agent: AgentState, asked_s: float, group: CallGroup | None = None
    ) -> None:
        self.call = call
        self.group = group
        self.child = 0
        self.agent = agent
        self.asked_s = asked_s
        self.began_s: float | None = None
        self.is_over = False

    def begin(self, now: float) -> None:
        """Be served from now on."""
        self.began_s = now

    def end(self) -> None:
        """Be over."""
        self.is_over = True

    def name_child(self, number: int) -> None:
        """Be a sub-agent whose draws bear a number."""
        self.child = number

    def is_under_way(self) -> bool:
        """Return whether it is not over."""
        return not self.is_over

    def waits(self) -> bool:
        """Return whether it is not served yet."""
        return self.began_s is None and not self.is_over


class Station:
    """Servers and a queue, first come first served or by priority.

    Parameters
    ----------
    name : str
    spec : StationSpec
    starts_at : WeekTime
        When, of the week, the clock is at 0.
    streams : Streams
    agenda : Agenda
    serve : callable
        Begins to serve a run, which takes so many seconds and then fails or not.

    Attributes
    ----------
    busy : int
        Servers that serve.
    """

    __slots__ = (
        "_agenda",
        "_came",
        "_hours",
        "_opens_s",
        "_outages",
        "_queue",
        "_serve",
        "_settled_s",
        "_settles",
        "busy",
        "spec",
    )

    def __init__(
        self,
        name: str,
        spec: StationSpec,
        starts_at: WeekTime,
        streams: Streams,
        agenda: Agenda,
        serve: Callable[[Run, float, bool], None],
    ) -> None:
        self.spec = spec
        self._agenda = agenda
        self._serve = serve
        self._outages = OutageCalendar.of_station(spec.outages, streams, number_of(name))
        self._hours = None if spec.available is None else _Calendar(spec.available, starts_at)
        self._queue: list[tuple[int, int, Run]] = []
        self._came = 0
        self._opens_s = -math.inf
        self._settled_s, self._settles = -math.inf, False
        self.busy = 0

    def ask(self, run: Run) -> None:
        """Serve a run as soon as it is its turn."""
        self._came += 1
        first = -run.call.spec.priority if self.spec.order == "priority" else 0
        heappush(self._queue, (first, self._came, run))
        self._go_on()

    @property
    def waiting(self) -> int:
        """How many wait to be served."""
        return sum(not run.is_over for _, _, run in self._queue)

    def leave(self, run: Run) -> None:
        """Note that a run is over: if it was served, another is."""
        if run.began_s is not None:
            self.busy -= 1
            self._go_on()

    def _go_on(self) -> None:
        """Serve who is next, as long as there are servers and somebody waits."""
        while self._has_waiting() and self.busy < self.spec.concurrency:
            now = self._agenda.now
            opens_s = self._next_s(now)
            if opens_s > now:
                if self._opens_s != opens_s < math.inf:
                    self._opens_s = opens_s
                    self._agenda.at(opens_s, self._go_on, self._has_waiting)
                return
            if self._may_be_cancelled(self._queue[0][2], now):
                return
            _, _, run = heappop(self._queue)
            self.busy += 1
            run.begin(now)
            self._serve(run, *self._outages.fate(now, run.call.seconds))

    def _may_be_cancelled(self, run: Run, now: float) -> bool:
        """Return whether another call that ends now may cancel the run, which is served later."""
        if run.group is None or now in (run.asked_s, self._settled_s):
            return False
        if not self._settles:
            self._settles = True
            self._agenda.at(now, self._settle, self._has_waiting)
        return True

    def _settle(self) -> None:
        """Serve who still waits after all that was to end at this instant."""
        self._settles, self._settled_s = False, self._agenda.now
        self._go_on()

    def _has_waiting(self) -> bool:
        """Return whether anybody waits; who has gone is forgotten."""
        while self._queue and self._queue[0][2].is_over:
            heappop(self._queue)
        return bool(self._queue)

    def _next_s(self, now: float) -> float:
        """Return when the station serves, from now on: neither in an outage nor out of hours.

        It is infinite if outages fall on its hours again and again.
        """
        at_s = now
        for _ in range(_MOST_OPENINGS):
            up_s = self._outages.up_s(at_s)
            at_s = up_s if self._hours is None else self._hours.opens_s(up_s)
            if at_s == up_s:
                break
        else:
            return math.inf
        # What is to happen at an instant finds the clock there but for a rounding error.
        return at_s if at_s - now > AN_INSTANT * max(1.0, now) else now


class _Calendar:
    """The hours of a person, on the clock of the run."""

    __slots__ = ("_days", "_hours", "_starts_s")

    def __init__(self, hours: Hours, starts_at: WeekTime) -> None:
        self._hours = hours
        self._days = {DAYS.index(day) for day in hours.days}
        self._starts_s = DAYS.index(starts_at.day) * _DAY_S + starts_at.hour * _HOUR_S

    def opens_s(self, now: float) -> float:
        """Return the first time from now on at which the person is there."""
        week_s = self._starts_s + now
        day = int(week_s // _DAY_S)
        while True:
            closes_s = day * _DAY_S + self._hours.closes * _HOUR_S
            if day % 7 in self._days and closes_s - week_s > AN_INSTANT * max(1.0, week_s):
                return max(now, day * _DAY_S + self._hours.opens * _HOUR_S - self._starts_s)
            day += 1
