"""The measures of each run, computed in the same way for real and simulated runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.calibration.requests import ASKS_TOOLS
from analysis.observation.activity import (
    IDLE,
    MODEL,
    PEOPLE,
    TOOL,
    WAITING,
    Activity,
    Operations,
    activity,
    operations_by_run,
)
from analysis.traces.canonical import CHATS

TOOLS = "tools"
SHARES = (MODEL, TOOLS, WAITING, PEOPLE, IDLE)
"""Causes by which runs are compared; the tables have each tool separately."""


@dataclass(frozen=True)
class Run:
    """One run: its operations, and what its agents did when."""

    name: str
    operations: Operations
    activity: Activity


def runs_of(calls: pd.DataFrame) -> list[Run]:
    """Return the runs in a table of calls that have times, in its order."""
    return [Run(name, run, activity(run)) for name, run in operations_by_run(calls)]


def causes_of(run: Run) -> dict[str, float]:
    """Return a run's seconds by cause, tools together as well as each."""
    spent = run.activity.seconds()
    spent[TOOLS] = sum(each for cause, each in spent.items() if cause.startswith(TOOL))
    return spent


def as_told(simulated: pd.DataFrame, observed: pd.DataFrame) -> pd.DataFrame:
    """Return simulated calls without why they ended, if the observed trace says it of no call.

    What is told by it, such as time for people, is then alike in both: time without a reason.
    """
    if observed["finish_reason"].notna().any():
        return simulated
    nothing = pd.Series(pd.NA, index=simulated.index, dtype="string")
    return simulated.assign(finish_reason=nothing)


def run_table(runs: list[Run], calls: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of each run.

    Parameters
    ----------
    runs : list of Run
    calls : DataFrame
        Their canonical calls.

    Returns
    -------
    DataFrame
        A row a run: ``run_id, makespan_s, calls, turns, tool_calls, agents, at_work`` (mean number
        of agents in the model or in a tool), ``peak`` (most at once), ``input_tokens,
        output_tokens, cost_usd`` (they and ``turns`` are NaN where no call says it),
        ``failed_calls, retries, tool_errors``, and ``share: CAUSE`` for each of `SHARES`: of the
        agents' time.
    """
    counted = _counts(calls)
    rows = []
    for run in runs:
        lengths, at_work = np.diff(run.activity.edges), run.activity.at_work()
        makespan = run.operations.makespan_s
        spent = causes_of(run)
        total = sum(spent[cause] for cause in SHARES)
        row = {
            "run_id": run.name,
            "makespan_s": makespan,
            "agents": len({int(a) for a, t in zip(run.operations.agent, run.operations.tool,
                                                  strict=True) if t is None}),
            "at_work": float((at_work * lengths).sum() / makespan) if makespan > 0.0 else np.nan,
            "peak": float(at_work.max()) if len(at_work) else np.nan,
            **{f"share: {c}": spent[c] / total if total > 0.0 else np.nan for c in SHARES},
        }  # fmt: skip
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.merge(counted, on="run_id", how="left") if rows else counted


def answered(table: pd.DataFrame) -> pd.Series:
    """Return the calls of each run that did not fail, from `run_table`.

    In a twin, an attempt that fails and is made again is a part of one call.
    """
    return table["calls"] - table["failed_calls"]


def _counts(calls: pd.DataFrame) -> pd.DataFrame:
    """Return the counts and sums over the calls of each run."""
    is_chat = calls["operation_name"].isin(CHATS)
    is_tool = calls["operation_name"] == "execute_tool"
    ok = calls["status"].fillna("ok") == "ok"
    reason = calls["finish_reason"].astype("string").str.lower()
    asks = reason.isin(ASKS_TOOLS).fillna(False)
    numbers = {
        name: calls[name].astype("Float64").astype(float).where(is_chat)
        for name in ("input_tokens", "output_tokens", "cost_usd")
    }
    numbers["turns"] = asks.astype(float).where(is_chat & reason.notna())
    frame = pd.DataFrame(
        {
            "run_id": calls["run_id"].astype(str),
            "calls": is_chat,
            "tool_calls": is_tool,
            "failed_calls": is_chat & ~ok,
            "retries": is_chat & (calls["attempt"].fillna(1) > 1),
            "tool_errors": is_tool & ~ok,
            **numbers,
        }
    )
    each = frame.groupby("run_id", sort=False)
    counts = each[["calls", "tool_calls", "failed_calls", "retries", "tool_errors"]].sum()
    sums = each[list(numbers)].sum(min_count=1)
    return counts.astype(int).join(sums).reset_index()


def cause_table(runs: list[Run]) -> pd.DataFrame:
    """Return the seconds by cause and run: ``run_id, cause, seconds``."""
    return pd.DataFrame(
        [
            (run.name, cause, seconds)
            for run in runs
            for cause, seconds in run.activity.seconds().items()
            if seconds > 0.0
        ],
        columns=["run_id", "cause", "seconds"],
    )


def concurrency_table(runs: list[Run]) -> pd.DataFrame:
    """Return how many agents were at work from each time on: ``run_id, from_s, agents``."""
    rows = []
    for run in runs:
        at_work = run.activity.at_work()
        changes = np.flatnonzero(np.diff(at_work, prepend=-1.0))
        rows += [(run.name, float(run.activity.edges[i]), int(at_work[i])) for i in changes]
        rows.append((run.name, run.operations.makespan_s, 0))
    return pd.DataFrame(rows, columns=["run_id", "from_s", "agents"])
