"""The pages of what a scenario file may say: its fields, and the plugins with theirs."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic_core import PydanticUndefined

from docs.markdown import cell, mark, said, table
from simulator.scenario.roles import ROLES
from simulator.spec import Spec

PROFILES = Path(__file__).parents[1] / "simulator" / "profiles"

FAMILIES = {
    "topology": "Topologies",
    "protocol": "Protocols",
    "workload": "Workloads",
    "workspace": "Workspaces",
    "latency_model": "Latency models",
    "distribution": "Distributions",
}
"""Headings of the families of plugins, by their names in the schema."""

_ROLES = {role.definition: role for role in ROLES}


def scenario_fields() -> str:
    """Return the page of all fields of a scenario, section by section."""
    schema = _schema()
    parts = [
        "# Fields of a scenario\n",
        "Every field that a scenario file may have. A name ends in its unit: `_s` are seconds, "
        "`_usd` US dollars, `_per_mtok` dollars for a million tokens. Probabilities and shares are "
        "numbers from 0 to 1. A field of the type *distribution* takes a number or one of the "
        "[distributions](plugins.md#distributions), such as `{kind: lognormal, median: 8, sigma: "
        "0.6}`. `teamsim schema` prints the same as a JSON Schema, by which editors complete and "
        "check scenario files.\n",
    ]
    for path, name, definition in _sections(schema):
        heading = f"`{path}`" if path else "The whole file"
        parts.append(f"{mark(anchor(name))}## {heading}\n")
        if text := definition.get("description"):
            parts.append(said(text) + "\n")
        if name in _ROLES:
            lacks = ", ".join(f"`{each}`" for each in _ROLES[name].lacks)
            parts.append(
                f"It has the [fields of an agent]({_place('Agent')}), except for {lacks}.\n"
            )
            continue
        prefix = f"{path}." if path else ""
        parts.append(fields_table(definition, name, prefix, schema["$defs"]))
    return "\n".join(parts)


def plugins() -> str:
    """Return the page of all plugins that ship, family by family."""
    from analysis.traces.reader import READERS
    from simulator.scenario import profile_names

    definitions = _schema()["$defs"]
    parts = [
        "# Plugins\n",
        "What can be named in a scenario, family by family, with its parameters. Where all "
        "parameters have defaults, the name alone will do: `topology: ring`. `teamsim list` prints "
        "the names, also of plugins from other packages. How to write one is told in "
        "[Write a plugin](../guides/plugins.md).\n",
    ]
    for family, heading in FAMILIES.items():
        parts.append(f"## {heading}\n")
        for plugin in definitions[family]["anyOf"]:
            if "properties" not in plugin:
                continue
            kind = plugin["properties"]["kind"]["const"]
            parts.append(f"{mark(f'{family}-{kind}')}### {kind}\n\n{said(plugin['description'])}\n")
            if len(plugin["properties"]) > 1:
                parts.append(fields_table(plugin, plugin["title"], "", definitions))
    parts.append("## Trace readers\n")
    rows = ([f"`{name}`", cell(first_line(READERS.get(name)))] for name in READERS.names())
    parts.append(table(["Format", "What it is"], rows))
    parts.append("## Profiles\n\nAgents fitted to measurements, for `team.agent.profile`.\n")
    rows = ([f"`{name}`", cell(_source_of(name))] for name in profile_names())
    parts.append(table(["Profile", "Fitted to"], rows))
    return "\n".join(parts)


def _source_of(profile: str) -> str:
    text = (PROFILES / f"{profile}.yaml").read_text("utf-8")
    return str(yaml.safe_load(text)["source"])


def first_line(item: Any) -> str:
    """Return the first line of an object's docstring."""
    return (inspect.getdoc(item) or "").split("\n\n")[0].replace("\n", " ")


def _schema() -> dict[str, Any]:
    from simulator.scenario import scenario_json_schema

    return scenario_json_schema()


def _sections(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, name and definition of each mapping in a scenario, in the order of the file."""
    waiting = [("", "Scenario", schema)]
    seen = {"Scenario"}
    while waiting:
        path, name, definition = waiting.pop(0)
        yield path, name, definition
        if name in _ROLES:
            continue
        below = []
        for field, value in definition.get("properties", {}).items():
            for step, found in _mappings(value):
                where = f"{path}.{field}{step}" if path else f"{field}{step}"
                if found not in seen and found not in FAMILIES:
                    seen.add(found)
                    below.append((where, found, _mapping_in(schema["$defs"][found])))
        waiting = below + waiting
    # Those that only plugins have; parts of roles are named by their role.
    for name, definition in schema["$defs"].items():
        if name not in seen and name not in FAMILIES and not name.startswith(tuple(_ROLES)):
            yield f"{name} (of plugins)", name, _mapping_in(definition)


def _mapping_in(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the definition itself or, where a number may stand for it, that of its mapping."""
    options = definition.get("anyOf", [definition])
    return next(each for each in options if "properties" in each)


def _mappings(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the definitions that a field's type refers to, with the steps to them."""
    if "$ref" in value:
        yield "", value["$ref"].rpartition("/")[2]
    for each in (*value.get("anyOf", ()), *value.get("oneOf", ())):
        yield from _mappings(each)
    if isinstance(value.get("items"), dict):
        yield from ((f"[]{step}", name) for step, name in _mappings(value["items"]))
    if isinstance(value.get("additionalProperties"), dict):
        yield from (
            (f".NAME{step}", name) for step, name in _mappings(value["additionalProperties"])
        )


def fields_table(
    definition: dict[str, Any], name: str, prefix: str, definitions: dict[str, Any]
) -> str:
    """Return the table of a mapping's fields: path, type, default and meaning."""
    model = _models().get(name)
    required = set(definition.get("required", ()))
    if model is not None:
        needed = (info for info in model.model_fields.items() if info[1].is_required())
        required |= {info.alias or field for field, info in needed}
    rows = [
        [
            f"`{prefix}{field}`",
            type_of(value),
            "required" if field in required else _default(value, model, field),
            cell(value.get("description") or _of_kind(value, definitions)),
        ]
        for field, value in definition["properties"].items()
        if field != "kind" or "const" not in value
    ]
    return table(["Field", "Type", "Default", "Meaning"], rows)


def _of_kind(value: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return the first sentence about the kind of a field that says nothing of itself."""
    name = value.get("$ref", "").rpartition("/")[2]
    return str(definitions.get(name, {}).get("description", "")).split("\n\n")[0]


def _models() -> dict[str, type[Spec]]:
    def below(model: type[Spec]) -> Iterator[type[Spec]]:
        for each in model.__subclasses__():
            yield each
            yield from below(each)

    return {model.__name__: model for model in below(Spec)}


def _default(value: dict[str, Any], model: type[Spec] | None, field: str) -> str:
    default = value.get("default")
    if "default" not in value and model is not None:
        by_alias = {info.alias or name: info for name, info in model.model_fields.items()}
        default = by_alias[field].get_default(call_default_factory=True)
    if isinstance(default, Spec):
        default = default.model_dump(mode="json", exclude_defaults=True)
    if default in (None, "") or default is PydanticUndefined:
        return ""
    if default in ({}, [], ()):
        return "empty" if "$ref" not in value else "those of its fields"
    if isinstance(default, dict) and "probability" in default and not any(default.values()):
        default = default["probability"]  # no effects of runs and agents
    if isinstance(default, dict) and default.keys() <= {"kind", "value"}:
        default = default.get("value", default.get("kind"))
    text = (
        yaml.safe_dump(default, default_flow_style=True, width=1000).removesuffix("...\n").strip()
    )
    return f"`{text}`" if len(text) < 60 else "those of its fields"


def type_of(value: dict[str, Any]) -> str:
    """Return what a field may hold, in words."""
    match value:
        case {"$ref": str(reference)}:
            return _link(reference.rpartition("/")[2])
        case {"anyOf": options} | {"oneOf": options}:
            kinds = (type_of(each) for each in options if each.get("type") != "null")
            return " or ".join(dict.fromkeys(kinds))
        case {"enum": values}:
            return ", ".join(f"`{each}`" for each in values)
        case {"type": "array", "items": dict(inner)}:
            return f"list of {type_of(inner)}"
        case {"type": "object", "additionalProperties": dict(inner)}:
            return f"names with {type_of(inner)}"
        case _:
            kind = {"boolean": "true or false", "object": "mapping"}
            said_as = value.get("type", "any")
            return " ".join([kind.get(said_as, said_as), *_bounds(value)])


def _link(name: str) -> str:
    if name in FAMILIES:
        place = FAMILIES[name].lower().replace(" ", "-")
        return f"[{name.replace('_', ' ')}](plugins.md#{place})"
    return f"[{name}]({_place(name)})"


def _place(name: str) -> str:
    return f"scenario.md#{anchor(name)}"


def _bounds(value: dict[str, Any]) -> Iterator[str]:
    for key, sign in (("minimum", "≥"), ("exclusiveMinimum", "&gt;"), ("maximum", "≤"),
                      ("exclusiveMaximum", "&lt;")):  # fmt: skip
        if key in value and abs(value[key]) < 1e12:
            yield f"{sign} {value[key]:,}"


def anchor(name: str) -> str:
    """Return the anchor of a mapping's section."""
    return f"field-{name.lower()}"
