"""Reads traces of any known format from files, directories, globs and standard input."""

from __future__ import annotations

import glob
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from analysis.traces.archives import is_archive, is_named_archive, unpacked
from analysis.traces.canonical import Traces
from analysis.traces.collector import Collector
from analysis.traces.other_formats import columns_of, other_format
from analysis.traces.pages import Pages, notes_on_pages
from analysis.traces.reader import READERS, Reader
from analysis.traces.source import COMPRESSIONS, Head, Source, wrongly_named
from simulator.documents import is_there
from simulator.errors import TeamsimError, unknown_name
from simulator.garbage import collector_paused

STANDARD_INPUT = "-"
_TABLE = "table"
_OF_OBSERVE = "run_measures.parquet"
"""A table beside those of the calls that ``teamsim observe`` writes."""

_DATA = {".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".otlp", ".pb", ".binpb"}

Progress = Callable[[int, int], None]
"""Called with the number of bytes read, and the number of all."""


def read_traces(
    paths: Sequence[Path | str],
    form: str = "auto",
    columns: dict[str, str] | None = None,
    progress: Progress | None = None,
) -> Traces:
    """Read traces, the format of each file detected by its content, or given.

    Parameters
    ----------
    paths : sequence of Path or str
        Files, also compressed ones (gzip, zstd, bz2, xz), and zip archives; directories, in which
        every file of a known format is read, and those in zip archives, but for tables that an
        observation has written, unless there is nothing else; patterns such as ``runs/*.jsonl``;
        ``-`` for standard input.
    form : str
        A reader's name, or ``auto``.
    columns : dict, optional
        For plain tables: canonical names to the names in the table.
    progress : callable, optional
        Called with the number of bytes read, and the number of all.

    Raises
    ------
    TeamsimError
        If a path does not exist, no reader recognises it, or nothing usable is in it.
    """
    names = READERS.names()
    if form != "auto" and form not in names:
        raise TeamsimError(unknown_name("trace format", form, ["auto", *names]))
    if not paths:
        raise TeamsimError("no trace files given")
    with tempfile.TemporaryDirectory() as directory:
        readers = [READERS.get(name)() for name in names]
        search = _Search(readers, form, Path(directory), bool(columns))
        for path in paths:
            search.add(str(path))
        search.check_found(", ".join(map(str, paths)))
        return _read(search, columns or {}, progress)


@dataclass
class _Search:
    """Finds the files to read and who reads each."""

    readers: list[Reader]
    form: str
    scratch: Path
    """Directory for what is unpacked and what can be read only once."""
    told_columns: bool = False
    found: dict[str, list[tuple[Path, str]]] = field(default_factory=dict)
    unread: list[tuple[Path, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    observed: list[Path] = field(default_factory=list)
    """Directories of tables that an earlier observation of the same calls may have written."""
    _seen: set[Path] = field(default_factory=set)
    _unpacked: dict[Path, Path] = field(default_factory=dict)
    _recognised: int = 0

    def add(self, named: str) -> None:
        """Add a path that was named.

        Raises
        ------
        TeamsimError
            If there is no such file, or one that was named is of no known format.
        """
        path = Path(named)
        there = is_there(path)
        if named == STANDARD_INPUT and not there:
            self._file(_copied(sys.stdin.buffer, self.scratch), "standard input", is_named=True)
            return
        if (
            there and path.is_fifo()
        ):  # which can be read only once: a program's output, as <(zcat x.gz)
            with path.open("rb") as pipe:
                self._file(_copied(pipe, self.scratch), named, is_named=True)
            return
        matching = [path] if there else _matching(named)
        if not matching:
            raise TeamsimError(f"{named}: no such file or directory")
        for each in matching:
            if each != path and _is_observed(each):
                self.observed.append(each)
            elif each.is_dir():
                before = self._recognised
                self._directory(each)
                if self._recognised == before and each == path:
                    self._take_observed(each)
                if self._recognised == before and each == path:
                    self._refuse(each)
            elif not (is_archive(each) and self._archive(each)):
                self._file(each, str(each), is_named=each == path)
                self._companions(each)

    def check_found(self, named: str) -> None:
        """Check that there is something to read in all that was named.

        Raises
        ------
        TeamsimError
            If there is nothing, as where patterns match nothing but other files.
        """
        if self.found:
            return
        if self.problems:
            raise TeamsimError(self.problems[0])
        if self.observed:
            raise TeamsimError(
                f"{named}: there is only what teamsim observe has written; to read that, name it: "
                f"{self.observed[0]}"
            )
        raise TeamsimError(f"{named}: {self._unknown()}")

    def _unknown(self) -> str:
        return f"no known trace format (tried {self._formats()})"

    def _formats(self) -> str:
        return ", ".join(reader.kind for reader in self.readers)

    def _directory(self, path: Path) -> None:
        holder = next((r for r in self._candidates() if r.holds(path)), None)
        if holder is not None:
            self._take(holder, path, str(path))
            return
        for each in sorted(path.iterdir()):
            if each.name.startswith("."):
                continue
            if each.is_dir() and not each.is_symlink():
                if _is_observed(each):
                    self.observed.append(each)
                else:
                    self._directory(each)
            elif each.is_file() and not (is_named_archive(each) and self._archive_within(each)):
                self._file(each, str(each), is_named=False)

    def _archive_within(self, path: Path) -> bool:
        """Add the files in an archive that is in a directory, but not in an archive itself.

        Return whether there is one of a known format. One that cannot be unpacked is a problem only
        where nothing else is found.
        """
        if any(directory in path.parents for directory in self._unpacked):
            return False
        try:
            return self._archive(path)
        except TeamsimError as error:
            self.problems.append(str(error))
            return False

    def _archive(self, path: Path) -> bool:
        """Add the files in an archive; return whether there is one of a known format."""
        before, directory = self._recognised, unpacked(path, self.scratch)
        self._unpacked[directory] = path
        self._directory(directory)
        return self._recognised > before

    def _take_observed(self, path: Path) -> None:
        """Take what an observation has written, where a directory holds nothing else."""
        for each in [each for each in self.observed if path in each.parents]:
            self.observed.remove(each)
            self._directory(each)

    def _file(self, path: Path, name: str, is_named: bool) -> None:
        forced = self.form != "auto" and is_named
        try:
            best = self._candidates()[0] if forced else self._surest(Source(path, name).head)
        except TeamsimError as error:
            if is_named:
                raise
            self.problems.append(str(error))
            return
        if best is not None:
            self._take(best, path, name)
        elif any(reader.knows(path) for reader in self._candidates()):
            return
        elif is_named:
            if Source(path, name).head.layout == "empty":
                raise TeamsimError(f"{name}: it is empty")
            self._refuse(path, name)
        else:
            self.unread.append((path, name))

    def _surest(self, head: Head) -> Reader | None:
        sure = {reader: reader.recognises(head) for reader in self._candidates()}
        best = max(sure, key=lambda reader: sure[reader])
        if sure[best] > 0.0:
            return best
        # A user who names columns has a plain table.
        is_told = self.told_columns and head.layout in {"table", "parquet"}
        return next((r for r in self._candidates() if is_told and r.kind == _TABLE), None)

    def _candidates(self) -> list[Reader]:
        return [r for r in self.readers if self.form in {"auto", r.kind}]

    def _companions(self, path: Path) -> None:
        for reader in self.readers:
            mine = {each for each, _ in self.found.get(reader.kind, [])}
            if path in mine:
                for each in reader.companions(path):
                    self._file(each, str(each), is_named=False)

    def _take(self, reader: Reader, path: Path, name: str) -> None:
        self._recognised += 1
        if path.resolve() not in self._seen:
            self._seen.add(path.resolve())
            for directory, archive in self._unpacked.items():
                if directory in (path, *path.parents):
                    name = str(archive / path.relative_to(directory))
            shown = name.encode("utf-8", "replace").decode("utf-8")
            self.found.setdefault(reader.kind, []).append((path, shown))

    def _lacking(self, head: Head) -> str | None:
        """Return what a file lacks that is nearly of a known format."""
        said = (reader.lacks(head) for reader in self._candidates())
        return next((each for each in said if each is not None), None)

    def _refuse(self, path: Path, name: str | None = None) -> None:
        if self.problems:
            raise TeamsimError(self.problems[0])
        shown = name or str(path)
        if path.is_dir():
            files = [each for each in path.rglob("*") if each.is_file()]
            if not files:
                raise TeamsimError(f"{shown}: there are no files in this directory")
            shown = f"{shown}: {len(files):,} file{'s' if len(files) > 1 else ''}"
        elif (claimed := wrongly_named(path, shown)) is not None:
            raise TeamsimError(f"{shown}: it is not compressed with {claimed}, as its name says")
        elif (lacking := self._lacking(Source(path, shown).head)) is not None:
            raise TeamsimError(f"{shown}: {lacking}")
        if self.form != "auto":
            raise TeamsimError(f"{shown}: nothing in it is of the format {self.form!r}")
        head = None if path.is_dir() else Source(path, shown).head
        other = None if head is None else other_format(head)
        if other is not None:
            raise TeamsimError(f"{shown}: {other}. Formats that are read: {self._formats()}")
        raise TeamsimError(f"{shown}: {self._unknown()}{'' if head is None else columns_of(head)}")


def _matching(pattern: str) -> list[Path]:
    try:
        return [Path(each) for each in sorted(glob.glob(pattern, recursive=True))]
    except ValueError:  # a null byte, which no name has
        return []


def _is_observed(directory: Path) -> bool:
    return (directory / _OF_OBSERVE).is_file()


def _copied(stream: BinaryIO, scratch: Path) -> Path:
    """Return a file with what a stream holds."""
    path = scratch / f"input-{len(list(scratch.iterdir()))}"
    with path.open("wb") as copy:
        shutil.copyfileobj(stream, copy)
    return path


def _read(search: _Search, columns: dict[str, str], progress: Progress | None) -> Traces:
    files = [path for some in search.found.values() for path, _ in some]
    total = sum(path.stat().st_size for path in files if path.is_file())
    done = 0

    def watch(size: int) -> None:
        nonlocal done
        done = min(done + size, total)
        if progress is not None:
            progress(done, total)

    out, pages = Collector(), Pages()
    with collector_paused():
        for reader in search.readers:
            some = search.found.get(reader.kind)
            if some:
                out.report.files[reader.kind] += len(some)
                sources = [Source(path, name, watch, pages) for path, name in some]
                reader.read(sources, out, columns)
    out.notes += notes_on_pages(pages)
    for problem in search.problems:
        out.skip(problem, "the file was left out")
    for each in search.observed:
        out.notes.append(f"{each} is left out: teamsim observe has written it")
    for _, name in _data_files(search.unread):
        out.report.unread.add(name)
    traces = out.traces()
    if traces.calls.empty and traces.team is None:
        n = traces.report.errors.count
        reason = f"; the first of {n} problems: {traces.report.errors.first}" if n else ""
        raise TeamsimError(
            f"{next(_names(search))}: no calls in it{reason or _instead(search, out)}"
        )
    return traces


def _instead(search: _Search, out: Collector) -> str:
    """Return what files without calls hold."""
    kinds = ", ".join(kind for kind, some in search.found.items() if some)
    n = out.report.rows
    return f"; read as {kinds} it has {'no rows' if not n else f'{n:,} rows that are no calls'}"


def _names(search: _Search) -> Iterator[str]:
    return (name for some in search.found.values() for _, name in some)


def _data_files(files: list[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """Return the files that look like data; other files of a directory are no traces."""
    return [
        (path, name)
        for path, name in files
        if set(path.suffixes) & _DATA or path.suffix in COMPRESSIONS
    ]
