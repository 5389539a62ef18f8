"""Degraded mode: what the team leaves out while it is bad."""

from __future__ import annotations

from typing import ClassVar

from simulator.model.resilience._pattern import FailureSetting, Pattern
from simulator.scenario.resilience import Degraded


class DegradedMode(Pattern):
    """Leaves things out while many workers are down or a breaker is open."""

    kind: ClassVar[str] = "degraded"

    __slots__ = ("_breakers", "_health", "_spec", "_workers")

    def __init__(self, spec: Degraded, setting: FailureSetting) -> None:
        self._spec = spec
        self._workers = len(setting.workers)
        self._health = setting.health
        self._breakers = setting.breakers

    def skips(self, what: str) -> bool:
        """Return whether ``messages``, ``reviews`` or ``idle_calls`` are left out now."""
        if what not in self._spec.skip:
            return False
        share = self._health.workers_down / self._workers
        return share >= self._spec.when_down or self._breakers.is_any_open
