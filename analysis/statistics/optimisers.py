"""Optimisers of scipy, without what ``scipy.optimize`` imports before it has them.

That is linear programming, global search and all that these need, and takes as long again. These
are the same functions, which compute the same bits.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from simulator import special
from simulator.late import part_of

if TYPE_CHECKING:
    from scipy.optimize import (
        approx_fprime,
        brentq,
        fmin,
        fmin_l_bfgs_b,
        fminbound,
        fsolve,
        least_squares,
        leastsq,
    )

__all__ = [
    "approx_fprime",
    "brentq",
    "fmin",
    "fmin_l_bfgs_b",
    "fminbound",
    "fsolve",
    "least_squares",
    "leastsq",
]

_HOMES = {
    "approx_fprime": ("_optimize",),
    "brentq": ("_zeros_py",),
    "fmin": ("_optimize",),
    "fmin_l_bfgs_b": ("_lbfgsb_py",),
    "fminbound": ("_optimize",),
    "fsolve": ("_minpack_py",),
    "leastsq": ("_minpack_py",),
    "least_squares": ("_lsq.least_squares",),
}
_ASKED = ("_minpack", "_lbfgsb", "_moduleTNC", "_zeros")
"""Modules of which the package is asked there: it would complete itself for them, too."""


def __getattr__(name: str) -> Any:
    """Import a function when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        _ = special.expit  # scipy.special then has what these ask of it
        result = part_of("scipy.optimize", *_ASKED, "_optimize").OptimizeResult
        package = vars(sys.modules["scipy.optimize"])
        package.setdefault("OptimizeResult", result)  # it is asked for this as well
        found = getattr(part_of("scipy.optimize", *_HOMES[name]), name)
    except (ImportError, AttributeError):  # a scipy that keeps them elsewhere
        import scipy

        found = getattr(scipy.optimize, name)
    globals()[name] = found
    return found
