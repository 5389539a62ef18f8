"""The journal of a replication: its counters and, where somebody wants it, its trace."""

from __future__ import annotations

from simulator.model.agenda import Agenda
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace

_OF_NO_ROUND = frozenset({Event.RUN_START, Event.TASK_READY, Event.PARTITION, Event.RUN_END})
"""Events whose rows name no round."""


class Journal:
    """Writes down what happens in a replication: counters and, if wanted, a trace.

    Parameters
    ----------
    agenda : Agenda
        Tells when something happens.
    metrics : Metrics
        The row of results that is being counted.
    trace : Trace or None
        Where events are written; None costs nothing.

    Attributes
    ----------
    round : int
        The number of the round under way, from 1; 0 where there are none.
    """

    __slots__ = ("_agenda", "metrics", "round", "trace")

    def __init__(self, agenda: Agenda, metrics: Metrics, trace: Trace | None) -> None:
        self._agenda = agenda
        self.metrics = metrics
        self.trace = trace
        self.round = 0

    def begin_round(self, now: float) -> None:
        """Note that a round begins."""
        self.round += 1
        if self.trace is not None:
            self.note(Event.ROUND_START, at_s=now)

    def retract_round(self) -> None:
        """Take back the round just begun, in which nobody had anything to do."""
        self.round -= 1
        self.retract(Event.ROUND_START)

    def retract(self, event: Event) -> None:
        """Take back the last row of a kind."""
        if self.trace is not None:
            self.trace.retract(event)

    def note(
        self,
        event: Event,
        agent: int | None = None,
        call: int | None = None,
        task: int | None = None,
        artifact: int | None = None,
        peer: int | None = None,
        duration_s: float | None = None,
        input_tokens: int | None = None,
        cached_tokens: int | None = None,
        output_tokens: int | None = None,
        outcome: str | None = None,
        at_s: float | None = None,
    ) -> None:
        """Write that something happens, now or `at_s`; without a trace, nothing."""
        if self.trace is None:
            return
        number = None if event in _OF_NO_ROUND else self.round
        self.trace.add(
            Row(
                self._agenda.now if at_s is None else at_s,
                event,
                agent,
                number,
                call,
                task,
                artifact,
                peer,
                duration_s,
                input_tokens,
                cached_tokens,
                output_tokens,
                outcome,
            ),
            self.metrics.cost_usd,
        )
