"""The options of the schema, and which of them a scenario sets to something else than the default.

An option is a dotted path, ``team.agent.errors.detection``. Every value of a closed list is an
option of its own, ``coordination.timing=rounds``, and so is every plugin of a family with its
parameters, ``coordination.protocol[self_claim].lease_s``. A distribution may stand in many places:
each place is an option, and its families with their parameters are listed once,
``distribution[gamma].shape``.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from simulator.distributions import DISTRIBUTIONS, Distribution
from simulator.registry import OneOf, Plugin, Registry
from simulator.scenario import Scenario
from simulator.scenario.roles import Role
from simulator.scenario.sweep import Range
from tests.golden.corpus import points


def of_schema() -> set[str]:
    """Return every option that YAML may set."""
    found = set(_of_model(Scenario, ""))
    for kind in DISTRIBUTIONS.names():
        found |= {
            f"distribution[{kind}]",
            *_of_model(DISTRIBUTIONS.get(kind), f"distribution[{kind}]"),
        }
    return found


def of_file(path: Path) -> set[str]:
    """Return the options that the points of a scenario file set which the corpus runs."""
    raw = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
    found = {"sweep", "baseline"} & set(raw)
    axes = raw.get("sweep", {})
    for axis in (axes,) if isinstance(axes, dict) else axes:
        for values in axis.values():
            if isinstance(values, dict) and "from" in values:
                found.update(_set_in_model(Range.model_validate(values), "sweep.*"))
    for point in points(path):
        found.update(_set_in_model(point.scenario, ""))
    return found


def _of_model(model: type[BaseModel], path: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if not (name == "kind" and issubclass(model, Plugin)):
            yield from _of_annotation(_annotation(field), _below(path, name), field.default)


def _annotation(field: FieldInfo) -> Any:
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _of_annotation(annotation: Any, path: str, default: Any) -> Iterator[str]:
    for part in _parts(annotation):
        registry, arguments = _registry(part), get_args(part)
        if registry is not None:
            yield from _of_family(registry, path)
        elif _role(part) is not None:
            yield path
            yield from _of_role(part, path)
        elif get_origin(part) is Literal:
            yield from (f"{path}={value}" for value in arguments)
        elif get_origin(part) in (tuple, dict, list):
            yield path
            for argument in arguments:
                yield from _of_item(argument, f"{path}.*")
        elif _is_model(part):
            if not isinstance(default, BaseModel):
                yield path
            yield from _of_model(part, path)
        elif part is not type(None):
            yield path


def _of_family(registry: Registry, path: str) -> Iterator[str]:
    if registry is DISTRIBUTIONS:
        yield path
        return
    for kind in registry.names():
        yield f"{path}[{kind}]"
        yield from _of_model(registry.get(kind), f"{path}[{kind}]")


def _of_item(annotation: Any, path: str) -> Iterator[str]:
    """Return the options of what is in a list or mapping; plain values have none."""
    for part in _parts(annotation):
        if _role(part) is not None:
            yield from _of_role(part, path)
        elif _is_model(part):
            yield from _of_model(part, path)
        elif get_origin(part) is Literal:
            yield from (f"{path}={value}" for value in get_args(part))


def _of_role(annotation: Any, path: str) -> Iterator[str]:
    """Return the options of an agent, without those that its role lacks."""
    role = _role(annotation)
    assert role is not None
    lacks = re.compile(rf"{re.escape(path)}\.({'|'.join(map(re.escape, role.lacks))})([.=\[]|$)")
    options = _of_model(get_args(annotation)[0], path)
    return (option for option in options if not lacks.match(option))


def _role(annotation: Any) -> Role | None:
    if get_origin(annotation) is not Annotated:
        return None
    return next((each for each in annotation.__metadata__ if isinstance(each, Role)), None)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _registry(annotation: Any) -> Registry | None:
    if get_origin(annotation) is not Annotated:
        return None
    found = [each.registry for each in annotation.__metadata__ if isinstance(each, OneOf)]
    return found[0] if found else _registry(get_args(annotation)[0])


def _set_in_model(spec: BaseModel, path: str) -> Iterator[str]:
    for name, field in type(spec).model_fields.items():
        if not (name == "kind" and isinstance(spec, Plugin)):
            default = field.get_default(call_default_factory=True, validated_data={})
            yield from _set_in_value(
                getattr(spec, name), _annotation(field), _below(path, name), default
            )


def _set_in_value(value: Any, annotation: Any, path: str, default: Any) -> Iterator[str]:
    if isinstance(value, Distribution):
        if value != default:
            yield path
        inside = f"distribution[{value.kind}]"
        yield from (inside, *_set_in_model(value, inside))
    elif isinstance(value, Plugin):
        yield from (f"{path}[{value.kind}]", *_set_in_model(value, f"{path}[{value.kind}]"))
    elif isinstance(value, BaseModel):
        yield from (path, *_set_in_model(value, path))
    elif isinstance(value, str) and _is_literal(value, annotation):
        yield f"{path}={value}"
    elif value != default and value is not None:
        yield path
    if isinstance(value, (tuple, list, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            if isinstance(each, BaseModel):
                yield from _set_in_model(each, f"{path}.*")
            elif isinstance(each, str):
                yield f"{path}.*={each}"


def _is_literal(value: str, annotation: Any) -> bool:
    literals = (each for each in _parts(annotation) if get_origin(each) is Literal)
    return any(value in get_args(literal) for literal in literals)


def _parts(annotation: Any) -> Iterator[Any]:
    """Return an annotation's alternatives, bare but for the family or role that is meant."""
    if _registry(annotation) is not None or _role(annotation) is not None:
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from _parts(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for argument in get_args(annotation):
            yield from _parts(argument)
    else:
        yield annotation
