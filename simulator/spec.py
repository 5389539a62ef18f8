"""The base of all specifications in YAML: frozen, no unknown keys, finite numbers only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from simulator.errors import unknown_name

Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class Spec(BaseModel):
    """A frozen pydantic model that refuses unknown keys and says which keys it knows."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other fields; cached properties of the old fields are not kept."""
        copy = super().model_copy(update=update, deep=deep)
        for cached in vars(copy).keys() - type(self).model_fields.keys():
            del vars(copy)[cached]
        return copy

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
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
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return data
