"""The JSON Schema of scenario files as text, which ships beside the scenarios."""

from __future__ import annotations

import json

from simulator.scenario.families import REGISTRIES
from simulator.scenario.shipped import scenario_directory

FILE = "scenario.schema.json"


def scenario_schema_text() -> str:
    """Return `scenario_json_schema` as text.

    It takes as long as a hundred replications to make, so it is read from the file that ships
    unless other packages add plugins, which belong into it, or the file is empty: a shell has
    emptied it where it is to be written anew.
    """
    path = scenario_directory() / FILE
    if path.is_file() and not any(registry.has_others for registry in REGISTRIES):
        text = path.read_text(encoding="utf-8").rstrip("\n")
        if text:
            return text
    from simulator.scenario.schema import scenario_json_schema  # and all plugins

    return json.dumps(scenario_json_schema(), indent=2)
