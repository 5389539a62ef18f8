"""Writes the tables of scores anew: ``python -m docs.scores out/backtest [DIR]...``.

The guide has the scores, and README what each part of the model buys, if the backtest scored
predictions without it. Further directories are backtests on one task list alone.
`make scores RUNS=DIR` runs all of them on the public runs first.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.traces.team_runs import CELL
from analysis.validation.scores import coverage_of

GUIDE = Path(__file__).parent / "guides" / "calibrate.md"
README = Path(__file__).parents[1] / "README.md"
BEGINS, ENDS = "<!-- scores: made by `make scores` -->\n", "<!-- end of scores -->\n"
METRICS = {
    "wall_clock_seconds": "wall clock",
    "total_tokens": "tokens",
    "total_rounds": "rounds",
}
ROWS = {
    "again": "**running it again**: each true run, forecast by the others of its cell",
    "predicted": "**teamsim**",
    "ratio": "ratio of the two",
    "range": "... in 90 % of resampled cells",
    "largest pilot": "the largest pilot's runs as they are",
    "all pilot runs": "all pilot runs",
    "single agent": "the single agent's runs",
    "Amdahl": "Amdahl with the known p",
    "USL": "Universal Scalability Law",
    "power law": "power law",
    "floor": "noise floor: the score of the true distribution",
}
_RESAMPLES = 4000
COVER = ("cover_50%", "cover_80%", "cover_95%")


def range_of_ratio(cells: pd.DataFrame) -> tuple[float, float]:
    """Return between which values 90 % of the ratios lie if cells are drawn with replacement."""
    drawn = np.random.default_rng(1).integers(0, len(cells), (_RESAMPLES, len(cells)))
    predicted, again = (
        cells[name].to_numpy()[drawn].mean(axis=1) for name in ("predicted", "again")
    )
    low, high = np.quantile(predicted / again, [0.05, 0.95])
    return float(low), float(high)


def line_of_list(name: str, cells: pd.DataFrame) -> str:
    """Return the row of a backtest on one task list: ratios to running it again, and coverage."""
    ratios, inside = [], []
    for metric in METRICS:
        means = cells[cells["metric"] == metric].mean(numeric_only=True)
        ratios.append(f"{means['predicted'] / means['again']:.3f}")
        inside.append(f"{100 * means['cover_80%']:.0f}")
    success = cells[cells["metric"] == "success"].mean(numeric_only=True)
    brier = f"{success['predicted'] / success['again']:.2f}"
    return f"| {name} | {' | '.join(ratios)} | {brier} | {', '.join(inside)} % |"


def lists_of(backtests: Sequence[pd.DataFrame]) -> str:
    """Return the table of backtests on one task list each, in Markdown; empty without any.

    Its last row is of all their cells together.
    """
    if not backtests:
        return ""
    names = [*METRICS.values(), "success", "runs inside the 80 % intervals"]
    head = f"| ratios with one list alone | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}\n"
    lines = [line_of_list(cells["task_type"].iloc[0], cells) for cells in backtests]
    lines.append(line_of_list("both" if len(lines) == 2 else "all", pd.concat(backtests)))
    return "\n" + head + "\n".join(lines) + "\n"


def table_of(cells: pd.DataFrame) -> str:
    """Return the table of mean scores over cells, in Markdown.

    Parameters
    ----------
    cells : DataFrame
        ``validation.csv`` of a backtest.
    """
    means = cells.groupby("metric").mean(numeric_only=True)
    means["ratio"] = means["predicted"] / means["again"]
    count = cells.groupby("metric").size().max()
    lines = [
        f"| mean over {count} cells | " + " | ".join(METRICS.values()) + " |",
        "|---|" + "---|" * len(METRICS),
    ]
    for name, said in ROWS.items():
        if name == "range":
            ranges = [range_of_ratio(cells[cells["metric"] == metric]) for metric in METRICS]
            lines.append(
                f"| {said} | " + " | ".join(f"{a:.2f} to {b:.2f}" for a, b in ranges) + " |"
            )
            continue
        bold = "**" if name in ("predicted", "again") else ""
        values = [means.loc[metric, name] for metric in METRICS]
        shown = ["" if pd.isna(value) else f"{bold}{value:.3f}{bold}" for value in values]
        lines.append(f"| {said} | " + " | ".join(shown) + " |")
    inside = [
        ", ".join(f"{100 * means.loc[metric, name]:.0f}" for name in COVER) + " %"
        for metric in METRICS
    ]
    lines.append("| runs inside the 50, 80, 95 % intervals | " + " | ".join(inside) + " |")
    of_metrics = [cells[cells["metric"] == metric] for metric in METRICS]
    held = [coverage_of(each, "cover_80%", CELL) for each in of_metrics]
    ranges = [f"{100 * each.low:.0f} to {100 * each.high:.0f} %" for each in held]
    lines.append(
        "| ... the 80 % intervals, at 95 % confidence over cells | " + " | ".join(ranges) + " |"
    )
    success = means.loc["success"]
    best = success[["largest pilot", "all pilot runs", "single agent"]].min()
    lines += [
        "",
        f"(Success: Brier score {success['predicted']:.3f}; running it again "
        f"{success['again']:.3f}, best baseline {best:.3f}.)",
    ]
    return "\n".join(lines) + "\n"


def parts_of(ablation: pd.DataFrame) -> str:
    """Return the table of what the parts of the model buy, in Markdown.

    Parameters
    ----------
    ablation : DataFrame
        ``ablation.csv`` of a backtest: scores without each part, and ``without`` nothing.
    """
    scores = ablation.set_index("without")
    change = 100 * (scores / scores.loc["nothing"] - 1.0)
    columns = {**METRICS, "success": "success"}
    lines = ["| error without | " + " | ".join(columns.values()) + " |"]
    lines.append("|---|" + "---|" * len(columns))
    for part, row in change.drop("nothing").iterrows():
        shown = [_signed(round(row[metric])) for metric in columns]
        lines.append(f"| {part} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def _signed(percent: int) -> str:
    return f"{percent:+d} %".replace("-", "−") if percent else "0 %"


def written(page: str, table: str) -> str:
    """Return the page with the table in its place."""
    before, _, rest = page.partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    return f"{before}{BEGINS}\n{table}\n{ENDS}{after}"


if __name__ == "__main__":
    whole, *lists = [pd.read_csv(Path(each) / "validation.csv") for each in sys.argv[1:]]
    table = table_of(whole) + lists_of(lists)
    GUIDE.write_text(written(GUIDE.read_text("utf-8"), table), encoding="utf-8")
    print(GUIDE)
    without = Path(sys.argv[1]) / "ablation.csv"
    if without.is_file():
        parts = parts_of(pd.read_csv(without))
        README.write_text(written(README.read_text("utf-8"), parts), encoding="utf-8")
        print(README)
