"""Keeps a sweep's results: a Parquet data set that grows, so that the sweep can be resumed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from simulator.errors import TeamsimError, TeamsimWarning
from simulator.experiment import extension
from simulator.experiment import manifest as manifests
from simulator.experiment.manifest import DamagedManifest, Manifest, read_manifest
from simulator.experiment.parts import DamagedPart, Part, overlapping, parts_in, write_part
from simulator.experiment.plan import Span, joined
from simulator.experiment.shortfalls import Shortfall, from_json, to_json, with_shortfalls
from simulator.experiment.table_files import check_directory_name
from simulator.experiment.without_prices import without_unknown
from simulator.scenario import Study

_DATA, _LOCK = "results", ".lock"

_SHORTFALLS = "precision_not_reached"
"""Key in the manifest of a finished sweep."""


class Store:
    """A directory that holds one sweep: a manifest, and `results`, a Parquet data set.

    Each file of the data set is there whole or not at all, also after a crash of the machine.
    As a context manager, the store keeps other processes out of the directory and repairs it:
    damaged parts are removed, so that they are made anew; a damaged manifest is written again; and
    the results of a smaller sweep get their places in this one. It warns of each repair.

    Parameters
    ----------
    directory : Path
        Made when it does not exist.
    study : Study
        The sweep. A directory that holds another one is refused, unless this one has all its
        points, and more points or replications.

    Raises
    ------
    TeamsimError
        If the directory holds the results of another sweep, or other files, or if another process
        is at work in it.
    """

    def __init__(self, directory: Path, study: Study) -> None:
        check_directory_name(directory)
        self._directory = directory
        self._data = directory / _DATA
        self._study = study
        self._manifest = manifests.manifest_of(study)
        self._parts: list[Part] = []
        if directory.exists() and not directory.is_dir():
            raise TeamsimError(f"{directory} is not a directory; give another --out")
        found = self._found()
        if found is not None:
            manifests.places_in(self._manifest, found, directory)
        try:
            self._data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TeamsimError(f"{directory} cannot be made: {error.strerror}") from None
        self._held = ExitStack()

    def __enter__(self) -> Store:
        from filelock import FileLock, Timeout  # not for those who only read results

        try:
            self._held.enter_context(FileLock(self._directory / _LOCK, timeout=0))
        except Timeout:
            raise TeamsimError(
                f"another process is at work in {self._directory}: wait for it, or give another "
                "--out"
            ) from None
        except OSError as error:
            raise TeamsimError(
                f"{self._directory} cannot be written: {error.strerror or error}; results in it "
                "can be read all the same"
            ) from None
        try:
            self._put_right()
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.close()

    def covered(self) -> list[Span]:
        """Return the spans there are already, in order."""
        return joined(part.span for part in self._parts)

    def kept(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield columns of the results, file by file."""
        for part in self._parts:
            yield part.read(self._manifest["sha256"], columns)

    def add(self, span: Span, rows: pa.Table) -> None:
        """Keep the rows of a chunk.

        Raises
        ------
        TeamsimError
            If they cannot be written to the disk. Earlier results stay.
        """
        write_part(self._data, self._manifest["sha256"], span, rows)

    def finish(self, found: Sequence[Shortfall]) -> None:
        """Record that the sweep is finished, and which points have not reached their precision."""
        count = sum(part.span.count for part in parts_in(self._data)[0])
        said = {"complete": True, _SHORTFALLS: to_json(found), "replications": count}
        if not said.items() <= self._manifest.items():
            self._manifest |= said
            manifests.write_manifest(self._directory, self._manifest)

    def _found(self) -> Manifest | None:
        """Return the manifest in the directory; none if it is new, or if it can be rebuilt."""
        directory, sweep = self._directory, self._manifest["sha256"]
        if not (directory / manifests.FILE).exists():
            if directory.exists() and _is_somebodys(directory) and not _holds(self._data, sweep):
                raise TeamsimError(
                    f"{directory} is not empty and holds no sweep; give another --out"
                )
            return None
        try:
            return read_manifest(directory)
        except DamagedManifest as error:
            if _holds(self._data, sweep):
                return None
            raise TeamsimError(
                f"{error}, but nothing beside it is of this sweep; give another --out"
            ) from None

    def _put_right(self) -> None:
        extension.settle(self._directory, _DATA)
        for torn in (*self._data.glob(".*.tmp"), *self._directory.glob(".*.tmp")):
            torn.unlink()  # of a process that was killed
        found = self._found()
        if found is not None and found["sha256"] != self._manifest["sha256"]:
            extension.extend(self._directory, _DATA, self._study, found, self._manifest)
        elif found is not None:
            self._manifest = found
        else:
            if any(self._data.iterdir()):
                _warn(f"{self._directory / manifests.FILE} is made anew from the parts")
            manifests.write_manifest(self._directory, self._manifest)
        self._parts = list(self._sound_parts())

    def _sound_parts(self) -> Iterator[Part]:
        parts, strays = parts_in(self._data)
        _warn_of_strays(strays)
        stop = 0
        for part in parts:
            try:
                part.check(self._manifest["sha256"])
                if part.span.start < stop:
                    raise DamagedPart(f"{part.path} overlaps the part before it")
            except DamagedPart as error:
                _warn(f"{error}; what is missing is made anew")
                part.path.unlink()
            else:
                stop = part.span.stop
                yield part


def read_results(directory: str | Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the table of a finished sweep, all of it or some columns.

    Its rows are ordered by point and replication. Money that is not known is missing, also where an
    earlier version wrote 0.

    Raises
    ------
    TeamsimError
        If there is no finished sweep, or a part of it is damaged.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    unfinished = TeamsimError(f"the sweep in {directory} is not finished: run its command again")
    if not manifest["complete"]:
        raise unfinished
    parts, strays = parts_in(directory / _DATA, manifest["format"] > 2)
    _warn_of_strays(strays)
    for before, after in overlapping(parts):
        raise TeamsimError(
            f"{after.path} overlaps {before.path.name}: run the sweep's command again"
        )
    if sum(part.span.count for part in parts) != manifest["replications"]:  # a file was lost
        raise unfinished
    try:
        tables = [part.read(manifest["sha256"], columns) for part in parts]
        results = pa.concat_tables(tables)
    except DamagedPart as error:
        raise TeamsimError(f"{error}; run the sweep's command again, which makes it anew") from None
    results = without_unknown(results, manifest["points"])
    return with_shortfalls(results, from_json(manifest.get(_SHORTFALLS, [])))


def read_shortfalls(directory: str | Path) -> list[Shortfall]:
    """Return the points of a finished sweep that have not reached their precision.

    Raises
    ------
    TeamsimError
        If the directory holds no sweep.
    """
    return from_json(read_manifest(directory).get(_SHORTFALLS, []))


def _is_somebodys(directory: Path) -> bool:
    """Return whether a directory without a manifest holds more than the empty start of a sweep."""
    names = {path.name for path in directory.iterdir() if path.name != _LOCK}
    return bool(names - {_DATA}) or any((directory / _DATA).glob("*"))


def _holds(data: Path, sweep: str) -> bool:
    """Return whether a data set has an undamaged part of a sweep."""
    for part in parts_in(data)[0]:
        try:
            part.check(sweep)
        except DamagedPart:
            continue
        return True
    return False


def _warn_of_strays(strays: Sequence[Path]) -> None:
    for path in strays:
        _warn(f"{path} is no part of the sweep: it is not read, and left as it is")


def _warn(message: str) -> None:
    warnings.warn(message, TeamsimWarning, stacklevel=2)
