"""Compares predictions with runs that were not used to make them."""

from analysis.validation.compare import Validation, read_predictions, validate

__all__ = ["Validation", "read_predictions", "validate"]
