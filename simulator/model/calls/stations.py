"""Stations: where the calls of tools wait and are served."""

from __future__ import annotations

import math
from heapq import heappop, heappush

from simulator.model.agenda import Agenda
from simulator.model.calls.outages import OutageCalendar
from simulator.model.calls.runs import Run, Server
from simulator.model.stream_numbers import number_of
from simulator.model.streams import Streams
from simulator.model.timers import AN_INSTANT
from simulator.scenario.tools import DAYS, Hours, StationSpec, WeekTime

_DAY_S, _HOUR_S = 86_400.0, 3_600.0

_MOST_OPENINGS = 1000
"""After so many openings in a row that fall into outages, a station is taken to be closed for
good."""


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
        Begins to serve a run, which takes so many seconds, and is struck by an outage then or not.

    Attributes
    ----------
    busy : int
        Servers that serve.
    patience_s : float or None
        Seconds for which a call waits at most.
    """

    __slots__ = (
        "_agenda",
        "_by_priority",
        "_came",
        "_hours",
        "_is_always_open",
        "_opens_s",
        "_outages",
        "_places",
        "_queue",
        "_server",
        "_settled_s",
        "_settles",
        "busy",
        "patience_s",
        "spec",
    )

    def __init__(
        self,
        name: str,
        spec: StationSpec,
        starts_at: WeekTime,
        streams: Streams,
        agenda: Agenda,
        server: Server,
    ) -> None:
        self.spec, self.patience_s = spec, spec.patience_s
        self._places, self._by_priority = spec.concurrency, spec.order == "priority"
        self._agenda = agenda
        self._server = server
        self._outages = OutageCalendar.of_station(spec.outages, streams, number_of(name))
        self._hours = None if spec.available is None else _Calendar(spec.available, starts_at)
        self._is_always_open = self._outages.is_empty and self._hours is None
        self._queue: list[tuple[int, int, Run]] = []
        self._came = 0
        self._opens_s = -math.inf
        self._settled_s, self._settles = -math.inf, False
        self.busy = 0

    def ask(self, run: Run) -> None:
        """Serve a run as soon as it is its turn."""
        if self._is_always_open and not self._queue and self.busy < self._places:
            self.busy += 1
            self._server.serve(run, run.call.seconds, False)
            return
        self._came += 1
        first = -run.call.tool.spec.priority if self._by_priority else 0
        heappush(self._queue, (first, self._came, run))
        self._go_on()

    @property
    def waiting(self) -> int:
        """How many wait to be served."""
        return sum(not run.is_over for _, _, run in self._queue)

    def leave(self, run: Run) -> None:
        """Note that a run is over: if it was served, another is."""
        if run.is_served:
            self.busy -= 1
            if self._queue:
                self._go_on()

    def _go_on(self) -> None:
        """Serve who is next, as long as there are servers and somebody waits."""
        while self.busy < self._places and self._has_waiting():
            if not (self._is_always_open or self._opens()):
                return
            run = self._queue[0][2]
            if run.group is not None and self._may_be_cancelled(run, self._agenda.now):
                return
            heappop(self._queue)
            self.busy += 1
            if self._is_always_open:
                self._server.serve(run, run.call.seconds, False)
            else:
                seconds, is_struck = self._outages.fate(self._agenda.now, run.call.seconds)
                self._server.serve(run, seconds, is_struck)

    def _open(self) -> None:
        """Serve again, after an outage or the hours in which nobody is there."""
        self._go_on()

    def _opens(self) -> bool:
        """Return whether it serves now; if not, it goes on when it does."""
        now = self._agenda.now
        opens_s = self._next_s(now)
        if opens_s > now and self._opens_s != opens_s < math.inf:
            self._opens_s = opens_s
            self._agenda.at(opens_s, self._open, self._has_waiting)
        return opens_s <= now

    def _may_be_cancelled(self, run: Run, now: float) -> bool:
        """Return whether another call that ends now may cancel the run, which is served later."""
        if now in (run.asked_s, self._settled_s):
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
