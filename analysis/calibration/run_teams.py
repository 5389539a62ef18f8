"""Simulated teams of an analogue's agents, under any protocol and of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.cell import CellFit
from analysis.calibration.protocol_names import has_claims, topology_for
from analysis.calibration.rounding import four_digits
from analysis.calibration.simulated_runs import as_table, rows_of

NAMES = {
    "wall_clock_seconds": "seconds",
    "total_tokens": "tokens",
    "total_rounds": "rounds",
    "calls": "calls",
    "success": "success",
}
"""The metrics of simulated runs, and what tables of runs call them."""


PER_DRAW = 4
"""Replications for each draw of an analogue's parameters."""


@dataclass(frozen=True)
class TeamOf:
    """A simulated team of an analogue's agents.

    Attributes
    ----------
    fit : CellFit
    tasks : list of dict
    spec : dict
        The protocol.
    n : int
    max_rounds : int or None
        Rounds after which it gives up; those of the analogue if None.
    topology : mapping, str or None
        None: with a lead where the protocol needs one, else without.
    """

    fit: CellFit
    tasks: list[dict[str, Any]]
    spec: dict[str, Any]
    n: int
    max_rounds: int | None = None
    topology: Any = None

    def scenario(self, fit: CellFit, factors: Mapping[str, float]) -> dict[str, Any]:
        """Return it as a scenario, with the parameters of `fit`, seconds and tokens multiplied."""
        document = fit.scenario(self.tasks, self.n)
        calibrated = document["coordination"]["protocol"]
        if calibrated["kind"] != self.spec["kind"]:
            document["coordination"]["protocol"] = dict(self.spec)
        else:
            document["coordination"]["protocol"] = {**calibrated, **self.spec}
        if not has_claims(self.spec):
            document["team"]["agent"].pop("forgetting", None)
        document["topology"] = self.topology or topology_for(self.spec, self.n)
        if self.max_rounds is not None:
            document["limits"] = {"max_rounds": self.max_rounds}
        _multiply(document, factors)
        return document


def _multiply(document: dict[str, Any], factors: Mapping[str, float]) -> None:
    """Multiply all durations and all tokens of a calibrated scenario."""
    agent, timing = document["team"]["agent"], document["coordination"]
    latency, tokens, context = agent["latency"], agent["tokens"], agent["context"]
    scaled = {
        "seconds": [
            *((latency, name) for name in ("base", "per_work_unit_s")),
            (latency["idle"], "median"),
            (timing, "round_overhead_s"),
        ],
        "tokens": [
            (tokens["output"], "value"),
            (tokens, "per_work_unit"),
            *((context, name) for name in ("system_tokens", "artifact_tokens", "turn_tokens")),
        ],
    }
    for name, places in scaled.items():
        for node, key in places:
            if key in node:
                node[key] = four_digits(node[key] * factors.get(name, 1.0))


@dataclass(frozen=True)
class TeamJob:
    """Replications of a team: the team, how many, the seed, and its factors' means and errors."""

    team: TeamOf
    replications: int
    seed: int
    gaps: Mapping[str, float]
    errors: Mapping[str, float]


def run_team(job: TeamJob) -> pd.DataFrame:
    """Return the totals of replications, parameters and factors drawn anew every few of them."""
    rng, of_factors = (np.random.default_rng([job.seed, job.team.n, i]) for i in range(2))
    documents = []
    for draw in range(-(-job.replications // PER_DRAW)):
        fit = job.team.fit.draw(rng)
        factors = {
            name: float(np.exp(gap + job.errors.get(name, 0.0) * of_factors.standard_normal()))
            for name, gap in job.gaps.items()
        }
        document = job.team.scenario(fit, factors)
        document |= {"seed": job.seed * 10_000 + draw, "replications": PER_DRAW}
        documents.append(document)
    rows = as_table(rows_of(documents)).head(job.replications)
    return rows[list(NAMES)].rename(columns=NAMES)
