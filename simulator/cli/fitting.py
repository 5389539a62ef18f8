"""What ``calibrate``, ``predict``, ``validate`` and ``backtest`` do and print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.calibration.analogues import analogues_of, write_analogues
from analysis.calibration.cell import CellFit
from analysis.calibration.cells import begin_cells, observed
from analysis.calibration.pooled_cells import PooledAgents, with_habits_of
from analysis.calibration.profile_names import profile_name
from analysis.calibration.store import (
    Calibrated,
    calibrated,
    read_calibration,
    write_calibration,
)
from analysis.traces.reading import STANDARD_INPUT
from analysis.traces.team_runs import AGENT, CELL, SELF_CLAIM, TeamRuns
from analysis.validation import Validation, read_predictions, validate
from analysis.validation.ablation import ablation_table, parts_in
from analysis.validation.prediction import begin_prediction
from analysis.validation.real_and_simulated import Compared, begin_simulated, real
from analysis.validation.targets import Target, check_target
from simulator.cli.ahead import processes_for
from simulator.cli.harmless import say_words
from simulator.cli.json_output import print_validated
from simulator.cli.predicting_teams import say_untold, write_prediction
from simulator.cli.reading import complain_of, traces_of
from simulator.cli.terminal import (
    check_parquet_writable,
    directory_for,
    make_directory,
    print_frame,
    progress_bar,
)
from simulator.errors import TeamsimError
from simulator.experiment.pool import Processes, Progress
from simulator.experiment.table_files import check_directory_name

_CHECKED = 10
"""Simulated runs of each cell and size in the posterior predictive check."""
_MATCHED = 100
"""Runs, or about so many, of a team that claims its tasks, to match its habits."""


def calibrate(
    paths: Sequence[Path],
    out: Path,
    form: str,
    columns: dict[str, str],
    team_sizes: Sequence[int],
    holdout: float,
    source: str,
    workers: int,
    strict: bool = False,
    max_rounds: int | None = None,
) -> None:
    """Fit traces: teams on task lists cell by cell, other calls model by model."""
    with traces_of(paths, form, columns, strict) as traces, directory_for(out):
        source = source or ", ".join(
            "standard input" if str(path) == STANDARD_INPUT else path.resolve().name
            for path in paths
        )
        if traces.team is not None:
            team = traces.team.of_sizes(team_sizes) if team_sizes else traces.team
            if max_rounds is not None:
                team = team.given_up_after(max_rounds)
            with processes_for(_runs_to_fit(team), workers) as pool:
                fitted = _fit_team(team, pool)
                _write_fits(fitted, out, source)
                _show_fits(team, fitted, out)
        else:
            from simulator.cli.fitting_calls import calibrate_calls  # scipy.optimize, matplotlib

            if max_rounds is not None:
                raise TeamsimError("--max-rounds: these traces are not runs of teams on task lists")
            if team_sizes:
                raise TeamsimError("--team-sizes: these traces are not runs of teams on task lists")
            calibrate_calls(traces, out, source, holdout)


def _runs_to_fit(team: TeamRuns) -> int:
    """Return about how many runs are simulated to match the habits of teams that claim tasks."""
    claims = team.runs[team.runs["mode"] == SELF_CLAIM]
    return _MATCHED * len(claims[[*CELL, "n_teammates"]].drop_duplicates())


@dataclass(frozen=True)
class _Fitted:
    """Fits of cells and of agents, real replies, and what returns runs to check fits by."""

    cells: list[Calibrated]
    agents: list[CellFit]
    seen: pd.DataFrame
    checks: Callable[[Progress | None], Compared]


def _fit_team(team: TeamRuns, pool: Processes) -> _Fitted:
    """Fit cells and agents; other processes begin to simulate the runs to check fits by."""
    seen = observed(team, AGENT)
    agents = PooledAgents(team, seen)
    finish = begin_cells(
        team, workers=pool, seen=seen, meanwhile=_import_what_draws, fitted=agents.fit
    )
    with progress_bar("cells") as progress:
        fits = finish(progress)
    cells = calibrated(team, fits)
    sizes = sorted(int(n) for n in team.runs["n_teammates"].unique())
    checks = begin_simulated(cells, sizes, _CHECKED, 3, pool)
    return _Fitted(cells, with_habits_of(agents.fits(), fits), seen[0], checks)


def _write_fits(fitted: _Fitted, out: Path, source: str) -> None:
    """Write fits, scenarios, analogues and profiles."""
    from analysis.calibration.profiles import write_profile

    write_calibration(fitted.cells, out, source)
    write_analogues(analogues_of(fitted.cells, source), out)
    profiles = out / "profiles"
    profiles.mkdir(exist_ok=True)
    for fit in fitted.agents:
        name = profile_name(fit.cell["model_dir"], fit.claims_itself)
        write_profile(fit, profiles / f"{name}.yaml", source)


def _import_what_draws() -> None:
    """Import Matplotlib, which takes half a second, while others are at work."""
    from analysis.plots import posterior_predictive  # noqa: F401


def _show_fits(team: TeamRuns, fitted: _Fitted, out: Path) -> None:
    """Draw the check of fits, and print them."""
    from analysis.plots import save
    from analysis.plots.posterior_predictive import posterior_predictive_figure

    seen = real(team, fitted.seen)
    with progress_bar("checks") as progress:
        checked = fitted.checks(progress)
    save(posterior_predictive_figure(seen, checked), out / "posterior_predictive")
    fits = [cell.fit for cell in fitted.cells]
    report = pd.DataFrame([fit.report() for fit in fits])
    names = report[["model_dir", "mode", "task_type", "p_label"]].agg(" ".join, axis=1)
    rows = pd.DataFrame({"cell": names, "runs": report["runs"], "calls": report["calls"]})
    for column in ("base_s", "per_task_s", "error"):
        rows[column] = [
            f"{value:.3g} ± {error:.1g}"
            for value, error in zip(report[column], report[f"{column}_se"], strict=True)
        ]
    print_frame(rows, list(rows.columns))
    say_untold(fits)
    say_words(
        f"{len(fits)} cells of {len(team.runs)} runs: scenarios, profiles, fit_report.csv and "
        f"posterior_predictive.png in {out}"
    )


def validate_predictions(
    predictions: Path, directory: Path, out: Path | None, as_json: bool = False
) -> None:
    """Score predictions against real runs, print the table and draw the picture."""
    table, pilot = read_predictions(predictions)
    _show(validate(table, pilot, directory), out or predictions.parent, as_json)


def _show(validation: Validation, out: Path, as_json: bool = False) -> None:
    from analysis.plots import save
    from analysis.plots.validation import summary_table, validation_figure

    complain_of(validation.skipped)
    make_directory(out)
    try:
        validation.cells.to_csv(out / "validation.csv", index=False)
        save(validation_figure(validation), out / "validation")
    except OSError as error:
        raise TeamsimError(f"{out} cannot be written: {error.strerror}") from None
    table = summary_table(validation)
    if as_json:
        print_validated("teams", table, in_sample=validation.in_sample)
        return
    table = table.set_index("metric").T.reset_index(names="mean over cells")
    print_frame(table, list(table.columns))
    if validation.in_sample:
        say_words("These team sizes were in the pilot: this is a check of fit, not of prediction.")
    say_words(f"validation.csv and validation.png in {out}")


def backtest(
    directory: Path,
    out: Path,
    pilot_sizes: Sequence[int],
    target_sizes: Sequence[int],
    replications: int,
    workers: int,
    without: Sequence[str] = (),
    seed: int = 0,
    task_list: str | None = None,
) -> None:
    """Calibrate on the small teams of a data set, predict its larger ones, and score that.

    Then score it without some parts of the model, one at a time. With a task list, its runs are
    all that there is.
    """
    parts = parts_in(without)
    check_directory_name(out)
    with traces_of([directory], "llm_teams", {}, strict=False) as traces, directory_for(out):
        team = traces.team
        assert team is not None
        if task_list is not None:
            team = team.on_list(task_list)
        pilot = team.of_sizes(pilot_sizes)
        team.of_sizes(target_sizes)
        predictions = out / "predictions.parquet"
        sizes = list(target_sizes)
        cells = len(pilot.runs[CELL].drop_duplicates())
        predicted = replications * cells * len({*pilot_sizes, *sizes})
        with processes_for(_runs_to_fit(pilot) + predicted, workers) as pool:
            fitted = _fit_team(pilot, pool)
            target = Target(sizes, {})
            check_target(fitted.cells, target)
            # Others simulate the predicted teams while fits are written, drawn and shown.
            finish = begin_prediction(fitted.cells, target, replications, pool, seed=seed)
            _write_fits(fitted, out, directory.resolve().name)
            _show_fits(pilot, fitted, out)
            check_parquet_writable(predictions)
            say_untold([cell.fit for cell in fitted.cells])
            write_prediction(fitted.cells, finish, predictions)
            validate_predictions(predictions, directory, out)
            if parts:
                _show_ablation(pilot, directory, out, sizes, replications, pool, parts)


def _show_ablation(
    pilot: TeamRuns,
    directory: Path,
    out: Path,
    sizes: Sequence[int],
    replications: int,
    pool: Processes,
    parts: Sequence[str],
) -> None:
    """Print and write the scores of predictions without each part."""
    with progress_bar("Parts of the model") as progress:
        table = ablation_table(
            pilot, read_calibration(out), directory, sizes, replications, pool, progress, parts
        )
    frame = table.reset_index().rename(columns={"without": "mean CRPS without"})
    print_frame(frame, list(frame.columns))
    table.to_csv(out / "ablation.csv")
    say_words(f"ablation.csv in {out}")
