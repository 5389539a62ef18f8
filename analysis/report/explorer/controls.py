"""The controls of the explorer: those that are there from the start, and those that are added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html

from analysis.report.explorer.fields import Field
from analysis.report.explorer.knobs import Knob
from analysis.report.explorer.settings import CHOICES, MOST_AGENTS, Offered, Setting

MOST_FOUND = 8
"""Fields that are shown of those that a search finds."""

_LEAST_DIGITS, _MOST_DIGITS = 7, 20
"""Of a number beside a slider, for which there is room: a slider's own steps have few."""

WAIT_S = 0.3
"""How long a typed value rests before it is drawn."""


def held_in(offered: Offered, setting: Setting) -> dict[str, Any]:
    """Return the values of a setting as controls hold them, by path."""
    return {
        path: value if path in offered.where else offered.field(path).shown(value)
        for path, value in setting.said.items()
    }


def controls_of(offered: Offered, most: Any, held: Mapping[str, Any]) -> list[Any]:
    """Return the controls of a page.

    Parameters
    ----------
    offered : Offered
    most : int
        Agents of the largest team.
    held : mapping of str to any
        What the controls hold, by path; those beside `Offered.shown` were added, and can be taken
        away.
    """
    known = {knob.path: knob for knob in offered.knobs}
    return [
        *(_added(offered.field(path), held[path]) for path in held if path not in offered.shown),
        _slider("most", "largest team", (2, MOST_AGENTS), 1, most),
        *(_knob(offered, known[path], held.get(path)) for path in offered.shown if path in known),
        *(_choice(offered.field(path), held.get(path, offered.now(path))) for path in CHOICES),
    ]


def results(found: Sequence[Field], shown: Sequence[str], words: str) -> list[Any]:
    """Return what a search has found: a button for each field, with what is said of it."""
    if not words.strip():
        return []
    if not found:
        return [html.Li("no field of a scenario has these words")]
    return [
        html.Li(
            [
                html.Button(
                    _at_dots(each.path), id={"add": each.path}, disabled=each.path in shown
                ),
                html.Span(_about(each)),
            ]
        )
        for each in found
    ]


def _about(field: Field) -> str:
    unit = f" In {field.unit}." if field.unit else ""
    first = field.description.partition(". ")[0].removesuffix(".")
    return f" {first}.{unit} Here {_now(field)}; {field.allowed}."


def _now(field: Field) -> str:
    shown = str(field.shown(field.now))
    if field.now is None:
        return "not said"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _knob(offered: Offered, knob: Knob, value: Any) -> Any:
    now = offered.where[knob.path] if value is None else value
    return _slider({"field": knob.path}, knob.label, offered.ends(knob), knob.step, now)


def _slider(name: Any, label: str, ends: tuple[float, float], step: float, value: Any) -> Any:
    slider = dcc.Slider(
        id=name, min=ends[0], max=ends[1], step=step, value=value, marks=None, updatemode="drag"
    )
    said = [html.Span(label)]
    if isinstance(name, dict):
        said.append(_effect(name["field"]))
    digits = max(_LEAST_DIGITS, len(f"{value}"))
    room: dict[str, Any] = {"style": {"--digits": min(digits, _MOST_DIGITS)}}
    return _named(label, html.Div(said, className="said"), html.Div(slider, **room))


def _choice(field: Field, value: Any) -> Any:
    title = field.path.rpartition(".")[2]
    return html.Fieldset(
        [html.Legend([title, _effect(field.path)]), _radio(field, value)], title=field.description
    )


def _added(field: Field, value: Any) -> Any:
    """Return the control of a field that was added, with what is said of it and a way out."""
    unit = f" ({field.unit})" if field.unit else ""
    remove = html.Button("Remove", id={"remove": field.path}, title=f"remove {field.path}")
    about = html.Small(f"{field.description} Allowed: {field.allowed}.")
    name = {"field": field.path}
    if field.form in ("choice", "yes or no"):
        head = html.Div([_effect(field.path), remove], className="head")
        legend = html.Legend(_at_dots(field.path))
        return html.Fieldset([legend, head, _radio(field, value), about])
    named = html.Span([*_at_dots(field.path), unit])
    said = html.Div([named, _effect(field.path)], className="said")
    typed = {"id": name, "value": value, "debounce": WAIT_S, "className": "typed"}
    if field.form == "number":
        control = dcc.Input(type="number", step="any", **typed)
    else:
        control = dcc.Input(type="text", **typed)
    return _named(field.path, html.Div([said, remove], className="head"), control, about)


def _at_dots(path: str) -> list[Any]:
    """Return a path that a browser may break at its dots."""
    first, *others = path.split(".")
    return [first, *(part for name in others for part in (html.Wbr(), f".{name}"))]


def _radio(field: Field, value: Any) -> Any:
    values: list[Any] = [{"label": each, "value": each} for each in field.choices]
    if field.form == "yes or no":
        values = [{"label": "yes", "value": True}, {"label": "no", "value": False}]
    if field.is_optional or field.now is None:
        values.append({"label": "none", "value": "none"})
    held = "none" if value is None else value
    return dcc.RadioItems(values, held, id={"field": field.path}, inline=True)


def _effect(path: str) -> Any:
    """Return room for what moving a field has changed."""
    return html.Small(id={"effect": path}, className="effect")


def _named(label: str, *parts: Any) -> Any:
    """Return parts with a name for the controls in them, which have none of their own."""
    named: dict[str, Any] = {"data-knob": label}
    return html.Div(list(parts), **named)
