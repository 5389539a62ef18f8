"""Points whose replications were used up before their precision was reached."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from simulator.words import percent

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = b"teamsim.precision_not_reached"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A point whose replications were used up before its precision was reached."""

    point: int
    name: str
    metric: str
    replications: int
    relative: float | None
    """Distance from the mean to the farther end of its interval, over the mean; None if the mean
    is 0."""
    wanted: float
    """Most that `relative` was to be."""
    reasons: tuple[str, ...]
    """What else is missing: too few rare events, or distributions of infinite variance."""

    def __str__(self) -> str:
        far = "without bound" if self.relative is None else percent(self.relative, 2)
        missing = "".join(f"; {reason}" for reason in self.reasons)
        return (
            f"{self.name}: precision not reached in {self.replications} replications: the interval "
            f"of {self.metric} reaches {far} from its mean, {percent(self.wanted, 2)} wanted"
            f"{missing}"
        )


def shortfalls(results: pa.Table) -> list[Shortfall]:
    """Return the points of a sweep's results that have not reached their precision.

    Parameters
    ----------
    results : pyarrow.Table
        As `run_sweep` and `read_results` return it; its metadata name these points.
    """
    return from_json(json.loads((results.schema.metadata or {}).get(_KEY, b"[]")))


def with_shortfalls(results: pa.Table, found: Sequence[Shortfall]) -> pa.Table:
    """Return results whose metadata say which points have not reached their precision."""
    if not found:
        return results
    metadata = {**(results.schema.metadata or {}), _KEY: json.dumps(to_json(found)).encode()}
    return results.replace_schema_metadata(metadata)


def to_json(found: Sequence[Shortfall]) -> list[dict[str, Any]]:
    """Return what `from_json` takes."""
    return [asdict(each) for each in found]


def from_json(said: Sequence[dict[str, Any]]) -> list[Shortfall]:
    """Return what `to_json` was given."""
    return [Shortfall(**{**each, "reasons": tuple(each["reasons"])}) for each in said]
