"""What YAML may say about the picture of a sweep."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.spec import Spec


class Figure(Spec):
    """The picture that answers the scenario's question: metrics against one swept field."""

    x: str
    """Dotted path that is swept, the horizontal axis; or ``series``, a row a named series."""
    y: Annotated[tuple[str, ...], Field(min_length=1, max_length=8)]
    """Columns of the results, a panel each; also ``tokens``, ``error_rate``, ``overhead_s``
    (agents' time that is not first attempts), and ``speedup`` and ``error_amplification`` against
    the baseline. ``makespan_s_p99`` is the 99th percentile over replications (also p50, p95).
    Where not all runs finish, ``makespan_s``, ``overhead_s`` and ``speedup`` are until success,
    failed runs started again; ``tokens_to_success`` and the like are so for what else is spent."""
    x_label: str = ""
    """Label of the horizontal axis; the field's name when absent."""
    crossings: tuple[tuple[str, str], ...] = ()
    """Pairs of series; where the first panel's lines of a pair cross is marked."""
    log_x: bool = False
    """Whether the horizontal axis is logarithmic."""
    log_y: tuple[str, ...] = ()
    """Which panels have a logarithmic vertical axis."""
