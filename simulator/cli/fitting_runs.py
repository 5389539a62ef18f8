"""What ``calibrate``, ``predict``, ``validate`` and ``backtest`` do with tables of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.analogues import read_analogues
from analysis.calibration.profile_names import profile_name
from analysis.calibration.protocol_names import protocol_called
from analysis.calibration.run_assumptions import assumed_of_fits, assumed_of_predictions
from analysis.calibration.run_fits import SCALED, fit_runs
from analysis.calibration.run_store import CalibratedRuns, read_run_fits, write_run_fits
from analysis.traces.run_tables import RunTable, read_run_table
from analysis.validation.pilot_success import contradictions
from analysis.validation.run_prediction import (
    TEAM,
    RunTarget,
    nearest_fit,
    predict_runs,
    read_predicted_runs,
    score_runs,
    summary_of,
    write_predicted_runs,
)
from analysis.validation.targets import mapping_in
from simulator.cli.harmless import complain, say_words
from simulator.cli.json_output import print_validated
from simulator.cli.terminal import (
    check_parquet_writable,
    directory_for,
    make_directory,
    print_frame,
    progress_bar,
)
from simulator.errors import TeamsimError
from simulator.experiment.pool import Processes, default_workers
from simulator.words import percent


def meant_by(settings: Sequence[str]) -> dict[str, Any]:
    """Return which protocols names in a table mean, from NAME=KIND each.

    Raises
    ------
    TeamsimError
        If one is of another form.
    """
    meant = {}
    for setting in settings:
        name, equals, kind = setting.partition("=")
        if not (name and equals and kind):
            raise TeamsimError(f"--protocol {setting}: say NAME=KIND, as theirs=pre_assigned")
        meant[name] = mapping_in(kind)
    return meant


def calibrate(
    path: Path,
    out: Path,
    columns: dict[str, str],
    team_sizes: Sequence[int],
    meant: Mapping[str, Any],
    like: Path | None,
    workers: int,
    max_rounds: int | None = None,
) -> None:
    """Fit each model, task list and protocol of a table of runs."""
    table = _read(path, columns).of(sizes=team_sizes)
    with Processes(workers or default_workers()) as pool:
        _calibrate(table, out, meant, like, pool, max_rounds)
    say_words(f"{len(table.runs)} runs: run_fits.json and a scenario for each row in {out}")


def _read(path: Path, columns: dict[str, str]) -> RunTable:
    table = read_run_table(path, columns)
    for note in table.notes:
        complain(f"note: {path}: {note}")
    return table


def _calibrate(
    table: RunTable,
    out: Path,
    meant: Mapping[str, Any],
    like: Path | None,
    pool: Processes,
    max_rounds: int | None = None,
) -> None:
    if max_rounds is not None:
        limits = table.runs["max_rounds"].fillna(max_rounds)
        table = RunTable(table.runs.assign(max_rounds=limits), table.notes)
    analogues = read_analogues(like)
    with directory_for(out), progress_bar("teams") as progress:
        fits = fit_runs(table, analogues, meant, pool, progress)
    write_run_fits(fits, analogues, dict(meant), table, out)
    rows = []
    for fit in fits:
        near = fit.nearest
        alike = analogues.found[near.analogue]
        row: dict[str, object] = {
            "model": profile_name(fit.model),
            "task list": fit.task_list,
            "protocol": fit.protocol,
            "runs": fit.runs,
            "n": " ".join(map(str, fit.sizes)),
            "most alike": f"{profile_name(alike.model)} {alike.task_list} ({percent(near.weight)})",
        }
        for name in SCALED:
            row[f"{name} x"] = (
                f"{np.exp(near.gaps[name]):.2f} ± {percent(fit.errors[name])}"
                if name in near.gaps
                else "not known"
            )
        rows.append(row)
    frame = pd.DataFrame(rows)
    print_frame(frame, list(frame.columns))
    _say_assumed(assumed_of_fits(fits, analogues))


def _say_assumed(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        say_words(f"assumed: {sentence}")


def predict(
    directory: Path,
    out: Path,
    team_sizes: Sequence[int],
    replications: int,
    workers: int,
    topology: str | None,
    protocol: str | None,
    max_rounds: int | None,
    seed: int,
) -> None:
    """Simulate teams under the protocols that were run, or under another."""
    check_parquet_writable(out)
    found = read_run_fits(directory)
    with Processes(workers or default_workers()) as pool:
        table = _predict(
            found,
            [] if protocol is None else [protocol],
            team_sizes,
            replications,
            pool,
            seed,
            topology,
            max_rounds,
        )
    if topology is None and max_rounds is None:  # the teams that were run
        _say_contradictions(table, found.pilot)
    write_predicted_runs(table, found.pilot, out)
    say_words(f"medians and 80 % intervals; {len(table)} simulated runs in {out}")


def _say_contradictions(table: pd.DataFrame, pilot: pd.DataFrame) -> None:
    """Say which simulated teams do not succeed as often as those that were run."""
    for each in contradictions(table, pilot):
        model, task_list, protocol, n = each.cell
        complain(
            f"note: {profile_name(model)}, {task_list + ', ' if task_list else ''}{protocol}, "
            f"n = {n}: {each.succeeded} of {each.runs} runs of the pilot succeeded, and "
            f"{percent(each.simulated)} of the simulated ones: do not trust the simulation there"
        )


def _predict(
    found: CalibratedRuns,
    protocols: Sequence[str],
    sizes: Sequence[int],
    replications: int,
    pool: Processes,
    seed: int,
    topology: str | None = None,
    max_rounds: int | None = None,
) -> pd.DataFrame:
    meant = dict(found.meant)
    for name in protocols:
        said = mapping_in(name)
        if isinstance(said, Mapping):
            meant[name] = said
    target = RunTarget(
        protocols, sizes, meant, max_rounds, None if topology is None else mapping_in(topology)
    )
    with progress_bar("teams") as progress:
        table = predict_runs(
            found.fits, found.analogues, target, replications, pool, progress, seed
        )
    _print_predicted(table)
    pairs = []
    for model, task_list, name in dict.fromkeys(
        table[["model", "task_list", "protocol"]].itertuples(index=False, name=None)
    ):
        own = [fit for fit in found.fits if (fit.model, fit.task_list) == (model, task_list)]
        spec = protocol_called(name, meant)
        pairs.append((nearest_fit(own, name, spec), name, str(spec["kind"])))
    _say_assumed(
        [
            *assumed_of_fits(found.fits, found.analogues),
            *assumed_of_predictions(pairs, found.analogues),
        ]
    )
    return table


def _print_predicted(table: pd.DataFrame) -> None:
    rows = []
    for key, runs in table.groupby(TEAM):
        row: dict[str, object] = dict(
            zip(("model", "task list", "protocol", "n"), key, strict=True)
        )
        for name in ("seconds", "tokens", "rounds"):
            low, middle, high = np.quantile(runs[name], [0.1, 0.5, 0.9])
            row[name] = f"{middle:,.0f} ({low:,.0f} to {high:,.0f})"
        row["success"] = float(runs["success"].mean())
        row["model"] = profile_name(str(row["model"]))
        rows.append(row)
    frame = pd.DataFrame(rows)
    print_frame(frame, list(frame.columns))


def validate(
    predictions: Path, path: Path, columns: dict[str, str], out: Path | None, as_json: bool
) -> None:
    """Score predicted runs against a table of real ones."""
    predicted, pilot = read_predicted_runs(predictions)
    _score(predicted, _read(path, columns).runs, pilot, out or predictions.parent, as_json)


def _score(
    predicted: pd.DataFrame, runs: pd.DataFrame, pilot: pd.DataFrame, out: Path, as_json: bool
) -> None:
    scores = score_runs(predicted, runs, pilot)
    if scores.empty:
        raise TeamsimError("no model, task list, protocol and team size is in both tables")
    make_directory(out)
    file = out / "runs_validation.csv"
    scores.to_csv(file, index=False)
    summary = summary_of(scores)
    if as_json:
        print_validated("runs", scores, means=summary)
        return
    print_frame(summary, list(summary.columns))
    say_words(
        "mean CRPS of logarithms (Brier score of success; less is better): run again, predicted, "
        f"and by the pilot's own runs as they are; of each team in {file}"
    )


def backtest(
    path: Path,
    out: Path,
    columns: dict[str, str],
    pilot: str,
    target: str,
    meant: Mapping[str, Any],
    like: Path | None,
    replications: int,
    workers: int,
    seed: int,
) -> None:
    """Calibrate on the runs under some protocols (or of some sizes), predict others, and score."""
    table = _read(path, columns)
    known, wanted = (_part(table, text) for text in (pilot, target))
    with Processes(workers or default_workers()) as pool:
        _calibrate(known, out, meant, like, pool)
        found = read_run_fits(out)
        protocols = sorted(wanted.runs["protocol"].unique())
        sizes = sorted(int(n) for n in wanted.runs["n"].unique())
        predicted = _predict(found, protocols, sizes, replications, pool, seed)
    write_predicted_runs(predicted, found.pilot, out / "predictions.parquet")
    _score(predicted, wanted.runs, found.pilot, out, as_json=False)


def _part(table: RunTable, text: str) -> RunTable:
    """Return the runs of the protocols or the team sizes in a comma-separated list."""
    names = text.replace(",", " ").split()
    there = set(table.runs["protocol"])
    sizes = [int(name) for name in names if name.isdigit() and name not in there]
    return table.of([name for name in names if not name.isdigit() or name in there], sizes)
