"""Special functions of scipy, without what ``scipy.special`` imports before it has them.

That is wrappers for other array libraries, and takes fifteen times as long as the functions. These
are the same objects, which compute the same bits.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from simulator.late import be_late, part_of

if TYPE_CHECKING:
    from scipy.special import (
        bdtr,
        bdtrik,
        betaincinv,
        betaln,
        expit,
        fdtrc,
        gammainc,
        gammaincc,
        gammainccinv,
        gammaincinv,
        log1p,
        log_ndtr,
        logit,
        logsumexp,
        ndtr,
        ndtri,
        softmax,
        stdtr,
        stdtrit,
    )

__all__ = [
    "bdtr",
    "bdtrik",
    "betaincinv",
    "betaln",
    "expit",
    "fdtrc",
    "gammainc",
    "gammaincc",
    "gammainccinv",
    "gammaincinv",
    "log1p",
    "log_ndtr",
    "logit",
    "logsumexp",
    "ndtr",
    "ndtri",
    "softmax",
    "stdtr",
    "stdtrit",
]


_OF_SEVERAL = ("logsumexp", "softmax")
"""Functions of whole arrays, which are written in Python."""
_OF_NUMPY = ("numpy.f2py", "numpy.testing")
"""Packages that SciPy imports, as it takes all names of NumPy, and that nothing here uses."""


def __getattr__(name: str) -> Any:
    """Import a function when it is first used: a program that draws nothing needs none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        for package in _OF_NUMPY:
            be_late(package)
        functions = part_of("scipy.special", "_ufuncs")
        _hand_on(functions)
        if name in _OF_SEVERAL:
            functions = part_of("scipy.special", "_logsumexp")
        found = getattr(functions, name)
    except (ImportError, AttributeError):  # a scipy that keeps them elsewhere
        import scipy

        found = getattr(scipy.special, name)
    globals()[name] = found
    return found


def _hand_on(functions: ModuleType) -> None:
    """Let ``scipy.special`` have its functions, for other parts of scipy that ask for some.

    `scipy.optimize` imports two of them, and would have all else imported, too.
    """
    package = vars(sys.modules["scipy.special"])
    for name in functions.__all__:
        package.setdefault(name, getattr(functions, name))
