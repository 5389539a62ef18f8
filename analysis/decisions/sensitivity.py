"""Which parameters of a scenario matter: screening by Morris, shares of variance by Sobol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import ValidationError

from analysis.decisions.variance_shares import half_of, noise_of, variance_shares
from analysis.decisions.varied import is_whole
from analysis.statistics.completion import linearised
from analysis.statistics.curves import NUMBERS, TIMES, with_derived
from simulator.errors import TeamsimError, unknown_name
from simulator.experiment import run_each
from simulator.experiment.intervals import Interval, mean_interval
from simulator.experiment.pool import Progress
from simulator.scenario import Scenario
from simulator.scenario.changes import with_changes
from simulator.scenario.problems import problems_in
from simulator.scenario.source import Source

Array = npt.NDArray[np.float64]
_Whole = npt.NDArray[np.int_]


def sensitivity(
    scenario: Scenario,
    bounds: Mapping[str, tuple[float, float]],
    metric: str = "makespan_s",
    method: Literal["morris", "sobol"] = "morris",
    samples: int = 16,
    replications: int = 10,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return how much each parameter changes a metric: its mean, or a time to success.

    Every point of the design is replicated with the same random numbers, so that there is less
    noise than with independent ones. The rest of it makes `mu_star`, `sigma` and `ST` larger, also
    those of parameters without any effect, and `S1` smaller. ``chance`` says how large noise alone
    may make an effect.

    Parameters
    ----------
    scenario : Scenario
    bounds : mapping of str to (float, float)
        Dotted paths of numbers, and the range of each; whole numbers stay whole. A distribution
        that is a constant counts as a number.
    metric : str
        A column of the results: its mean over runs as they ended. For one of
        `analysis.statistics.curves.TIMES` it is the time to success, where failed runs are started
        again.
    method : {'morris', 'sobol'}
        ``morris``: elementary effects on `samples` trajectories (Morris 1991; Campolongo et al.
        2007), ``(k + 1) samples`` points for k parameters. ``sobol``: first-order and total
        indices by Saltelli's design (Saltelli et al. 2010), ``(k + 2) samples`` points.
    samples : int
        Trajectories, or base samples (a power of two).
    replications : int
        Of each point.
    seed : int
        Of the design.
    workers : int
        Processes.
    progress : callable, optional
        Told ``(replications done, replications in all)``.

    Returns
    -------
    DataFrame
        A row a parameter, the most important first. Morris: ``parameter, mu, mu_star,
        mu_star_conf, sigma`` (the metric's change over the whole range: mean, mean absolute value
        with half of a 95 % interval over trajectories and replications, standard deviation). Sobol:
        ``parameter, S1, S1_conf, ST, ST_conf`` (share of the variance, alone and with its
        interactions, with halves of 95 % intervals: `variance_shares`). A single replication does
        not show its noise, which the intervals then leave out. In each row ``chance``: the
        `mu_star` or `ST` that a parameter without effect exceeds with a probability of at most 5 %,
        for all parameters together, by the spread of the replications; null for a single
        replication. And ``finished`` and ``runs``: how many of all runs finished.

    Raises
    ------
    TeamsimError
        If there is no such metric or parameter, if a range is empty or not allowed, if base samples
        are no power of two, or if the metric is a time that is not known, since no run finished at
        a point of the design.
    """
    if metric not in NUMBERS:
        raise TeamsimError(unknown_name("metric", metric, NUMBERS))
    if method == "sobol" and samples & (samples - 1):
        raise TeamsimError(
            f"samples: the base samples of Sobol's method are a power of two, as 8 or 16; found "
            f"{samples}"
        )
    whole = {path: is_whole(scenario, path) for path in bounds}
    for path, (low, high) in bounds.items():
        if not low < high:
            raise TeamsimError(f"{path}: the range {low:g} to {high:g} is empty")
    problem = {
        "num_vars": len(bounds),
        "names": list(bounds),
        "bounds": [list(ends) for ends in bounds.values()],
    }
    if method == "morris":
        design = _trajectories(problem, samples, seed)
    else:
        from SALib.sample import sobol as sample_sobol  # scipy.stats

        design = sample_sobol.sample(problem, samples, calc_second_order=False, seed=seed)
    results = _run(scenario, whole, design, replications, workers, progress)
    _check_known(results, metric, whole, design)
    values = _values(results, metric)
    if method == "morris":
        found = _morris(values, problem, design)
        columns = ["mu", "mu_star", "mu_star_conf", "sigma"]
        by = "mu_star"
    else:
        found = variance_shares(values, len(bounds))
        columns, by = ["S1", "S1_conf", "ST", "ST_conf"], "ST"
    table = pd.DataFrame({name: np.asarray(found[name], dtype=float) for name in columns})
    table.insert(0, "parameter", list(bounds))
    table["chance"] = _chance(values, problem, design, by)
    table = table.sort_values(by, ascending=False, ignore_index=True)
    return table.assign(finished=int(results["success"].sum()), runs=len(results))


def _trajectories(problem: Mapping[str, Any], samples: int, seed: int) -> Array:
    """Return the points of Morris's trajectories, on four levels of each parameter, one by one.

    A trajectory begins at a random point, and takes a step in each parameter, in random order. Its
    points are those of `SALib.sample.morris`, which imports ``scipy.spatial`` for designs that are
    not asked for here, a fifth of the time of a small study.
    """
    rng = np.random.default_rng(seed)
    number = len(problem["names"])
    step = 2.0 / 3.0  # two of the three intervals between the levels
    before = 2.0 * np.tril(np.ones((number + 1, number)), -1)  # who has moved before which point
    points = []
    for _ in range(samples):
        order = np.eye(number)
        rng.shuffle(order)
        upwards = rng.choice([-1, 1], number)
        low = rng.choice(np.linspace(0.0, 1.0 - step, 2), number)
        points.append(low + step / 2.0 * ((before @ order.T - 1.0) * upwards + 1.0))
    lows, highs = np.array(problem["bounds"]).T
    return np.asarray(np.concatenate(points) * (highs - lows) + lows)


def _morris(
    values: Array, problem: Mapping[str, Any], design: Array
) -> Mapping[str, npt.ArrayLike]:
    """Return what `SALib.analyze.morris` does of the metric at each point and replication.

    That imports ``scipy.stats``, which takes longer than a small design. Half of an interval is how
    far the ends are from the mean absolute effect, at most: over trajectories, and over the
    replications, whose luck all trajectories share; both are added as variances. SALib's are of a
    bootstrap of trajectories with a normal quantile: with 4 to 32 of them they hold 82 to 94 % of
    the mean effects of a function with an interaction, these 90 % or more.
    """
    effects = _effects(values.mean(axis=1), problem, design)
    stars = [mean_interval(np.abs(each)) for each in effects]

    def mean_sizes(means: Array) -> Array:
        return np.array([np.abs(each).mean() for each in _effects(means, problem, design)])

    return {
        "mu": [float(each.mean()) for each in effects],
        "mu_star": [each.estimate for each in stars],
        "mu_star_conf": np.hypot([half_of(each) for each in stars], noise_of(values, mean_sizes)),
        "sigma": [float(each.std(ddof=1)) for each in effects],
    }


def _effects(means: Array, problem: Mapping[str, Any], design: Array) -> list[Array]:
    """Return the elementary effects of each parameter: changes of the metric over its range."""
    firsts, seconds, which, size = _steps(problem, design, "mu_star")
    signs = np.sign(design[seconds, which] - design[firsts, which])
    effects = signs * (means[seconds] - means[firsts]) / size
    return [effects[which == i] for i in range(len(problem["names"]))]


def _run(
    scenario: Scenario,
    whole: Mapping[str, bool],
    design: Array,
    replications: int,
    workers: int,
    progress: Progress | None,
) -> pd.DataFrame:
    """Return the rows of all points of the design."""
    varied = []
    for row in design:
        values = {
            path: round(value) if of_whole else float(value)
            for (path, of_whole), value in zip(whole.items(), row, strict=True)
        }
        try:
            varied.append(with_changes(scenario, values))
        except ValidationError as error:
            first = problems_in(error, Source(scenario.model_dump(mode="json"), {}))[0]
            where = f"{first.path}: " if first.path else ""
            raise TeamsimError(
                f"a point of the design is not allowed ({_said(whole, row)}): "
                f"{where}{first.message}"
            ) from None
    return with_derived(run_each(varied, replications, workers, progress).to_pandas())


def _check_known(
    results: pd.DataFrame, metric: str, whole: Mapping[str, bool], design: Array
) -> None:
    """Check that the metric is known at each point of the design.

    Raises
    ------
    TeamsimError
        If the metric is a time, and no run of a point finished.
    """
    if metric not in TIMES:
        return
    never = np.flatnonzero(results.groupby("point")["success"].sum().to_numpy() == 0)
    if len(never):
        runs = len(results) // len(design)
        raise TeamsimError(
            f"{metric} is not known at {len(never)} of the {len(design)} points of the design: "
            f"none of {runs} runs finished (first: {_said(whole, design[never[0]])}). Vary within "
            "what can be finished, make more replications, or look at 'success'"
        )


def _values(results: pd.DataFrame, metric: str) -> Array:
    """Return the metric of each replication, shape (points, replications).

    For a time they are numbers whose mean is the time to success, with its standard error.
    """
    ordered = results.sort_values(["point", "replication"])
    points = results["point"].nunique()
    values = ordered[metric].to_numpy(dtype=np.float64).reshape(points, -1)
    if metric not in TIMES:
        return np.asarray(values)
    done = ordered["success"].to_numpy(dtype=np.float64).reshape(points, -1)
    return np.stack([linearised(*pair) for pair in zip(values, done, strict=True)])


def _chance(values: Array, problem: Mapping[str, Any], design: Array, by: str) -> Array:
    """Return, for each parameter, how large noise alone may make its effect.

    An effect is a mean over pairs of points that differ in this parameter. Common random numbers
    may make the noise of all pairs the same, so that it does not average out: the bound is that of
    one pair of average noise, corrected by Bonferroni for all parameters. It is how far 0 may be
    from the mean to be left out by `mean_interval` of the replications' paired differences, which
    allows for skewness: with common lognormal noise of sigma 1, a parameter without effect exceeds
    the bound of Student's t in 8 to 13 % of studies of 5 to 30 replications.
    """
    names, replications = len(problem["names"]), values.shape[1]
    if replications < 2:
        return np.full(names, np.nan)
    firsts, seconds, which, size = _steps(problem, design, by)
    found = [mean_interval(each, 1.0 - 0.05 / names) for each in values[seconds] - values[firsts]]
    reach = np.array([_reach_to_zero(each) for each in found]) / size
    if by == "mu_star":
        return np.array([reach[which == i].mean() for i in range(names)])
    variance = float(values.mean(axis=1).var()) or 1.0
    squares = np.array([(reach[which == i] ** 2).mean() for i in range(names)])
    return np.asarray(squares / (2.0 * variance))


def _reach_to_zero(found: Interval) -> float:
    """Return how far an interval reaches from its estimate towards 0."""
    if found.estimate > 0.0:
        return found.estimate - found.low
    return found.high - found.estimate


def _steps(
    problem: Mapping[str, Any], design: Array, by: str
) -> tuple[_Whole, _Whole, _Whole, Array]:
    """Return the pairs of points that differ in one parameter: in which, and by what share of it.

    Each of the four has a value for each pair: its first point, its second, the parameter's number,
    and the distance as a share of the parameter's range.
    """
    names = len(problem["names"])
    if by == "mu_star":  # steps of trajectories, of k + 1 points
        firsts = np.array([i for i in range(len(design) - 1) if (i + 1) % (names + 1)])
        seconds = firsts + 1
        low, high = np.array(problem["bounds"]).T
        moved = np.abs(design[seconds] - design[firsts]) / (high - low)
        return firsts, seconds, moved.argmax(axis=1), moved.max(axis=1)
    # Saltelli's blocks: a point, k points with one parameter changed each, another point
    starts = np.arange(0, len(design), names + 2)
    firsts = np.repeat(starts, names)
    which = np.tile(np.arange(names), len(starts))
    return firsts, firsts + 1 + which, which, np.ones(len(firsts))


def _said(paths: Iterable[str], row: Array) -> str:
    return ", ".join(f"{path} = {value:g}" for path, value in zip(paths, row, strict=True))
