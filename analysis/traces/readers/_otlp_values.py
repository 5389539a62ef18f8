"""Values and surroundings of OTLP spans and log records, as JSON and protobuf have them."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from analysis.traces.attribute_names import KNOWN
from analysis.traces.jsonstream import Record
from analysis.traces.values import amount, items, long_number, mapping, pick, text

_RESOURCE = {"session.id"}
_HEX = re.compile(r"(?:[0-9a-fA-F]{16}){1,2}")


def hex_id(identity: str) -> str:
    """Return an id in small hexadecimal digits; proto3's JSON mapping writes some in base64."""
    if len(identity) in {12, 24} and identity[-1] == "=":
        try:
            return base64.b64decode(identity, validate=True).hex()
        except ValueError:
            return identity
    small = identity.lower()
    return small if small != identity and _HEX.fullmatch(identity) else identity


def attributes_of(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that are used, from a list of pairs or a mapping."""
    raw = node.get("attributes")
    if isinstance(raw, dict):
        return {key: value for key, value in raw.items() if key in KNOWN}
    found = {}
    for each in raw if isinstance(raw, list) else ():
        if isinstance(each, dict):
            key = each.get("key")
            if isinstance(key, str) and key in KNOWN:
                found[key] = value_of(each.get("value"))
    return found


def attribute(node: Mapping[str, Any], name: str) -> Any:
    """Return the value of one attribute, used or not; None if it has none of this name."""
    raw = node.get("attributes")
    if isinstance(raw, dict):
        return raw.get(name)
    pairs = (mapping(each) for each in items(raw))
    return next((value_of(each.get("value")) for each in pairs if each.get("key") == name), None)


_VALUES = ("stringValue", "string_value", "boolValue", "bool_value")
_NUMBERS = ("intValue", "int_value", "doubleValue", "double_value")


def value_of(value: Any) -> Any:
    """Return the plain value of an OTLP AnyValue; integers may be strings."""
    if not isinstance(value, dict):
        return value
    for name in _VALUES:
        if name in value:
            return value[name]
    for name in _NUMBERS:
        if name in value:
            said = long_number(value[name])
            number = amount(said)
            return said if number is None else int(number) if "int" in name else number
    listed = pick(value, "arrayValue", "array_value")
    if listed is not None:
        return [value_of(each) for each in items(mapping(listed).get("values"))]
    pairs = pick(value, "kvlistValue", "kvlist_value")
    if pairs is not None:
        each = (mapping(pair) for pair in items(mapping(pairs).get("values")))
        return {str(pair.get("key")): value_of(pair.get("value")) for pair in each}
    return None


def around_of(record: Record) -> tuple[dict[str, Any] | None, str | None]:
    """Return the resource's attributes that are used, and the instrumentation's name."""
    resource: dict[str, Any] | None = None
    scope: str | None = None
    for each in record.around:
        if "resource" in each:
            resource = each.get("_said")
            if resource is None:
                resource = each["_said"] = of_resource(mapping(each["resource"]))
        elif "scope" in each or "instrumentationLibrary" in each:
            named = mapping(pick(each, "scope", "instrumentationLibrary"))
            scope = text(named.get("name")) or scope
    if resource is None and len(record.around) > 1:
        return record.around[1], scope  # the resource is still being read
    return resource or None, scope


def of_resource(resource: Mapping[str, Any]) -> dict[str, Any]:
    raw = resource.get("attributes")
    if isinstance(raw, dict):
        return {key: value for key, value in raw.items() if key in _RESOURCE}
    pairs = (mapping(each) for each in items(raw))
    return {
        str(each["key"]): value_of(each.get("value"))
        for each in pairs
        if isinstance(each.get("key"), str) and each["key"] in _RESOURCE
    }
