"""Baselines, predictions without a simulator: the pilot's runs themselves, and laws fitted to them.

A baseline takes the pilot's runs of a cell, on the logarithmic scale, and returns an ensemble for a
team of `n`. The ensemble of a law has the spread of the law's residuals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.statistics import optimisers
from simulator.distributions import Floats


@dataclass(frozen=True)
class Pilot:
    """The pilot's runs of one cell.

    Attributes
    ----------
    sizes : ndarray, shape (runs,)
        Team sizes.
    logs : ndarray, shape (runs,)
        Logarithm of the metric.
    parallel : float
        The parallel fraction of the work; NaN if not known.
    is_time : bool
        Whether the metric is a time; the laws of speed-up apply only to times.
    """

    sizes: Floats
    logs: Floats
    parallel: float
    is_time: bool


Baseline = Callable[[Pilot, float], Floats | None]
"""``(pilot, n) -> ensemble`` of logarithms; None if the baseline does not apply."""


def largest_pilot(pilot: Pilot, n: float) -> Floats | None:
    """Return the runs of the largest team of the pilot, as they are."""
    return np.asarray(pilot.logs[pilot.sizes == pilot.sizes.max()])


def all_pilot(pilot: Pilot, n: float) -> Floats | None:
    """Return all runs of the pilot, as they are."""
    return pilot.logs


def single_agent(pilot: Pilot, n: float) -> Floats | None:
    """Return the runs of one agent, as they are."""
    alone = pilot.logs[pilot.sizes == 1]
    return alone if len(alone) else None


def amdahl(pilot: Pilot, n: float) -> Floats | None:
    """Return all runs, each scaled by Amdahl's law with the known parallel fraction."""
    p = pilot.parallel
    if not pilot.is_time or not np.isfinite(p):
        return None

    def log_time(size: Floats | float) -> Floats:
        return np.asarray(np.log((1.0 - p) + p / np.asarray(size)))

    return pilot.logs - log_time(pilot.sizes) + log_time(n)


def universal_scalability(pilot: Pilot, n: float) -> Floats | None:
    """Return Gunther's law fitted to the pilot's times, with its residuals."""
    sizes = len(np.unique(pilot.sizes))
    if not pilot.is_time or sizes < 2:
        return None

    def log_time(parameters: Floats, size: Floats | float) -> Floats:
        base, sigma, kappa = parameters
        m = np.asarray(size, dtype=float)
        return np.asarray(base + np.log((1.0 + sigma * (m - 1.0) + kappa * m * (m - 1.0)) / m))

    start = np.asarray([pilot.logs.mean(), 0.5, 5e-10 if sizes == 2 else 0.01])

    def misfit(parameters: Floats) -> Floats:
        return log_time(parameters, pilot.sizes) - pilot.logs

    fit = optimisers.least_squares(
        misfit,
        start,
        # Two sizes determine only one coefficient, contention; coherency needs a third size.
        bounds=([-np.inf, 0.0, 0.0], [np.inf, np.inf, np.inf if sizes > 2 else 1e-9]),
    )
    return log_time(fit.x, n) + pilot.logs - log_time(fit.x, pilot.sizes)


def power_law(pilot: Pilot, n: float) -> Floats | None:
    """Return a power of the team size fitted to the pilot's runs, with its residuals."""
    if len(np.unique(pilot.sizes)) < 2:
        return None
    slope, intercept = np.polyfit(np.log(pilot.sizes), pilot.logs, 1)
    return np.asarray(
        intercept + slope * np.log(n) + pilot.logs - slope * np.log(pilot.sizes) - intercept
    )


BASELINES: dict[str, Baseline] = {
    "largest pilot": largest_pilot,
    "all pilot runs": all_pilot,
    "single agent": single_agent,
    "Amdahl": amdahl,
    "USL": universal_scalability,
    "power law": power_law,
}
