"""The app of the explorer: what happens when a control moves, a field is added or a link opened."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from analysis.plots.labels import metric_label
from analysis.report.explorer.controls import MOST_FOUND, controls_of, held_in, results
from analysis.report.explorer.curves import (
    FINE,
    PANELS,
    Drawn,
    Kept,
    Pace,
    charts_of,
    drawn,
    nothing,
)
from analysis.report.explorer.fields import found_by
from analysis.report.explorer.live import PATH, LiveView
from analysis.report.explorer.moves import effects, summary
from analysis.report.explorer.pins import from_link, from_pin, link, name_of
from analysis.report.explorer.requests import NewerTurn, Turn, Turns, guard
from analysis.report.explorer.settings import Offered, Setting, as_yaml, base_study, in_words
from simulator.errors import TeamsimError
from simulator.scenario import Study

_FIGURES = [(f"chart-{i}", "figure") for i in range(len(PANELS))]


def explorer(study: Study | None = None) -> Dash:
    """Return the app; ``app.run(host="127.0.0.1")`` serves it.

    Parameters
    ----------
    study : Study, optional
        Its base scenario supplies all fields that the controls do not set.
    """
    offered = Offered(study or base_study())
    shell = files("analysis.report.explorer").joinpath("page.html").read_text("utf-8")
    app = Dash("teamsim", title="teamsim explore", update_title="", index_string=shell,
               suppress_callback_exceptions=True)  # fmt: skip
    guard(app.server)
    LiveView(offered, Turns()).serve(app.server)
    app.layout = html.Main(
        [
            dcc.Location(id="address", refresh=False),
            dcc.Store(id="pinned"),
            dcc.Store(id="drawn"),
            dcc.Download(id="file"),
            html.H1("What does a team of such agents do?"),
            html.Div([_setting(offered), _charts()], className="panels"),
            html.Details(
                [
                    html.Summary("This setting as a scenario file"),
                    html.Button("Download", id="download"),
                    html.Pre(id="yaml"),
                ]
            ),
        ]
    )
    _redraws(app, offered)
    _changes(app, offered)
    _acts(app)
    return app


def _setting(offered: Offered) -> Any:
    """Return what can be set and done."""
    first = offered.first
    return html.Div(
        [
            html.P(id="summary", role="status"),
            html.P(id="problem", role="alert", className="problem"),
            html.P(id="no-link", role="alert", className="problem"),
            _find(offered),
            html.Div(controls_of(offered, first.most, held_in(offered, first)), id="controls"),
            html.A("Watch one replication", id="watch", target="_blank", className="watch"),
            html.A("Link to this setting", id="link", className="watch"),
            html.Div([html.Button("Pin these curves", id="pin"), html.Button("Unpin", id="unpin")]),
            html.P(id="what-is-pinned"),
        ],
        className="setting",
    )


def _find(offered: Offered) -> Any:
    asked = f"Any of {len(offered.fields)} fields: words of its name or meaning"
    box = dcc.Input(id="find", type="search", value="", placeholder="hedge, cache life, deadline")
    named: dict[str, Any] = {"data-knob": asked}
    return html.Div([html.Span(asked), box, html.Ul(id="found")], className="find", **named)


def _charts() -> Any:
    """Return room for the charts, each with its name for who does not see it."""
    charts = []
    for i, name in enumerate(PANELS):
        named: dict[str, Any] = {"aria-label": f"{metric_label(name, True)}, by team size"}
        chart = dcc.Graph(id=f"chart-{i}", config={"displayModeBar": False})
        charts.append(html.Div([chart], role="img", **named))
    named = {"aria-label": "Curves by team size"}
    return html.Div(charts, id="charts", className="charts", tabIndex=0, role="region", **named)


def _redraws(app: Dash, offered: Offered) -> None:
    """Let the charts of an app follow its controls: coarsely at once, then finely."""
    turns, kept, pace = Turns(), Kept(), Pace()

    def found_of(setting: Setting, replications: int, turn: Turn) -> Drawn:
        def make() -> Drawn:
            return drawn(offered, setting, replications, turn, pace)

        return kept.get(setting, replications, make)

    def charts(setting: Setting, pin: object, replications: int, turn: Turn) -> tuple[Any, ...]:
        """Return the charts, what was found, the pinned setting and its name."""
        found = found_of(setting, replications, turn)
        if pin is None:
            return charts_of(found), found, None, ""
        pinned = from_pin(pin, offered)
        name = name_of(pinned, setting, offered)
        before = found_of(pinned, replications, turn)
        return charts_of(found, before, name), found, pinned, f"Dashed, pinned: {name}"

    @app.callback(
        *[Output(*each) for each in _FIGURES],
        Output("yaml", "children"),
        Output("watch", "href"),
        Output("link", "href"),
        Output("what-is-pinned", "children"),
        Output("summary", "children"),
        Output("drawn", "data"),
        Output("problem", "children"),
        Input("pinned", "data"),
        Input("most", "value"),
        Input({"field": ALL}, "value"),
        State({"field": ALL}, "id"),
    )
    def redraw(pin: object, most: object, values: list[Any], names: list[Any]) -> list[Any]:
        try:
            setting = offered.checked(most, _held(values, names))
            with turns.turn() as turn:
                quick = pace.replications(setting.most)
                figures, found, pinned, name = charts(setting, pin, quick, turn)
            text = as_yaml(offered.study(setting, setting.most, FINE))
        except TeamsimError as error:
            empty = [nothing()] * len(PANELS)
            return [*empty, "", None, None, "", "", None, in_words(error)]
        goes_on = {"turn": turn.number, "setting": setting.query(), "pinned": pin}
        here = f"/?{link(setting, pinned)}"
        watch = f"{PATH}?{setting.query()}"
        return [*figures, text, watch, here, name, summary(found), goes_on, ""]

    @app.callback(
        *[Output(*each, allow_duplicate=True) for each in _FIGURES],
        Output("summary", "children", allow_duplicate=True),
        Output({"effect": ALL}, "children"),
        Input("drawn", "data"),
        State({"effect": ALL}, "id"),
        prevent_initial_call=True,
    )
    def refine(goes_on: Any, names: list[Any]) -> list[Any]:
        unchanged = [*[no_update] * (len(PANELS) + 1), [no_update] * len(names)]
        if not isinstance(goes_on, dict):
            return [*unchanged[:-1], [""] * len(names)]
        try:
            setting = from_pin(goes_on.get("setting"), offered)
            with turns.turn(goes_on.get("turn")) as turn:
                figures, found, _, _ = charts(setting, goes_on.get("pinned"), FINE, turn)
                moved = effects(offered, setting, FINE, turn)
        except NewerTurn:
            return unchanged
        except TeamsimError:  # it takes too long: the coarse curves stay
            return unchanged
        said = [moved.get(each["effect"], "") for each in names]
        return [*figures, summary(found), said]


def _changes(app: Dash, offered: Offered) -> None:
    """Let fields be found, added and taken away, and a link restore what was shown."""

    @app.callback(
        Output("found", "children"),
        Input("find", "value"),
        Input("controls", "children"),
        State({"field": ALL}, "id"),
    )
    def find(words: object, _: object, names: list[Any]) -> list[Any]:
        if not isinstance(words, str):
            return []
        shown = [each["field"] for each in names]
        found = found_by(words, offered.fields, MOST_FOUND)
        if not found and "." in words.strip():
            try:
                found = [offered.field(words.strip())]
            except TeamsimError as error:
                return [html.Li(str(error))]
        return results(found, shown, words)

    @app.callback(
        Output("controls", "children", allow_duplicate=True),
        Input({"add": ALL}, "n_clicks"),
        Input({"remove": ALL}, "n_clicks"),
        State("most", "value"),
        State({"field": ALL}, "value"),
        State({"field": ALL}, "id"),
        prevent_initial_call=True,
    )
    def change(
        added: list[Any], removed: list[Any], most: object, values: list[Any], names: list[Any]
    ) -> Any:
        asked = ctx.triggered_id
        if not any([*added, *removed]) or not isinstance(asked, dict):
            return no_update  # buttons have come or gone, and none was pressed
        return changed_controls(offered, dict(asked), most, _held(values, names))

    @app.callback(
        Output("pinned", "data"),
        Output("controls", "children"),
        Output("no-link", "children"),
        Input("address", "search"),
    )
    def restore(search: object) -> list[Any]:
        if not search:
            return [no_update, no_update, ""]
        try:
            setting, pinned = from_link(search, offered)
        except TeamsimError as error:
            return [no_update, no_update, f"This link restores nothing: {in_words(error)}"]
        controls = controls_of(offered, setting.most, held_in(offered, setting))
        return [pinned and pinned.query(), controls, ""]


def changed_controls(
    offered: Offered, asked: dict[str, Any], most: object, held: dict[str, Any]
) -> Any:
    """Return the controls with a field added or taken away; `asked` says which."""
    if "remove" in asked:
        held.pop(asked["remove"], None)
    elif asked.get("add") not in held:
        field = offered.field(str(asked.get("add")))
        held[field.path] = field.shown(field.now)
    else:
        return no_update
    return controls_of(offered, most, held)


def _held(values: list[Any], names: list[Any]) -> dict[str, Any]:
    """Return what the controls of a page hold, by path."""
    return {str(name["field"]): value for name, value in zip(names, values, strict=True)}


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
