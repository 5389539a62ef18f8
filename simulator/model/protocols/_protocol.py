"""What every coordination protocol does: hand tasks from the board to agents."""

from __future__ import annotations

from abc import abstractmethod

from simulator.model.protocols._dispatcher import (
    EVERYONE,
    SOMEONE,
    Dispatcher,
    Setting,
    preferably,
    preferred,
)
from simulator.scenario.families import ProtocolSpec

__all__ = [
    "EVERYONE",
    "SOMEONE",
    "Dispatcher",
    "Protocol",
    "Setting",
    "preferably",
    "preferred",
]


class Protocol(ProtocolSpec):
    """Makes the dispatcher of a replication."""

    @property
    def is_random(self) -> bool:
        """Whether agents may choose by chance, also where all they do takes the same time."""
        return True

    @abstractmethod
    def dispatcher(self, setting: Setting) -> Dispatcher:
        """Return the state of this protocol for one replication."""
