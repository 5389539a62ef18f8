"""Whether further runs of a scenario may differ from those made."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.model.metrics import NUMERIC_METRICS
from simulator.model.protocols._protocol import Protocol
from simulator.model.topologies._topology import Topology
from simulator.model.workloads._workload import Workload
from simulator.model.workspaces._workspace import Workspace
from simulator.scenario import Scenario
from simulator.scenario.chance import has_chance

if TYPE_CHECKING:
    import pandas as pd

_BEFORE_WAITS = ("rate_limits", "timeouts", "provider_errors", "malformed")
"""What counts requests that may be sent again, after a wait."""


def varying(columns: Mapping[str, Any] | pd.DataFrame) -> set[str]:
    """Return the metrics that have more than one value in runs.

    Parameters
    ----------
    columns : mapping of str to ndarray, or DataFrame
        All numeric metrics of the runs.
    """
    return {name for name in NUMERIC_METRICS if _differs(columns, name)}


def does_any_vary(columns: Mapping[str, Any] | pd.DataFrame) -> bool:
    """Return whether `varying` has any metric, without looking further than the first.

    Parameters
    ----------
    columns : mapping of str to ndarray, or DataFrame
        All numeric metrics of the runs.
    """
    return any(_differs(columns, name) for name in NUMERIC_METRICS)


def _differs(columns: Mapping[str, Any] | pd.DataFrame, name: str) -> bool:
    return len(_values(columns[name].tolist())) > 1


def _values(said: Iterable[float | None]) -> set[float | None]:
    """Return all values that occur; those that are not known are alike."""
    return {None if each is None or math.isnan(each) else each for each in said}


def are_sure(scenario: Scenario, columns: Mapping[str, Any] | pd.DataFrame) -> bool:
    """Return whether further runs are known to be the same as those made.

    They are if all of several are, and nothing in the scenario or its plugins is random.

    Parameters
    ----------
    scenario : Scenario
    columns : mapping of str to ndarray, or DataFrame
        All numeric metrics of the runs.
    """
    if len(columns["replication"]) < 2 or does_any_vary(columns):
        return False
    return not may_differ(scenario, columns, ())


def may_differ(
    scenario: Scenario, columns: Mapping[str, Any] | pd.DataFrame, varies: Collection[str]
) -> bool:
    """Return whether chance may make further runs differ from those made.

    It may if it did, or if something in the scenario or one of its plugins is random.

    Parameters
    ----------
    scenario : Scenario
    columns : mapping of str to ndarray, or DataFrame
        All numeric metrics of the runs.
    varies : collection of str
        What differs between the runs made, as `varying` returns it.
    """
    topology = Topology.of(scenario.topology)
    return (
        bool(varies)
        or has_random_tasks(scenario)
        or topology.is_random
        or topology.peers_per_message is not None
        or Protocol.of(scenario.coordination.protocol).is_random
        or Workspace.of(scenario.workspace).is_random
        or has_chance(scenario)
        or _has_drawn_waits(scenario, columns)
    )


def _has_drawn_waits(scenario: Scenario, columns: Mapping[str, Any] | pd.DataFrame) -> bool:
    """Return whether requests have come to nothing in the runs made, which waits by chance follow.

    All runs are the same up to the first of these. The end of a run may hide how long one would
    have been.
    """
    retry = scenario.resilience.retry
    are_drawn = scenario.provider.retry.is_random or (retry is not None and retry.backoff.is_random)
    return are_drawn and any(sum(columns[name].tolist()) > 0.0 for name in _BEFORE_WAITS)


def has_random_tasks(scenario: Scenario) -> bool:
    """Return whether each run has tasks of its own."""
    return Workload.of(scenario.workload).is_random
