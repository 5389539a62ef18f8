"""What YAML may say about waiting before another try."""

from __future__ import annotations

from typing import Literal

from simulator.spec import NonNegative, Positive, Spec


class Backoff(Spec):
    """Waits that grow with the number of tries (Brooker, "Exponential backoff and jitter", 2015).

    With ``v = min(cap_s, base_s * 2**try)``, where `try` is 1 at the first wait, as in his program:
    ``exponential`` v; ``equal_jitter`` v/2 and a random share of the other half; ``full_jitter``
    uniform on 0 to v; ``decorrelated_jitter`` uniform on `base_s` to three times the wait before,
    at most `cap_s`.
    """

    kind: Literal["none", "exponential", "equal_jitter", "full_jitter", "decorrelated_jitter"] = (
        "none"
    )
    """How the wait grows from try to try, and whether it is random."""
    base_s: Positive = 0.5
    """Half of the first v; the least wait of ``decorrelated_jitter``."""
    cap_s: NonNegative = 60.0
    """Longest wait."""

    @property
    def is_random(self) -> bool:
        """Whether a wait is drawn."""
        return self.kind not in ("none", "exponential")
