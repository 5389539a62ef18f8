"""Costs of the calls of plain tables, in dollars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any

from analysis.traces.column_names import (
    cents_in,
    currency_in,
    other_costs_in,
    parts_of_cost_in,
    unread_costs,
)
from analysis.traces.table_cells import TableCells


def read_costs(
    read: dict[str, list[Any]],
    table: TableCells,
    names: Sequence[str],
    chosen: Mapping[str, str],
    told: Mapping[str, str],
) -> None:
    """Have costs in dollars; those in cents become some, those in other currencies are errors.

    Where no column has the cost of a call, it is that of its input and its output.

    Parameters
    ----------
    read : dict
        Counts and amounts of the rows, by canonical name, to which costs are added.
    table : TableCells
    names : sequence of str
        The columns of the table.
    chosen, told : mapping
        Its columns by canonical name: those that are read, and of them those that the user names.
    """
    cents = None if "cost_usd" in told else cents_in(names)
    if cents is not None:
        values = table.numbers("cost_usd", cents)
        read["cost_usd"] = [None if value is None else value / 100.0 for value in values]
        table.note(f"column {cents!r} is in cents")
    cost = cents or chosen.get("cost_usd")
    currency = None if cost is None or cost in told.values() else currency_in(names, cost)
    if currency is not None:
        read["cost_usd"] = table.in_dollars(read["cost_usd"], currency)
    used = [*chosen.values(), *told.values(), *([cents] if cents else [])]
    if cost is None and (parts := parts_of_cost_in(names)):
        read["cost_usd"] = _added([table.numbers("cost_usd", part) for part in parts])
        table.note(f"costs are {' and '.join(map(repr, parts))}, added")
        used += parts
    if others := [name for name in other_costs_in(names) if name not in told.values()]:
        table.note(f"{', '.join(map(repr, others))} not read, as costs are in US dollars")
    elif "cost_usd" not in read and (unread := unread_costs(names, used)):
        table.note(
            f"{', '.join(map(repr, unread))} not read; if it is what a call costs in US dollars, "
            "--column cost_usd=NAME"
        )


def _added(columns: Sequence[Sequence[float | int | None]]) -> list[float | None]:
    """Return sums of rows in which the first two columns, input and output, are known."""
    return [
        None if row[0] is None or row[1] is None else fsum(each or 0.0 for each in row)
        for row in zip(*columns, strict=True)
    ]
