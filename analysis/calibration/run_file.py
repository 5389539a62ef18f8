"""Where fits to totals of runs are, which a command asks before it imports what reads them."""

from __future__ import annotations

from pathlib import Path

FILE = "run_fits.json"


def holds_run_fits(directory: Path) -> bool:
    """Return whether a directory holds fits to totals of runs."""
    return (directory / FILE).is_file()
