"""What ``predict`` does and prints for teams on task lists.

Other processes begin to simulate as soon as this one has drawn the agents. What it takes to go on
from there, pandas above all, it imports after that (see `simulator.late`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.calibration.cell import CellFit
from analysis.calibration.store import Calibrated, read_calibration
from analysis.validation.prediction import begin_prediction
from analysis.validation.targets import Target, check_target, parse_changes, read_teams
from simulator.cli.harmless import complain, say_words
from simulator.cli.terminal import check_parquet_writable, print_frame, progress_bar
from simulator.experiment.pool import Processes, Progress


def predict(
    directory: Path,
    out: Path,
    team_sizes: list[int],
    replications: int,
    pool: Processes,
    topology: str | None,
    protocol: str | None,
    workload: str | None,
    teams: Path | None = None,
    max_rounds: int | None = None,
    seed: int = 0,
) -> None:
    """Simulate calibrated teams."""
    check_parquet_writable(out)
    changes = parse_changes(topology, protocol, workload)
    cells = read_calibration(directory)
    named = read_teams(teams, cells) if teams is not None else ()
    target = Target(team_sizes, changes, named, max_rounds)
    check_target(cells, target)
    say_untold([cell.fit for cell in cells])
    finish = begin_prediction(cells, target, replications, pool, seed=seed)
    write_prediction(cells, finish, out)


def write_prediction(
    cells: Sequence[Calibrated], finish: Callable[[Progress | None], pd.DataFrame], out: Path
) -> None:
    """Finish a prediction, write and print it."""
    from analysis.validation.compare import write_predictions

    pilot = pd.concat([cell.pilot for cell in cells], ignore_index=True)
    with progress_bar("cells and sizes") as progress:
        table = finish(progress)
    write_predictions(table, pilot, out)
    _print_predicted(table)
    if not table["success"].all():
        say_words("runs as they end, finished or not: `success` is the share that finished")
    say_words(f"{len(table)} simulated runs in {out}")


def _print_predicted(table: pd.DataFrame) -> None:
    """Print medians and 80 % intervals by mode and size, and by limits of rounds that differ."""
    rows = []
    of_team = table.groupby(["mode", "n_teammates"])
    limits_differ = of_team["max_rounds"].nunique().gt(1).any()
    keys = {"mode": "mode", "n_teammates": "n"}
    keys |= {"max_rounds": "at most rounds"} if limits_differ else {}
    for key, runs in table.groupby(list(keys)):
        row: dict[str, object] = dict(zip(keys.values(), key, strict=True))
        for metric in ("wall_clock_seconds", "total_tokens", "total_rounds"):
            low, middle, high = np.quantile(runs[metric], [0.1, 0.5, 0.9])
            row[metric] = f"{middle:,.0f} ({low:,.0f} to {high:,.0f})"
        row["success"] = float(runs["success"].mean())
        rows.append(row)
    frame = pd.DataFrame(rows)
    print_frame(frame, list(frame.columns))


def say_untold(fits: Sequence[CellFit]) -> None:
    """Say which habits are not known, and of how many cells."""
    gaps = Counter(gap for fit in fits for gap in fit.gaps())
    for gap, count in gaps.items():
        complain(f"note: of {count} {'cell' if count == 1 else 'cells'}, {gap}")
