"""The explorer's pinned curves: those of an earlier setting, drawn behind the present ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.plots.style import colour
from analysis.report.charts import band
from analysis.report.explorer_settings import Offered, Setting
from simulator.errors import TeamsimError
from simulator.scenario import Scenario

Drawn = tuple[pd.DataFrame, Scenario]
"""The curves of a setting, and the scenario of its largest team."""

PINNED = "pinned"
"""Name of the pinned setting in the query of an address."""

_MOST_KEPT = 8
_MOST_FIELDS = 200


class Kept:
    """The curves of the settings that were seen last, so that a pinned one is not run again."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: OrderedDict[str, Drawn] = OrderedDict()

    def get(self, setting: Setting, make: Callable[[], Drawn]) -> Drawn:
        """Return the curves of a setting; `make` runs if they are not kept."""
        key = setting.query()
        found = self._found.pop(key, None) or make()
        self._found[key] = found
        while len(self._found) > _MOST_KEPT:
            self._found.popitem(last=False)
        return found


def link(setting: Setting, pinned: Setting | None) -> str:
    """Return the query of an address that restores a setting, and what is pinned."""
    return setting.query() + ("&" + urlencode({PINNED: pinned.query()}) if pinned else "")


def from_link(search: object, offered: Offered) -> tuple[Setting, Setting | None]:
    """Return the setting and the pinned one that the query of an address asks for.

    Raises
    ------
    TeamsimError
        If it is not a query that `link` makes for this scenario.
    """
    query = _fields(search)
    pinned = query.pop(PINNED, None)
    return offered.from_query(query), None if pinned is None else from_pin(pinned, offered)


def from_pin(said: object, offered: Offered) -> Setting:
    """Return the pinned setting that a page names.

    Raises
    ------
    TeamsimError
        If it is none.
    """
    return offered.from_query(_fields(said))


def _fields(said: object) -> dict[str, str]:
    if not isinstance(said, str):
        raise TeamsimError("the query of an address is expected")
    try:
        pairs = parse_qsl(said.removeprefix("?"), True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise TeamsimError(f"more than {_MOST_FIELDS} settings") from None
    return dict(pairs)


def name_of(pinned: Setting, now: Setting, offered: Offered) -> str:
    """Return the name of a pinned setting: what it has other than the present one."""
    said = [
        f"{knob.label} {pinned.values[knob.path]:g}"
        for knob in offered.knobs
        if pinned.values[knob.path] != now.values[knob.path]
    ]
    if pinned.most != now.most:
        said.append(f"up to {pinned.most} agents")
    choices = (
        (pinned.topology, now.topology),
        (pinned.protocol, now.protocol),
        (pinned.timing, now.timing),
    )
    said += [before for before, after in choices if before != after]
    return ", ".join(said) or "the same setting"


def add_pinned(figure: Any, curves: pd.DataFrame, metric: str, name: str) -> None:
    """Draw a metric of pinned curves in a figure: dashed, with its band.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
    curves : DataFrame
        From `analysis.statistics.curves.curves_against`, of one series.
    metric : str
        Column of it that has ``_low`` and ``_high`` beside it.
    name : str
        What was set, for the hover.
    """
    line = curves[np.isfinite(curves[metric].astype(float))].sort_values("x")
    figure.add_trace(band(line, metric, fillcolor=colour(1), opacity=0.15))
    figure.add_trace(
        go.Scatter(
            x=line["x"].tolist(),
            y=line[metric].tolist(),
            mode="lines",
            line={"color": colour(1), "width": 2, "dash": "dash"},
            hovertemplate=f"pinned: {name}<br>%{{x}} agents: %{{y:.4g}}<extra></extra>",
        )
    )
