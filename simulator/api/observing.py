"""Observe real runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simulator.api.arguments import seed_in
from simulator.api.results import ObservationResult, with_origin
from simulator.arguments import whole
from simulator.documents import MOST_RUNS
from simulator.errors import TeamsimError, what_is


def observe(
    traces: str | Path | Sequence[str | Path],
    form: str = "auto",
    replications: int = 200,
    seed: int | None = None,
) -> ObservationResult:
    """Read traces of a team, and make its twin.

    Parameters
    ----------
    traces : str, Path or sequence of them
        Files, directories or patterns.
    form : str
        Format of the traces.
    replications : int
        Runs of the twin, at least 2.
    seed : int, optional
        Of the twin; 1 when absent.

    Raises
    ------
    TeamsimError
        If there is nothing to read or to observe.
    """
    from analysis.observation.observe import observe as look
    from analysis.observation.twin import twin_name
    from analysis.traces.reading import read_traces

    paths = _paths(traces)
    replications = whole("replications", replications, 2, MOST_RUNS)
    read = read_traces(paths, form, {})
    root = seed_in(seed)
    source = Path(paths[0]).resolve().name
    found = look(read, twin_name(source), replications, seed=1 if root is None else root)
    return ObservationResult(with_origin(found.table.copy(), source, None), found)


def _paths(traces: object) -> list[str | Path]:
    said = [traces] if isinstance(traces, (str, Path)) else traces
    if not isinstance(said, Sequence) or not all(isinstance(each, (str, Path)) for each in said):
        raise TeamsimError(
            f"traces are files, directories or patterns: one or a list; found {what_is(traces)}"
        )
    if not all(str(each).strip() for each in said):
        raise TeamsimError("traces are files, directories or patterns: one of the names is empty")
    return list(said)
