"""Scenarios made from the schema, valid and broken, and their results."""

from __future__ import annotations

import contextlib
import io
import math
import tempfile
import time
import traceback
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from simulator.errors import TeamsimError
from simulator.experiment import run_points
from simulator.model.metrics import NUMERIC_METRICS
from simulator.scenario import load_study, scenario_json_schema

LONGEST_S = 60.0
"""Of a processor, for one small scenario, which takes a tenth of a second: it hangs."""

_SCHEMA = scenario_json_schema()
_KEPT = {"name": "fuzz", "replications": 2, "limits": {"max_rounds": 300, "max_calls": 2_000}}
_BASE: dict[str, Any] = {
    "team": {"size": 2, "agent": {"latency": {"kind": "seconds", "base": 3}}},
    "topology": "decentralised",
    "coordination": {"protocol": "self_claim"},
    "workload": {"kind": "parallel_fraction", "tasks": 8, "parallel_fraction": 0.5},
}
_ODD: list[Any] = [
    None, True, -1, 0, 1, 3, 0.5, 1e-9, 1e15, 1e300, math.inf, math.nan, 10**30, "", "a", "\x00",
    "\u202e",    "2024-99-99", [], [[]], {}, {"kind": "x"}, {"a": {"b": 1}}, "1e5", "-.inf",
]  # fmt: skip


def _small(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return small numbers that a schema allows."""
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = min(schema.get("maximum", schema.get("exclusiveMaximum", low + 8)), low + 8)
    if schema["type"] == "integer":
        return st.integers(int(low) + ("exclusiveMinimum" in schema), int(max(low, high)))
    return st.floats(float(low), float(max(low, high)))


def _of(schema: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:  # noqa: PLR0911 (a line a type)
    """Return values that a JSON Schema allows, mostly."""
    if "$ref" in schema:
        return _of(_SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], depth)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return st.one_of([_of(each, depth) for each in schema[several]])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _small(schema)
    if kind == "boolean":
        return st.booleans()
    if kind == "null":
        return st.none()
    if kind == "array":
        return st.lists(_of(schema.get("items", {}), depth + 1), max_size=3)
    if kind == "object" and "properties" in schema and depth < 6:
        return _object(schema, depth)
    if kind == "object":
        return st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 3), max_size=2)
    return st.sampled_from(["a", "b1", "team"])


def _object(schema: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    needed = {*schema.get("required", []), "kind"}
    fields = {name: _of(inner, depth + 1) for name, inner in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: each for name, each in fields.items() if name in needed},
        optional={name: each for name, each in fields.items() if name not in needed},
    )


@cache
def _section(name: str) -> st.SearchStrategy[Any]:
    return _of(_SCHEMA["properties"][name], 0)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Return scenarios: a plain one with sections from the schema, and sometimes a wrong value."""
    found: dict[str, Any] = yaml.safe_load(yaml.safe_dump(_BASE))
    names = sorted(
        set(_SCHEMA["properties"])
        - {"name", "replications", "limits", "figure", "sweep", "baseline"}
    )
    for name in draw(st.lists(st.sampled_from(names), max_size=2, unique=True)):
        value = draw(_section(name))
        old = found.get(name)
        found[name] = (
            {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
        )
    if draw(st.booleans()):
        _spoil(draw, found)
    return {**found, **_KEPT}


def _spoil(draw: st.DrawFn, document: dict[str, Any]) -> None:
    """Put a wrong value somewhere."""
    node: Any = document
    while True:
        places = sorted(node) if isinstance(node, dict) else list(range(len(node)))
        if not places:
            return
        place = draw(st.sampled_from(places))
        inner = node[place]
        if isinstance(inner, (dict, list)) and inner and draw(st.integers(0, 3)):
            node = inner
            continue
        node[place] = draw(st.sampled_from(_ODD))
        return


def outcome(document: dict[str, Any]) -> str:
    """Run a scenario that may be wrong; return ``result`` or ``error``, or raise an error.

    Raises
    ------
    AssertionError
        If it ends in anything but a result of finite numbers or a clear error, or takes long.
    """
    started = time.process_time()
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(directory) / "fuzz.yaml"
        path.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                points = load_study(path).points[:2]
                table = run_points(points, [])
            found = "result"
        except TeamsimError as error:
            found = "error" if str(error).strip() else "an error without words"
        except Exception as error:
            raise AssertionError("".join(traceback.format_exception(error)[-3:])) from None
        else:
            for name in NUMERIC_METRICS:
                for value in table[name].to_pylist():
                    assert math.isfinite(value), f"{name} is {value}"
    assert found in ("result", "error"), found
    seconds = time.process_time() - started
    assert seconds < LONGEST_S, f"{seconds:.1f} s"
    return found
