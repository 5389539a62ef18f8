"""Defaults of fields, which are constructed without a validator, are as one would make them."""

from __future__ import annotations

from simulator.spec import Spec
from tests.scenario.test_words_of_errors import specifications


def test_a_default_is_what_its_class_makes_of_the_same_fields() -> None:
    found = 0
    for each in specifications():
        for name, field in each.model_fields.items():
            default = field.default
            if isinstance(default, Spec):
                said = default.model_fields_set
                made = type(default).model_validate({key: vars(default)[key] for key in said})
                found += 1
                where = f"{each.__name__}.{name}"
                assert vars(default) == vars(made), where
                assert said == made.model_fields_set, where
    assert found > 15
