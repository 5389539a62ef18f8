"""Those that make calls but take no tasks: the fields of an agent that do nothing for them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from simulator.errors import unknown_name
from simulator.registry import DEFINED_LATER
from simulator.scenario.agent import Agent
from simulator.spec import Spec, line_errors

_OF_TASKS = (
    "batch",
    "first_batch",
    "one_by_one",
    "batch_persistence",
    "capacity",
    "capacity_elasticity",
    "truncation_loss",
    "redo_work",
    "behaviour",
    "forgetting",
    "errors",
    "context.error",
    "drift.error_logit",
    "drift.idle_logit",
)
_OF_HEARERS = ("tokens.message", "tokens.relay", "loop.reads_messages")


@dataclass(frozen=True)
class Role:
    """Pydantic annotation: the field holds an `Agent` without the fields that a role lacks.

    Who says one of these fields is told so. They have their defaults in the agent, and are neither
    dumped nor in the JSON Schema.

    Parameters
    ----------
    name : str
        What the role is called in messages.
    because : str
        Why fields have no effect, in the words that follow ``which``.
    lacks : tuple of str
        Dotted paths of the fields.
    """

    name: str
    because: str
    lacks: tuple[str, ...]

    @property
    def definition(self) -> str:
        """Name of its definition in a JSON Schema."""
        return "".join(word.capitalize() for word in self.name.replace("-", " ").split())

    def has(self, path: str) -> bool:
        """Return whether agents in this role have the field at a dotted path."""
        return not any(path == each or path.startswith(f"{each}.") for each in self.lacks)

    def without(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of an agent without those that the role lacks."""
        kept = dict(fields)
        for path in self.lacks:
            _drop(kept, path.split("."))
        return kept

    def __get_pydantic_core_schema__(
        self, source: type[Agent], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def dumped(agent: Agent, dump: core_schema.SerializerFunctionWrapHandler) -> dict[str, Any]:
            return self.without(dump(agent))

        return core_schema.no_info_wrap_validator_function(
            self._validated,
            handler(source),
            serialization=core_schema.wrap_serializer_function_ser_schema(dumped),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {DEFINED_LATER: self.definition}

    def _validated(self, data: Any, validate: core_schema.ValidatorFunctionWrapHandler) -> Agent:
        errors = list(self._errors(data)) if isinstance(data, Mapping) else []
        if not errors:
            agent: Agent = validate(data)
            return agent
        known = {key: value for key, value in data.items() if key in Agent.model_fields}
        try:
            validate(self.without(known))
        except ValidationError as others:
            errors += line_errors(others)
        raise ValidationError.from_exception_data(self.name, errors)

    def _errors(self, data: Mapping[str, Any]) -> Iterator[InitErrorDetails]:
        """Yield what is wrong with what is said of fields that are not there."""
        allowed = [name for name in Agent.model_fields if name not in self.lacks]
        for key in data:
            if key not in Agent.model_fields:
                yield _error("unknown_key", unknown_name("key", key, allowed), (key,), data[key])
        for dotted in self.lacks:
            path: list[str] = []
            node: Any = data
            for key in dotted.split("."):
                if not isinstance(node, Mapping) or key not in node:
                    break
                path, node = [*path, key], node[key]
            else:
                while isinstance(node, Mapping) and len(node) == 1:  # as far as it was said
                    ((key, node),) = node.items()
                    path.append(key)
                said = f"this has no effect on a {self.name}, which {self.because}; leave it out"
                yield _error("no_effect", said, tuple(path), node)


def _error(
    kind: LiteralString, message: str, path: tuple[str, ...], found: object
) -> InitErrorDetails:
    error = PydanticCustomError(kind, "{reason}", {"reason": message})
    return InitErrorDetails(type=error, loc=path, input=found)


def _drop(fields: dict[str, Any], path: list[str]) -> None:
    """Take the field at a path out of `fields`; mappings on the way are copied."""
    key, *below = path
    if not below:
        fields.pop(key, None)
    elif isinstance(fields.get(key), Mapping):
        fields[key] = dict(fields[key])
        _drop(fields[key], below)


def _all_but(*kept: str) -> tuple[str, ...]:
    """Return the paths of all fields of an agent but the dotted ones."""
    whole = {path for path in kept if "." not in path}
    parts = {path.partition(".")[0] for path in kept} - whole
    lacks = [name for name in Agent.model_fields if name not in whole | parts]
    for part in parts:
        inner: Spec = Agent.model_fields[part].default
        names = (f"{part}.{name}" for name in type(inner).model_fields)
        lacks += [path for path in names if path not in kept]
    return tuple(sorted(lacks))


COORDINATOR = Role("coordinator", "takes no tasks", (*_OF_TASKS, "loop.at_limit"))
VERIFIER = Role(
    "verifier", "takes no tasks and hears nobody", (*_OF_TASKS, *_OF_HEARERS, "loop.at_limit")
)
SUBAGENT = Role(
    "sub-agent",
    "does one errand for who started it",
    (
        *_OF_TASKS,
        *_OF_HEARERS,
        "context.artifact_tokens",
        "context.board_tokens_per_task",
        "context.request_tokens",
        "context.retention",
        "faults.byzantine",
        "faults.crash.keeps_context",
        "faults.crash.repair_s",
    ),
)
FALLBACK_MODEL = Role(
    "fallback model",
    "only answers the calls of others",
    _all_but(
        "profile",
        "source",
        "latency",
        "speed",
        "price",
        "context.cache",
        "context.window_tokens",
        "errors.probability",
        "faults.malformed",
        "faults.slow",
        "faults.stall",
    ),
)
ROLES = (COORDINATOR, VERIFIER, SUBAGENT, FALLBACK_MODEL)

_HEIRS: tuple[tuple[tuple[str, ...], Role | None], ...] = (
    (("team", "groups", "*", "agent"), None),
    (("team", "coordinator"), COORDINATOR),
    (("team", "verifier"), VERIFIER),
    (("team", "subagents", "kinds", "*"), SUBAGENT),
    (("resilience", "fallback", "model"), FALLBACK_MODEL),
)
"""Where a scenario has an agent that takes over from ``team.agent``; ``*`` is any name."""


def heirs_in(scenario: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Role | None]]:
    """Yield the path of each agent that takes over from the team's, and its role.

    The agent of a group has no role: it takes tasks, as the team's does.
    """
    for pattern, role in _HEIRS:
        for path in _matching(pattern, scenario):
            yield path, role


def agent_places() -> list[tuple[str, ...]]:
    """Return the paths of agents that take over from ``team.agent``; ``*`` is any name."""
    return [place for place, _ in _HEIRS]


def _matching(pattern: tuple[str, ...], node: Any) -> Iterator[tuple[str, ...]]:
    """Yield the paths in a tree of mappings that a pattern stands for."""
    if not pattern:
        yield ()
        return
    key, *below = pattern
    for name in list(node) if isinstance(node, Mapping) else ():
        if key in ("*", name):
            yield from ((name, *path) for path in _matching(tuple(below), node[name]))


def within_heir(path: Sequence[str | int]) -> tuple[str | int, ...]:
    """Return what follows the path of an agent that takes over, or nothing outside of one."""
    for pattern, _ in _HEIRS:
        if len(path) > len(pattern) and all(
            key in ("*", name) for key, name in zip(pattern, path, strict=False)
        ):
            return tuple(path[len(pattern) :])
    return ()


def drop_lacking(scenario: dict[str, Any]) -> None:
    """Take what roles lack out of a scenario as an earlier version of the program dumped it."""
    for path, role in heirs_in(scenario):
        *above, last = path
        node = scenario
        for key in above:
            node = node[key]
        if role is not None and isinstance(node[last], Mapping):
            node[last] = role.without(node[last])


def define_roles(definitions: dict[str, Any]) -> None:
    """Add every role to the definitions of a JSON Schema."""
    for role in ROLES:
        own = copy.deepcopy(definitions["Agent"])
        own["description"] = f"A {role.name} {role.because}."
        own["title"] = role.definition
        for path in role.lacks:
            _undefine(own, path.split("."), role.definition, definitions)
        definitions[role.definition] = own


def _undefine(
    definition: dict[str, Any], path: list[str], role: str, definitions: dict[str, Any]
) -> None:
    """Take a field out of a role's definition, or out of the role's own version of a part."""
    key, *below = path
    if not below:
        del definition["properties"][key]
        return
    field = definition["properties"][key]
    reference = next(each for each in (field, *field.get("anyOf", ())) if "$ref" in each)
    name = reference["$ref"].rpartition("/")[2]
    if not name.startswith(role):
        definitions[role + name] = copy.deepcopy(definitions[name])
        name = role + name
        definitions[name]["title"] = name
        reference["$ref"] = f"#/$defs/{name}"
    _undefine(definitions[name], below, role, definitions)
