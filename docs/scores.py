"""Writes the table of scores in the guide anew: ``python -m docs.scores out/backtest``.

`make scores RUNS=DIR` runs the backtest on the public runs first.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

GUIDE = Path(__file__).parent / "guides" / "calibrate.md"
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
    "largest pilot": "the largest pilot's runs as they are",
    "all pilot runs": "all pilot runs",
    "single agent": "the single agent's runs",
    "Amdahl": "Amdahl with the known p",
    "USL": "Universal Scalability Law",
    "power law": "power law",
    "floor": "noise floor: the score of the true distribution",
}
COVER = ("cover_50%", "cover_80%", "cover_95%")


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
        bold = "**" if name in ("predicted", "again") else ""
        values = [means.loc[metric, name] for metric in METRICS]
        shown = ["" if pd.isna(value) else f"{bold}{value:.3f}{bold}" for value in values]
        lines.append(f"| {said} | " + " | ".join(shown) + " |")
    inside = [
        ", ".join(f"{100 * means.loc[metric, name]:.0f}" for name in COVER) + " %"
        for metric in METRICS
    ]
    lines.append("| runs inside the 50, 80, 95 % intervals | " + " | ".join(inside) + " |")
    success = means.loc["success"]
    best = success[["largest pilot", "all pilot runs", "single agent"]].min()
    lines += [
        "",
        f"(Success: Brier score {success['predicted']:.3f}; running it again "
        f"{success['again']:.3f}, best baseline {best:.3f}.)",
    ]
    return "\n".join(lines) + "\n"


def written(guide: str, table: str) -> str:
    """Return the guide with the table in its place."""
    before, _, rest = guide.partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    return f"{before}{BEGINS}\n{table}\n{ENDS}{after}"


if __name__ == "__main__":
    found = pd.read_csv(Path(sys.argv[1]) / "validation.csv")
    GUIDE.write_text(written(GUIDE.read_text("utf-8"), table_of(found)), encoding="utf-8")
    print(GUIDE)
