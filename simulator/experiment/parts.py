"""The files of a sweep's data set: each is whole, as a digest in its name shows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from simulator.errors import TeamsimError
from simulator.experiment.plan import Span

_NAME = re.compile(r"part-([0-9]{10,})-([0-9]{10,})(?:-([0-9a-f]{16}))?\.parquet")


class DamagedPart(TeamsimError):
    """A file of a data set that does not hold what was written."""


@dataclass(frozen=True, order=True, slots=True)
class Part:
    """A file with the rows of a span of replications."""

    span: Span
    path: Path
    digest: str
    """Digest of the sweep, the span and the content; empty in format 2, which has no digests."""

    def read(self, sweep: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows, all columns or some.

        Parameters
        ----------
        sweep : str
            Digest of the sweep that it is a part of.
        columns : sequence of str, optional

        Raises
        ------
        DamagedPart
            If it does not hold what was written for this span of this sweep.
        """
        from pyarrow.parquet import ParquetFile  # a run that writes nothing has no need of it

        self._check_digest(sweep)
        try:
            with ParquetFile(self.path) as file:  # `read_table` would import pandas
                rows = file.read(columns)
            if columns is not None:
                rows = rows.select(columns)  # in this order, and all of them
        except (pa.ArrowException, OSError, KeyError) as error:
            raise DamagedPart(f"{self.path} cannot be read: {error}") from None
        if rows.num_rows != self.span.count:
            raise DamagedPart(
                f"{self.path} holds {rows.num_rows} replications in place of {self.span.count}"
            )
        return rows

    def check(self, sweep: str) -> None:
        """Raise `DamagedPart` if it does not hold what was written."""
        if self.digest:
            self._check_digest(sweep)
        else:
            self.read(sweep, ["replication"])

    def _check_digest(self, sweep: str) -> None:
        """Read it once, by the piece: what replaced a part may be of any size."""
        if not self.digest:
            return
        try:
            with self.path.open("rb") as file:
                found = _digest(sweep, self.span, iter(partial(file.read, _PIECE_BYTES), b""))
        except OSError as error:
            raise DamagedPart(f"{self.path} cannot be read: {error.strerror}") from None
        if found != self.digest:
            raise DamagedPart(f"{self.path} does not hold what was written: its digest is another")


_PIECE_BYTES = 2**20


def _digest(sweep: str, span: Span, content: Iterable[bytes | memoryview]) -> str:
    found = sha256(f"{sweep} {span.start} {span.stop}\n".encode())
    for piece in content:
        found.update(piece)
    return found.hexdigest()[:16]


def write_part(directory: Path, sweep: str, span: Span, rows: pa.Table) -> None:
    """Write the rows of a span into a directory; the file is there whole or not at all.

    Raises
    ------
    TeamsimError
        If they cannot be written to the disk.
    """
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink)
    content = memoryview(sink.getvalue())
    digest = _digest(sweep, span, [content])
    write_whole(directory / f"part-{span.start:010d}-{span.stop:010d}-{digest}.parquet", content)


def parts_in(directory: Path, with_digests: bool = True) -> tuple[list[Part], list[Path]]:
    """Return the parts in a directory in order, and what only looks like parts.

    A directory or a device, which may have no end, is none.

    Parameters
    ----------
    directory : Path
    with_digests : bool
        Whether parts have digests in their names; those of format 2 have none.
    """
    parts, strays = [], []
    for path in sorted(directory.glob("*.parquet")) if directory.is_dir() else ():
        found = _NAME.fullmatch(path.name)
        is_part = found is not None and bool(found[3]) == with_digests and path.is_file()
        if found is None or not is_part or int(found[1]) >= int(found[2]):
            strays += [] if path.name.startswith(".") else [path]
        else:
            parts.append(Part(Span(int(found[1]), int(found[2])), path, found[3] or ""))
    return sorted(parts), strays


def overlapping(parts: Iterable[Part]) -> list[tuple[Part, Part]]:
    """Return consecutive parts that overlap: the second begins before the first ends."""
    return [(a, b) for a, b in pairwise(sorted(parts)) if b.span.start < a.span.stop]


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file so that it is there whole or not at all, also after a crash of the machine.

    Raises
    ------
    TeamsimError
        If it cannot be written.
    """
    # Readers of data sets pass over names that begin with a dot.
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        synchronise(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> TeamsimError:
    """Return the error to raise when a file of a sweep cannot be written."""
    if not path.parent.is_dir():
        return TeamsimError(f"{path.parent} was removed while the sweep ran, with what was in it")
    path.with_name(f".{path.name}.tmp").unlink(missing_ok=True)
    return TeamsimError(
        f"{path} cannot be written ({error.strerror or error}): earlier results are kept; when "
        "this is corrected, the same command goes on from there"
    )


def synchronise(directory: Path) -> None:
    """Make renames in a directory durable, where the system has a way to."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
