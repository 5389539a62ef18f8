"""The numbers that the explorer shows sliders for from the start."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from analysis.decisions.loop_numbers import loop_numbers
from simulator.scenario import Scenario


@dataclass(frozen=True)
class Knob:
    """A number that can be moved."""

    path: str
    label: str
    low: float
    high: float
    step: float
    is_whole: bool = False


KNOBS = (
    Knob("workload.parallel_fraction", "parallel fraction p", 0.0, 1.0, 0.05),
    Knob("workload.tasks", "tasks", 4, 60, 4, is_whole=True),
    Knob("team.agent.errors.probability.probability", "error probability", 0.0, 0.6, 0.02),
    Knob("team.agent.errors.detection", "errors that tests find", 0.0, 1.0, 0.05),
    Knob("team.agent.drift.step.value", "drift a call", 0.0, 0.2, 0.01),
    Knob("team.agent.tokens.message.value", "tokens of a message", 0, 2000, 50),
    Knob("team.agent.faults.malformed", "malformed replies", 0.0, 0.5, 0.02),
)


def knobs_of(scenario: Scenario) -> list[Knob]:
    """Return the knobs that may be moved in a scenario.

    These are `KNOBS`, the sizes of its groups, and the numbers of its loops.
    """
    groups = [
        Knob(f"team.groups.{name}.size", f"workers of {name}, in proportion", 0.0,
             max(8.0, 2.0 * group.size), 1.0, is_whole=True)
        for name, group in (scenario.team.groups or {}).items()
    ]  # fmt: skip
    loops = []
    for number in loop_numbers(scenario):
        step = 1.0 if number.is_whole else _round_step(number.now / 20)
        high = 1.0 if number.what == "end" else 4 * number.now
        low = max(1.0, step) if number.is_whole else step
        loops.append(Knob(number.path, number.label, low, high, step, number.is_whole))
    return [*KNOBS, *groups, *loops]


def _round_step(value: float) -> float:
    """Return the power of ten below a value."""
    return 10.0 ** math.floor(math.log10(value))


def settings_of(scenario: Scenario) -> dict[str, float]:
    """Return the knobs' values in a scenario, without knobs for which it has no number."""
    found = {}
    data = scenario.model_dump()
    for knob in knobs_of(scenario):
        node: Any = data
        for part in knob.path.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, (int, float)) and not isinstance(node, bool):
            found[knob.path] = float(node)
    return found
