"""What differs between two runs of the same replication, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from simulator.model.metrics import METRIC_NAMES
from simulator.model.trace import Row
from tests.golden.corpus import Marks, Run

Same = Callable[[Any, Any], bool]


def to_the_bit(found: Any, expected: Any) -> bool:
    """Return whether two values are the same."""
    return bool(found == expected)


def nearly(found: Any, expected: Any) -> bool:
    """Return whether two values are the same; real numbers may differ by one in 10**9."""
    if isinstance(found, float) and isinstance(expected, (int, float)):
        # Below 1e-9 is what rounding leaves where two times cancel out.
        return to_the_bit(found, expected) or math.isclose(
            found, expected, rel_tol=1e-9, abs_tol=1e-9
        )
    return to_the_bit(found, expected)


def differences(
    found: Run, expected: Run, same: Same, trace_of: Callable[[], Sequence[Row]]
) -> list[str]:
    """Return a line for the first metric and one for the first row of the trace that differ.

    `trace_of` runs the replication again, for its trace, where only marks of it were kept.
    """
    said = []
    changed = changed_metrics(found, expected, same)
    if changed:
        name, *others = changed
        more = f" (and {len(others)} more: {', '.join(others[:6])})" if others else ""
        said.append(
            f"{name} is {found.metrics.get(name, 0)!r}, expected "
            f"{expected.metrics.get(name, 0)!r}{more}"
        )
    row = _first_row(found, expected, same, trace_of)
    if row:
        said.append(row)
    return said


def changed_metrics(found: Run, expected: Run, same: Same) -> list[str]:
    """Return the names of the metrics that differ, in their order; gone ones last."""
    names = [*METRIC_NAMES, *sorted(expected.metrics.keys() - set(METRIC_NAMES))]
    return [
        name
        for name in names
        if not same(found.metrics.get(name, 0), expected.metrics.get(name, 0))
    ]


def _first_row(
    found: Run, expected: Run, same: Same, trace_of: Callable[[], Sequence[Row]]
) -> str | None:
    if found.trace is not None and expected.trace is not None:
        return _first_of_rows(found.trace, expected.trace, same)
    if found.marks is not None and expected.marks is not None:
        return _first_of_marks(found.marks, expected.marks, same, trace_of)
    if found.replication == 0:
        return "the trace is kept in another way than before"
    return None


def _first_of_rows(found: Sequence[Row], expected: Sequence[Row], same: Same) -> str | None:
    for number, (row, wanted) in enumerate(zip_longest(found, expected)):
        if row is None or wanted is None or not all(map(same, row, wanted)):
            return f"trace row {number} is\n      {_row(row)}\n    expected\n      {_row(wanted)}"
    return None


def _first_of_marks(
    found: Marks, expected: Marks, same: Same, trace_of: Callable[[], Sequence[Row]]
) -> str | None:
    if (found.exact, found.rows) == (expected.exact, expected.rows):
        if same is to_the_bit and found.reals != expected.reals:
            return "the trace has the same events at other times"
        return None
    pairs = enumerate(zip_longest(found.marks, expected.marks))
    number = next((at for at, (mark, wanted) in pairs if mark != wanted), found.rows - 1)
    rows = trace_of()
    return (
        f"trace row {number} differs ({found.rows} rows, expected {expected.rows}); it is\n"
        f"      {_row(rows[number] if number < len(rows) else None)}"
    )


def _row(row: Row | None) -> str:
    if row is None:
        return "(the end of the trace)"
    cells = row._asdict().items()
    return ", ".join(f"{name}={value}" for name, value in cells if value is not None)
