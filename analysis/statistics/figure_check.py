"""Checks that a picture can be drawn, before the sweep that it is of."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.statistics.curves import NUMBERS, QUANTILES, RATIOS, SERIES, TO_SUCCESS
from simulator.errors import TeamsimError, unknown_name
from simulator.scenario import Study
from simulator.scenario.figure import Figure


def check_figure(study: Study) -> None:
    """Check, before a sweep is run, that its picture can be drawn from it.

    Raises
    ------
    TeamsimError
        If the sweep does not vary the field, or there is no such metric.
    """
    figure = study.points[0].scenario.figure
    if figure is None:
        return
    try:
        check_names(figure, study.axes if len(study.points) > 1 else None)
    except TeamsimError as error:
        raise TeamsimError(f"figure: {error}") from None
    names = {point.series for point in study.points}
    for name in (name for pair in figure.crossings for name in pair):
        if name not in names:
            raise TeamsimError(f"figure: {unknown_name('series', name, names)}")


def check_names(figure: Figure, axes: Sequence[str] | None) -> None:
    """Check that there are the metrics and the swept fields that a picture names.

    Parameters
    ----------
    figure : simulator.scenario.figure.Figure
    axes : sequence of str or None
        The swept fields; None where nothing is swept, and anything goes.

    Raises
    ------
    TeamsimError
        If there is no such metric, or no such swept field.
    """
    endings = ("", TO_SUCCESS, *QUANTILES)
    metrics = {*RATIOS, *(name + ending for name in NUMBERS for ending in endings)}
    for name in (*figure.y, *figure.log_y):
        if name not in metrics:
            raise TeamsimError(unknown_metric(name))
    if axes is None:
        return
    for name in (figure.x, *figure.series):
        if name not in {*axes, SERIES}:
            raise TeamsimError(unknown_name("swept field", name, axes))


def unknown_metric(name: str) -> str:
    """Return the message for a metric that there is not, without the suffixes it may have."""
    said = unknown_name("metric", name, {*NUMBERS, *RATIOS})
    return f"{said.removesuffix(')')}; also with {', '.join((TO_SUCCESS, *QUANTILES))})"
