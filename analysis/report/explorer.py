"""An explorer in the browser: sliders, and the curves of a team with these settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from dash import Dash, Input, Output, dcc, html
from pydantic import ValidationError

from analysis.decisions.loop_numbers import loop_numbers
from analysis.plots.bands import all_finished
from analysis.plots.labels import metric_label
from analysis.report.charts import curve_chart
from analysis.report.explorer_requests import Turns, guard
from analysis.statistics.curves import RATIOS, curves_against, with_derived
from analysis.statistics.series import SIZE
from simulator.errors import TeamsimError, unknown_name
from simulator.experiment import run_points
from simulator.experiment.pool import Progress
from simulator.scenario import Point, Scenario, parse_study
from simulator.scenario.changes import with_changes

DEFAULT = """
name: explored
team:
  size: 1
  agent:
    latency: {kind: seconds, base: {kind: lognormal, median: 8, sigma: 0.6}, per_1k_input_s: 0.3}
    errors: {probability: 0.1, detection: 0.8}
topology: decentralised
coordination: {protocol: pre_assigned}
workload: {kind: parallel_fraction, tasks: 24, parallel_fraction: 0.9}
"""

TOPOLOGIES = ("independent", "decentralised", "centralised", "ring", "gossip", "blackboard")
PROTOCOLS = ("pre_assigned", "self_claim", "lead_assign", "work_stealing", "replicate_and_vote")
TIMINGS = ("rounds", "asynchronous")

MOST_AGENTS = 32
"""In a team."""

PANELS = ("makespan_s", "speedup", "quality", "tokens", "success")
"""Metrics, each with a chart; the last one shows how many runs finished."""


@dataclass(frozen=True)
class Knob:
    """A number that can be moved."""

    path: str
    label: str
    low: float
    high: float
    step: float
    is_whole: bool = False


KNOBS = (
    Knob("workload.parallel_fraction", "parallel fraction p", 0.0, 1.0, 0.05),
    Knob("workload.tasks", "tasks", 4, 60, 4, is_whole=True),
    Knob("team.agent.errors.probability.probability", "error probability", 0.0, 0.6, 0.02),
    Knob("team.agent.errors.detection", "errors that tests find", 0.0, 1.0, 0.05),
    Knob("team.agent.drift.step.value", "drift a call", 0.0, 0.2, 0.01),
    Knob("team.agent.tokens.message.value", "tokens of a message", 0, 2000, 50),
    Knob("team.agent.faults.malformed", "malformed replies", 0.0, 0.5, 0.02),
)


def base_scenario() -> Scenario:
    """Return the scenario that is explored if none is given."""
    return parse_study(DEFAULT).base


def knobs_of(scenario: Scenario) -> list[Knob]:
    """Return the knobs that may be moved in a scenario: `KNOBS`, and the numbers of its loops."""
    loops = []
    for number in loop_numbers(scenario):
        step = 1.0 if number.is_whole else _round_step(number.now / 20)
        high = 1.0 if number.what == "end" else 4 * number.now
        low = max(1.0, step) if number.is_whole else step
        loops.append(Knob(number.path, number.label, low, high, step, number.is_whole))
    return [*KNOBS, *loops]


def _round_step(value: float) -> float:
    """Return the power of ten below a value."""
    return 10.0 ** math.floor(math.log10(value))


def settings_of(scenario: Scenario) -> dict[str, float]:
    """Return the knobs' values in a scenario, without knobs for which it has no number."""
    found = {}
    data = scenario.model_dump()
    for knob in knobs_of(scenario):
        node: Any = data
        for part in knob.path.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, (int, float)) and not isinstance(node, bool):
            found[knob.path] = float(node)
    return found


def explored(
    base: Scenario,
    values: dict[str, float],
    most: int,
    topology: str,
    protocol: str,
    timing: str,
    replications: int = 12,
    progress: Progress | None = None,
) -> tuple[list[Any], str]:
    """Return the charts for a setting of the knobs, and its scenario as the text of a file.

    Parameters
    ----------
    base : Scenario
    values : dict of str to float
        Dotted paths and values.
    most : int
        Largest team.
    topology, protocol, timing : str
        Names.
    replications : int
        Replications of each team size, with the same random numbers for all.
    progress : callable, optional
        Called with the progress; an exception that it raises ends the work.

    Raises
    ------
    pydantic.ValidationError
        If the combination is not valid.
    """
    whole = {knob.path for knob in knobs_of(base) if knob.is_whole}
    numbers = {path: round(v) if path in whole else float(v) for path, v in values.items()}
    changes = {
        **numbers,
        "topology": {"kind": topology},
        "coordination.protocol": {"kind": protocol},
        "coordination.timing": timing,
        "replications": replications,
        "precision": None,
    }
    points = [
        Point(i, str(n), {SIZE: n}, None, "", with_changes(base, {**changes, SIZE: n}))
        for i, n in enumerate(_sizes(most))
    ]
    results = with_derived(run_points(points, [SIZE], progress=progress).to_pandas())
    curves = curves_against(results, [name for name in PANELS if name not in RATIOS])
    finishes = all_finished(curves)
    charts = [
        curve_chart(curves, name, "agents n", metric_label(name, finishes)) for name in PANELS
    ]
    return charts, _as_yaml(points[-1].scenario)


def _sizes(most: int) -> Sequence[int]:
    return range(1, most + 1) if most <= 8 else sorted({1, 2, 3, 4, 6, 8, *range(8, most + 1, 4)})


def _as_yaml(scenario: Scenario) -> str:
    """Return the scenario as the text of a file, without default values."""
    said = scenario.model_dump(mode="json", exclude_defaults=True)
    said["topology"] = scenario.topology.model_dump(mode="json", exclude_defaults=True) | {
        "kind": scenario.topology.kind
    }
    for owner, name in ((said["coordination"], "protocol"), (said, "workload")):
        plugin = scenario.workload if name == "workload" else scenario.coordination.protocol
        owner[name] = plugin.model_dump(mode="json", exclude_defaults=True)
        owner[name]["kind"] = plugin.kind
    return yaml.safe_dump(said, sort_keys=False, width=100)


def explorer(base: Scenario | None = None) -> Dash:
    """Return the app; ``app.run(host="127.0.0.1")`` serves it.

    Parameters
    ----------
    base : Scenario, optional
        Supplies all fields that the knobs do not set.
    """
    start = base or base_scenario()
    where = settings_of(start)
    knobs = [knob for knob in knobs_of(start) if knob.path in where]
    app = Dash("teamsim", title="teamsim explore", update_title="")
    guard(app.server)
    turns = Turns()
    sliders = [
        html.Label(
            [
                knob.label,
                dcc.Slider(
                    id=f"knob-{i}",
                    min=knob.low,
                    max=max(knob.high, where[knob.path]),
                    step=knob.step,
                    value=where[knob.path],
                    marks=None,
                    updatemode="drag",
                ),
            ]
        )
        for i, knob in enumerate(knobs)
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
        Output("problem", "children"),
        Input("most", "value"),
        Input("topology", "value"),
        Input("protocol", "value"),
        Input("timing", "value"),
        *[Input(f"knob-{i}", "value") for i in range(len(knobs))],
    )
    def redraw(most: int, topology: str, protocol: str, timing: str, *moved: float) -> list[Any]:
        try:
            size = int(_within(most, "largest team", 1, MOST_AGENTS))
            if len(moved) != len(knobs):
                raise TeamsimError(f"{len(knobs)} knobs are expected")
            values = {
                knob.path: _within(
                    value,
                    knob.label,
                    min(knob.low, where[knob.path]),
                    max(knob.high, where[knob.path]),
                )
                for knob, value in zip(knobs, moved, strict=True)
            }
            _known("topology", topology, TOPOLOGIES)
            _known("protocol", protocol, PROTOCOLS)
            _known("timing", timing, TIMINGS)
            with turns.turn() as progress:
                charts, text = explored(
                    start, values, size, topology, protocol, timing, progress=progress
                )
        except ValidationError as error:
            said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            return [*[_nothing()] * len(PANELS), "", said]
        except TeamsimError as error:
            return [*[_nothing()] * len(PANELS), "", str(error)]
        return [*charts, text, ""]

    return app


def _within(value: object, name: str, low: float, high: float) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise TeamsimError(f"{name}: a number from {low:g} to {high:g} is expected")


def _known(what: str, name: object, names: Sequence[str]) -> None:
    if name not in names:
        raise TeamsimError(unknown_name(what, str(name)[:40], names))


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
