"""Numbers as people read them, in every command, page and picture alike."""

from __future__ import annotations

import math


def percent(share: float, digits: int = 0, is_change: bool = False) -> str:
    """Return ``60 %`` for a share of 0.6, and never ``-0 %``.

    Parameters
    ----------
    share : float
    digits : int
        After the point.
    is_change : bool
        Whether it has a sign also where it is not negative: ``+60 %``.
    """
    rounded = round(100.0 * share, digits) + 0.0
    return f"{rounded:{'+' if is_change else ''}.{digits}f} %"


def counted(n: int, noun: str) -> str:
    """Return ``1 call`` or ``2,000 calls``."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def four_figures(value: float) -> str:
    """Return a number with four significant digits, all before the point, and no exponent."""
    if not math.isfinite(value):
        return "not known"
    return f"{value:,.4g}" if abs(value) < 1000.0 else f"{value:,.0f}"
