"""Results as JSON, for programs: ``--json``. docs/json.md says what is in them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.harmless import print_whole
from simulator.cli.json_fields import version_of

if TYPE_CHECKING:
    from simulator.scenario import Scenario

AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs, in place of tables.")
]


def print_json(command: str, values: Mapping[str, Any], scenario: Scenario | None = None) -> None:
    """Print the result of a command as JSON."""
    print_whole(as_json(command, values, scenario))


def print_validated(of: str, rows: Any, **more: Any) -> None:
    """Print scores of predictions of teams, of requests, or of the teams of a table of runs."""
    others = dict.fromkeys(("in_sample", "requests", "sums", "means"))
    print_json("validate", {"of": of, "rows": rows, **others, **more})


def as_json(command: str, values: Mapping[str, Any], scenario: Scenario | None = None) -> str:
    """Return the result of a command as JSON.

    Parameters
    ----------
    command : str
    values : mapping
        The fields that `simulator.cli.json_fields` says of it.
    scenario : Scenario, optional
        What was run, where it is one scenario.
    """
    from simulator.version import __version__

    document: dict[str, Any] = {
        "schema": f"teamsim/{command}/{version_of(command)}",
        "command": command,
        "teamsim": __version__,
    }
    if scenario is not None:
        document |= {"scenario": scenario.name, "seed": scenario.seed}
    return json.dumps(plain({**document, "notes": [], **values}), indent=1, allow_nan=False)


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
