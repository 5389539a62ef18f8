"""Roots of covariances are the same on every machine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analysis.calibration.draws import draws_of, mode_near
from analysis.calibration.estimates import VectorFit
from analysis.statistics.covariances import principal_root
from simulator.distributions import Floats


def covariance_of(k: int, seed: int = 1) -> Floats:
    parts = np.random.default_rng(seed).standard_normal((k, 2 * k))
    return np.asarray(parts @ parts.T)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_root_squared_is_the_covariance(k: int) -> None:
    root = principal_root(covariance_of(k))
    assert root == pytest.approx(root.T)
    assert root @ root == pytest.approx(covariance_of(k))
    assert (np.linalg.eigvalsh(root) > 0.0).all()


def test_what_rounding_has_made_negative_is_0() -> None:
    flat = np.outer([1.0, 3.0], [1.0, 3.0]) - 1e-15 * np.eye(2)
    root = principal_root(flat)
    assert np.isfinite(root).all()
    assert root @ root == pytest.approx(flat, abs=1e-12)


def density_of(covariance: Floats, mean: Floats) -> Callable[[Floats], Floats]:
    inverse = np.linalg.inv(covariance)
    return lambda at: -0.5 * np.einsum("pi,ij,pj->p", at - mean, inverse, at - mean)


def test_draws_do_not_depend_on_the_signs_of_eigenvectors(monkeypatch: pytest.MonkeyPatch) -> None:
    covariance, mean = covariance_of(4), np.arange(4.0)

    def drawn() -> tuple[Floats, Floats]:
        rng = np.random.default_rng(3)
        density = density_of(covariance, mean)
        return (
            draws_of(density, mean, covariance, 20, rng).at,
            VectorFit(mean, covariance).draw(rng).at,
        )

    before, eigh = drawn(), np.linalg.eigh
    signs = np.array([1.0, -1.0, -1.0, 1.0])

    def other(matrix: Floats) -> tuple[Floats, Floats]:
        """Return eigenvectors as another library for matrices may."""
        values, vectors = eigh(matrix)
        return values, vectors * signs

    monkeypatch.setattr(np.linalg, "eigh", other)
    for mine, others in zip(before, drawn(), strict=True):
        assert others == pytest.approx(mine, rel=1e-12)


def test_draws_have_the_covariance() -> None:
    covariance, rng = covariance_of(3), np.random.default_rng(2)
    fit = VectorFit(np.zeros(3), covariance)
    drawn = np.stack([fit.draw(rng).at for _ in range(20_000)])
    # Variances of 20,000 draws are right within 1 % (one standard error).
    assert np.cov(drawn.T) == pytest.approx(covariance, abs=0.04 * float(np.diag(covariance).max()))


def test_a_mode_is_the_same_wherever_an_optimiser_has_stopped() -> None:
    mean = np.array([1.0, -2.0, 0.5])
    curved = density_of(covariance_of(3), mean)

    def density(at: Floats) -> Floats:  # not symmetric, as posteriors are not
        return np.asarray(curved(at) - 0.02 * np.expm1(at[:, 0] - 1.0) ** 2)

    modes = [mode_near(density, mean + away) for away in (1e-5, -3e-5, 1e-2)]
    # Differences over a thousandth shift it by a sixth of a millionth of its third derivative.
    assert modes[0] == pytest.approx(mean, abs=1e-6)
    for other in modes[1:]:
        assert other == pytest.approx(modes[0], abs=1e-8)
