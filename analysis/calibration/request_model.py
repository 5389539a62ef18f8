"""The model of requests: the laws of their turns, fitted together over all models.

A turn reads the context, writes, and asks for tools, which take time and add to the context. The
effects of a request are correlated: a request that writes more also waits longer. Turns depend on
the number of turns of their request (long requests have shorter turns) and on the size of the
context: a small one grows by bulks of files that are read in, a large one is cut.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.calibration.turn_laws import (
    ChanceLaw,
    TurnLaw,
    chance_law,
    to_document,
    turn_law,
)
from simulator.distributions import Floats
from simulator.documents import DocumentError, read_own, sealed, unsealed
from simulator.errors import TeamsimError

FILE = "requests.json"
"""Name of the file that `teamsim calibrate` writes."""

FEWEST = 30
"""Fewest requests with tools, over all models, from which a model of them is made."""

EFFECTS = ("output", "tool", "pause", "latency", "result", "pauses")
"""The quantities on which a request has correlated effects."""

FILL = np.asarray([0.0, 0.5, 0.8, 0.9, 0.95, 1.0])
"""Lower bounds of the classes of fill (context over `limit`); each has its probability of a cut."""

_REFERENCE = 1e5
"""Tokens at which the covariate of the context is 0."""


@dataclass(frozen=True)
class RequestModel:
    """The laws of the turns of requests.

    Attributes
    ----------
    models : tuple of str
    requests : dict of str to int
        Requests of each model that were seen whole.
    latency : dict of str to ndarray, shape (4,)
        For each model: seconds of a call, and of each 1,000 tokens uncached, cached and written.
    laws : dict of str to TurnLaw
        ``output`` of a turn that asks for tools, ``answer`` of the last and ``alone`` of the only
        turn, tokens; ``tool`` and ``pause``, seconds; ``latency``, the residual; ``result`` and
        ``bulk``, tokens that a turn adds to the context, its output included.
    chances : dict of str to ChanceLaw
        Probabilities. ``pauses``: a pause follows a turn; ``bulks``: a bulk is added; ``cold``: a
        request begins cold, with most of its first input not in the cache.
    together : ndarray, shape (6, 6)
        Square root of the correlation of `EFFECTS`.
    cut : ndarray, shape (6,)
        Probability that a turn's context is cut, by how full it is.
    kept : ndarray
        Shares of the context that stay when it is cut.
    limit : dict of str to float
        Largest usual context of each model.
    cold, warm : ndarray
        Quantiles of the share of the first input that the cache holds, for requests that begin
        cold and for the others.
    missed : float
        Probability that the cache fails at a later turn whose context is not cut.
    held : ndarray
        Shares, of what the turn before has read, that the cache holds when it fails.
    system : float
        Tokens that all prompts have in common: the part of a cut context that the cache holds.
    turns : dict of str to ndarray
        For each model, the probability of 1, 2, ... turns.
    """

    models: tuple[str, ...]
    requests: dict[str, int]
    latency: dict[str, Floats]
    laws: dict[str, TurnLaw]
    chances: dict[str, ChanceLaw]
    together: Floats
    cut: Floats
    kept: Floats
    limit: dict[str, float]
    cold: Floats
    warm: Floats
    missed: float
    held: Floats
    system: float
    turns: dict[str, Floats]

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        said = {
            "requests": self.requests,
            "latency": {model: each.tolist() for model, each in self.latency.items()},
            "laws": {name: to_document(law) for name, law in self.laws.items()},
            "chances": {name: to_document(law) for name, law in self.chances.items()},
            "together": self.together.tolist(),
            "cut": self.cut.tolist(),
            "kept": self.kept.tolist(),
            "limit": self.limit,
            "cold": self.cold.tolist(),
            "warm": self.warm.tolist(),
            "missed": self.missed,
            "held": self.held.tolist(),
            "system": self.system,
            "turns": {model: each.tolist() for model, each in self.turns.items()},
        }
        path.write_text(json.dumps(sealed(said)) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, directory: Path) -> RequestModel:
        """Read the model from a directory that `teamsim calibrate` wrote.

        Raises
        ------
        TeamsimError
            If the directory has no such file, or the file is damaged.
        """
        path = directory / FILE
        if not path.is_file():
            raise TeamsimError(
                f"{directory} has no {FILE}: `teamsim calibrate` writes it where calls tell of "
                f"{FEWEST} requests with tools or more"
            )
        try:
            said = unsealed(read_own(path))
        except DocumentError as error:
            raise TeamsimError(f"{path} is damaged ({error}): calibrate anew") from None
        return cls._of(said)

    @classmethod
    def _of(cls, said: Mapping[str, Any]) -> RequestModel:
        def arrays(name: str) -> dict[str, Floats]:
            return {model: np.asarray(each, dtype=float) for model, each in said[name].items()}

        return cls(
            models=tuple(said["requests"]),
            requests=dict(said["requests"]),
            latency=arrays("latency"),
            laws={name: turn_law(each) for name, each in said["laws"].items()},
            chances={name: chance_law(each) for name, each in said["chances"].items()},
            together=np.asarray(said["together"]),
            cut=np.asarray(said["cut"]),
            kept=np.asarray(said["kept"]),
            limit=dict(said["limit"]),
            cold=np.asarray(said["cold"]),
            warm=np.asarray(said["warm"]),
            missed=float(said["missed"]),
            held=np.asarray(said["held"]),
            system=float(said["system"]),
            turns=arrays("turns"),
        )


def of_length(turns: Floats) -> Floats:
    """Return the covariate of the number of turns."""
    return np.asarray(np.log(turns))


def of_context(tokens: Floats) -> Floats:
    """Return the covariate of the size of a context."""
    return np.asarray(np.log(np.maximum(tokens, 1.0) / _REFERENCE))


def small(context: Floats) -> Floats:
    """Return how far a context's covariate is below that of a third of `_REFERENCE`."""
    return np.asarray(np.maximum(0.0, -1.0 - context))
