"""What was found about real teams, recomputed from runs: real ones or simulated ones.

The statistics are those of arXiv 2603.12229 and of a second look at its data; each comes with
an interval from resampling the runs of every cell and size. One thing is other than published:
the length of a run that did not finish is no time in which the work was done. Such a run has a
speed-up of 0, and times that are held against each other are times to success (see
`analysis.statistics.completion`). Where only successful runs are looked at, nothing differs.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.traces.team_runs import CELL, SELF_CLAIM

_NAMES = {True: "self-claimed", False: "pre-assigned"}
_RESAMPLES = 200


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
    value = pd.Series(statistics(runs))
    rng = np.random.default_rng(1)
    groups = [group.index.to_numpy() for _, group in runs.groupby([*CELL, "n_teammates"])]
    resampled = pd.DataFrame(
        [
            statistics(runs.loc[np.concatenate([rng.choice(g, len(g)) for g in groups])])
            for _ in range(_RESAMPLES)
        ]
    )
    low, high = resampled.quantile(0.025), resampled.quantile(0.975)
    return pd.DataFrame({"value": value, "low": low, "high": high})


def statistics(runs: pd.DataFrame) -> dict[str, float]:
    """Return every finding of a table of runs."""
    claims = runs["mode"] == SELF_CLAIM
    found: dict[str, float] = {}
    largest = int(runs["n_teammates"].max())
    ratios = _over_one_agent(runs)
    for is_claim, name in ((False, _NAMES[False]), (True, _NAMES[True])):
        mine = ratios[(ratios["mode"] == SELF_CLAIM) == is_claim]
        found[f"median speed-up, {name}"] = float(mine["speedup"].median())
        for p, some in mine[mine["n_teammates"] == largest].groupby("p_label"):
            found[f"speed-up at n = {largest}, {p}, {name}"] = float(some["speedup"].mean())
        found[f"token multiplier at n = {largest}, {name}"] = _geometric_mean(
            mine.loc[mine["n_teammates"] == largest, "tokens"]
        )
    for metric, label in (("wall_clock_seconds", "time"), ("total_tokens", "tokens")):
        for n in (1, largest):
            found[f"{label}, self-claimed over pre-assigned, n = {n}"] = _mode_ratio(
                runs, metric, n
            )
    teams = runs[runs["n_teammates"] > 1]
    for is_claim, name in ((False, _NAMES[False]), (True, _NAMES[True])):
        mine = runs[claims == is_claim]
        together = teams[(teams["mode"] == SELF_CLAIM) == is_claim]
        found[f"idle replies at n = 1, {name}"] = _idle_share(mine[mine["n_teammates"] == 1])
        found[f"idle replies at n = {largest}, {name}"] = _idle_share(
            mine[mine["n_teammates"] == largest]
        )
        found[f"idle rounds a run at n = {largest}, {name}"] = float(
            mine.loc[mine["n_teammates"] == largest, "idle_rounds"].mean()
        )
        found[f"straggler gap (median s), {name}"] = float(together["straggler_gap_s"].median())
        found[f"failed tests a run (median), {name}"] = float(mine["failed_tests"].median())
        found[f"success at n = {largest}, {name}"] = float(
            mine.loc[mine["n_teammates"] == largest, "success"].mean()
        )
    for n in range(2, largest + 1):
        some = runs[claims & (runs["n_teammates"] == n)]
        found[f"concurrent writes at n = {n}, self-claimed"] = float(
            some["concurrent_writes"].mean()
        )
    found["replies, exponent in n, self-claimed"] = _exponent(runs[claims], "calls")
    found["tokens, exponent in n, self-claimed"] = _exponent(runs[claims], "total_tokens")
    return found


def _over_one_agent(runs: pd.DataFrame) -> pd.DataFrame:
    """Return for each run of a team its speed-up and token multiplier over one agent's mean.

    A run that did not finish has a speed-up of 0; what one agent takes is its time to success.
    """
    alone = _to_success(runs[runs["n_teammates"] == 1], ["wall_clock_seconds", "total_tokens"])
    teams = runs[runs["n_teammates"] > 1].merge(
        alone.rename(columns={"wall_clock_seconds": "wall_1", "total_tokens": "tokens_1"}),
        left_on=CELL,
        right_index=True,
    )
    return teams.assign(
        speedup=teams["wall_1"] / teams["wall_clock_seconds"] * teams["success"].astype(bool),
        tokens=teams["total_tokens"] / teams["tokens_1"],
    )


def _to_success(runs: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """Return what each cell spends until a run has finished; null where none did."""
    means = runs.groupby(CELL)[[*metrics, "success"]].mean()
    share = means["success"].where(means["success"] > 0.0)
    return means[metrics].div(share, axis=0)


def _mode_ratio(runs: pd.DataFrame, metric: str, n: int) -> float:
    """Return the geometric mean over models and task lists of the modes' ratio, until success.

    A model and task list that one mode never finishes is left out: its ratio is not known.
    """
    means = _to_success(runs[runs["n_teammates"] == n], [metric])[metric].unstack("mode")
    if SELF_CLAIM not in means or means.shape[1] < 2:
        return float("nan")
    other = next(name for name in means if name != SELF_CLAIM)
    return _geometric_mean((means[SELF_CLAIM] / means[other]).dropna())


def _idle_share(runs: pd.DataFrame) -> float:
    return float(runs["idle_calls"].sum() / runs["calls"].sum()) if len(runs) else float("nan")


def _geometric_mean(values: pd.Series) -> float:
    return float(np.exp(np.log(values.astype(float)).mean())) if len(values) else float("nan")


def _exponent(runs: pd.DataFrame, metric: str) -> float:
    """Return the slope of log metric in log n within cells."""
    logs = pd.DataFrame(
        {
            "x": np.log(runs["n_teammates"].to_numpy(dtype=float)),
            "y": np.log(np.maximum(runs[metric].to_numpy(dtype=float), 1e-9)),
        }
    )
    cell = runs.groupby(CELL).ngroup().to_numpy()
    within = logs - logs.groupby(cell).transform("mean")
    x, y = within["x"].to_numpy(), within["y"].to_numpy()
    return float((x * y).sum() / (x**2).sum()) if (x**2).sum() > 0 else float("nan")
