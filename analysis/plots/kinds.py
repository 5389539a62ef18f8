"""Colours and hatches of what agents do, the same in all pictures."""

from __future__ import annotations

KIND_COLOURS = {
    "work": "#0072B2",
    "rework": "#56B4E9",
    "in vain": "#D55E00",
    "idle": "#DDDDDD",
    "coordination": "#CC79A7",
    "review": "#009E73",
    "workspace": "#E69F00",
    "failed": "#882255",
    "tools": "#99DDCC",
    "sub-agents": "#DDCC77",
    "queued": "#F0E442",
    "held up": "#F0E442",
    "down": "#222222",
}
"""Colours of `analysis.breakdown.timeline.KINDS`."""

HATCHES = {"rework": "//", "in vain": "xx", "failed": "xx", "queued": ".."}
"""Hatches, for readers who do not distinguish the colours, and for print."""
