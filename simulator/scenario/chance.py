"""Whether a scenario has any randomness: what was the same in all runs may differ in others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from annotated_types import Le, Lt
from pydantic.fields import FieldInfo

from simulator.distributions import Distribution
from simulator.scenario.rare_events import rare_events
from simulator.scenario.schema import Scenario
from simulator.spec import Fraction, Spec

_SURE = {"workload", "figure", "expect", "sweep", "precision"}
"""Fields whose fractions decide nothing by chance: a workload says itself whether it is random."""

_PICKS = {"claim_blindness", "dependency_blindness", "blind_calls"}
"""What makes an agent pick any of several tasks, also where it always happens."""


def has_chance(scenario: Scenario) -> bool:
    """Return whether runs may differ by what a scenario says; True where that is not sure.

    They may by a distribution that varies, however little, by a share that is said, as most are
    probabilities, and by which agents a detector probes. Of a plugin that is random this tells
    nothing: it says so itself.
    """
    said = {name: each for name, each in scenario if name not in _SURE}
    detector = scenario.resilience.detector
    return (
        (detector is not None and detector.kind == "swim")
        or bool(rare_events(scenario, negligible=0.0))
        or any(_varying(said))
        or any(_varying(dict(scenario.workload)))  # without its own fractions
    )


def _varying(said: object) -> Iterator[bool]:
    """Yield whether each part varies by chance, of those that may."""
    if isinstance(said, Distribution):
        yield said.constant is None
    elif isinstance(said, Spec):
        fields = type(said).model_fields
        for name, value in said:
            field = fields[name]
            if isinstance(value, float):
                most = 1.0 if name in _PICKS else math.nextafter(1.0, 0.0)
                yield _is_fraction(field) and value != field.default and 0.0 < value <= most
            else:
                yield from _varying(value)
    elif isinstance(said, Mapping):
        for each in said.values():
            yield from _varying(each)
    elif isinstance(said, Sequence) and not isinstance(said, str):
        for each in said:
            yield from _varying(each)


def _is_fraction(field: FieldInfo) -> bool:
    below = [each.lt for each in field.metadata if isinstance(each, Lt)]
    bounds = below + [each.le for each in field.metadata if isinstance(each, Le)]
    return bounds == [1] or Fraction in get_args(field.annotation)
