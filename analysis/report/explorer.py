"""An explorer in the browser: sliders, and the curves of a team with these settings."""

from __future__ import annotations

from collections.abc import Sequence
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
    app = Dash("teamsim", title="teamsim explore", update_title="")
    guard(app.server)
    LiveView(start, offered, Turns()).serve(app.server)
    turns = Turns()
    sliders = [
        html.Label(
            [
                knob.label,
                dcc.Slider(
                    id=f"knob-{i}",
                    min=offered.ends(knob)[0],
                    max=offered.ends(knob)[1],
                    step=knob.step,
                    value=offered.where[knob.path],
                    marks=None,
                    updatemode="drag",
                ),
            ]
        )
        for i, knob in enumerate(offered.knobs)
    ]
    app.layout = html.Main(
        [
            html.H1("What does a team of such agents do?", style={"fontSize": "1.4rem"}),
            html.Div(
                [
                    html.Div(
                        [
                            html.Label(["largest team", _number_slider(start)]),
                            *sliders,
                            _choice("topology", TOPOLOGIES, _kind(start.topology, TOPOLOGIES)),
                            _choice(
                                "protocol",
                                PROTOCOLS,
                                _kind(start.coordination.protocol, PROTOCOLS),
                            ),
                            _choice("timing", TIMINGS, _timing(start)),
                            html.A("Watch one replication", id="watch", target="_blank"),
                            html.P(id="problem", role="alert", style={"color": "#a11"}),
                        ],
                        style={"flex": "1 1 18rem", "minWidth": "16rem"},
                    ),
                    html.Div(
                        [
                            dcc.Graph(id=f"chart-{i}", config={"displayModeBar": False})
                            for i in range(len(PANELS))
                        ],
                        style={
                            "flex": "3 1 30rem",
                            "display": "grid",
                            "gridTemplateColumns": "repeat(auto-fit, minmax(20rem, 1fr))",
                        },
                    ),
                ],
                style={"display": "flex", "flexWrap": "wrap", "gap": "1.5rem"},
            ),
            html.Details(
                [
                    html.Summary("This setting as a scenario file"),
                    html.Pre(id="yaml", style={"whiteSpace": "pre-wrap"}),
                ]
            ),
        ],
        style={"fontFamily": "system-ui, sans-serif", "maxWidth": "80rem", "margin": "1rem auto"},
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


def _number_slider(start: Scenario) -> Any:
    return dcc.Slider(
        id="most",
        min=2,
        max=MOST_AGENTS,
        step=1,
        value=min(MOST_AGENTS, max(8, start.team.size or 1)),
        marks=None,
        updatemode="drag",
    )


def _choice(name: str, values: Sequence[str], value: str) -> Any:
    return html.Label([name, dcc.Dropdown(list(values), value, id=name, clearable=False)])


def _kind(plugin: Any, known: Sequence[str]) -> str:
    return str(plugin.kind) if plugin.kind in known else known[0]


def _timing(start: Scenario) -> str:
    timing = start.coordination.timing
    return timing if timing in TIMINGS else TIMINGS[0]


def _nothing() -> dict[str, Any]:
    return {"data": [], "layout": {"height": 340}}
