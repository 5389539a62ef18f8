"""Numbers as they are written into scenarios."""

LEAST = 1e-9
"""Values up to this one are those at a fit's lower bound."""


def four_digits(value: float) -> float:
    """Return `value` to four significant digits, and 0 for a value at a fit's lower bound."""
    return float(f"{value:.4g}") if abs(value) > LEAST else 0.0


def as_said(probability: float) -> float:
    """Return an estimate of a probability as a scenario says it."""
    return four_digits(min(1.0, max(0.0, probability)))
