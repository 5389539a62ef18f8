"""Where a sweep's results are kept: a Parquet data set that grows, and can be gone on with."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import filelock
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.errors import TeamsimError
from simulator.experiment.plan import Span, joined
from simulator.experiment.shortfalls import Shortfall, from_json, to_json, with_shortfalls
from simulator.scenario import Point, Study
from simulator.version import __version__

_PACKAGES = ("genai-prices", "simpy", "numpy", "scipy", "pandas", "pyarrow", "pydantic")

_MANIFEST, _DATA, _LOCK = "manifest.json", "results", ".lock"

_SHORTFALLS = "precision_not_reached"
"""In the manifest of a finished sweep."""


class Store:
    """A directory that holds one sweep: a manifest, and `results`, a Parquet data set.

    Each file of the data set is there whole or not at all, also after a crash of the machine: it
    is written under another name, synchronised, and renamed. As a context manager the store
    keeps other processes out of the directory.

    Parameters
    ----------
    directory : Path
        Made when it does not exist.
    study : Study
        The sweep. A directory that holds another one is refused.

    Raises
    ------
    TeamsimError
        If the directory holds other results, or something that is no sweep, or another process is
        at work in it.
    """

    def __init__(self, directory: Path, study: Study) -> None:
        self._directory = directory
        self._data = directory / _DATA
        self._manifest_path = directory / _MANIFEST
        if directory.exists() and not directory.is_dir():
            raise TeamsimError(f"{directory} is not a directory; give another --out")
        points = [_described(point) for point in study.points]
        if self._manifest_path.exists():
            self._manifest = _read_manifest(self._manifest_path)
            _refuse_another(directory, self._manifest, points)
        elif directory.exists() and _is_somebodys(directory):
            raise TeamsimError(f"{directory} is not empty and holds no sweep; give another --out")
        else:
            self._manifest = _manifest(study, points)
        try:
            self._data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TeamsimError(f"{directory} cannot be made: {error.strerror}") from None
        self._lock = filelock.FileLock(directory / _LOCK, timeout=0)

    def __enter__(self) -> Store:
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise TeamsimError(
                f"another process is at work in {self._directory}: wait for it, or give another "
                "--out"
            ) from None
        for torn in self._data.glob(".*.tmp"):  # of a process that was killed
            torn.unlink()
        if not self._manifest_path.exists():
            self._write_manifest()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return bool(self._manifest["complete"])

    def covered(self) -> list[Span]:
        """Return what is there already, in order."""
        return joined(span for span, _ in self._parts())

    def kept(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield columns of what is there, file by file."""
        for _, path in self._parts():
            yield pq.read_table(path, columns=list(columns))

    def add(self, span: Span, rows: pa.Table) -> None:
        """Keep the rows of a chunk.

        Raises
        ------
        TeamsimError
            If the disk does not take them. What was there before stays.
        """
        path = self._data / f"part-{span.start:010d}-{span.stop:010d}.parquet"
        _write(path, lambda file: pq.write_table(rows, file))

    def finish(self, found: Sequence[Shortfall]) -> None:
        """Write down that nothing is missing, and which points have not reached their precision."""
        if not self.is_complete:
            self._manifest["complete"] = True
            self._manifest[_SHORTFALLS] = to_json(found)
            self._manifest["replications"] = sum(span.count for span in self.covered())
            self._write_manifest()

    def _parts(self) -> Iterator[tuple[Span, Path]]:
        for path in _part_paths(self._directory):
            _, start, stop = path.stem.split("-")
            yield Span(int(start), int(stop)), path

    def _write_manifest(self) -> None:
        text = json.dumps(self._manifest, indent=2) + "\n"
        _write(self._manifest_path, lambda file: file.write(text.encode()))


def read_results(directory: str | Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the table of a finished sweep, all of it or some columns.

    Its rows are ordered by point and replication.

    Raises
    ------
    TeamsimError
        If there is none.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    unfinished = TeamsimError(f"the sweep in {directory} is not finished: run its command again")
    if not manifest.get("complete"):
        raise unfinished
    tables = [pq.read_table(path, columns=columns) for path in _part_paths(directory)]
    if sum(table.num_rows for table in tables) != manifest["replications"]:  # a file was lost
        raise unfinished
    return with_shortfalls(pa.concat_tables(tables), from_json(manifest.get(_SHORTFALLS, [])))


def read_shortfalls(directory: str | Path) -> list[Shortfall]:
    """Return the points of a finished sweep that have not reached their precision.

    Raises
    ------
    TeamsimError
        If the directory holds no sweep.
    """
    return from_json(read_manifest(directory).get(_SHORTFALLS, []))


def read_manifest(directory: str | Path) -> dict[str, Any]:
    """Return what a sweep's directory says about itself.

    Raises
    ------
    TeamsimError
        If it holds no sweep.
    """
    path = Path(directory) / _MANIFEST
    if not path.exists():
        raise TeamsimError(f"{directory} holds no sweep (no {_MANIFEST})")
    return _read_manifest(path)


def _part_paths(directory: Path) -> list[Path]:
    return sorted((directory / _DATA).glob("part-*.parquet"))


def _manifest(study: Study, points: list[dict[str, Any]]) -> dict[str, Any]:
    first = study.points[0].scenario
    return {
        "format": 2,
        "complete": False,
        "sha256": _sha256([point["sha256"] for point in points]),
        "scenario_name": first.name,
        "question": first.question,
        "figure": first.figure.model_dump(mode="json") if first.figure else None,
        "seed": first.seed,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "teamsim": __version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "axes": study.axes,
        "points": points,
    }


def _described(point: Point) -> dict[str, Any]:
    scenario = point.scenario.model_dump(mode="json")
    # What a scenario says about itself does not change its results.
    matters = {k: v for k, v in scenario.items() if k not in {"question", "answer", "figure"}}
    content = [__version__, point.name, point.overrides, point.baseline, matters]
    return {
        "index": point.index,
        "name": point.name,
        "series": point.series,
        "overrides": point.overrides,
        "baseline_point": point.baseline,
        "sha256": _sha256(content),
        "scenario": scenario,
    }


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _refuse_another(directory: Path, found: dict[str, Any], points: list[dict[str, Any]]) -> None:
    hashes = [point.get("sha256") for point in found.get("points", ())]
    wanted = [point["sha256"] for point in points]
    if hashes == wanted:
        return
    if found.get("teamsim") != __version__:
        what = f"they are of teamsim {found.get('teamsim')}, this is {__version__}"
    elif len(hashes) != len(wanted):
        what = f"they are of {len(hashes)} points, these are {len(wanted)}"
    else:
        pairs = zip(points, hashes, strict=True)
        changed = [point["name"] for point, old in pairs if point["sha256"] != old]
        what = f"{len(changed)} of {len(wanted)} points have changed, the first is {changed[0]!r}"
    raise TeamsimError(
        f"{directory} holds results of another sweep (scenario {found.get('scenario_name')!r}): "
        f"{what}; give another --out, or remove the directory"
    )


def _is_somebodys(directory: Path) -> bool:
    """Return whether a directory without a manifest holds more than an empty beginning of one."""
    names = {path.name for path in directory.iterdir() if path.name != _LOCK}
    return bool(names - {_DATA}) or any((directory / _DATA).glob("*"))


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise TeamsimError(f"{path} is not a sweep's manifest; give another --out")
    return found


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that it is there whole or not at all."""
    # Readers of data sets pass over names that begin with a dot.
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _synchronise(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise TeamsimError(
            f"{path} cannot be written ({error.strerror or error}): what was there is kept; with "
            "that mended, the same command goes on from there"
        ) from None


def _synchronise(directory: Path) -> None:
    """Make renames in a directory durable, where the system has a way to."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
