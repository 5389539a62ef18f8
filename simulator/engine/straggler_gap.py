"""For how long barriers wait for the slowest call."""

from __future__ import annotations

import math

from simulator.model.metrics import Metrics


class StragglerGap:
    """The time from the mean call of a round to its slowest, on average over rounds.

    Parameters
    ----------
    metrics : Metrics
        Where it is written.
    """

    __slots__ = ("_metrics", "_rounds", "_sum_s")

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._sum_s, self._rounds = 0.0, 0

    def note(self, latencies: list[float]) -> None:
        """Note how long the calls of a round have been in service, in seconds."""
        slowest = 0.0
        for each in latencies:  # `max` of them all takes compiled code longer, `max` of two Python
            if each > slowest:  # noqa: PLR1730
                slowest = each
        self._sum_s += slowest - math.fsum(latencies) / len(latencies)
        self._rounds += 1
        self._metrics.straggler_gap_s = self._sum_s / self._rounds
