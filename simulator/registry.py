"""Plugins found by name: one file in a package, or an entry point of another distribution.

A registry is bound to a package such as ``simulator.model.topologies``. The file
``ring.py`` in it *is* the topology ``ring``: there is no list to keep. A class from another
distribution joins by an entry point in the registry's group. Nothing is imported before
it is asked for, so that start-up stays fast.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from simulator.errors import TeamsimError, unknown_name, what_is
from simulator.spec import Spec


class Plugin(Spec):
    """What YAML says about one plugin: its ``kind`` and its parameters.

    A subclass declares ``kind: Literal["its_name"] = "its_name"``, its parameters as
    pydantic fields, and the behaviour that its registry's family asks for as methods.
    """

    kind: str

    @classmethod
    def ships(cls) -> bool:
        """Return whether it is one of those that ship, which need not be looked at in each run."""
        return cls.__module__.startswith(f"{__package__}.")

    @classmethod
    def of(cls, plugin: Plugin) -> Self:
        """Return a plugin as one of this class, for callers that need more than a scenario does.

        Raises
        ------
        TeamsimError
            If it does not derive from this class.
        """
        if not isinstance(plugin, cls):
            raise TeamsimError(f"{plugin.kind!r} ({type(plugin).__name__}) is no {cls.__name__}")
        return plugin


Family_co = TypeVar("Family_co", covariant=True)
"""What all plugins of a registry derive from."""


class Registry(Generic[Family_co]):
    """The plugins of one family, by name.

    Parameters
    ----------
    family : str
        What a plugin of this registry is called in messages, for example ``"topology"``.
    package : str
        Dotted package whose modules are the built-in plugins, a module a plugin.
    entry_point_group : str, optional
        Entry-point group by which other distributions add plugins; without it they can add none.
    takes_numbers : bool
        Whether a bare number stands for ``{kind: deterministic, value: number}``.
    """

    def __init__(
        self, family: str, package: str, entry_point_group: str = "", takes_numbers: bool = False
    ) -> None:
        self.family = family
        self.takes_numbers = takes_numbers
        self.package = package
        self.entry_point_group = entry_point_group

    @property
    def definition(self) -> str:
        """Name of the family's definition in a JSON Schema."""
        return self.family.replace(" ", "_")

    @cached_property
    def _entry_points(self) -> dict[str, importlib.metadata.EntryPoint]:
        if not self.entry_point_group:
            return {}
        found = _entry_points_by()(group=self.entry_point_group)
        return {point.name: point for point in found}

    @property
    def has_others(self) -> bool:
        """Whether other distributions add plugins."""
        return bool(self._entry_points)

    @cached_property
    def _modules(self) -> frozenset[str]:
        package = importlib.util.find_spec(self.package)  # which does not import it
        path = package.submodule_search_locations if package else []
        return frozenset(
            module.name for module in pkgutil.iter_modules(path) if not module.name.startswith("_")
        )

    def names(self) -> list[str]:
        """Return the names of all plugins, sorted."""
        return sorted(self._modules | self._entry_points.keys())

    def get(self, name: str) -> type[Family_co]:
        """Return the plugin class called `name`.

        Raises
        ------
        TeamsimError
            If there is none; the message names all plugins and the nearest one. Also if that of
            another distribution cannot be imported.
        """
        found: type[Family_co]
        if name in self._modules:
            found = _the_plugin_in(f"{self.package}.{name}")
        elif name in self._entry_points:
            found = self._loaded(self._entry_points[name])
        else:
            raise TeamsimError(unknown_name(self.family, name, self.names()))
        return found

    def _loaded(self, entry: importlib.metadata.EntryPoint) -> Any:
        try:
            return entry.load()
        except (ImportError, AttributeError) as error:
            raise TeamsimError(
                f"{self.family} {entry.name!r}: {entry.value} cannot be imported: {error}"
            ) from error


@cache
def _entry_points_by() -> Callable[..., importlib.metadata.EntryPoints]:
    """Return what finds those of a group: all distributions are read once, not for each family."""
    return importlib.metadata.entry_points().select


@cache
def _the_plugin_in(module_name: str) -> type[Any]:
    module = importlib.import_module(module_name)
    name = module_name.rpartition(".")[2]
    for _, member in inspect.getmembers(module, inspect.isclass):
        if member.__module__ == module_name and _kind_of(member) == name:
            return member
    raise TypeError(f"{module_name} defines no class whose kind is {name!r}")


def _kind_of(member: type[Any]) -> object:
    if issubclass(member, BaseModel):
        field = member.model_fields.get("kind")
        return field.default if field else None
    return getattr(member, "kind", None)


@dataclass(frozen=True)
class OneOf:
    """Pydantic annotation: the field holds one plugin of `registry`, of the type annotated.

    YAML may give a mapping with ``kind`` or, where every parameter has a default, the bare
    name or, where the registry takes them, a number.
    """

    registry: Registry[Plugin]

    def __get_pydantic_core_schema__(
        self, source: type[Plugin], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def validate(value: object, info: core_schema.ValidationInfo) -> Plugin:
            plugin = value if isinstance(value, Plugin) else self._plugin(value, info)
            if not isinstance(plugin, source):
                raise PydanticCustomError(
                    "kind",
                    "{found} is no {family}: it does not derive from {expected}",
                    {
                        "found": type(plugin).__name__,
                        "family": self.registry.family,
                        "expected": source.__name__,
                    },
                )
            return plugin

        return core_schema.with_info_plain_validator_function(
            validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda plugin: plugin.model_dump(mode="json", exclude_unset=False)
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        # A placeholder for `define_families` to replace: pydantic has no definition of it yet.
        return {DEFINED_LATER: self.registry.definition}

    def _plugin(self, value: object, info: core_schema.ValidationInfo) -> Plugin:
        fields = self._mapping(value)
        kind = fields.get("kind")
        if not isinstance(kind, str):
            raise PydanticCustomError(
                "kind",
                "a {family} needs a 'kind' (allowed: {names})",
                {"family": self.registry.family, "names": ", ".join(self.registry.names())},
            )
        try:
            plugin_class = self.registry.get(kind)
        except TeamsimError as error:
            problem = PydanticCustomError("kind", "{reason}", {"reason": str(error)})
            where = ("kind",) if isinstance(value, dict) else ()
            details = InitErrorDetails(type=problem, loc=where, input=kind)
            raise ValidationError.from_exception_data(self.registry.family, [details]) from None
        if not (isinstance(plugin_class, type) and issubclass(plugin_class, Plugin)):
            raise PydanticCustomError(
                "kind",
                "{name} of another package is no {family}: it is {found}",
                {"name": kind, "family": self.registry.family, "found": what_is(plugin_class)},
            )
        return plugin_class.model_validate(fields, context=info.context)

    def _mapping(self, value: object) -> dict[str, object]:
        if isinstance(value, dict):
            return value
        if isinstance(value, str):
            return {"kind": value}
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if self.registry.takes_numbers and is_number:
            return {"kind": "deterministic", "value": value}
        raise PydanticCustomError(
            "plugin_type",
            "a {family} is {number}a name or a mapping with 'kind' (allowed: {names})",
            {
                "family": self.registry.family,
                "number": "a number, " if self.registry.takes_numbers else "",
                "names": ", ".join(self.registry.names()),
            },
        )


DEFINED_LATER = "x-teamsim-definition"
"""Key of a placeholder for a reference to a definition, until all are there."""


def define_families(schema: dict[str, Any], registries: Iterable[Registry[Plugin]]) -> None:
    """Put the JSON Schema of every plugin of every family into `schema`, and refer to them."""
    definitions = schema.setdefault("$defs", {})
    for registry in registries:
        mappings = []
        for name in registry.names():
            plugin = registry.get(name).model_json_schema(ref_template="#/$defs/{model}")
            definitions.update(plugin.pop("$defs", {}))
            plugin["required"] = sorted({*plugin.get("required", []), "kind"})
            mappings.append(plugin)
        scalar: dict[str, Any] = {"enum": registry.names()}
        if registry.takes_numbers:
            scalar = {"type": "number"}
        definitions[registry.definition] = {"anyOf": [scalar, *mappings]}
    _refer(schema)


def _refer(node: Any) -> None:
    if isinstance(node, dict):
        name = node.pop(DEFINED_LATER, None)
        if name is not None:
            node["$ref"] = f"#/$defs/{name}"
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            _refer(value)
