"""Says which counts of tokens and costs in a trace are none: below 0, infinite, no numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from analysis.traces.attribute_names import KNOWN
from analysis.traces.collector import Collector
from analysis.traces.table_rows import is_blank, is_missing
from analysis.traces.usage import NAMES
from analysis.traces.values import amount, count, mapping

_SLOTS = {"input", "flat_input", "flat_prompt", "no_cache", "output", "read", "written", "for_1h",
          "reasoning", "total"}  # fmt: skip
_COUNTS = NAMES | {name for name, (slot, _) in KNOWN.items() if slot in _SLOTS}

COSTS = ("totalCost", "total_cost", "calculatedTotalCost", "calculated_total_cost",
         "response_cost", "spend", "costUSD")  # fmt: skip
"""Fields of traces that are costs."""

_COSTS = {*COSTS, *(name for name, (slot, _) in KNOWN.items() if slot == "cost")}

_ASKED = {"inputs", "mlflow.spanInputs"}
"""Attributes that hold what a model was asked: a name in it is its writer's, and says no count."""


def note_impossible(said: Mapping[str, Any], place: str, out: Collector) -> None:
    """Count the values of a call that should be counts of tokens or costs, and are none, as errors.

    Parameters
    ----------
    said : mapping
        Attributes of a span, or a usage object of an API with its details.
    place : str
        Where they stand.
    out : Collector
    """
    for name, value in said.items():
        if isinstance(value, dict) and name not in KNOWN:
            if name not in _ASKED:
                note_impossible(value, place, out)
        elif name in _COUNTS and _is_impossible(value):
            out.skip(place, f"{name} is {str(value)[:40]!r}, which is no count")
        elif name in _COSTS and amount(value) is None and not is_missing(value):
            out.skip(place, f"{name} is {str(value)[:40]!r}, which is no amount")


def note_impossible_buckets(usage: Any, place: str, out: Collector) -> None:
    """Count buckets of tokens that are none, as errors: all numbers in them are counts."""
    for name, value in mapping(usage).items():
        if isinstance(value, (int, float)) and _is_impossible(value):
            out.skip(place, f"{name} is {str(value)[:40]!r}, which is no count")


def _is_impossible(value: Any) -> bool:
    """Tell whether a value is no count; what is missing, as data frames write it, is not wrong."""
    if value is None or isinstance(value, (dict, list)):
        return False
    if isinstance(value, str):
        return not is_blank(value) and count(value) is None
    return count(value) is None and not (isinstance(value, float) and math.isnan(value))
