"""The base of all specifications in YAML: frozen, no unknown keys, finite numbers only."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from simulator.errors import unknown_name

Number = Annotated[float, Field(strict=True)]
"""A number, and neither ``true`` nor a number in quotes."""
Fraction = Annotated[Number, Field(ge=0, le=1)]
NonNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]


def _must_be_a_number(value: Any) -> Any:
    """Refuse what Python or pydantic would take for a number: ``true``, and numbers in quotes."""
    if isinstance(value, (bool, str)):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


NO_SWITCH = BeforeValidator(_must_be_a_number)
"""Of whole numbers, which may be written as ``1e3``. It stands behind the limits of a number, since
the JSON Schema would not have limits that come after it."""


def one_of(name: str, other: str, is_first: Callable[[Any], bool]) -> Discriminator:
    """Return what chooses between two types that a field may have, so that one is checked alone.

    Parameters
    ----------
    name, other : str
        Tags of the types (`tag`).
    is_first : callable
        Whether a value is meant to be of the first.
    """
    return Discriminator(lambda value: tag(name).tag if is_first(value) else tag(other).tag)


def tag(name: str) -> Tag:
    """Return the tag of a type for `one_of`; errors do not show it (`is_tag`)."""
    return Tag(f"<{name}>")


def is_tag(step: str | int) -> bool:
    """Return whether a step of an error's path is a tag."""
    return isinstance(step, str) and step.startswith("<")


class Spec(BaseModel):
    """A frozen pydantic model that refuses unknown keys and says which keys it knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
    # What is built for all of some hundred classes, programs would wait for: validators come with
    # the first value, and the texts below fields with the first JSON Schema.

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other fields; cached properties of the old fields are not kept."""
        copy = super().model_copy(update=update, deep=deep)
        for cached in vars(copy).keys() - type(self).model_fields.keys():
            del vars(copy)[cached]
        return copy

    def __iter__(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]
        """Yield names and values of the fields, without properties cached beside them."""
        fields = type(self).model_fields
        return ((name, value) for name, value in super().__iter__() if name in fields)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema, in which the texts below fields are their descriptions."""
        found = handler(schema)
        properties = handler.resolve_ref_schema(found).get("properties", {})
        texts = _texts_of_fields(cls)
        for name, field in cls.model_fields.items():
            said = properties.get(field.alias or name, {})
            text = texts.get(name)
            if text and handler.resolve_ref_schema(said).get("description") != text:
                said.setdefault("description", text)
        return found

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        known = {field.alias or name for name, field in cls.model_fields.items()}
        errors = [
            InitErrorDetails(
                type=PydanticCustomError(
                    "unknown_key", "{reason}", {"reason": unknown_name("key", key, known)}
                ),
                loc=(str(key),),
                input=value,
            )
            for key, value in data.items()
            if key not in known
        ]
        if errors:
            rest = {key: value for key, value in data.items() if key in known}
            errors += _errors_within(cls, rest, info.context)
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return data


def _errors_within(cls: type[Spec], data: Any, context: Any) -> list[InitErrorDetails]:
    """Return what is wrong within the fields of `data`.

    What is wrong with all of them together, or missing, may follow from a key that was misspelt.
    """
    try:
        cls.model_validate(data, context=context)
    except ValidationError as error:
        return [
            InitErrorDetails(
                type=PydanticCustomError(each["type"], "{reason}", {"reason": each["msg"]}),
                loc=each["loc"],
                input=each["input"],
            )
            for each in error.errors(include_url=False)
            if each["loc"] and not (each["type"] == "missing" and len(each["loc"]) == 1)
        ]
    return []


def _texts_of_fields(cls: type[Spec]) -> dict[str, str]:
    """Return the string that stands below each field, fields of base classes included."""
    texts: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        if not issubclass(each, Spec):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(each)))
        except (OSError, TypeError):  # a class of no file
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for field, below in pairwise(body):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    texts[name] = inspect.cleandoc(text)
    return texts
