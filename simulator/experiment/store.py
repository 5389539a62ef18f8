"""Where a sweep's results are kept, so that it can stop and go on."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from simulator import __version__
from simulator.errors import TeamsimError
from simulator.experiment.plan import Chunk
from simulator.scenario import Study

_PACKAGES = ("genai-prices", "simpy", "numpy", "scipy", "pandas", "pyarrow", "pydantic")


class Store:
    """A directory that holds one sweep: manifest, finished chunks, and at the end the table.

    Parameters
    ----------
    directory : Path
        Made when it does not exist.
    study : Study
        The sweep. A directory that holds another one is refused.
    plan : sequence of Chunk

    Raises
    ------
    TeamsimError
        If the directory holds other results, or something that is no sweep.
    """

    def __init__(self, directory: Path, study: Study, plan: Sequence[Chunk]) -> None:
        self.directory = directory
        self._parts = directory / "parts"
        self._plan = plan
        self._open(study)

    @property
    def results_path(self) -> Path:
        """The finished table."""
        return self.directory / "results.parquet"

    @property
    def is_complete(self) -> bool:
        """Whether the table is there."""
        return self.results_path.exists()

    def missing(self) -> list[Chunk]:
        """Return the chunks that are still to be computed."""
        if self.is_complete:
            return []
        return [chunk for chunk in self._plan if not self._part(chunk).exists()]

    def kept(self) -> Iterator[tuple[Chunk, pa.Table]]:
        """Yield the chunks that are there, of a sweep that is not complete."""
        for chunk in self._plan:
            if not self.is_complete and self._part(chunk).exists():
                yield chunk, pq.read_table(self._part(chunk))

    def add(self, chunk: Chunk, table: pa.Table) -> None:
        """Keep the rows of a chunk; it is there whole or not at all."""
        _write(table, self._part(chunk))

    def finish(self, chunks: Sequence[Chunk]) -> None:
        """Put chunks into one table, in their order, and drop all parts."""
        if not self.is_complete:
            tables = [pq.read_table(self._part(chunk)) for chunk in chunks]
            _write(pa.concat_tables(tables), self.results_path)
        shutil.rmtree(self._parts, ignore_errors=True)

    def _part(self, chunk: Chunk) -> Path:
        return self._parts / f"part-{chunk.index:06d}.parquet"

    def _open(self, study: Study) -> None:
        if self.directory.exists() and not self.directory.is_dir():
            raise TeamsimError(f"{self.directory} is not a directory; give another --out")
        manifest_path = self.directory / "manifest.json"
        fingerprint = _fingerprint(study)
        if manifest_path.exists():
            found = _read_manifest(manifest_path)
            if found.get("fingerprint") != fingerprint:
                raise TeamsimError(
                    f"{self.directory} holds results of another sweep "
                    f"(scenario {found.get('scenario_name')!r}, teamsim {found.get('teamsim')}): "
                    "the scenario or the version has changed; give another --out, or remove "
                    "the directory"
                )
        elif self.directory.exists() and any(self.directory.iterdir()):
            raise TeamsimError(
                f"{self.directory} is not empty and holds no sweep; give another --out"
            )
        try:
            self._parts.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TeamsimError(f"{self.directory} cannot be made: {error.strerror}") from None
        if not manifest_path.exists():
            _replace(manifest_path, json.dumps(_manifest(study, fingerprint), indent=2) + "\n")


def read_results(directory: Path) -> pa.Table:
    """Return the table of a finished sweep.

    Raises
    ------
    TeamsimError
        If there is none.
    """
    path = directory / "results.parquet"
    if path.exists():
        return pq.read_table(path)
    if (directory / "manifest.json").exists():
        raise TeamsimError(f"the sweep in {directory} is not finished: run its command again")
    raise TeamsimError(f"{directory} holds no sweep (no results.parquet)")


def _manifest(study: Study, fingerprint: str) -> dict[str, Any]:
    first = study.points[0].scenario
    return {
        "format": 1,
        "fingerprint": fingerprint,
        "scenario_name": first.name,
        "question": first.question,
        "figure": first.figure.model_dump(mode="json") if first.figure else None,
        "seed": first.seed,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "teamsim": __version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "axes": study.axes,
        "points": [
            {
                "index": point.index,
                "name": point.name,
                "series": point.series,
                "overrides": point.overrides,
                "baseline_point": point.baseline,
                "scenario": point.scenario.model_dump(mode="json"),
            }
            for point in study.points
        ],
    }


def _fingerprint(study: Study) -> str:
    # What a scenario says about itself does not change its results.
    words = {"question", "answer", "figure"}
    content = [
        [
            point.name,
            point.overrides,
            point.baseline,
            point.scenario.model_dump(mode="json", exclude=words),
        ]
        for point in study.points
    ]
    text = json.dumps([__version__, content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise TeamsimError(f"{path} is not a sweep's manifest; give another --out")
    return found


def _write(table: pa.Table, path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    pq.write_table(table, temporary)
    os.replace(temporary, path)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
