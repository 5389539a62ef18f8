"""Stored results of points that have no prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from simulator.errors import TeamsimError
from simulator.experiment.manifest import scenario_of
from simulator.scenario.costs import MONEY, is_cost_known


def without_unknown(results: pa.Table, points: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return stored results without money that is not known.

    Earlier versions wrote 0 where there was no price. Points that have another amount, or none, are
    right as they are.

    Parameters
    ----------
    results : pyarrow.Table
        Some columns of a sweep's results. Without ``point``, they stay as they are.
    points : sequence of mapping
        The points in its manifest. The scenario of a point is looked at only if its amounts are 0;
        if this version does not take it, they stay.
    """
    names = [name for name in results.column_names if name in MONEY]
    if not names or "point" not in results.column_names:
        return results
    largest = results.group_by("point").aggregate([(name, "max") for name in names]).to_pylist()
    free = [each["point"] for each in largest if not any(each[f"{name}_max"] for name in names)]
    unpriced = [point for point in free if _lacks_price(points[point])]
    if not unpriced:
        return results
    import pyarrow.compute as pc  # a tenth of a second

    is_unknown = pc.is_in(results["point"], pa.array(unpriced, pa.int64()))
    for name in names:
        amounts = pc.if_else(is_unknown, pa.scalar(None, pa.float64()), results[name])
        results = results.set_column(results.column_names.index(name), name, amounts)
    return results


def _lacks_price(point: Mapping[str, Any]) -> bool:
    try:
        return not is_cost_known(scenario_of(dict(point)))
    except TeamsimError:
        return False
