"""How this machine rounds: which bits the functions give by which random numbers are drawn."""

from __future__ import annotations

import hashlib
import math
import platform
from functools import cache

import numpy as np
import scipy
from scipy import special


@cache
def fingerprint() -> str:
    """Return a hash of what numpy, scipy and the C library compute here.

    numpy chooses its loops by what the processor can do, and some of them differ in the last bit.
    Where the fingerprint is the same, so is every bit of every result.
    """
    u = np.random.Generator(np.random.Philox(1)).random(20_000)
    with np.errstate(all="ignore"):
        arrays = [
            np.exp(20.0 * u - 10.0),
            np.log(u),
            np.log1p(-u),
            np.expm1(4.0 * u - 2.0),
            u ** (1.0 / 3.7),
            (u / (1.0 - u)) ** 0.31,
            special.ndtri(u),
            special.ndtr(6.0 * u - 3.0),
            special.logit(u),
            np.cumsum(u),
        ]
        for shape in (0.4, 1.7, 2.3, 12.0):
            arrays += [
                special.gammaincinv(shape, u),
                special.gammainccinv(shape, u),
                special.gammainc(shape, 3.0 * u),
                special.gammaincc(shape, 3.0 * u),
                special.betaincinv(shape, 2.5, u),
            ]
    arrays += [
        np.array([function(x) for x in u[:2000].tolist()])
        for function in (math.exp, math.log, math.log2, math.sqrt, math.lgamma)
    ]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:16]


def made_on() -> dict[str, str]:
    """Return what results depend on, in their last bit."""
    return {
        "arithmetic": fingerprint(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "machine": platform.machine(),
    }
