"""Names of agents' profiles."""

from __future__ import annotations

import re

from analysis.calibration.cell import safe_name


def profile_name(model: str, claims_itself: bool = False) -> str:
    """Return a model's short name, without the vendor before it and the date after it."""
    short = re.sub(r"^(anthropic|google|openai)_", "", model)
    return safe_name(re.sub(r"-\d{8}$", "", short) + ("-claiming" if claims_itself else ""))
