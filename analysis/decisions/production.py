"""Production functions: the output of a team as a function of agents and tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.statistics.least_squares import Array, least_squares, small_sample_aic


@dataclass(frozen=True)
class Production:
    """A production function of agents and tokens.

    Attributes
    ----------
    form : str
        ``cobb_douglas`` or ``ces``.
    estimates : dict of str to float
        ``scale``; Cobb-Douglas: ``agents``, ``tokens`` (elasticities), ``overhead``; CES:
        ``share`` (of the agents), ``substitution`` (elasticity), ``returns``, ``overhead``.
    low, high : dict of str to float
        Ends of the confidence intervals.
    r_squared : float
        Of the logarithms.
    aic : float
        Akaike's criterion, corrected for small samples.
    """

    form: str
    estimates: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    r_squared: float
    aic: float


def fit_production(
    form: str,
    agents: npt.ArrayLike,
    tokens: npt.ArrayLike,
    output: npt.ArrayLike,
    confidence: float = 0.95,
) -> Production:
    """Fit output as a function of tokens and of agents, part of whose work is lost to talking.

    With ``l = n / (1 + overhead (n - 1))`` agents left for the work, ``cobb_douglas`` is
    ``scale l^agents k^tokens`` (Cobb & Douglas 1928) and ``ces`` is ``scale (share l^r + (1 -
    share) k^r)^(returns / r)`` with the elasticity of substitution ``1 / (1 - r)`` (Arrow et al.
    1961); k is the tokens over their geometric mean. By least squares on logarithms.

    Parameters
    ----------
    form : {'cobb_douglas', 'ces'}
    agents, tokens, output : array_like, shape (points,)
        Positive, and known.
    confidence : float
        Coverage of the intervals, by the linearised function and Student's t.

    Raises
    ------
    ValueError
        If the form is unknown, there are too few points, or a number is not positive or not known
        (if no run finished, times and outputs over time are not known).
    """
    n, k, y = (np.asarray(each, dtype=np.float64) for each in (agents, tokens, output))
    if form not in ("cobb_douglas", "ces"):
        raise ValueError(f"there is no production function {form!r}")
    if not all(np.isfinite(each).all() and (each > 0.0).all() for each in (n, k, y)):
        raise ValueError("a production function needs positive numbers, all of them known")
    k = k / np.exp(np.log(k).mean())

    def labour(overhead: float) -> Array:
        return n / (1.0 + overhead * (n - 1.0))

    def cobb_douglas(values: Array) -> Array:
        worked = values[1] * np.log(labour(values[3])) + values[2] * np.log(k)
        return np.asarray(values[0] + worked)

    def ces(values: Array) -> Array:
        r = 1.0 - 1.0 / values[2]
        if abs(r) < 1e-6:  # its limit is Cobb-Douglas
            mixed = values[1] * np.log(labour(values[4])) + (1.0 - values[1]) * np.log(k)
            return np.asarray(values[0] + values[3] * mixed)
        inner = values[1] * labour(values[4]) ** r + (1.0 - values[1]) * k**r
        return np.asarray(values[0] + values[3] / r * np.log(inner))

    if form == "cobb_douglas":
        names, curve = ["scale", "agents", "tokens", "overhead"], cobb_douglas
        start, low = [float(np.log(y).mean()), 0.7, 0.3, 0.05], [-np.inf, -np.inf, -np.inf, 0.0]
        high = [np.inf, np.inf, np.inf, np.inf]
    else:
        names = ["scale", "share", "substitution", "returns", "overhead"]
        curve = ces
        start, low = [float(np.log(y).mean()), 0.5, 0.8, 1.0, 0.05], [-np.inf, 0.0, 0.01, 0.0, 0.0]
        high = [np.inf, 1.0, 100.0, np.inf, np.inf]
    if len(y) <= len(names):
        raise ValueError(f"{len(names)} parameters of {form} need more points, not {len(y)}")
    target = np.log(y)
    found = least_squares(curve, target, start, list(zip(low, high, strict=True)), confidence)

    def named(values: Array) -> dict[str, float]:
        said = dict(zip(names, values.tolist(), strict=True))
        return {**said, "scale": math.exp(said["scale"])}

    spread = float(((target - target.mean()) ** 2).sum())
    return Production(
        form,
        named(found.values),
        named(found.low),
        named(found.high),
        1.0 - found.rss / spread if spread else float("nan"),
        small_sample_aic(found.rss, len(y), len(names) + 1, float((target**2).sum())),
    )
