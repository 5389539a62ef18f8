"""The two tables of runs of LLM coding teams: what they must hold, and what is left out of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.traces.named_tables import numbers_in, read_parquet, refuse, with_names
from analysis.traces.team_runs import CELL, MODES
from analysis.traces.values import flag
from simulator.documents import MOST_NUMBER
from simulator.errors import TeamsimError, unknown_name

_WHOLE = {
    "n_teammates": (1, 10_000),
    "total_rounds": (0, MOST_NUMBER),
    "max_rounds": (1, MOST_NUMBER),
}
_TOTALS = ["wall_clock_seconds", "total_rounds", "total_input_tokens", "total_output_tokens"]
_NUMBERS = ["n_teammates", "concurrent_writes", "claims_blocked", *_TOTALS]
_RUN_COLUMNS = ["run_dir", *CELL, "success", *_NUMBERS]
_EVENT_COLUMNS = ["type", "ts", "run_dir", "round", "agent", "path", "returncode"]
REPLY = "agent_reply"
"""The type of the events that are replies of agents."""


def read_runs(directory: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return the usable rows of ``runs.parquet``, and what was left out and why.

    Raises
    ------
    TeamsimError
        If the file is missing, is no Parquet file, lacks a column or has what cannot be a run.
    """
    path = directory / "runs.parquet"
    return _usable(_runs(path), path)


def read_run_tables(directory: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the usable runs, their events, and what was left out and why.

    The events of each run are together, in the order of the file. There are also runs without any.

    Raises
    ------
    TeamsimError
        If ``runs.parquet`` or ``events.parquet`` is missing, is no Parquet file, lacks a column or
        has what cannot be a run or an event, or if no event is a reply.
    """
    path, log = directory / "runs.parquet", directory / "events.parquet"
    there = _runs(path)
    runs, skipped = _usable(there, path)
    events = _events(log)
    unknown = events[~events["run_dir"].isin(there["run_dir"])]
    if len(unknown):
        n, row = unknown["run_dir"].nunique(), unknown["row"].iloc[0]
        skipped.append(f"{log}, row {row}: events of {n} runs that are not in {path.name}")
    events = events[events["run_dir"].isin(runs["run_dir"])]
    events = events.iloc[np.argsort(pd.factorize(events["run_dir"])[0], kind="stable")]
    wrong = _wrong_runs(events)
    skipped += [f"{log}, row {row}: {why}" for row, why in wrong.values()]
    runs, events = (each[~each["run_dir"].isin(list(wrong))] for each in (runs, events))
    for kind, column, assumed in (
        ("edit_file", "path", "which file was edited: it counts as none"),
        ("run_tests", "returncode", "whether the tests passed: it counts as if they had"),
    ):
        untold = events[(events["type"] == kind) & events[column].isna()]
        skipped += [f"{log}, row {row}: nothing says {assumed}" for row in untold["row"]]
    return runs.reset_index(drop=True), events.reset_index(drop=True), skipped


def _runs(path: Path) -> pd.DataFrame:
    runs = read_parquet(path, _RUN_COLUMNS, [*_NUMBERS, "max_rounds"])
    runs = with_names(runs, path, ["run_dir", *CELL])
    runs["mode"] = _modes(runs["mode"], path)
    runs["success"] = _truths(runs["success"], path)
    for name, (least, most) in _WHOLE.items():
        if name not in runs:
            continue
        found = runs[name].to_numpy(dtype=float, na_value=np.nan)
        wrong = (found < least) | (found > most) | (found % 1 > 0)
        if wrong.any():
            row = int(wrong.argmax())
            raise TeamsimError(
                f"{path}, row {row + 1}: {name!r} is {found[row]:g}, not a whole number from "
                f"{least} to {most:g}"
            )
    return runs


def _modes(said: pd.Series, path: Path) -> pd.Series:
    found = said.map(lambda name: MODES.get(name.strip().lower().replace("-", "_")))
    unknown = found.isna().to_numpy(dtype=bool)
    if unknown.any():
        row = int(unknown.argmax())
        raise TeamsimError(f"{path}, row {row + 1}: {unknown_name('mode', said.iloc[row], MODES)}")
    return found


def _truths(said: pd.Series, path: Path) -> pd.Series:
    found = said.map({0: False, 1: True}.get if said.dtype.kind in "biuf" else flag)
    return _checked(found, said, path, "true or false")


def _checked(found: pd.Series, said: pd.Series, path: Path, what: str) -> pd.Series:
    """Return what was understood of a column, if it is all that was said in it."""
    refuse((found.isna() & ~said.isna()).to_numpy(dtype=bool), said, path, what)
    return found


def _usable(runs: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, list[str]]:
    copies = runs[_RUN_COLUMNS].duplicated()
    differs = (runs["run_dir"].duplicated() & ~copies).to_numpy()
    if differs.any():
        row = int(differs.argmax())
        name = runs["run_dir"].iloc[row]
        raise TeamsimError(f"{path}, row {row + 1}: the run {name!r} is there twice, and differs")
    totals = runs[_TOTALS]
    skipped, left_out = [], pd.Series(False, index=runs.index)
    for reason, wrong in (
        ("is there twice", copies),
        ("has a total (time, rounds or tokens) that is missing or not above 0",
         totals.isna().any(axis=1) | (totals <= 0).any(axis=1)),
        ("does not say how many agents there were", runs["n_teammates"].isna()),
        ("does not say whether it succeeded", runs["success"].isna()),
    ):  # fmt: skip
        rows = np.flatnonzero(wrong & ~left_out)
        skipped += [f"{path}, row {i + 1}: {runs['run_dir'].iloc[i]!r} {reason}" for i in rows]
        left_out |= wrong
    runs = runs[~left_out].astype({"n_teammates": int, "total_rounds": int, "success": bool})
    return runs.reset_index(drop=True), skipped


def _events(path: Path) -> pd.DataFrame:
    events = read_parquet(path, _EVENT_COLUMNS, ["ts", "round"])
    events = with_names(events, path, ["type", "run_dir"])
    events = with_names(events, path, ["agent", "path"], may_miss=True)
    codes = events["returncode"]  # below 0 where a signal ended the tests
    events["returncode"] = _checked(numbers_in(codes), codes, path, "a number")
    if not (events["type"] == REPLY).any():
        there = ", ".join(sorted(set(events["type"]))[:20])
        raise TeamsimError(f"{path}: no event is of the type {REPLY!r} (types: {there or 'none'})")
    return events.assign(row=np.arange(1, len(events) + 1))


def _wrong_runs(events: pd.DataFrame) -> dict[str, tuple[int, str]]:
    """Return for each run whose events cannot be as logged the row, and what is wrong in it."""
    found: dict[str, tuple[int, str]] = {}
    told = events.dropna(subset=["ts"])
    earlier = told[told.groupby("run_dir")["ts"].diff() < 0]
    replies = events[events["type"] == REPLY]
    twice = replies.dropna(subset=["round"])
    twice = twice[twice.duplicated(["run_dir", "round", "agent"])]
    for rows, why in (
        (replies[replies["agent"].isna()], "nothing says who replied, in {run}"),
        (earlier, "an event of {run} is before the one above it: they are not in order"),
        (twice, "{agent} replies twice in round {round:g} of {run}"),
    ):
        for row in rows.drop_duplicates("run_dir").to_dict("records"):
            run = str(row["run_dir"])
            said = why.format(run=repr(run), agent=repr(row["agent"]), round=row["round"])
            found.setdefault(run, (int(row["row"]), f"{said}: the run is left out"))
    return found
