"""What programs and notebooks call: load, run, sweep, advise, compare and observe.

``import simulator as ts`` hands these names on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.handed_on import handed_on

if TYPE_CHECKING:
    from simulator.api.deciding import advise, compare
    from simulator.api.observing import observe
    from simulator.api.running import load, run, sweep

_HOMES = {
    "advise": "simulator.api.deciding",
    "compare": "simulator.api.deciding",
    "load": "simulator.api.running",
    "observe": "simulator.api.observing",
    "run": "simulator.api.running",
    "sweep": "simulator.api.running",
}

__all__ = ["advise", "compare", "load", "observe", "run", "sweep"]

__getattr__ = handed_on(__name__, _HOMES)
