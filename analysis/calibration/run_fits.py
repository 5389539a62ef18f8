"""Fits simulated teams to runs of which only the totals are known.

The agents are those of analogues (see `analogues`), simulated under the runs' own protocol and in
teams of their size. An analogue has a weight by how near its simulated totals are to the real ones:
a normal kernel of the spread between task lists of one agent, with the bandwidth of Scott (1992),
and the binomial likelihood of the runs that succeeded. What is left between the two, in seconds and
in tokens, are factors of the agent's speed and of its tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from analysis.calibration.analogues import COMPARED, Analogue, Analogues
from analysis.calibration.protocol_names import has_claims, protocol_called
from analysis.calibration.run_teams import PER_DRAW, TeamJob, TeamOf, run_team
from analysis.traces.run_tables import RunTable
from simulator.distributions import Floats
from simulator.errors import TeamsimError
from simulator.experiment.pool import Processes, Progress, in_processes
from simulator.special import betaln

SCALED = ("seconds", "tokens")
"""What a factor of the agent brings into line."""

_REPLICATIONS = 120
_LEAST_SPREAD = 0.05
"""Least standard deviation of a log total over runs: that of single runs is not known."""

_UNTOLD = 0.5
"""Standard deviation of a log total over runs, where no team was run twice."""


@dataclass(frozen=True)
class Match:
    """An analogue beside the runs.

    Attributes
    ----------
    analogue : int
        Its place among the analogues.
    weight : float
    gaps : dict
        Mean log of the real totals less that of the simulated ones.
    """

    analogue: int
    weight: float
    gaps: dict[str, float]


@dataclass(frozen=True)
class RunFit:
    """A team that is known by the totals of its runs.

    Attributes
    ----------
    model, task_list, protocol : str
        As the table has them.
    spec : dict
        The protocol as a scenario says it.
    sizes : list of int
        Team sizes of the runs.
    runs : int
    max_rounds : int or None
        Rounds after which runs were given up, if the table says it.
    is_same : bool
        Whether the analogues are of the same model.
    errors : dict
        Standard errors of the mean logs of the totals that are known.
    matches : list of Match
        Weights that sum to 1.
    """

    model: str
    task_list: str
    protocol: str
    spec: dict[str, Any]
    sizes: list[int]
    runs: int
    max_rounds: int | None
    is_same: bool
    errors: dict[str, float]
    matches: list[Match]

    @property
    def claims(self) -> bool:
        """Whether agents claim their tasks."""
        return has_claims(self.spec)

    @property
    def nearest(self) -> Match:
        """The analogue that resembles the runs most."""
        return max(self.matches, key=lambda match: match.weight)

    @property
    def effective(self) -> float:
        """How many analogues of equal weight would say as much (Kish 1965)."""
        return 1.0 / sum(match.weight**2 for match in self.matches)

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)

    @classmethod
    def of_document(cls, said: Mapping[str, Any]) -> RunFit:
        """Return the fit that a JSON document holds."""
        return cls(**{**said, "matches": [Match(**match) for match in said["matches"]]})


def fit_runs(
    table: RunTable,
    analogues: Analogues,
    protocols: Mapping[str, Any],
    workers: int | Processes = 1,
    progress: Progress | None = None,
) -> list[RunFit]:
    """Fit each model, task list and protocol of a table of runs.

    Parameters
    ----------
    table : RunTable
    analogues : Analogues
    protocols : mapping
        What names of protocols in the table mean, where it is not known (`protocol_called`).
    workers, progress
        As for `simulator.experiment.pool.in_processes`.

    Raises
    ------
    TeamsimError
        If a protocol is not known, or no analogue has the mode that it needs.
    """
    cells = []
    jobs: list[TeamJob] = []
    for key, runs in table.runs.groupby(["model", "task_list", "protocol"], sort=True):
        spec = protocol_called(str(key[2]), protocols)
        places, is_same = candidates(analogues, str(key[0]), has_claims(spec))
        sizes = sorted(int(n) for n in runs["n"].unique())
        limit = _limit(runs)
        for place in places:
            like = analogues.found[place]
            jobs += [
                TeamJob(_team(like, spec, n, limit), _REPLICATIONS, place, {}, {}) for n in sizes
            ]
        cells.append((key, runs, spec, places, is_same, sizes, limit))
    simulated = iter(in_processes(run_team, jobs, workers, progress))
    fits = []
    for key, runs, spec, places, is_same, sizes, limit in cells:
        by_size = [{n: next(simulated) for n in sizes} for _ in places]
        errors, matches = _matches(runs, places, by_size, analogues.between[has_claims(spec)])
        fits.append(
            RunFit(
                model=str(key[0]),
                task_list=str(key[1]),
                protocol=str(key[2]),
                spec=spec,
                sizes=sizes,
                runs=len(runs),
                max_rounds=limit,
                is_same=is_same,
                errors=errors,
                matches=matches,
            )
        )
    return fits


def candidates(analogues: Analogues, model: str, claims: bool) -> tuple[list[int], bool]:
    """Return the places of the analogues of a model in a mode, and whether they are its own.

    Raises
    ------
    TeamsimError
        If no analogue has been fitted in this mode.
    """
    places, is_same = analogues.of(model)
    there = [i for i in places if analogues.found[i].fit(claims) is not None]
    if not there:
        mode = "claim their tasks" if claims else "have their tasks dealt out"
        raise TeamsimError(f"none of the analogues ({analogues.source}) shows agents that {mode}")
    return there, is_same


def _team(like: Analogue, spec: dict[str, Any], n: int, limit: int | None) -> TeamOf:
    fit = like.fit(has_claims(spec))
    assert fit is not None
    return TeamOf(fit, like.tasks, spec, n, limit)


def _limit(runs: pd.DataFrame) -> int | None:
    """Return the rounds after which runs were given up, if they say it or some ended so."""
    if runs["max_rounds"].notna().any():
        return int(runs["max_rounds"].mode().max())
    failed = runs.loc[runs["success"] == 0.0, "rounds"].dropna()
    return None if failed.empty else int(failed.max())


def _matches(
    runs: pd.DataFrame,
    places: Sequence[int],
    simulated: Sequence[Mapping[int, pd.DataFrame]],
    between: Floats,
) -> tuple[dict[str, float], list[Match]]:
    """Return the errors of the mean logs, and the weight and gaps of each analogue."""
    known = [name for name in COMPARED if runs[name].notna().any()]
    gaps = [{name: _gap(runs, rows, name) for name in known} for rows in simulated]
    errors = {name: _error(runs, name) for name in known}
    compared = [name for name in known if name != "calls" or "rounds" not in known]
    at = [COMPARED.index(name) for name in compared]
    bandwidth = max(1, len(places)) ** (-1.0 / (len(compared) + 4.0))
    spread = bandwidth**2 * between[np.ix_(at, at)] + np.diag(
        [errors[name] ** 2 for name in compared]
    )
    apart = np.asarray([[each[name] for name in compared] for each in gaps])
    logs = -0.5 * np.einsum("ki,ij,kj->k", apart, np.linalg.pinv(spread), apart)
    logs += [_log_likelihood(runs, rows) for rows in simulated]
    weights = np.exp(logs - scipy.special.logsumexp(logs))
    return errors, [
        Match(place, float(weight), each)
        for place, weight, each in zip(places, weights, gaps, strict=True)
    ]


def _gap(runs: pd.DataFrame, simulated: Mapping[int, pd.DataFrame], name: str) -> float:
    """Return the mean of the real log totals over the simulated ones of teams of the same size."""
    middle = {n: float(np.log(rows[name]).mean()) for n, rows in simulated.items()}
    there = runs[runs[name].notna()]
    return float((np.log(there[name]) - there["n"].map(middle)).mean())


def _error(runs: pd.DataFrame, name: str) -> float:
    """Return the standard error of the mean log of a total, team sizes apart."""
    logs = np.log(runs[name].dropna())
    sizes = runs.loc[logs.index, "n"]
    freedom = len(logs) - sizes.nunique()
    if freedom < 1:
        return _UNTOLD / float(np.sqrt(len(logs)))
    apart = (logs - logs.groupby(sizes).transform("mean")).to_numpy()
    spread = max(_LEAST_SPREAD, float(np.sqrt((apart**2).sum() / freedom)))
    return spread / float(np.sqrt(len(logs)))


def _log_likelihood(runs: pd.DataFrame, simulated: Mapping[int, pd.DataFrame]) -> float:
    """Return the log likelihood of which runs succeeded.

    Beta-binomial: the share of simulated runs that succeed is itself known from a few draws of the
    parameters, each of which counts as one run (Jeffreys' prior).
    """
    total = 0.0
    for n, rows in simulated.items():
        did = runs.loc[runs["n"] == n, "success"].dropna()
        hits, misses = float(did.sum()), float((1.0 - did).sum())
        a = float(rows["success"].sum()) / PER_DRAW + 0.5
        b = len(rows) / PER_DRAW - a + 1.0
        total += float(betaln(a + hits, b + misses) - betaln(a, b))
    return total
