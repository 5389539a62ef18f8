"""Laws of durations by their logarithms: density, survival and quantiles are of one law."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import pytest
from scipy import integrate, stats

from analysis.calibration.log_families import LOG_FAMILIES, log_difference

LAWS = {
    "lognormal": lambda median, sigma: stats.lognorm(sigma, scale=median),
    "log_logistic": lambda median, shape: stats.fisk(shape, scale=median),
    "weibull": lambda scale, shape: stats.weibull_min(shape, scale=scale),
    "burr12": lambda scale, c, d: stats.burr12(c, d, scale=scale),
}


@pytest.mark.parametrize("kind", LAWS)
def test_a_family_is_the_law_of_its_name(kind: str) -> None:
    """Families are compared by their likelihoods: a factor that they lack would choose for them."""
    assert set(LAWS) == set(LOG_FAMILIES)
    family, shares = LOG_FAMILIES[kind], np.array([0.001, 0.1, 0.5, 0.9, 0.999])
    for values in product((0.5, 1.0, 3.0), repeat=len(family.names)):
        law, at = LAWS[kind](*values), np.log(values)
        assert family.spec(at) == pytest.approx(dict(zip(family.names, values, strict=True)))
        seconds = law.ppf(shares)
        assert family.quantile(at, shares) == pytest.approx(seconds)
        x = np.log(seconds)
        assert family.log_survival(at, x) == pytest.approx(law.logsf(seconds))
        assert family.log_density(at, x) == pytest.approx(law.logpdf(seconds) + x)
        density = partial(family.log_density, at)
        inside = integrate.quad(lambda y, of=density: float(np.exp(of(y))), x[0], x[-1])
        assert inside[0] == pytest.approx(0.998)


def test_a_difference_of_logarithms_is_that_of_the_numbers() -> None:
    more, less = np.log([5.0, 2.0, 1e-9]), np.log([3.0, 1.999, 1e-12])
    assert log_difference(more, less) == pytest.approx(np.log(np.exp(more) - np.exp(less)))
    assert np.isfinite(log_difference(np.zeros(1), np.zeros(1))).all()
