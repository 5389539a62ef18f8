"""Roots of covariances, by which normal draws get them."""

from __future__ import annotations

import numpy as np

from simulator.distributions import Floats


def principal_root(covariance: Floats) -> Floats:
    """Return the symmetric root of a covariance (Higham 2008, "Functions of matrices", chapter 6).

    It is the only root that is symmetric and has no negative eigenvalue. Eigenvectors alone, times
    the roots of their eigenvalues, are another; but their signs are up to the library for the
    processor at hand, so that the same random numbers would give other draws on another machine.

    Parameters
    ----------
    covariance : ndarray, shape (K, K)
        Symmetric. Eigenvalues below 0, as rounding makes them, are taken as 0.
    """
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T)
