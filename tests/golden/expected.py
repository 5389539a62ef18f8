"""The committed values: a line a replication, and a table for each trace that is kept whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulator.model.trace import Event, Row
from tests.golden.corpus import HERE, REALS, Marks, Run

FOLDER = HERE / "expected"


@dataclass(frozen=True)
class Expected:
    """What the corpus is held against."""

    made_on: dict[str, str]
    """On which arithmetic (`arithmetic.made_on`)."""
    runs: dict[tuple[str, str, int], Run]


def read(folder: Path = FOLDER) -> Expected:
    """Return the committed values; none where there is no file yet."""
    path = folder / "runs.jsonl"
    if not path.exists():
        return Expected({}, {})
    made_on, *lines = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    runs = (_run(fields, folder) for fields in lines)
    return Expected(made_on, {run.key: run for run in runs})


def write(made_on: dict[str, str], runs: Iterable[Run], folder: Path = FOLDER) -> None:
    """Write the values anew."""
    traces = folder / "traces"
    traces.mkdir(parents=True, exist_ok=True)
    for old in traces.glob("*.csv"):
        old.unlink()
    with (folder / "runs.jsonl").open("w", encoding="utf-8") as file:
        print(json.dumps(made_on), file=file)
        for run in runs:
            fields = {
                "scenario": run.scenario,
                "point": run.point,
                "replication": run.replication,
                "metrics": run.metrics,
            }
            if run.marks is not None:
                fields["trace"] = asdict(run.marks)
            print(json.dumps(fields), file=file)
            if run.trace is not None:
                _write_trace(traces / f"{run.scenario}.csv", run.trace)


def _run(fields: dict[str, Any], folder: Path) -> Run:
    key = fields["scenario"], fields["point"], fields["replication"]
    if "trace" in fields:
        return Run(*key, fields["metrics"], marks=Marks(**fields["trace"]))
    trace = folder / "traces" / f"{key[0]}.csv"
    whole = key[2] == 0 and trace.exists()
    return Run(*key, fields["metrics"], trace=_read_trace(trace) if whole else None)


def _write_trace(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(Row._fields)
        table.writerows(["" if cell is None else cell for cell in row] for row in rows)


def _read_trace(path: Path) -> tuple[Row, ...]:
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(
            Row(**{name: _cell(name, text) for name, text in cells.items()})  # type: ignore[arg-type]
            for cells in csv.DictReader(file)
        )


def _cell(name: str, text: str) -> Any:
    if name == "event":
        return Event(text)
    if name == "outcome":
        return text or None
    return None if not text else float(text) if name in REALS else int(text)
