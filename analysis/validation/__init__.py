"""Compares predictions with runs that were not used to make them.

Each name is imported when it is first used: who only predicts compares nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.handed_on import handed_on

if TYPE_CHECKING:
    from analysis.validation.compare import Validation, read_predictions, validate

_HOMES = dict.fromkeys(
    ("Validation", "read_predictions", "validate"), "analysis.validation.compare"
)

__all__ = ["Validation", "read_predictions", "validate"]

__getattr__, __dir__ = handed_on(__name__, _HOMES)
