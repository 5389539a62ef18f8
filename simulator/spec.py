"""The base of all specifications in YAML: frozen, no unknown keys, finite numbers only."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from itertools import pairwise
from numbers import Integral
from types import UnionType
from typing import Annotated, Any, LiteralString, Self, TypeGuard, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from simulator.errors import unknown_name

Number = Annotated[float, Field(strict=True)]
"""A number in a list or mapping, and neither ``true`` nor a number in quotes: `Spec` looks at plain
fields only."""
Fraction = Annotated[Number, Field(ge=0, le=1)]
NonNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]

_BREAKS = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's categories of characters that tear a line of a table or a trace apart."""


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number, of numpy too; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def checked_name(name: str) -> str:
    """Return a name that shows in tables, traces and errors.

    Raises
    ------
    ValueError
        If nothing of it shows, or it has control characters.
    """
    if not any(each.isprintable() and not each.isspace() for each in name):
        raise ValueError("a name needs a letter, a digit or a sign that shows")
    if any(unicodedata.category(each) in _BREAKS for each in name):
        raise ValueError("a name must not have control characters or line breaks")
    return name


Name = Annotated[str, AfterValidator(checked_name)]
"""The name that a user gives to one of several: a tool, a station, a group."""


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

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        defer_build=True,
        serialize_by_alias=True,  # what is dumped can be read again
    )
    # What is built for all of some hundred classes, programs would wait for: validators come with
    # the first value, and the texts below fields with the first JSON Schema.

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other fields; cached properties of the old fields are not kept."""
        copy = super().model_copy(update=update, deep=deep)
        for cached in vars(copy).keys() - type(self).model_fields.keys():
            del vars(copy)[cached]
        return copy

    def __getstate__(self) -> dict[Any, Any]:
        """Return what is pickled: the fields, without properties cached beside them."""
        return {**super().__getstate__(), "__dict__": dict(self)}

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return a copy of what is pickled: properties cached beside the fields are not kept."""
        copied = type(self).__new__(type(self))
        copied.__setstate__(deepcopy(self.__getstate__(), memo))
        return copied

    def __eq__(self, other: object) -> bool:
        """Return whether another is of the same type, with equal fields."""
        if not isinstance(other, Spec):
            return NotImplemented
        if type(self) is not type(other):
            return False
        mine, theirs = vars(self), vars(other)
        return all(mine.get(name) == theirs.get(name) for name in type(self).model_fields)

    def __hash__(self) -> int:
        """Return a hash of the fields; it is an error if some are mappings."""
        return hash((type(self), *(value for _, value in self)))

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
    def _refuse_unknown_keys_and_false_numbers(cls, data: Any, info: ValidationInfo) -> Any:
        """Refuse keys that are not there, and what pydantic would take for a number.

        That is ``true`` and a number in quotes. One look at all fields takes less time than a
        validator of each.
        """
        if not isinstance(data, dict):
            return data
        known, wrong, unknown = fields_by_key(cls), {}, 0
        for key, value in data.items():
            if key not in known:
                if (unknown := unknown + 1) <= _MOST_UNKNOWN:
                    reason = unknown_name("key", key, known)
                    wrong[key] = PydanticCustomError("unknown_key", "{reason}", {"reason": reason})
            elif isinstance(value, (bool, str)):
                wanted = _number_wanted(cls, key, isinstance(value, str))
                if wanted is not None:
                    wrong[key] = PydanticCustomError(f"{wanted}_type", _WANTED[wanted])
        if wrong:
            right = known.keys() - wrong.keys()
            rest = {key: value for key, value in data.items() if key in right}
            errors = [
                InitErrorDetails(type=error, loc=(str(key),), input=data[key])
                for key, error in wrong.items()
            ]
            errors += _errors_within(cls, rest, info.context)
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return data


_MOST_UNKNOWN = 100
"""Most unknown keys of a mapping that are told, as it takes long to find what is meant by each."""

_WANTED: dict[str, LiteralString] = {
    "int": "Input should be a valid integer",
    "float": "Input should be a valid number",
}


@cache
def fields_by_key(cls: type[Spec]) -> dict[str, FieldInfo]:
    """Return the fields of a specification by the keys that they have in YAML."""
    return {field.alias or name: field for name, field in cls.model_fields.items()}


@cache
def _number_wanted(cls: type[Spec], key: str, is_text: bool) -> str | None:
    """Return the type of number that a field wants in place of a text, or of true and false."""
    types = set(alternatives(fields_by_key(cls)[key].annotation))
    others = types - {int, float, type(None)}
    if not types & {int, float} or (others if is_text else bool in others):
        return None
    return "float" if float in types else "int"


def alternatives(annotation: Any) -> Iterator[Any]:
    """Yield the types of which a field may be, without their metadata."""
    if get_origin(annotation) is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for each in get_args(annotation):
            yield from alternatives(each)
    else:
        yield annotation


def _errors_within(cls: type[Spec], data: Any, context: Any) -> list[InitErrorDetails]:
    """Return what is wrong within the fields of `data`.

    What is wrong with all of them together, or missing, may follow from a key that was misspelt.
    """
    try:
        cls.model_validate(data, context=context)
    except ValidationError as error:
        return line_errors(error)
    return []


def line_errors(error: ValidationError) -> list[InitErrorDetails]:
    """Return what is wrong within fields, in a form in which it can be raised again."""
    return [
        InitErrorDetails(
            type=PydanticCustomError(
                each["type"], "{reason}", {**each.get("ctx", {}), "reason": each["msg"]}
            ),
            loc=each["loc"],
            input=each["input"],
        )
        for each in error.errors(include_url=False)
        if each["loc"] and not (each["type"] == "missing" and len(each["loc"]) == 1)
    ]


def _texts_of_fields(cls: type[Spec]) -> dict[str, str]:
    """Return the string that stands below each field, fields of base classes included."""
    texts: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        if issubclass(each, Spec):
            texts |= _own_texts_of_fields(each)
    return texts


def _own_texts_of_fields(cls: type[Spec]) -> dict[str, str]:
    """Return the same of the fields of the class itself; none if it is of no file."""
    try:
        texts = _texts_by_class(cls.__module__).get(cls.__qualname__)
        if texts is None:  # it is in a function, a class or a branch
            (found,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
            texts = _texts_in(found) if isinstance(found, ast.ClassDef) else {}
    except (OSError, TypeError, KeyError):
        return {}
    return texts


@cache
def _texts_by_class(module: str) -> dict[str, dict[str, str]]:
    """Return them for the classes of a module: to find each for itself would read all of it."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {each.name: _texts_in(each) for each in tree.body if isinstance(each, ast.ClassDef)}


def _texts_in(found: ast.ClassDef) -> dict[str, str]:
    texts: dict[str, str] = {}
    for field, below in pairwise(found.body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                texts[name] = inspect.cleandoc(text)
    return texts
