"""Results as JSON, for programs: ``--json``. docs/json.md says what is in them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from simulator.cli.harmless import print_whole

AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs, in place of tables.")
]


def print_json(command: str, values: Mapping[str, Any]) -> None:
    """Print the result of a command as JSON."""
    print_whole(as_json(command, values))


def as_json(command: str, values: Mapping[str, Any]) -> str:
    """Return the result of a command as JSON."""
    from simulator.version import __version__

    document = {"schema": f"teamsim/{command}/1", "teamsim": __version__, **values}
    return json.dumps(plain(document), indent=1, allow_nan=False)


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
