"""Whether further runs of a scenario may differ from those made."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.model.metrics import NUMERIC_METRICS
from simulator.model.protocols._protocol import Protocol
from simulator.model.topologies._topology import Topology
from simulator.model.workloads._workload import Workload
from simulator.scenario import Scenario
from simulator.scenario.chance import has_chance

if TYPE_CHECKING:
    import pandas as pd


def varying(columns: Mapping[str, Any] | pd.DataFrame) -> set[str]:
    """Return the metrics that have more than one value in runs.

    Parameters
    ----------
    columns : mapping of str to ndarray, or DataFrame
        All numeric metrics of the runs.
    """
    return {name for name in NUMERIC_METRICS if len(_values(columns[name].tolist())) > 1}


def _values(said: Iterable[float | None]) -> set[float | None]:
    """Return all values that occur; those that are not known are alike."""
    return {None if each is None or math.isnan(each) else each for each in said}


def may_differ(scenario: Scenario, varies: Collection[str]) -> bool:
    """Return whether chance may make further runs differ from those made.

    It may if it did, or if something in the scenario or one of its plugins is random.

    Parameters
    ----------
    scenario : Scenario
    varies : collection of str
        What differs between the runs made, as `varying` returns it.
    """
    parts = (Topology.of(scenario.topology), Protocol.of(scenario.coordination.protocol))
    return (
        bool(varies)
        or has_random_tasks(scenario)
        or any(part.is_random for part in parts)
        or has_chance(scenario)
    )


def has_random_tasks(scenario: Scenario) -> bool:
    """Return whether each run has tasks of its own."""
    return Workload.of(scenario.workload).is_random
