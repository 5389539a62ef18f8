"""From real runs to simulated agents.

Each name is imported when it is first used: a process that only simulates fits nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.handed_on import handed_on

if TYPE_CHECKING:
    from analysis.calibration.cell import CellFit
    from analysis.calibration.cells import fit_cells

_HOMES = {
    "CellFit": "analysis.calibration.cell",
    "fit_cells": "analysis.calibration.cells",
}

__all__ = ["CellFit", "fit_cells"]

__getattr__, __dir__ = handed_on(__name__, _HOMES)
