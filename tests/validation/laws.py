"""Closed forms from which rows take what they ask."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import integrate, stats


def harmonic(n: int) -> float:
    """Return 1 + 1/2 + ... + 1/n."""
    return sum(1 / k for k in range(1, n + 1))


def longest_of(law: Any, n: int) -> float:
    """Return the mean of the longest of n, by integrating the survival function."""
    value, _ = integrate.quad(lambda t: 1 - law.cdf(t) ** n, 0, np.inf, limit=500)
    return float(value)


def kth_of(law: Any, k: int, n: int) -> float:
    """Return the mean of the k-th of n, by integrating its survival function."""
    value, _ = integrate.quad(lambda t: stats.binom.cdf(k - 1, n, law.cdf(t)), 0, np.inf, limit=500)
    return float(value)


def longest_share(tasks: int, n: int) -> float:
    """Return the mean of the longest of n equal shares of exponential tasks of mean 1."""
    return longest_of(stats.gamma(tasks / n), n)


def erlang_c(servers: int, load: float) -> float:
    """Return the probability to wait in M/M/c."""
    a = servers * load
    blocked = a**servers / math.factorial(servers) / (1 - load)
    return blocked / (sum(a**k / math.factorial(k) for k in range(servers)) + blocked)


def erlang_sojourn(servers: int, load: float) -> float:
    """Return the mean time in M/M/c with services of mean 1."""
    return 1 + erlang_c(servers, load) / (servers * (1 - load))


def repairman(n: int, think: float, service: float, servers: int = 1) -> tuple[float, float]:
    """Return throughput and mean wait of a closed queue: the machine repairman M/M/c//n."""
    weights = [1.0]
    for k in range(1, n + 1):
        weights.append(weights[-1] * (n - k + 1) / think / (min(k, servers) / service))
    total = sum(weights)
    throughput = sum(min(k, servers) * w for k, w in enumerate(weights)) / total / service
    queued = sum(max(0, k - servers) * w for k, w in enumerate(weights)) / total
    return throughput, queued / throughput


def plurality(k: int, p: float, wrong: int) -> float:
    """Return the chance that the right answer is the most frequent of k, ties drawn by lot.

    Each answer is right with p, or else one of `wrong` others that are equally likely. Summed over
    how many are right and how many others are as frequent.
    """
    chance = (1 - p) / wrong
    total = 0.0
    for right in range(1, k + 1):
        fewer = np.polynomial.Polynomial([1 / math.factorial(c) for c in range(right)])
        for tied in range(min(wrong, (k - right) // right) + 1):
            rest = k - right - tied * right
            ways = (fewer ** (wrong - tied)).coef
            if rest >= len(ways):
                continue
            weight = math.comb(wrong, tied) * ways[rest] / math.factorial(right) ** tied
            arranged = math.comb(k, right) * math.factorial(k - right) * weight
            total += arranged * p**right * chance ** (k - right) / (tied + 1)
    return float(total)
