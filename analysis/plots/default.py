"""The picture of a sweep whose scenario has no `figure`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.statistics.curves import check_names
from analysis.statistics.series import SERIES, SIZE
from simulator.errors import TeamsimError
from simulator.scenario.figure import Figure

MOST_PANELS = 8
"""Panels of a picture, as `simulator.scenario.figure.Figure` has them."""

_SCALING = ("makespan_s", "speedup", "quality", "success", "tokens", "deliveries")


def wanted_figure(results: pd.DataFrame, manifest: Mapping[str, Any]) -> Figure:
    """Return the picture that the scenario asks for, else curves over team size, else rows.

    Parameters
    ----------
    results : DataFrame
        A row a replication.
    manifest : Mapping
        Manifest of the sweep.
    """
    if manifest.get("figure"):
        return Figure.model_validate(manifest["figure"])
    known = [axis for axis in manifest["axes"] if results[axis].notna().all()]
    if SIZE in known:
        return Figure(x=SIZE, y=_SCALING, x_label="agents n")
    if results[SERIES].ne("").any():
        return Figure(x=SERIES, y=("makespan_s", "quality"))
    numeric = [axis for axis in known if pd.api.types.is_numeric_dtype(results[axis])]
    x = (numeric or known or [*manifest["axes"], SERIES])[0]
    return Figure(x=x, y=("makespan_s", "quality"))


def figure_of(
    results: pd.DataFrame,
    manifest: Mapping[str, Any],
    x: str,
    y: Sequence[str],
    series: Sequence[str],
) -> Figure:
    """Return the picture that somebody asks for; what they leave out is as in `wanted_figure`.

    Raises
    ------
    TeamsimError
        If there is no such metric, the sweep does not vary the field, or x is a series, too.
    """
    usual = wanted_figure(results, manifest)
    if len(y) > MOST_PANELS:
        raise TeamsimError(f"{len(y)} metrics: a picture has up to {MOST_PANELS} panels")
    asked = Figure(x=x or usual.x, y=tuple(y) or usual.y, series=tuple(series))
    check_names(asked, manifest["axes"])
    return asked


def has_sizes(results: pd.DataFrame) -> bool:
    """Return whether the team size of every point is known, so that curves can be drawn over it."""
    return SIZE in results and bool(results[SIZE].notna().all())
