"""Probability distributions, one family in each file, named in YAML by ``kind``.

Every family is defined by its quantile function, so that a draw is a function of one
uniform number: truncation, mixtures and common random numbers then compose exactly.
"""

from simulator.distributions._distribution import (
    DISTRIBUTIONS,
    Distribution,
    DistributionSpec,
    Floats,
    NonNegativeDistribution,
    PositiveDistribution,
    SharedDistribution,
)
from simulator.distributions._facts import Facts

__all__ = [
    "DISTRIBUTIONS",
    "Distribution",
    "DistributionSpec",
    "Facts",
    "Floats",
    "NonNegativeDistribution",
    "PositiveDistribution",
    "SharedDistribution",
]
