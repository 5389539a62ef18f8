"""Times in which the provider is down or slow for everybody."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from simulator.errors import TeamsimError
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.timers import AN_INSTANT
from simulator.scenario.faults import ScriptedFault
from simulator.scenario.provider import Outages, Provider


class Outage(NamedTuple):
    """A time in which nobody is served."""

    start_s: float
    end_s: float
    hangs: bool


class OutageCalendar:
    """The scripted outages and brownouts of one replication, and those that are drawn.

    Parameters
    ----------
    spec : Provider
    script : iterable of ScriptedFault
    streams : Streams
    number : int
        Which outages of the run, 0 for the provider's.
    """

    __slots__ = ("_brownouts", "_error_s", "_sources", "is_empty")

    def __init__(
        self,
        spec: Provider,
        script: Iterable[ScriptedFault],
        streams: Streams,
        number: int = 0,
    ) -> None:
        script = sorted(script, key=lambda fault: fault.at_s)
        self._error_s = spec.error_s
        scripted = [
            Outage(fault.at_s, fault.at_s + (fault.for_s or math.inf), fault.hangs)
            for fault in script
            if fault.kind == "outage"
        ]
        self._brownouts = [fault for fault in script if fault.kind == "brownout"]
        self._sources = [_Source(iter(scripted)), _Source(_drawn(spec.outages, streams, number))]
        self.is_empty = not (scripted or spec.outages)

    @classmethod
    def of_station(cls, outages: Outages | None, streams: Streams, number: int) -> OutageCalendar:
        """Return the outages of a station, drawn by its number."""
        return cls(Provider(outages=outages), (), streams, number)

    @property
    def has_brownouts(self) -> bool:
        """Whether requests are slower at times."""
        return bool(self._brownouts)

    def up_s(self, now: float) -> float:
        """Return the first time from now on at which there is no outage."""
        if not self.is_empty:
            for outage in self._from(now):
                if outage.start_s > now:
                    break
                now = max(now, outage.end_s)
        return now

    def fate(self, now: float, seconds: float) -> tuple[float, bool]:
        """Return how long a request of `seconds` lasts, and whether an outage ends it.

        One that ends at the very instant at which an outage begins has ended before.
        """
        if self.is_empty or math.isinf(seconds):
            return seconds, False
        end_s, at_s = now + seconds, now
        for outage in self._from(now):
            if outage.start_s >= end_s * (1.0 - AN_INSTANT):
                break
            if not outage.hangs:
                is_ahead = outage.start_s > now * (1.0 + AN_INSTANT)
                return (outage.start_s - now if is_ahead else self._error_s), True
            at_s = max(at_s, outage.start_s)
            end_s += max(0.0, outage.end_s - at_s)
            at_s = max(at_s, outage.end_s)
        return end_s - now, False

    def _from(self, now: float) -> Iterator[Outage]:
        """Yield the outages that are not over, in the order of their starts."""
        waiting = [iter(source.all_after(now)) for source in self._sources]
        heads = [next(each, None) for each in waiting]
        while any(head is not None for head in heads):
            _, first = min((head, i) for i, head in enumerate(heads) if head is not None)
            head = heads[first]
            assert head is not None
            yield head
            heads[first] = next(waiting[first], None)

    def factor_at(self, now: float) -> float:
        """Return what multiplies the time of a request that starts now."""
        factor = 1.0
        for fault in self._brownouts:
            if fault.at_s <= now < fault.at_s + (fault.for_s or math.inf):
                factor *= fault.factor or 1.0
        return factor


_MOST_OUTAGES = 1_000_000
"""Outages that are looked at for one request, after which they are too many."""


class _Source:
    """Outages in the order of time; those that are over are dropped."""

    __slots__ = ("_known", "_outages")

    def __init__(self, outages: Iterator[Outage]) -> None:
        self._outages = outages
        self._known: list[Outage] = []

    def all_after(self, now: float) -> Iterator[Outage]:
        now *= 1.0 + AN_INSTANT  # what is over at this instant is over
        while self._known and self._known[0].end_s <= now:
            self._known.pop(0)
        place = looked_at = 0
        while True:
            looked_at += 1
            if looked_at > _MOST_OUTAGES:
                raise TeamsimError(
                    f"there are more than {_MOST_OUTAGES:,} outages from {now:g} s on before one "
                    "request is served: their 'up_s' and 'down_s' are too short"
                )
            if place == len(self._known):
                outage = next(self._outages, None)
                if outage is None:
                    return
                if outage.end_s <= now:
                    continue
                self._known.append(outage)
            yield self._known[place]
            place += 1


def _drawn(spec: Outages | None, streams: Streams, number: int) -> Iterator[Outage]:
    if spec is None:
        return
    up = streams.draws(spec.up_s, Entity.RUN, number, Purpose.OUTAGE_UP)
    down = streams.draws(spec.down_s, Entity.RUN, number, Purpose.OUTAGE_DOWN)
    now = 0.0
    while True:
        start_s = now + max(up(), 1e-9)
        now = start_s + down()
        yield Outage(start_s, now, spec.hangs)
