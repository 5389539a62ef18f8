"""What every topology does: say which channels the agents share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from simulator.registry import Plugin


@dataclass(frozen=True)
class Channel:
    """A shared log: every sender's message reaches every receiver but itself.

    One channel with n members stands for n(n-1) links at the cost of one append a message.
    """

    senders: Sequence[int]
    receivers: Sequence[int]


class Topology(Plugin):
    """Says who hears whom.

    Workers are agents 0..n-1. Where `has_coordinator`, agent n coordinates: it reads what the
    workers report and answers them, takes no tasks, and is an agent that takes time.
    """

    has_coordinator: ClassVar[bool] = False

    @abstractmethod
    def channels(self, workers: int) -> list[Channel]:
        """Return the channels of a team of `workers` agents (and its coordinator)."""
