"""Costs of the calls of plain tables, in dollars."""

from __future__ import annotations

from collections import defaultdict
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

_FEWEST = 3
"""Calls of a model, all of other lengths, whose costs are not alike by chance."""


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
        used += parts
        said, which = " and ".join(map(repr, parts)), chosen.get("response_model", "")
        amounts = [table.numbers("cost_usd", part) for part in parts]
        if _are_prices(amounts[:2], read, [row.get(which) for row in table.rows]):
            table.note(f"{said} not read: they are prices, alike for calls of any length")
        else:
            read["cost_usd"] = _added(amounts)
            table.note(f"costs are {said}, added")
    if others := [name for name in other_costs_in(names) if name not in told.values()]:
        table.note(f"{', '.join(map(repr, others))} not read, as costs are in US dollars")
    elif "cost_usd" not in read and (
        unread := list(filter(table.holds_amounts, unread_costs(names, used)))
    ):
        table.note(
            f"{', '.join(map(repr, unread))} not read; if it is what a call costs in US dollars, "
            "--column cost_usd=NAME"
        )


def _are_prices(
    costs: Sequence[Sequence[Any]], read: Mapping[str, Sequence[Any]], models: Sequence[Any]
) -> bool:
    """Tell whether the costs of input and output are alike in all calls of a model that differ."""
    none = [None] * len(models)
    counts = zip(*(read.get(name, none) for name in ("input_tokens", "output_tokens")), strict=True)
    seen = defaultdict[str, tuple[set[Any], set[Any]]](lambda: (set(), set()))
    for model, cost, count in zip(models, zip(*costs, strict=True), counts, strict=True):
        if None not in cost and None not in count and all(count) and any(cost):
            seen[str(model)][0].add(cost)
            seen[str(model)][1].add(count)
    several = [prices for prices, sizes in seen.values() if len(sizes) >= _FEWEST]
    return bool(several) and all(len(prices) == 1 for prices in several)


def _added(columns: Sequence[Sequence[float | int | None]]) -> list[float | None]:
    """Return sums of rows in which the first two columns, input and output, are known."""
    return [
        None if row[0] is None or row[1] is None else fsum(each or 0.0 for each in row)
        for row in zip(*columns, strict=True)
    ]
