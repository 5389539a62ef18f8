"""From real runs to simulated agents."""

from analysis.calibration.cells import CellFit, calibrate_directory, fit_cells

__all__ = ["CellFit", "calibrate_directory", "fit_cells"]
