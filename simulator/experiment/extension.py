"""Moves the results of a sweep into a larger one: more replications, more points."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from simulator.errors import TeamsimWarning
from simulator.experiment import manifest as manifests
from simulator.experiment import table
from simulator.experiment.manifest import Manifest
from simulator.experiment.parts import DamagedPart, cannot_write, parts_in, synchronise, write_part
from simulator.experiment.plan import Plan, Span
from simulator.scenario import Study

_NEXT, _BEFORE = ".extended", ".replaced"


def extend(directory: Path, data: str, study: Study, old: Manifest, new: Manifest) -> None:
    """Give the rows in a directory the places that they have in a larger sweep.

    The new rows are written beside the old ones, and replace them when all are written. A process
    that is killed in between leaves either the old rows or the new ones, whole.

    Parameters
    ----------
    directory : Path
    data : str
        Name of the data set in it.
    study : Study
        The larger sweep.
    old, new : Manifest
        Manifests of the results in `directory`, and of `study`.

    Raises
    ------
    TeamsimError
        If it is another sweep, or the disk does not take it.
    """
    places = manifests.places_in(new, old, directory)
    beside = directory / _NEXT
    shutil.rmtree(beside, ignore_errors=True)
    try:
        (beside / data).mkdir(parents=True)
    except OSError as error:
        raise cannot_write(beside / data, error) from None
    plan = Plan([point.scenario.replications for point in study.points])
    before = Plan([point["scenario"]["replications"] for point in old["points"]])
    schema = table.schema(study.points, study.axes)
    for part in parts_in(directory / data)[0]:
        try:
            rows = part.read(old["sha256"])
        except DamagedPart as error:
            warnings.warn(f"{error}; it is made anew", TeamsimWarning, stacklevel=2)
            continue
        moved, first = [], 0
        for point, replications in before.pieces(part.span):
            place = places[point]
            piece = rows.slice(first, len(replications))
            first += len(replications)
            span = plan.span(place, replications.start, replications.stop)
            moved.append((span, table.moved(piece, study.points[place], schema)))
        for span, piece in _joined(moved):
            write_part(beside / data, new["sha256"], span, piece)
    manifests.write_manifest(beside, new)
    settle(directory, data)


def settle(directory: Path, data: str) -> None:
    """Put in place what `extend` has written in full; remove what it has written in part."""
    beside, before = directory / _NEXT, directory / _BEFORE
    if (beside / manifests.FILE).exists():
        if (beside / data).exists():
            shutil.rmtree(before, ignore_errors=True)
            if (directory / data).exists():
                os.replace(directory / data, before)
            os.replace(beside / data, directory / data)
        os.replace(beside / manifests.FILE, directory / manifests.FILE)
        synchronise(directory)
    for left in (beside, before):
        shutil.rmtree(left, ignore_errors=True)


def _joined(pieces: Sequence[tuple[Span, pa.Table]]) -> Iterator[tuple[Span, pa.Table]]:
    """Yield pieces, with adjacent ones joined."""
    span, tables = pieces[0][0], [pieces[0][1]]
    for following, rows in pieces[1:]:
        if following.start == span.stop:
            span = Span(span.start, following.stop)
        else:
            yield span, pa.concat_tables(tables)
            span, tables = following, []
        tables.append(rows)
    yield span, pa.concat_tables(tables)
