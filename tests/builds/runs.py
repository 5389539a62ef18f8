"""What both builds run: the golden corpus, and generated scenarios."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Any

from simulator.engine import Simulation
from simulator.errors import TeamsimError
from simulator.model.trace import Trace
from simulator.scenario import Scenario
from tests.builds import generated
from tests.golden import corpus

Found = tuple[Any, ...]
"""The metrics of a replication, and the rows of its trace: or the error that it ends in."""


def of_corpus(path: Path) -> list[tuple[str, Found]]:
    """Run a file of the golden corpus."""
    return [
        (f"{path.stem} ({point.name}), replication {number}", run(point.scenario, number))
        for point in corpus.points(path)
        for number in range(corpus.REPLICATIONS[path.parent])
    ]


def of_generated(number: int) -> list[tuple[str, Found]]:
    """Run a generated scenario."""
    return [(f"generated {number}", run(generated.scenario(number), 0))]


def run(scenario: Scenario, replication: int) -> Found:
    """Run one replication; the even ones with a trace, as that is another way through the model."""
    trace = None if replication % 2 else Trace()
    try:
        metrics = Simulation(scenario).run(replication, trace)
    except TeamsimError as error:
        return (str(error),)
    rows = [] if trace is None else [tuple(map(_plain, row)) for row in trace.rows]
    return astuple(metrics), rows


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value
