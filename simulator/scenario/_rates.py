"""What tokens cost, found out once: every call asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Rates:
    """Prices in US dollars for a million tokens: of uncached and cached input, and of output."""

    uncached: float = 0.0
    cached: float = 0.0
    output: float = 0.0

    def usd(self, uncached: int, cached: int, output: int) -> float:
        """Return what so many tokens cost."""
        return (uncached * self.uncached + cached * self.cached + output * self.output) / 1e6
