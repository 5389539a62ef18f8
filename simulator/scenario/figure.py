"""What YAML may say about the picture of a sweep."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.spec import Spec


class Figure(Spec):
    """The picture that answers the scenario's question: metrics against one swept field."""

    x: str
    """Dotted path that is swept, the horizontal axis."""
    y: Annotated[tuple[str, ...], Field(min_length=1, max_length=8)]
    """Columns of the results, a panel each; also ``tokens``, ``error_rate``, ``speedup`` and
    ``error_amplification`` (the last two against the baseline)."""
    log_x: bool = False
    """Whether the horizontal axis is logarithmic."""
    log_y: tuple[str, ...] = ()
    """Which panels have a logarithmic vertical axis."""
