"""Numbers as they are written into scenarios."""


def four_digits(value: float) -> float:
    """Return `value` to four significant digits, and 0 for what a fit left at its bound of 0."""
    return float(f"{value:.4g}") if abs(value) > 1e-9 else 0.0
