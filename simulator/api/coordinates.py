"""What each point of a sweep is, along the axes of the sweep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def coordinates_of(table: pd.DataFrame, manifest: Mapping[str, Any]) -> pd.DataFrame:
    """Return the name and the value on each axis of every point, by ``point``.

    A point that leaves a field of the sweep to the file has what its scenario says, where that is
    a number or a text; what has fields of its own is missing.
    """
    axes = manifest["axes"]
    known = table.drop_duplicates("point").set_index("point")[["point_name", *axes]]
    scenarios = {point["index"]: point["scenario"] for point in manifest["points"]}
    for name in axes:
        unsaid = known[name].isna()
        values = [
            _said(scenarios[point], name) if unsaid[point] else value
            for point, value in known[name].items()
        ]
        known[name] = pd.Series(values, known.index)
    return known


def _said(scenario: Mapping[str, Any], path: str) -> object:
    """Return the number or text that a scenario has at a dotted path; None if it is no such."""
    node: object = scenario
    for key in path.split("."):
        node = node.get(key) if isinstance(node, Mapping) else None
    return node if isinstance(node, (str, int, float)) else None
