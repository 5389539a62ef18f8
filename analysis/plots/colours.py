"""Colours and marks of series, causes and references, for every kind of picture."""

from __future__ import annotations

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours of Okabe and Ito (2008), which differ for any colour vision."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")

REFERENCE = "#666666"
"""Style of laws and baselines, behind the data."""

SPEEDUP_COLOUR = "#222222"

CAUSE_COLOURS = {
    "serial work": "#0072B2",
    "imbalance": "#56B4E9",
    "stragglers and barriers": "#E69F00",
    "coordination": "#CC79A7",
    "duplicates and conflicts": "#D55E00",
    "rework": "#F0E442",
    "failures": "#882255",
    "rate limits": "#009E73",
    "queues for tools": "#332288",
    "slower calls": "#BBBBBB",
}
"""Okabe and Ito's colours, a wine red, an indigo and a grey: neighbours differ for any colour
vision."""


def colour(i: int) -> str:
    """Return the colour of series `i`."""
    return COLOURS[i % len(COLOURS)]


def marker(i: int) -> str:
    """Return the marker of series `i`; with `colour` it repeats after 49."""
    return MARKERS[(i + i // len(COLOURS)) % len(MARKERS)]
