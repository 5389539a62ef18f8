"""Scenarios made from the schema, valid and broken, and their results."""

from __future__ import annotations

import contextlib
import copy
import io
import math
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from simulator.errors import TeamsimError
from simulator.experiment import run_points
from simulator.model.metrics import NUMERIC_METRICS
from simulator.scenario import load_study, scenario_json_schema
from simulator.scenario.costs import MONEY

LONGEST_S = 60.0
"""Of a processor, for one small scenario, which takes a tenth of a second: it hangs."""

_KEPT = {"name": "fuzz", "replications": 2, "limits": {"max_rounds": 300, "max_calls": 2_000}}
_BASE: dict[str, Any] = {
    "team": {"size": 2, "agent": {"latency": {"kind": "seconds", "base": 3}}},
    "topology": "decentralised",
    "coordination": {"protocol": "self_claim"},
    "workload": {"kind": "parallel_fraction", "tasks": 8, "parallel_fraction": 0.5},
}
_RICH: dict[str, Any] = {
    **_BASE,
    "team": {
        "size": 3,
        "agent": {
            "latency": {"kind": "tokens", "base_s": 1, "output_s_per_1k": 20},
            "tokens": {"output": 200},
            "context": {"window_tokens": 50_000, "turn_tokens": 300, "cache": {"life_s": 60}},
            "loop": {"turns": 4, "max_turns": 6, "at_limit": "give_up"},
            "tools": {
                "look": {"seconds": {"kind": "exponential", "mean": 2}, "result_tokens": 500},
                "build": {"seconds": 20, "station": "builder", "errors": 0.1, "calls": 2},
                "ask": {"starts": {"agent": "helper", "work": 0.5}, "result_tokens": 80},
            },
            "errors": {"probability": 0.1, "detection": 0.5},
        },
        "subagents": {
            "kinds": {"helper": {"loop": {"end_probability": 0.5}}},
            "max_depth": 2,
            "max_total": 20,
        },
    },
    "stations": {"builder": {"concurrency": 1}},
    "coordination": {"protocol": "self_claim", "timing": "asynchronous"},
    "provider": {"requests_per_minute": 60, "errors": {"probability": 0.05}},
    "resilience": {"timeout": {"seconds": 90}, "retry": {"max_retries": 2}, "breaker": {}},
}
"""With loops, tools, a cache, sub-agents and patterns of resilience."""
_MILD: list[Any] = [
    0, 1, 2, 7, 0.5, 0.999, 1e-6, 1000, {"kind": "exponential", "mean": 3},
    {"kind": "uniform", "low": 0, "high": 9}, {"kind": "lognormal", "median": 2, "sigma": 0.5},
]  # fmt: skip
"""Values that are right in place of many numbers."""
_ODD: list[Any] = [
    None, True, -1, 0, 1, 3, 0.5, 1e-9, 1e15, 1e300, math.inf, math.nan, 10**30, "", "a", "\x00",
    "\u202e",    "2024-99-99", [], [[]], {}, {"kind": "x"}, {"a": {"b": 1}}, "1e5", "-.inf",
]  # fmt: skip


@cache
def _schema() -> dict[str, Any]:
    """Return the schema, which takes a second to make: whoever only collects tests needs none."""
    return scenario_json_schema()


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
        return _of(_schema()["$defs"][schema["$ref"].rpartition("/")[2]], depth)
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
    return _of(_schema()["properties"][name], 0)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Return scenarios that ship, and some more, with sections from the schema and other values."""
    found: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(_bases())))
    for _ in range(draw(st.integers(0, 3))):
        node, place = draw(st.sampled_from(list(_numbers(found))))
        node[place] = copy.deepcopy(draw(st.sampled_from(_MILD)))
    names = sorted(
        set(_schema()["properties"])
        - {"name", "replications", "limits", "figure", "sweep", "baseline"}
    )
    for name in draw(st.lists(st.sampled_from(names), max_size=draw(st.integers(0, 2)))):
        value = draw(_section(name))
        old = found.get(name)
        found[name] = (
            {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
        )
    if draw(st.integers(0, 2)) == 0:
        _spoil(draw, found)
    return {**found, **_KEPT}


@cache
def _bases() -> list[dict[str, Any]]:
    """Return scenarios, half of the list plain or rich, the others those that ship, made small."""
    ship = []
    for path in sorted(Path(__file__).parents[2].glob("scenarios/*.yaml")):
        found = yaml.safe_load(path.read_text("utf-8"))
        for name in ("sweep", "baseline", "figure", "precision", "question", "answer"):
            found.pop(name, None)
        if isinstance(tasks := found["workload"].get("tasks"), int):
            found["workload"]["tasks"] = min(tasks, 20)
        ship.append(found)
    return [*[_BASE, _RICH, _RICH] * (len(ship) // 3), *ship]


def _numbers(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield where there are numbers: the mapping or list, and the place in it."""
    for place, inner in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(inner, (dict, list)):
            yield from _numbers(inner)
        elif isinstance(inner, (int, float)) and not isinstance(inner, bool):
            yield node, place


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
                    is_unknown = value is None and name in MONEY  # there is no price
                    assert is_unknown or math.isfinite(value), f"{name} is {value}"
    assert found in ("result", "error"), found
    seconds = time.process_time() - started
    assert seconds < LONGEST_S, f"{seconds:.1f} s"
    return found
