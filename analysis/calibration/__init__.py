"""From real runs to simulated agents."""

from analysis.calibration.cell import CellFit
from analysis.calibration.cells import fit_cells

__all__ = ["CellFit", "fit_cells"]
