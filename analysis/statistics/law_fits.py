"""Fits laws to curves, and compares the laws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.statistics.laws import LAWS, Law
from analysis.statistics.least_squares import Array, least_squares, small_sample_aic
from simulator import special
from simulator.distributions import Floats
from simulator.experiment.intervals import student_quantile


@dataclass(frozen=True)
class LawFit:
    """A law fitted by least squares.

    Attributes
    ----------
    law : Law
    n, y, residuals : ndarray, shape (points,)
        The points that it was fitted to, and y less the curve.
    estimates : dict of str to float
    low, high : dict of str to float
        Ends of the confidence intervals; infinite if there are no more points than parameters.
    aic : float
        Akaike's criterion for small samples, ``m log(RSS / m) + 2 k + 2 k (k + 1) / (m - k - 1)``
        with k parameters, the variance among them (Burnham & Anderson 2002, section 2.4);
        infinite where there are too few points for it.
    """

    law: Law
    n: Array
    y: Array
    estimates: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    aic: float

    def __call__(self, n: npt.ArrayLike) -> Floats:
        """Return the curve at `n` (any shape)."""
        return self.law.curve(np.asarray(n, dtype=np.float64), *self.estimates.values())

    @property
    def residuals(self) -> Array:
        """Residuals: y less the curve, shape (points,)."""
        return self.y - self(self.n)

    @property
    def r_squared(self) -> float:
        """Share of the variance that the curve explains."""
        spread = float(((self.y - self.y.mean()) ** 2).sum())
        return 1.0 - float((self.residuals**2).sum()) / spread if spread else float("nan")


def fit_law(
    name: str,
    n: npt.ArrayLike,
    y: npt.ArrayLike,
    fixed: Mapping[str, float] | None = None,
    confidence: float = 0.95,
    relative: bool = False,
) -> LawFit:
    """Fit a law by least squares.

    Parameters
    ----------
    name : str
        Key of `analysis.statistics.laws.LAWS`.
    n, y : array_like, shape (points,)
        Points whose y is not known (null or infinite: no run finished) are left out.
    fixed : mapping of str to float, optional
        Parameters that are known. The scale of speed-ups is not: all of them share the error of
        one agent's time. With it fixed at 1, 95 % intervals of Amdahl's p hold in 43 to 67 %.
    confidence : float
        Coverage of the intervals, by the linearised curve and Student's t (Seber & Wild 1989,
        section 5.1); they end at the bounds of a parameter.
    relative : bool
        Whether residuals are shares of y: the errors of speed-ups grow with them, as they are
        ratios of means. Of speed-ups from ten to twenty replications at five to eight sizes, 95 %
        intervals of p, kappa and the exponent then hold in 92 to 98 %, else in 84 to 99 %. Needs
        positive y.

    Raises
    ------
    ValueError
        If there are fewer known points than parameters, the law is unknown, or residuals are to be
        relative to a y that is not positive.
    """
    if name not in LAWS:
        raise ValueError(f"there is no law {name!r}, only {', '.join(LAWS)}")
    law, known = LAWS[name], dict(fixed or {})
    x, z = np.asarray(n, dtype=np.float64), np.asarray(y, dtype=np.float64)
    x, z = x[np.isfinite(z)], z[np.isfinite(z)]
    free = [parameter for parameter in law.start if parameter not in known]
    if len(x) < len(free):
        raise ValueError(f"{len(free)} parameters of {name} need as many points, not {len(x)}")

    if relative and not (z > 0.0).all():
        raise ValueError("residuals are relative to y: it must be positive")
    unit = z if relative else np.ones_like(z)

    is_free = np.array([parameter not in known for parameter in law.start])
    given = np.array([known.get(parameter, np.nan) for parameter in law.start])

    def curve(values: Array) -> Floats:
        given[is_free] = values  # no names: a fit asks for thousands of curves
        return law.curve(x, *given) / unit

    bounds = [law.bounds.get(parameter, (-np.inf, np.inf)) for parameter in free]
    found = least_squares(
        curve, z / unit, [law.start[parameter](x, z) for parameter in free], bounds, confidence
    )

    def named(values: Array) -> dict[str, float]:
        said = {**known, **dict(zip(free, values.tolist(), strict=True))}
        return {parameter: said[parameter] for parameter in law.start}

    return LawFit(
        law=law,
        n=x,
        y=z,
        estimates=named(found.values),
        low=named(found.low),
        high=named(found.high),
        aic=small_sample_aic(found.rss, len(x), len(free) + 1, float(((z / unit) ** 2).sum())),
    )


def compare_laws(
    n: npt.ArrayLike,
    y: npt.ArrayLike,
    names: Sequence[str] = tuple(LAWS),
    fixed: Mapping[str, float] | None = None,
    confidence: float = 0.95,
    relative: bool = False,
) -> pd.DataFrame:
    """Fit several laws to the same points and compare them.

    Akaike's weights are no probabilities of laws: of few points, the criterion for small samples
    leaves laws of several parameters no weight, however well they fit. Of speed-ups by the
    Universal Scalability Law at five sizes, it gave another law 95 % or more in half of the
    studies. So whether a law is told from another is a question of its own: whether the other fits
    better by more than chance explains.

    Parameters
    ----------
    n, y : array_like, shape (points,)
        As for `fit_law`.
    names : sequence of str
        Keys of `analysis.statistics.laws.LAWS`.
    fixed : mapping of str to float, optional
        Parameters that are known, of the laws that have them.
    confidence : float
        Coverage of the intervals.
    relative : bool
        As for `fit_law`.

    Returns
    -------
    DataFrame
        A row a law, the best first: ``law, formula, parameters`` (estimates with intervals, as
        text), ``r_squared, aic, weight`` (Akaike's, which add up to 1; null if points are too few
        for the criterion); ``may_hold``: whether none of the other laws is known to fit better. One
        that holds is said not to in 5 % of studies at most. No row for a law that has more
        parameters than there are known points.

    Notes
    -----
    A law is known to fit worse than another by an F test of their sums of squares, at 5 % divided
    by the number of others. For one with more parameters it is that of nested models; for one with
    as many or fewer, that of a model that has both, whose sum is no larger than the other's (the J
    test of Davidson & MacKinnon 1981).
    """
    rows, sums, numbers = [], list[float](), list[int]()
    for name in names:
        known = {key: value for key, value in (fixed or {}).items() if key in LAWS[name].start}
        try:
            fit = fit_law(name, n, y, known, confidence, relative)
        except ValueError:
            continue  # too few points for this one
        said = [
            f"{key} {value:.4g}"
            if key in known
            else f"{key} {value:.4g} [{fit.low[key]:.4g}, {fit.high[key]:.4g}]"
            for key, value in fit.estimates.items()
        ]
        rows.append((name, fit.law.formula, ", ".join(said), fit.r_squared, fit.aic))
        unit = fit.y if relative else np.ones_like(fit.y)
        # Curves that are off by a millionth are exact: optimisers come no nearer to some.
        least = 1e-12 * float(((fit.y / unit) ** 2).sum())
        sums.append(max(float(((fit.residuals / unit) ** 2).sum()), least))
        numbers.append(len(fit.estimates) - len(known))
    columns = ["law", "formula", "parameters", "r_squared", "aic"]
    points = int(np.isfinite(np.asarray(y, dtype=np.float64)).sum())
    table = pd.DataFrame(rows, columns=columns).assign(may_hold=_may_hold(sums, numbers, points))
    # Where no law has a criterion, that which fits best comes first.
    order = np.lexsort((np.array(sums), table["aic"].to_numpy(dtype=np.float64)))
    table = table.iloc[order].reset_index(drop=True)
    aic = table["aic"].to_numpy(dtype=np.float64)
    finite = np.isfinite(aic)
    likely = np.exp(-0.5 * (aic[finite] - np.min(aic[finite], initial=np.inf)))
    weight = np.full(len(aic), np.nan)
    weight[finite] = likely / likely.sum()
    may_hold = table.pop("may_hold")
    return table.assign(weight=weight, may_hold=may_hold)


def _may_hold(sums: Sequence[float], numbers: Sequence[int], points: int) -> list[bool]:
    """Return of each law whether no other is known to fit better.

    Parameters
    ----------
    sums : sequence of float
        Of its squared residuals.
    numbers : sequence of int
        Of its parameters.
    points : int
    """
    level = 0.05 / max(1, len(sums) - 1)

    def is_better(i: int, j: int) -> bool:
        """Return whether law `i` is known to fit better than law `j`."""
        more = max(1, numbers[i] - numbers[j])
        left = points - numbers[j] - more
        if left < 1 or sums[i] >= sums[j]:
            return False
        ratio = (sums[j] - sums[i]) / more / (sums[i] / left)
        return float(special.fdtrc(more, left, ratio)) < level

    laws = range(len(sums))
    return [not any(is_better(i, j) for i in laws if i != j) for j in laws]


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """``y = scale * n ** exponent``, with a confidence interval of the exponent."""

    scale: float
    exponent: float
    low: float
    high: float

    def __call__(self, n: npt.ArrayLike) -> Floats:
        """Return y at `n` (any shape)."""
        return self.scale * np.asarray(n, dtype=np.float64) ** self.exponent


def fit_power_law(n: npt.ArrayLike, y: npt.ArrayLike, confidence: float = 0.95) -> PowerLaw:
    """Fit a power law by least squares on log-log axes, where errors are relative.

    Parameters
    ----------
    n, y : array_like, shape (points,)
        Positive; at least two different `n`. Points whose y is not known are left out.
    confidence : float
        Coverage of the exponent's interval (zero width for an exact fit; infinite for
        two points, which leave no residual).

    Raises
    ------
    ValueError
        If fewer than two different `n` have positive `y`.
    """
    x, z = np.asarray(n, dtype=np.float64), np.asarray(y, dtype=np.float64)
    usable = (x > 0) & (z > 0) & np.isfinite(z)
    x, z = np.log(x[usable]), np.log(z[usable])
    if len(np.unique(x)) < 2:
        raise ValueError("a power law needs positive values at two different n")
    free = len(x) - 2
    half = math.inf
    if free:
        (slope, intercept), covariance = np.polyfit(x, z, 1, cov=True)
        half = student_quantile(0.5 + confidence / 2, free) * math.sqrt(covariance[0, 0])
    else:
        slope, intercept = np.polyfit(x, z, 1)
    scale, slope = math.exp(intercept), float(slope)
    return PowerLaw(scale, slope, slope - half, slope + half)
