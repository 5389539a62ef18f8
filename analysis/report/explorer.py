"""An explorer in the browser: sliders, and the curves of a team with these settings."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from dash import Dash, Input, Output, dcc, html
from pydantic import ValidationError

from analysis.plots.bands import all_finished
from analysis.plots.labels import metric_label
from analysis.report.charts import curve_chart
from analysis.report.explorer_live import PATH, LiveView
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

PANELS = ("makespan_s", "speedup", "quality", "tokens", "success")
"""Metrics, each with a chart; the last one shows how many runs finished."""


def explored(
    base: Scenario, setting: Setting, replications: int = 12, progress: Progress | None = None
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
    points = [
        Point(i, str(n), {SIZE: n}, None, "", setting.scenario(base, n, replications))
        for i, n in enumerate(_sizes(setting.most))
    ]
    results = with_derived(run_points(points, [SIZE], progress=progress).to_pandas())
    curves = curves_against(results, [name for name in PANELS if name not in RATIOS])
    finishes = all_finished(curves)
    charts = [
        curve_chart(curves, name, "agents n", metric_label(name, finishes)) for name in PANELS
    ]
    return charts, as_yaml(points[-1].scenario)


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
    turns = Turns()
    app.layout = html.Main(
        [
            html.H1("What does a team of such agents do?"),
            html.Div([_setting(start, offered), _charts()], className="panels"),
            html.Details([html.Summary("This setting as a scenario file"), html.Pre(id="yaml")]),
        ]
    )

    @app.callback(
        *[Output(f"chart-{i}", "figure") for i in range(len(PANELS))],
        Output("yaml", "children"),
        Output("watch", "href"),
        Output("problem", "children"),
        Input("most", "value"),
        Input("topology", "value"),
        Input("protocol", "value"),
        Input("timing", "value"),
        *[Input(f"knob-{i}", "value") for i in range(len(offered.knobs))],
    )
    def redraw(most: int, topology: str, protocol: str, timing: str, *moved: float) -> list[Any]:
        try:
            setting = offered.checked(most, topology, protocol, timing, *moved)
            with turns.turn() as progress:
                charts, text = explored(start, setting, progress=progress)
        except ValidationError as error:
            said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            return [*[_nothing()] * len(PANELS), "", None, said]
        except TeamsimError as error:
            return [*[_nothing()] * len(PANELS), "", None, str(error)]
        return [*charts, text, f"{PATH}?{setting.query()}", ""]

    return app


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
