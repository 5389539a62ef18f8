"""Turns what pytest-benchmark has measured into the tables of `benchmarks/README.md`.

python -m benchmarks.tables out/bench.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def rows(path: Path) -> list[Row]:
    """Return what was measured: what each benchmark said of itself, and its best ``seconds``."""
    found = json.loads(path.read_text())["benchmarks"]
    return [{**each["extra_info"], "seconds": each["stats"]["min"]} for each in found]


def engine(measured: list[Row]) -> None:
    """Print microseconds a call by case and team size."""
    mine = [row for row in measured if row["kind"] == "engine"]
    if not mine:
        return
    sizes = sorted({row["n"] for row in mine})
    cost = {(row["case"], row["n"]): 1e6 * row["seconds"] / row["calls"] for row in mine}
    print("| us/call | " + " | ".join(f"n = {n}" for n in sizes) + " | growth |")
    print("|---|" + "---:|" * (len(sizes) + 1))
    for case in dict.fromkeys(row["case"] for row in mine):
        cells = " | ".join(f"{cost[case, n]:.1f}" for n in sizes)
        print(f"| {case} | {cells} | {cost[case, sizes[-1]] / cost[case, sizes[0]]:.2f}x |")
    print()


def sweeps(measured: list[Row]) -> None:
    """Print replications a second by workers, and how they scale."""
    mine = [row for row in measured if row["kind"] == "sweep"]
    if not mine:
        return
    rate = {row["how"]: row["replications"] / row["seconds"] for row in mine}
    count = mine[0]["replications"]
    print(f"| quickstart, {count:,} replications | replications/s | over one process |")
    print("|---|---:|---:|")
    for how, each in rate.items():
        print(f"| {how} | {each:,.0f} | {each / rate['one process']:.2f}x |")
    print()


def others(measured: list[Row]) -> None:
    """Print memory, planning and start-up."""
    print("| what | |\n|---|---:|")
    for row in measured:
        if row["kind"] == "memory":
            print(
                f"| memory of a replication, n = {row['n']}, {row['tasks']:,} tasks "
                f"| {row['kilobytes']:,.0f} kB |"
            )
        elif row["kind"] == "points":
            print(
                f"| reading and checking a sweep of {row['points']:,} points "
                f"| {row['seconds']:.2f} s |"
            )
        elif row["kind"] == "start":
            print(f"| `python {row['command']}` | {row['seconds']:.2f} s |")


def main() -> None:
    """Print the tables of a file."""
    measured = rows(Path(sys.argv[1]))
    engine(measured)
    sweeps(measured)
    others(measured)


if __name__ == "__main__":
    main()
