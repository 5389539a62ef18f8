"""The series of a sweep: which of its points belong to one line of a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from simulator.errors import TeamsimError

if TYPE_CHECKING:
    import pandas as pd

SIZE = "team.size"
"""The axis that a scaling curve is drawn against."""

SERIES = "series"
"""Stands for a swept field: each named series is a point."""

_UNSAID = "as in the file"
"""What a named point says of a field that it leaves out."""

_BEFORE_AXES, _AFTER_AXES = "parallel_fraction", "replication"


def axes_of(results: pd.DataFrame) -> list[str]:
    """Return the swept dotted paths of a results table."""
    columns = list(results.columns)
    return columns[columns.index(_BEFORE_AXES) + 1 : columns.index(_AFTER_AXES)]


def with_series(results: pd.DataFrame, x: str = SIZE, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return `results` with columns ``x`` (the swept field `x`) and ``series``.

    A series is named by the values of the fields `by`; where there are none, by the sweep, or by
    the values of all its other axes.

    Raises
    ------
    TeamsimError
        If the sweep does not vary `x`, or if several of its points would be at one place of a line.
    """
    axes = axes_of(results)
    if x == SERIES and results[SERIES].ne("").all():
        return results.assign(x=results[SERIES])
    if x not in axes:
        raise TeamsimError(
            f"the sweep does not vary {x}: there is no curve to draw against it "
            f"(it varies {', '.join(axes) or 'nothing'})"
        )
    values = results[x].astype(int) if x == SIZE else _with_nulls_named(results, x)
    if not by and results["series"].ne("").any():
        return results.assign(x=values)
    others = list(by) or [axis for axis in axes if axis != x]
    parts = [results[axis].map(partial(name_value, axis)).tolist() for axis in others]
    rows = zip(*parts, strict=True) if parts else [()] * len(results)
    unsaid = _UNSAID if by else ""  # where a point leaves these fields to the file
    series = [", ".join(filter(None, row)) or unsaid for row in rows]
    table = results.assign(x=values, series=series)
    if by:
        _check_lines(table, [axis for axis in axes if axis not in {x, *by}])
    return table


def _with_nulls_named(results: pd.DataFrame, x: str) -> pd.Series:
    """Return the values of a field, as names if some point leaves it out, so that this is one, too.

    Baselines have no place on the axis.
    """
    values = results[x]
    is_baseline = results["point"].eq(results["baseline_point"].astype("Int64")).fillna(False)
    if not (values.isna() & ~is_baseline.astype(bool)).any():
        return values
    unsaid = _UNSAID if results[SERIES].ne("").any() else "not set"
    named = [f"{value:g}" if isinstance(value, float) else str(value) for value in values.tolist()]
    return values.astype(object).where(values.isna(), named).where(values.notna(), unsaid)


def _check_lines(table: pd.DataFrame, others: Sequence[str]) -> None:
    compared = table[table["point"].ne(table["baseline_point"].astype("Int64")).fillna(True)]
    places = compared.groupby(["series", "x"], sort=False)["point"].nunique()
    if (places > 1).any():
        line, value = places.index[int(np.argmax(places.to_numpy()))]
        also = [name for name in others if compared[name].nunique(dropna=False) > 1]
        raise TeamsimError(
            f"the line {line!r} would have {places.max()} values at {value}, since the sweep also "
            f"varies {', '.join(also) or 'its named series'}: name that as a series, too"
        )


def name_value(axis: str, value: object) -> str:
    """Return ``parallel fraction 0.5`` for a number, the bare word for a name, nothing for null."""
    import pandas as pd

    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return ""
    text = f"{value:g}" if isinstance(value, float) else _in_words(str(value))
    short = axis.rpartition(".")[2].replace("_", " ")
    is_a_word = not text[:1].isdigit() and text not in {"True", "False"}
    return text if is_a_word else f"{short} {text}"


def _in_words(text: str) -> str:
    """Return a plugin with its parameters, which results have as JSON, as ``ring, k 2``."""
    if not text.startswith("{"):
        return text
    try:
        said = json.loads(text)
    except json.JSONDecodeError:
        return text
    kind = said.pop("kind", "")
    parts = [f"{name.replace('_', ' ')} {each}" for name, each in said.items()]
    return ", ".join(filter(None, [str(kind), *parts]))


def no_baseline(ratio: str) -> str:
    """Return the message where nothing of a picture can be drawn, for want of a baseline."""
    return (
        f"{ratio}: the sweep has no single agent to compare with (say one with baseline:, or "
        f"sweep {SIZE} from 1)"
    )
