"""What YAML may say about the picture of a sweep."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.spec import Spec


class Figure(Spec):
    """The picture that answers the scenario's question: metrics against one swept field."""

    x: str
    """Dotted path that is swept, the horizontal axis; or ``series``: one row for each series."""
    y: Annotated[tuple[str, ...], Field(min_length=1, max_length=8)]
    """Columns of the results, a panel each; also ``tokens``, ``error_rate``, ``overhead_s``
    (agents' time that is not first attempts), and ``speedup`` and ``error_amplification`` against
    the baseline. ``makespan_s_p99`` is the 99th percentile over replications (also p50, p95).
    Where not all runs finish, ``makespan_s``, ``overhead_s`` and ``speedup`` are of the time to
    success: failed runs are started again. ``tokens_to_success`` and the like are the same for
    tokens and other costs."""
    series: tuple[str, ...] = ()
    """Dotted paths whose values name the lines; all that are swept beside `x` when absent."""
    x_label: str = ""
    """Label of the horizontal axis; the field's name when absent."""
    crossings: tuple[tuple[str, str], ...] = ()
    """Pairs of series; the first panel marks where the two lines of a pair cross."""
    log_x: bool = False
    """Whether the horizontal axis is logarithmic."""
    log_y: tuple[str, ...] = ()
    """Which panels have a logarithmic vertical axis."""
