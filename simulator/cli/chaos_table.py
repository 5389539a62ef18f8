"""How the table of ``chaos`` is printed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.statistics.unseen import most_unseen_percent
from simulator.cli.terminal import print_table
from simulator.words import percent

if TYPE_CHECKING:
    import pandas as pd


def print_chaos(table: pd.DataFrame, priced: bool) -> None:
    """Print what each fault cost, from `analysis.decisions.chaos.chaos`; money if `priced`."""
    heads = ["fault", "patterns", "completed", "tasks lost", "time s", "time s, 95 %", "recovery s"]
    rows, before = [], ""
    extra, form = ("extra_usd", "{:+,.3f}") if priced else ("extra_tokens", "{:+,.0f}")
    for row in table.to_dict("records"):
        low, high = row[f"{extra}_low"], row[f"{extra}_high"]
        cells = [
            row["fault"] if row["fault"] != before else "",
            row["patterns"],
            percent(row["completed"]),
            f"{row['lost_tasks']:,.1f}",
            _known(row["makespan_s"], "{:,.0f}"),
            span(row["makespan_low"], row["makespan_high"]),
            _recovery(row["recovery_s"], row["completed"]),
            _known(row[extra], form),
            span(low, high, form) if low < high else "",  # none: the same was spent in all runs
        ]
        rows.append(cells)
        before = row["fault"]
    spent = "extra USD" if priced else "extra tokens"
    print_table([*heads, spent, f"{spent}, 95 %"], rows, names=2)


def notes_on_alike(table: pd.DataFrame, replications: int) -> list[str]:
    """Return what is not known where all runs under a fault ended alike; nothing if none did.

    Where nothing is random it is known that others end alike, too.
    """
    alike = table["completed"].isin([0.0, 1.0])
    if not (alike & ~table["is_sure"]).any():
        return []
    notes = [
        "where all runs were completed, or none, up to "
        f"{most_unseen_percent(replications)} of further ones may end otherwise (95 % "
        "confidence), as where a fault that is drawn has hit nobody; nor has what was the same in "
        "all runs an interval"
    ]
    is_sure = table.groupby("fault", sort=False)["is_sure"].all()
    if is_sure.any():
        names = ", ".join(is_sure.index[is_sure])
        notes.append(f"further runs are sure to be the same, as nothing in them is random: {names}")
    return notes


def _recovery(seconds: float, completed: float) -> str:
    """Return the time to recover: at least so much if some runs failed, unknown if all did at 0."""
    if completed == 0.0 and seconds == 0.0:
        return "?"
    return f"{'>' * bool(seconds and completed < 1.0)}{seconds:,.0f}"


def span(low: float, high: float, form: str = "{:,.0f}") -> str:
    """Return ``3 to 5``, ``3 or more``, or nothing where the lower end is not known."""
    if math.isnan(low) or low == -math.inf:
        return ""
    least = form.format(low)
    return f"{least} to {form.format(high)}" if math.isfinite(high) else f"{least} or more"


def _known(value: float, form: str) -> str:
    return form.format(value) if math.isfinite(value) else "?"
