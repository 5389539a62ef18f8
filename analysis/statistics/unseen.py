"""What runs that were made do not show: how often may happen what none of them has."""

from __future__ import annotations


def most_unseen(runs: int) -> float:
    """Return the most that the share of runs can be of which none was seen (95 % confidence).

    It is exact where the rule of three says 3 / n (Hanley & Lippman-Hand 1983).

    Parameters
    ----------
    runs : int
        Independent runs that were made.
    """
    return float(1.0 - 0.05 ** (1.0 / runs))


def most_unseen_percent(runs: int) -> str:
    """Return `most_unseen` of so many runs as texts say it, such as ``45 %``."""
    return f"{100 * most_unseen(runs):.2g} %"
