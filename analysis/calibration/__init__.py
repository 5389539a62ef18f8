"""From real runs to simulated agents."""

from analysis.calibration.cell import CellFit
from analysis.calibration.cells import calibrate_directory, fit_cells

__all__ = ["CellFit", "calibrate_directory", "fit_cells"]
