"""What an agent's next call is for, where it attempts no tasks."""

from __future__ import annotations

from typing import NamedTuple


class Errand(NamedTuple):
    """A call that attempts no tasks."""

    work: float
    """Its work units."""
    speaks: bool
    """Whether it ends with a message."""
    lasts_s: float | None = None
    """Seconds in service, where the work does not tell."""
