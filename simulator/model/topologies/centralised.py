"""A star: workers report to a coordinator, which answers them all."""

from __future__ import annotations

from typing import ClassVar, Literal

from simulator.model.topologies._topology import Channel, Topology


class Centralised(Topology):
    """Workers report to an orchestrator; its answer goes to every worker.

    In rounds, the orchestrator makes one call after the workers' barrier, reading all their
    reports. Asynchronously, it answers one report at a time, first come first served, and the
    worker waits for the answer: a closed queue with one server.
    """

    has_coordinator: ClassVar[bool] = True

    kind: Literal["centralised"] = "centralised"

    def channels(self, workers: int) -> list[Channel]:
        """Return the workers' way up and the orchestrator's way down."""
        everybody, orchestrator = range(workers), (workers,)
        return [
            Channel(senders=everybody, receivers=orchestrator),
            Channel(senders=orchestrator, receivers=everybody),
        ]
