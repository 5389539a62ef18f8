"""An explorer in the browser: sliders, and the curves of a team with these settings."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, dcc, html, no_update
from pydantic import ValidationError

from analysis.plots.bands import all_finished
from analysis.plots.direct_labels import balanced
from analysis.plots.labels import metric_label
from analysis.report.charts import curve_chart
from analysis.report.explorer_live import PATH, LiveView
from analysis.report.explorer_pins import Kept, add_pinned, from_link, from_pin, link, name_of
from analysis.report.explorer_requests import Turns, guard
from analysis.report.explorer_settings import (
    MOST_AGENTS,
    PROTOCOLS,
    TIMINGS,
    TOPOLOGIES,
    Offered,
    Setting,
    as_yaml,
    base_scenario,
)
from analysis.statistics.curves import RATIOS, curves_against, with_derived
from analysis.statistics.series import SIZE
from simulator.errors import TeamsimError
from simulator.experiment import run_points
from simulator.experiment.pool import Progress
from simulator.scenario import Point, Scenario
from simulator.scenario.costs import HOW_TO_PRICE, is_cost_known

PANELS = ("makespan_s", "cost_usd", "success", "quality", "speedup", "tokens")
"""Metrics, each with a chart."""

_REPLICATIONS = 12


def explored(
    base: Scenario,
    setting: Setting,
    replications: int = _REPLICATIONS,
    progress: Progress | None = None,
) -> tuple[list[Any], str]:
    """Return the charts for a setting, and its scenario as the text of a file.

    Parameters
    ----------
    base : Scenario
    setting : Setting
    replications : int
        Replications of each team size, with the same random numbers for all.
    progress : callable, optional
        Called with the progress; an exception that it raises ends the work.

    Raises
    ------
    pydantic.ValidationError
        If the combination is not valid.
    """
    curves, largest = _run(base, setting, replications, progress)
    return charts_of(curves, is_cost_known(largest)), as_yaml(largest)


def charts_of(curves: pd.DataFrame, is_priced: bool) -> list[Any]:
    """Return a chart for each of `PANELS`; that of the cost says so where no price is known."""
    finishes = all_finished(curves)
    return [
        curve_chart(curves, name, "agents n", metric_label(name, finishes))
        if is_priced or name != "cost_usd"
        else _cost_unknown()
        for name in PANELS
    ]


def _run(
    base: Scenario, setting: Setting, replications: int, progress: Progress | None
) -> tuple[pd.DataFrame, Scenario]:
    """Return the curves of a setting, and the scenario of its largest team."""
    points = [
        Point(i, str(n), {SIZE: n}, None, "", setting.scenario(base, n, replications))
        for i, n in enumerate(_sizes(setting.most))
    ]
    results = with_derived(run_points(points, [SIZE], progress=progress).to_pandas())
    curves = curves_against(results, [name for name in PANELS if name not in RATIOS])
    return curves, points[-1].scenario


def _sizes(most: int) -> Sequence[int]:
    return range(1, most + 1) if most <= 8 else sorted({1, 2, 3, 4, 6, 8, *range(8, most, 4), most})


def explorer(base: Scenario | None = None) -> Dash:
    """Return the app; ``app.run(host="127.0.0.1")`` serves it.

    Parameters
    ----------
    base : Scenario, optional
        Supplies all fields that the knobs do not set.
    """
    start = base or base_scenario()
    offered = Offered(start)
    shell = files("analysis.report").joinpath("explorer.html").read_text("utf-8")
    app = Dash("teamsim", title="teamsim explore", update_title="", index_string=shell)
    guard(app.server)
    LiveView(start, offered, Turns()).serve(app.server)
    app.layout = html.Main(
        [
            dcc.Location(id="address", refresh=False),
            dcc.Store(id="pinned"),
            dcc.Download(id="file"),
            html.H1("What does a team of such agents do?"),
            html.Div([_setting(start, offered), _charts()], className="panels"),
            html.Details(
                [
                    html.Summary("This setting as a scenario file"),
                    html.Button("Download", id="download"),
                    html.Pre(id="yaml"),
                ]
            ),
        ]
    )
    _redraws(app, start, offered)
    _restores(app, offered)
    _acts(app)
    return app


def _acts(app: Dash) -> None:
    """Let the buttons of an app work: they need only what the page has."""
    in_the_page: Any = app.clientside_callback
    in_the_page(
        "(clicks, text) => ({content: text, filename: 'explored.yaml', type: 'text/yaml'})",
        Output("file", "data"),
        Input("download", "n_clicks"),
        State("yaml", "children"),
        prevent_initial_call=True,
    )
    in_the_page(
        """(pin, unpin, link) => {
            if (dash_clientside.callback_context.triggered_id === "unpin" || !link) return null;
            const setting = new URL(link, location).searchParams;
            setting.delete("pinned");
            return setting.toString();
        }""",
        Output("pinned", "data", allow_duplicate=True),
        Input("pin", "n_clicks"),
        Input("unpin", "n_clicks"),
        State("link", "href"),
        prevent_initial_call=True,
    )


def _redraws(app: Dash, start: Scenario, offered: Offered) -> None:
    """Let the charts of an app follow its controls."""
    turns, kept = Turns(), Kept()

    @app.callback(
        *[Output(f"chart-{i}", "figure") for i in range(len(PANELS))],
        Output("yaml", "children"),
        Output("watch", "href"),
        Output("link", "href"),
        Output("what-is-pinned", "children"),
        Output("problem", "children"),
        Input("pinned", "data"),
        *_controls(Input, offered),
    )
    def redraw(
        pin: object, most: int, topology: str, protocol: str, timing: str, *moved: float
    ) -> list[Any]:
        try:
            setting = offered.checked(most, topology, protocol, timing, *moved)
            pinned = None if pin is None else from_pin(pin, offered)
            with turns.turn() as progress:
                curves, largest = kept.get(
                    setting, lambda: _run(start, setting, _REPLICATIONS, progress)
                )
                before = None
                if pinned is not None:
                    again = pinned
                    before, _ = kept.get(again, lambda: _run(start, again, _REPLICATIONS, progress))
        except ValidationError as error:
            said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            return [*[_nothing()] * len(PANELS), "", None, None, "", said]
        except TeamsimError as error:
            return [*[_nothing()] * len(PANELS), "", None, None, "", str(error)]
        is_priced = is_cost_known(largest)
        charts = charts_of(curves, is_priced)
        name = ""
        if pinned is not None and before is not None:
            name = name_of(pinned, setting, offered)
            for chart, metric in zip(charts, PANELS, strict=True):
                if is_priced or metric != "cost_usd":
                    add_pinned(chart, before, metric, name)
            name = f"Dashed, pinned: {name}"
        here = f"/?{link(setting, pinned)}"
        return [*charts, as_yaml(largest), f"{PATH}?{setting.query()}", here, name, ""]


def _restores(app: Dash, offered: Offered) -> None:
    """Let the controls of an app follow the query of its address."""
    knobs = [knob.path for knob in offered.knobs]

    @app.callback(
        Output("pinned", "data"),
        *_controls(Output, offered),
        Output("no-link", "children"),
        Input("address", "search"),
    )
    def restore(search: object) -> list[Any]:
        unchanged = [no_update] * (5 + len(knobs))
        if not search:
            return [*unchanged, ""]
        try:
            setting, pinned = from_link(search, offered)
        except TeamsimError as error:
            return [*unchanged, f"This link restores nothing: {error}"]
        choices = [setting.most, setting.topology, setting.protocol, setting.timing]
        values = [setting.values[path] for path in knobs]
        return [pinned and pinned.query(), *choices, *values, ""]


def _controls(kind: type[Any], offered: Offered) -> list[Any]:
    """Return the values of all controls as inputs or outputs, in the order of `Offered.checked`."""
    names = ["most", "topology", "protocol", "timing"]
    return [
        kind(name, "value") for name in (*names, *(f"knob-{i}" for i in range(len(offered.knobs))))
    ]


def _setting(start: Scenario, offered: Offered) -> Any:
    """Return what can be set."""
    most = min(MOST_AGENTS, max(8, start.team.size or 1))
    protocol = start.coordination.protocol
    return html.Div(
        [
            _slider("most", "largest team", 2, MOST_AGENTS, 1, most),
            *(
                _slider(
                    f"knob-{i}",
                    knob.label,
                    *offered.ends(knob),
                    knob.step,
                    offered.where[knob.path],
                )
                for i, knob in enumerate(offered.knobs)
            ),
            _choice("topology", TOPOLOGIES, _kind(start.topology, TOPOLOGIES)),
            _choice("protocol", PROTOCOLS, _kind(protocol, PROTOCOLS)),
            _choice("timing", TIMINGS, _timing(start)),
            html.A("Watch one replication", id="watch", target="_blank", className="watch"),
            html.A("Link to this setting", id="link", className="watch"),
            html.Div([html.Button("Pin these curves", id="pin"), html.Button("Unpin", id="unpin")]),
            html.P(id="what-is-pinned"),
            html.P(id="no-link", role="alert", className="problem"),
            html.P(id="problem", role="alert", className="problem"),
        ],
        className="setting",
    )


def _charts() -> Any:
    """Return room for the charts, each with its name for who does not see it."""
    charts = [
        _named(
            "aria-label",
            f"{metric_label(name, True)}, by team size",
            dcc.Graph(id=f"chart-{i}", config={"displayModeBar": False}),
            role="img",
        )
        for i, name in enumerate(PANELS)
    ]
    return html.Div(charts, className="charts")


def _slider(name: str, label: str, low: float, high: float, step: float, value: float) -> Any:
    slider = dcc.Slider(
        id=name, min=low, max=high, step=step, value=value, marks=None, updatemode="drag"
    )
    return _named("data-knob", label, html.Span(label), slider)


def _named(attribute: str, value: str, *parts: Any, **others: Any) -> Any:
    """Return parts with an attribute whose name has a hyphen, which no argument can have."""
    others[attribute] = value
    return html.Div(list(parts), **others)


def _choice(name: str, values: Sequence[str], value: str) -> Any:
    choice = dcc.RadioItems(list(values), value, id=name, inline=True)
    return html.Fieldset([html.Legend(name), choice])


def _kind(plugin: Any, known: Sequence[str]) -> str:
    return str(plugin.kind) if plugin.kind in known else known[0]


def _timing(start: Scenario) -> str:
    timing = start.coordination.timing
    return timing if timing in TIMINGS else TIMINGS[0]


def _nothing() -> dict[str, Any]:
    return {"data": [], "layout": {"height": 340}}


def _cost_unknown() -> Any:
    """Return the chart of a cost that is not known: the reason in the place of a curve."""
    said = f"unknown: no price is said<br>({balanced(HOW_TO_PRICE, 34)})".replace("\n", "<br>")
    figure = go.Figure()
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        height=340,
        title={"text": metric_label("cost_usd"), "font": {"size": 13}},
        xaxis={"visible": False},
        yaxis={"visible": False},
        font={"family": "system-ui, sans-serif", "size": 13},
    )
    figure.add_annotation(
        text=said, xref="paper", yref="paper", x=0.5, y=0.5, showarrow=False, align="center"
    )
    return figure
