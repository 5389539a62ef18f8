"""Results as JSON, for programs: ``--json``.

Every document is one JSON object on standard output; notes and errors are on standard error. It
begins with ``schema``, for example ``teamsim/run/1``: the command, and the version of its form.
The version rises when a field is removed or changes its meaning; fields may be added without that.
``teamsim`` is the version of the program. What is not known is null: a cost without a price, the
end of an interval that so many replications do not bound, a time that no run took to its end.
Intervals are of 95 %. Times are in simulated seconds, money in US dollars.

=========== =======================================================================================
command     fields beside ``schema`` and ``teamsim``
=========== =======================================================================================
check       files: file, ok, and name, points, replications, or errors: where, field, message
run         scenario, seed, replications, outcomes (runs by how they ended), finished, metrics
            (by name: mean, low, high, sd, and p5, p50, p95, p99, each with _low and _high),
            expectations (text, verdict, estimate, low, high, bound, beyond, needed), notes
compare     reference, replications, paired, systems (name, metrics by name: value, ratio and
            difference to the reference, each with low and high, verdict), sentences
stack       rows of speedup_stack.csv
chaos       replications, rows of the table
sensitivity metric, method, replications, finished, runs, rows of sensitivity.csv
advise      verdict, best, p_best, as_good, not_excluded, best_team, gain, break_even, sentences,
            moves, thresholds, rows of the table
validate    rows of the table of scores
=========== =======================================================================================
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

import typer

AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs, in place of tables.")
]


def print_json(command: str, values: Mapping[str, Any]) -> None:
    """Print the result of a command as JSON."""
    from simulator.version import __version__

    document = {"schema": f"teamsim/{command}/1", "teamsim": __version__, **values}
    print(json.dumps(plain(document), indent=1, allow_nan=False))


def plain(value: Any) -> Any:
    """Return a value as JSON can write it: null for what is not known, a list for a table."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if hasattr(value, "to_dict"):
        return plain(value.to_dict("records"))
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
