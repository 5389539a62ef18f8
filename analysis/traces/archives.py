"""Zip archives of traces, as web pages offer them for download."""

from __future__ import annotations

import copy
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa

from analysis.traces.source import COMPRESSIONS, ZIP
from simulator.errors import TeamsimError

_MOST_FILES = 100_000
_MOST_BYTES = 1 << 34
"""Most that an archive may unpack to: a small one may hold petabytes."""

_NAMES = {".zip", ".eval"}
"""Ends of names of archives of traces; Inspect AI's logs are some."""

_ZSTANDARD = 93
"""Compression that Python knows from 3.14 on; Inspect AI's logs have it."""


def is_archive(path: Path) -> bool:
    """Tell whether a file is a zip archive."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(ZIP)) == ZIP
    except OSError:
        return False


def is_named_archive(path: Path) -> bool:
    """Tell whether a file is a zip archive by its name too: documents and packages are archives."""
    return path.suffix.lower() in _NAMES and is_archive(path)


def unpacked(path: Path, into: Path) -> Path:
    """Return a new directory with the files of an archive.

    Raises
    ------
    TeamsimError
        If it is damaged, encrypted or too large.
    """
    directory = into / f"archive-{len(list(into.iterdir()))}"
    try:
        with zipfile.ZipFile(path) as archive:
            files = archive.infolist()
            size = sum(each.file_size for each in files)
            if len(files) > _MOST_FILES or size > _MOST_BYTES:
                raise TeamsimError(
                    f"{path}: it has {len(files):,} files of {size / 1e9:,.1f} GB in all; unpack it"
                )
            for each in files:
                if each.compress_type == _ZSTANDARD:
                    _take_zstandard(archive, each, directory)
                else:
                    archive.extract(each, directory)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError) as error:
        raise TeamsimError(f"{path} cannot be unpacked: {error}") from None
    return directory


def _take_zstandard(archive: zipfile.ZipFile, each: zipfile.ZipInfo, directory: Path) -> None:
    """Unpack a file that is compressed with Zstandard: as it stands first, then what it holds."""
    stored = copy.copy(each)
    stored.compress_type, stored.file_size = zipfile.ZIP_STORED, each.compress_size
    stored.CRC = None  # type: ignore[assignment]  # it is that of what the file holds
    path = Path(archive.extract(stored, directory))
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
        held = stream.read(each.file_size + 1)
    if len(held) != each.file_size or zlib.crc32(held) != each.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {each.filename!r}")
    path.write_bytes(held)


def stem_of(path: Path) -> str:
    """Return the name of a file without its end, nor that of its compression: ``a.csv.gz`` is a."""
    name = path.name
    return Path(Path(name).stem if Path(name).suffix.lower() in COMPRESSIONS else name).stem
