"""Published findings on real teams, recomputed from real or simulated runs.

The statistics are those of arXiv 2603.12229 and of a second analysis of its data. Each has an
interval, from resampling the runs of every cell and size. One definition differs from the published
one: the length of a run that did not finish is not the time that the work takes. Such a run has a
speed-up of 0, and times that are compared are times to success (see
`analysis.statistics.completion`). Statistics of successful runs alone do not differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.checked_runs import MEASURED
from analysis.traces.team_runs import CELL, SELF_CLAIM
from simulator.distributions import Floats
from simulator.experiment.intervals import proportion_interval, student_quantile

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_NAMES = {True: "self-claimed", False: "pre-assigned"}
_MEASURED = [name for name in MEASURED if name != "total_rounds"]  # no finding is about rounds
_RESAMPLES = 200
_NORMAL = 1.959964
"""The 97.5 % quantile of a normal distribution."""


def findings(real: pd.DataFrame, simulated: pd.DataFrame) -> pd.DataFrame:
    """Return the findings of real and of simulated runs side by side.

    Parameters
    ----------
    real, simulated : DataFrame
        Rows of `analysis.validation.real_and_simulated.Compared.runs`.

    Returns
    -------
    DataFrame
        ``finding, runs`` (all or successful), ``real, real_low, real_high, simulated,
        simulated_low, simulated_high`` (95 % intervals).
    """
    rows = []
    for which in ("all", "successful"):
        tables = [
            frame if which == "all" else frame[frame["success"].astype(bool)]
            for frame in (real, simulated)
        ]
        seen, made = (_with_intervals(table) for table in tables)
        for name in seen.index:
            rows.append(
                {
                    "finding": name,
                    "runs": which,
                    "real": seen.at[name, "value"],
                    "real_low": seen.at[name, "low"],
                    "real_high": seen.at[name, "high"],
                    "simulated": made["value"].get(name, np.nan),
                    "simulated_low": made["low"].get(name, np.nan),
                    "simulated_high": made["high"].get(name, np.nan),
                }
            )
    return pd.DataFrame(rows)


def _with_intervals(runs: pd.DataFrame) -> pd.DataFrame:
    """Return every finding with the ends of its interval.

    Resampling n runs makes them vary by (n - 1) / n of their variance alone: of two runs by half,
    of one not at all. So the ends are moved away from the value as far as the runs less their
    cells and sizes are fewer than the runs, and as Student's t of so many is longer than the normal
    quantile. Without two runs of any cell and size they are not known.
    """
    arrays = _Runs.of(runs)
    value = pd.Series(_statistics(arrays))
    rng = np.random.default_rng(1)
    group = runs.groupby([*CELL, "n_teammates"]).ngroup().to_numpy()
    groups = [np.flatnonzero(group == i) for i in range(group.max() + 1)]
    resampled = pd.DataFrame(
        [
            _statistics(arrays.take(np.concatenate([rng.choice(g, len(g)) for g in groups])))
            for _ in range(_RESAMPLES)
        ]
    )
    low, high = resampled.quantile(0.025), resampled.quantile(0.975)
    free = len(runs) - len(groups)
    if not free:
        return pd.DataFrame({"value": value, "low": np.nan, "high": np.nan})
    longer = np.sqrt(len(runs) / free) * student_quantile(0.975, free) / _NORMAL
    ends = {"low": value + longer * (low - value), "high": value + longer * (high - value)}
    # What is never below 0 in any sample is a time, a share or a number.
    ends["low"] = ends["low"].where(resampled.min() < 0.0, ends["low"].clip(lower=0.0))
    for name, finished in _successes(arrays).items():
        share = proportion_interval(finished)
        ends["low"][name] = min(ends["low"][name], share.low)
        ends["high"][name] = min(1.0, max(ends["high"][name], share.high))
    return pd.DataFrame({"value": value, **ends})


def statistics(runs: pd.DataFrame) -> dict[str, float]:
    """Return every finding of a table of runs."""
    return _statistics(_Runs.of(runs))


@dataclass(frozen=True)
class _Runs:
    """Runs as arrays: resampling them takes a tenth of the time of resampling a table.

    Attributes
    ----------
    cells : DataFrame
        `CELL` of each cell.
    question : ndarray of int, shape (cells,)
        Number of each cell's model and task list, which cells of several modes share.
    cell, n : ndarray of int, shape (runs,)
        Number of each run's cell, and size of its team.
    claims : ndarray of bool, shape (runs,)
    columns : dict
        Numbers of each run, by name.
    """

    cells: pd.DataFrame
    question: Ints
    cell: Ints
    n: Ints
    claims: Bools
    columns: dict[str, Floats]

    @classmethod
    def of(cls, runs: pd.DataFrame) -> _Runs:
        """Make arrays of the columns of a table."""
        groups = runs.groupby(CELL)
        cells = groups.size().index.to_frame(index=False)
        others = [name for name in CELL if name != "mode"]
        return cls(
            cells,
            np.asarray(cells.groupby(others).ngroup(), dtype=np.int64),
            np.asarray(groups.ngroup(), dtype=np.int64),
            runs["n_teammates"].to_numpy(dtype=np.int64),
            (runs["mode"] == SELF_CLAIM).to_numpy(dtype=bool),
            {name: runs[name].to_numpy(dtype=float) for name in _MEASURED},
        )

    def take(self, chosen: Ints | Bools) -> _Runs:
        """Return some of the runs, by their indices or by a mask."""
        columns = {name: values[chosen] for name, values in self.columns.items()}
        return replace(
            self,
            cell=self.cell[chosen],
            n=self.n[chosen],
            claims=self.claims[chosen],
            columns=columns,
        )

    def of_cells(self, values: Floats) -> Floats:
        """Return the sum of values of each cell's runs."""
        return np.bincount(self.cell, values, len(self.cells)).astype(np.float64)

    def __getitem__(self, name: str) -> Floats:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.cell)


def _statistics(runs: _Runs) -> dict[str, float]:
    found: dict[str, float] = {}
    largest = int(runs.n.max())
    ratios = _over_one_agent(runs)
    for is_claim, name in ((False, _NAMES[False]), (True, _NAMES[True])):
        mine = ratios.take(ratios.claims == is_claim)
        found[f"median speed-up, {name}"] = _median(mine["speedup"])
        mine = mine.take(mine.n == largest)
        p_label = runs.cells["p_label"].to_numpy()[mine.cell]
        for p in np.unique(p_label):
            speedups = mine["speedup"][p_label == p]
            found[f"speed-up at n = {largest}, {p}, {name}"] = _mean(speedups)
        found[f"token multiplier at n = {largest}, {name}"] = _geometric_mean(mine["tokens"])
    for metric, label in (("wall_clock_seconds", "time"), ("total_tokens", "tokens")):
        for n in (1, largest):
            found[f"{label}, self-claimed over pre-assigned, n = {n}"] = _mode_ratio(
                runs.take(runs.n == n), metric
            )
    for is_claim, name in ((False, _NAMES[False]), (True, _NAMES[True])):
        mine = runs.take(runs.claims == is_claim)
        alone, most = mine.take(mine.n == 1), mine.take(mine.n == largest)
        found[f"idle replies at n = 1, {name}"] = _idle_share(alone)
        found[f"idle replies at n = {largest}, {name}"] = _idle_share(most)
        found[f"idle rounds a run at n = {largest}, {name}"] = _mean(most["idle_rounds"])
        found[f"straggler gap (median s), {name}"] = _median(mine["straggler_gap_s"][mine.n > 1])
        found[f"failed tests a run (median), {name}"] = _median(mine["failed_tests"])
    found |= {name: _mean(finished) for name, finished in _successes(runs).items()}
    claimed = runs.take(runs.claims)
    for n in range(2, largest + 1):
        found[f"concurrent writes at n = {n}, self-claimed"] = _mean(
            claimed["concurrent_writes"][claimed.n == n]
        )
    found["replies, exponent in n, self-claimed"] = _exponent(claimed, "calls")
    found["tokens, exponent in n, self-claimed"] = _exponent(claimed, "total_tokens")
    return found


def _successes(runs: _Runs) -> dict[str, Floats]:
    """Return which of the largest teams' runs finished, by the name of the finding."""
    largest, found = int(runs.n.max()), {}
    for is_claim, name in ((False, _NAMES[False]), (True, _NAMES[True])):
        finished = runs["success"][(runs.claims == is_claim) & (runs.n == largest)]
        if len(finished):
            found[f"success at n = {largest}, {name}"] = finished
    return found


def _over_one_agent(runs: _Runs) -> _Runs:
    """Return each run of a team with its speed-up and token multiplier over one agent's mean.

    A run that did not finish has a speed-up of 0. The time of one agent is its time to success.
    Cells without runs of one agent are left out.
    """
    alone = runs.take(runs.n == 1)
    is_known = alone.of_cells(np.ones(len(alone))) > 0.0
    teams = runs.take((runs.n > 1) & is_known[runs.cell])
    time_1, tokens_1 = (
        _to_success(alone, metric)[teams.cell] for metric in ("wall_clock_seconds", "total_tokens")
    )
    speedup = time_1 / teams["wall_clock_seconds"] * teams["success"]
    ratios = {"speedup": speedup, "tokens": teams["total_tokens"] / tokens_1}
    return replace(teams, columns=ratios)


def _to_success(runs: _Runs, metric: str) -> Floats:
    """Return what each cell spends until a run has finished; NaN without a finished run.

    Shape (cells,).
    """
    finished = runs.of_cells(runs["success"])
    spent = runs.of_cells(runs[metric])
    unknown = np.full(len(spent), np.nan)
    return np.asarray(np.divide(spent, finished, out=unknown, where=finished > 0.0))


def _mode_ratio(runs: _Runs, metric: str) -> float:
    """Return the ratio of the modes, until success, as a geometric mean over models and task lists.

    If one mode never finishes a task list with a model, the ratio is not known and is left out.
    """
    mode = runs.cells["mode"].to_numpy()
    modes = set(mode[runs.cell])
    if SELF_CLAIM not in modes or len(modes) < 2:
        return float("nan")
    spent = _to_success(runs, metric)
    claimed, dealt = np.full((2, len(spent)), np.nan)  # by question, of which there are fewer
    for values, name in ((claimed, SELF_CLAIM), (dealt, min(modes - {SELF_CLAIM}))):
        values[runs.question[mode == name]] = spent[mode == name]
    return _geometric_mean(claimed / dealt)


def _idle_share(runs: _Runs) -> float:
    calls = float(runs["calls"].sum())
    return float(runs["idle_calls"].sum()) / calls if calls else float("nan")


def _known(values: Floats) -> Floats:
    return np.asarray(values[~np.isnan(values)])


def _mean(values: Floats) -> float:
    known = _known(values)
    return float(known.mean()) if len(known) else float("nan")


def _median(values: Floats) -> float:
    known = _known(values)
    return float(np.median(known)) if len(known) else float("nan")


def _geometric_mean(values: Floats) -> float:
    return float(np.exp(_mean(np.log(values))))


def _exponent(runs: _Runs, metric: str) -> float:
    """Return the slope of log metric in log n within cells."""
    counts = np.maximum(runs.of_cells(np.ones(len(runs))), 1.0)

    def within(values: Floats) -> Floats:
        return values - (runs.of_cells(values) / counts)[runs.cell]

    x = within(np.log(runs.n.astype(float)))
    y = within(np.log(np.maximum(runs[metric], 1e-9)))
    return float((x * y).sum() / (x**2).sum()) if (x**2).sum() > 0 else float("nan")
