"""What is known of agents before any of their runs: from the public runs of others.

``hyperpriors.json`` ships with the package, and says from which runs it was fitted and by which
command. Each of its parameters has a mean and a standard deviation, on the scale of its link: that
between agents and between their task lists, with the error of the mean. So an agent that has runs
of its own is led by these.

Constants in the code, and not in that file, are priors too. In brackets: the mean ratio to running
it again, over seconds, tokens and rounds, of predictions of three agents by pilots of one and two
(`backtest`, one seed), with the constant halved and doubled; it was 1.011, another seed is worth
0.005. So predictions hardly hang on them.

- how far cells of an agent differ: ``_WEAK`` in `latency`, ``_IDLE_APART`` in `cells`, and the
  mixture in `waits` (all standard deviations together: 1.013, 1.011);
- ``_SPREADS`` in `logits`;
- in `carry_over`: ``_NEARNESS`` (0.999, 1.009), ``_JITTER`` (1.013, 1.009) and ``_DOUBT`` (1.016,
  1.008). Equal weights of the simulation and of what is carried over are no fit: 0.986 with them,
  0.998 with 0.35 of the simulation, 1.000 with 0.65, and about 1.03 with 0.1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from simulator.distributions import Floats
from simulator.documents import parse_json

FILE = "hyperpriors.json"


@dataclass(frozen=True, slots=True)
class Prior:
    """Independent normal priors of some parameters, on the scale of their links.

    Attributes
    ----------
    mean, sd : ndarray, shape (K,)
    """

    mean: Floats
    sd: Floats


@dataclass(frozen=True)
class Hyperpriors:
    """All that is known before.

    Attributes
    ----------
    made : dict
        From which runs (``source``, ``runs``, ``agents``), by which ``command``, and when.
    priors : mapping
        By group of parameters: a `Prior` of them, in the order of `PARAMETERS`.
    """

    made: Mapping[str, Any]
    priors: Mapping[str, Prior]


PARAMETERS = {
    "latency": ("base", "per_task", "hand_in"),
    "tokens": ("system", "turn", "retention", "artifact", "output", "per_task"),
    "one_by_one": ("logit", "growth"),
    "forgetting": ("logit", "claims", "company", "waiting"),
}
"""The parameters of each group, in order: those of `latency`, `tokens`, `styles` and `forgetting`
(there the logit is one of a usual task, and not of one for which no other waits)."""

VAGUE = {
    "latency": Prior(np.log([2.0, 1.0, 0.2]), np.full(3, 3.0)),
    "tokens": Prior(
        np.asarray([*np.log([1500.0, 300.0]), 2.0, *np.log([50.0, 100.0, 100.0])]),
        np.asarray([2.0, 2.0, 1.5, 2.0, 2.0, 2.0]),
    ),
    "one_by_one": Prior(np.asarray([-2.0, 1.0]), np.asarray([2.0, 1.0])),
    "forgetting": Prior(np.asarray([-4.0, 0.0, 0.0, 0.0]), np.asarray([2.0, 0.2, 1.5, 1.0])),
}
"""Priors for where those of a cell are not known yet, or not meant: of the fits that hyperpriors
are made of, and of an agent's cells all together."""


@cache
def shipped() -> Hyperpriors:
    """Return those that ship."""
    file = resources.files("analysis.calibration").joinpath(FILE)
    return hyperpriors_in(parse_json(file.read_text(encoding="utf-8"), any_float=True))


def hyperpriors_in(document: Mapping[str, Any]) -> Hyperpriors:
    """Return the hyperpriors that a JSON document holds."""
    priors = {
        group: Prior(
            *(
                np.asarray([document["priors"][group][name][part] for name in names])
                for part in ("mean", "sd")
            )
        )
        for group, names in PARAMETERS.items()
    }
    return Hyperpriors(document["made"], priors)


def text_of(found: Hyperpriors) -> str:
    """Return hyperpriors as ``hyperpriors.json`` says them, numbers to three digits."""
    document = {
        "made": found.made,
        "priors": {
            group: {
                name: {"mean": _three(mean), "sd": _three(sd)}
                for name, mean, sd in zip(
                    names, found.priors[group].mean, found.priors[group].sd, strict=True
                )
            }
            for group, names in PARAMETERS.items()
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _three(value: float) -> float:
    return float(f"{value:.3g}")
