"""What every reader of traces does, and the registry that finds readers by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from simulator.registry import Registry

if TYPE_CHECKING:
    from analysis.traces.collector import Collector
    from analysis.traces.source import Head, Source

READERS: Registry[Reader] = Registry(
    "trace reader", "analysis.traces.readers", "teamsim.trace_readers"
)


class Reader(ABC):
    """Reads one format; a subclass sets `kind`, its name."""

    kind: ClassVar[str]

    @abstractmethod
    def recognises(self, head: Head) -> float:
        """Return how sure it is that a file has this format, 0 to 1, by the start of the file.

        The surest reader reads the file. The share of the rows in its format is a good answer.
        """

    def holds(self, directory: Path) -> bool:
        """Return whether a directory is of this format as a whole."""
        return False

    def companions(self, path: Path) -> Sequence[Path]:
        """Return the files that belong to a named file, and are read with it."""
        return ()

    def knows(self, path: Path) -> bool:
        """Return whether a file belongs to this format but has no calls."""
        return False

    def lacks(self, head: Head) -> str | None:
        """Return what a file lacks to have this format, in words; None if it has little of it."""
        return None

    @abstractmethod
    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read files (or directories that it `holds`).

        Parameters
        ----------
        sources : sequence of Source
        out : Collector
            Takes the rows, and the problems.
        columns : dict
            Canonical names to the names that a plain table has.

        Raises
        ------
        TeamsimError
            If a file cannot be read at all.
        """
