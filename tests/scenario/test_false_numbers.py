"""What only passes for a number is refused in every class of fields, also in one of a plugin's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from simulator.spec import NonNegative, Spec, one_of, tag


class Fields(Spec):
    """Numbers beside what a field may be else."""

    count: Annotated[int, Field(ge=1)] = 1
    limit: int | None = None
    shift: float = 0.0
    share: NonNegative = 0.0
    opens: Annotated[float, Field(alias="from")] = 0.0
    wait_for: Annotated[
        Annotated[int, Field(ge=1), tag("number")] | Annotated[Literal["all"], tag("word")],
        one_of("word", "number", lambda value: isinstance(value, str)),
    ] = "all"
    name: str = ""
    is_on: bool = False
    values: tuple[NonNegative, ...] = ()


@pytest.mark.parametrize("value", [True, False, "2", "2.5"])
@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("count", "a valid integer"),
        ("limit", "a valid integer"),
        ("shift", "a valid number"),
        ("share", "a valid number"),
        ("from", "a valid number"),
        ("wait_for", "a valid integer|'all'"),
    ],
)
def test_true_and_quoted_numbers_are_refused(key: str, value: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        Fields.model_validate({key: value})
    assert caught.value.errors()[0]["loc"][0] == key


def test_so_they_are_in_lists() -> None:
    with pytest.raises(ValidationError, match="a valid number"):
        Fields.model_validate({"values": [True]})


def test_what_else_is_wrong_is_said_too() -> None:
    with pytest.raises(ValidationError) as caught:
        Fields.model_validate({"count": True, "shift": "1", "share": -1, "limits": 3})
    assert {each["loc"] for each in caught.value.errors()} == {
        ("count",), ("shift",), ("share",), ("limits",)
    }  # fmt: skip


@pytest.mark.parametrize(
    "right",
    [{"count": 1e3}, {"limit": None}, {"shift": 2}, {"share": 0.5}, {"from": 9}, {"wait_for": 2},
     {"wait_for": "all"}, {"name": "2"}, {"is_on": True}, {"values": [1, 2.5]}],
    ids=str,
)  # fmt: skip
def test_numbers_texts_and_switches_are_taken_where_they_belong(right: dict[str, Any]) -> None:
    found = Fields.model_validate(right).model_dump(by_alias=True)
    ((key, value),) = right.items()
    assert found[key] == (tuple(value) if isinstance(value, list) else value)
