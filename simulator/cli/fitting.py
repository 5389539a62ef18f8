"""What ``calibrate``, ``predict``, ``validate`` and ``backtest`` do and print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.calibration import fit_cells
from analysis.calibration.call_agents import AgentFit, all_gaps, fit_agents
from analysis.calibration.calls import CallFit, usable
from analysis.calibration.cell import CellFit, safe_name
from analysis.calibration.held_out import HeldOut, check_held_out
from analysis.calibration.loops import LoopFit, fit_requests
from analysis.calibration.marginal import MarginalFit
from analysis.calibration.profiles import (
    call_profile,
    loop_profile,
    pooled_fits,
    profile_name,
    reference_of,
    write_profile,
    write_session,
)
from analysis.calibration.request_model import FILE, fit_request_model
from analysis.calibration.requests import Requests, find_requests
from analysis.calibration.store import read_calibration, write_calibration
from analysis.plots import save
from analysis.plots.posterior_predictive import posterior_predictive_figure
from analysis.plots.qq import latency_figure
from analysis.plots.requests import request_figure
from analysis.plots.validation import summary_table, validation_figure
from analysis.traces.canonical import Traces
from analysis.traces.reading import STANDARD_INPUT
from analysis.traces.team_runs import TeamRuns
from analysis.validation import Validation, read_predictions, validate
from analysis.validation.compare import write_predictions
from analysis.validation.prediction import Target, check_target, parse_changes, predict_cells
from analysis.validation.real_and_simulated import real, simulated
from analysis.validation.request_prediction import PILOT
from simulator.cli.harmless import complain, say
from simulator.cli.reading import traces_of
from simulator.cli.terminal import (
    check_writable,
    console,
    frame_table,
    make_directory,
    progress_bar,
)
from simulator.errors import TeamsimError
from simulator.experiment.pool import default_workers

LOOP = "-loop"
"""End of the name of a profile that works in loops."""

_CHECKED = 10
"""Simulated runs of each cell and size in the posterior predictive check."""


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
) -> None:
    """Fit traces: teams on task lists cell by cell, other calls model by model."""
    with traces_of(paths, form, columns, strict) as traces:
        make_directory(out)
        source = source or ", ".join(
            "standard input" if str(path) == STANDARD_INPUT else path.resolve().name
            for path in paths
        )
        if traces.team is not None:
            team = traces.team.of_sizes(team_sizes) if team_sizes else traces.team
            calibrate_team(team, out, source, workers or default_workers())
        else:
            if team_sizes:
                raise TeamsimError("--team-sizes: these traces are not runs of teams on task lists")
            _calibrate_calls(traces, out, source, holdout)


def calibrate_team(team: TeamRuns, out: Path, source: str, workers: int) -> list[CellFit]:
    """Fit the cells of team runs and write everything into `out`."""
    with progress_bar("cells") as progress:
        fits = fit_cells(team, workers=workers, progress=progress)
    write_calibration(team, fits, out, source)
    profiles = out / "profiles"
    profiles.mkdir(exist_ok=True)
    for fit in pooled_fits(team, fits):
        name = profile_name(fit.cell["model_dir"], fit.claims_itself)
        write_profile(fit, profiles / f"{name}.yaml", source)
    sizes = sorted(int(n) for n in team.runs["n_teammates"].unique())
    with progress_bar("checks") as progress:
        checked = simulated(read_calibration(out), sizes, _CHECKED, 3, workers, progress)
    save(posterior_predictive_figure(real(team), checked), out / "posterior_predictive")
    report = pd.DataFrame([fit.report() for fit in fits])
    names = report[["model_dir", "mode", "task_type", "p_label"]].agg(" ".join, axis=1)
    rows = pd.DataFrame({"cell": names, "runs": report["runs"], "calls": report["calls"]})
    for column in ("base_s", "per_task_s", "error"):
        rows[column] = [
            f"{value:.3g} ± {error:.1g}"
            for value, error in zip(report[column], report[f"{column}_se"], strict=True)
        ]
    console.print(frame_table(rows, list(rows.columns)))
    say(
        f"{len(fits)} cells of {len(team.runs)} runs: scenarios, profiles, fit_report.csv and "
        f"posterior_predictive.png in {out}"
    )
    return fits


def _calibrate_calls(traces: Traces, out: Path, source: str, holdout: float) -> None:
    fits = fit_agents(traces.calls, reference_of)
    if not fits:
        raise TeamsimError(f"{source}: no calls of a model in it (tools alone tell of no agent)")
    names = _profile_names([fit.model for fit in fits])
    requests = find_requests(traces.calls)
    loops = {fit.model: fit_requests(requests.of_model(fit.model)) for fit in fits}
    for fit, name in zip(fits, names, strict=True):
        call_profile(fit, out / f"{name}.yaml", source)
        session, mine = out / f"{name}.session.yaml", loops[fit.model]
        in_loops = out / f"{name}{LOOP}.yaml"
        if mine.turns is None:
            in_loops.unlink(missing_ok=True)  # of an earlier calibration
            write_session(fit, session, f"{name}.yaml")
        else:
            loop_profile(fit, mine, in_loops, source)
            write_session(fit, session, in_loops.name, mine)
    report = pd.DataFrame([{**_call_row(fit), **_loop_row(loops[fit.model])} for fit in fits])
    report.to_csv(out / "fit_report.csv", index=False)
    _show_fits(fits)
    _show_loops(loops)
    _calibrate_requests(requests, fits, out)
    by_tokens = [fit.fit for fit in fits if isinstance(fit.fit, CallFit)]
    if by_tokens:
        calls = usable(traces.calls)
        save(latency_figure(calls, by_tokens), out / "latency")
        if holdout > 0.0:
            _hold_out(calls, holdout)
    for gap in all_gaps(fits) + [
        f"{model}: {gap}" for model, fit in loops.items() if fit.requests for gap in fit.gaps()
    ]:
        complain(f"note: {gap}")
    say(
        f"{len(fits)} profile{'s' if len(fits) != 1 else ''}, sessions to run and "
        f"fit_report.csv in {out}; next: "
        f"teamsim run {out / names[0]}.session.yaml"
    )


def _calibrate_requests(requests: Requests, fits: Sequence[AgentFit], out: Path) -> None:
    """Fit what requests take, write it for ``predict --requests``, and draw how well it fits."""
    for name in (FILE, PILOT):  # what an earlier calibration has left is not of these calls
        (out / name).unlink(missing_ok=True)
    latency = {
        fit.model: np.exp(fit.fit.latency.at[:4]) for fit in fits if isinstance(fit.fit, CallFit)
    }
    model = fit_request_model(requests, latency)
    if model is None:
        return
    model.write(out / FILE)
    save(request_figure(requests.whole, model), out / "requests")
    pilot = requests.named()
    pilot.to_parquet(out / PILOT, index=False)
    say(
        f"{sum(model.requests.values())} requests: {FILE} for `teamsim predict {out} --requests`, "
        f"and {PILOT}, what they took"
    )


def _profile_names(models: Sequence[str]) -> list[str]:
    """Return a name a model; two that would have the same keep theirs whole."""
    short = [profile_name(model) for model in models]
    return [
        name if short.count(name) == 1 else safe_name(model)
        for name, model in zip(short, models, strict=True)
    ]


def _show_fits(fits: Sequence[AgentFit]) -> None:
    """Print what was fitted: by tokens, by time, or scaled from a profile."""
    rows = []
    for fit in fits:
        base, output, scale = ("base_s", "output_s_per_1k", "residual_scale")
        known = fit.parameters
        kind = {CallFit: "tokens", MarginalFit: "durations"}.get(type(fit.fit), "profile, scaled")
        row: dict[str, object] = {"model": fit.model, "calls": fit.calls, "fitted": kind}
        for name in (base, output, scale):
            row[name] = known[name].value if name in known else float("nan")
        rows.append({**row, "failed": fit.failed.value, "not estimated": len(fit.gaps)})
    shown = pd.DataFrame(rows)
    heads = ["model", "calls", "fitted", "base_s", "s/1k out", "scale", "failed", "not estimated"]
    console.print(frame_table(shown, heads))


def _call_row(fit: AgentFit) -> dict[str, object]:
    row: dict[str, object] = {"model": fit.model, "sessions": fit.sessions, "calls": fit.calls}
    for name, estimate in fit.parameters.items():
        row[name] = estimate.value
        row[f"{name}_se"] = estimate.error
    if isinstance(fit.fit, CallFit):
        output = fit.fit.output
        row |= {
            "output_family": output.kind,
            "output_ks": output.ks,
            "output_ad": output.ad,
            "output_aic_gain": output.aic_gain,
        }
    elif isinstance(fit.fit, MarginalFit):
        row |= {"family": fit.fit.duration.kind, "KS": fit.fit.duration.ks}
    row["not_estimated"] = "; ".join(str(gap) for gap in fit.gaps)
    return row


def _loop_row(loops: LoopFit) -> dict[str, object]:
    row: dict[str, object] = {"requests": loops.requests, "requests_cut": loops.cut}
    if loops.turns is not None:
        row["turns_family"] = loops.turns.kind
    for name, estimate in loops.parameters().items():
        row[name] = estimate.value
        row[f"{name}_se"] = estimate.error
    return {**row, **loops.goodness(), "not_estimated_of_loops": "; ".join(map(str, loops.gaps()))}


def _show_loops(loops: dict[str, LoopFit]) -> None:
    """Print the loops that were fitted, if any was."""
    rows = []
    for model, fit in loops.items():
        if fit.turns is None:
            continue
        tool = fit.tools[0] if fit.tools else None
        rows.append(
            {
                "model": model,
                "requests": fit.requests,
                "cut": fit.cut,
                "turns": fit.turns.kind,
                "KS": fit.turns.ks,
                "tools": len(fit.tools),
                "their KS": tool.seconds.ks if tool else float("nan"),
                "pauses": tool.seconds.share.value if tool and fit.has_pause else float("nan"),
            }
        )
    if rows:
        console.print(frame_table(pd.DataFrame(rows), list(rows[0])))


def _hold_out(calls: pd.DataFrame, share: float) -> None:
    """Check the fits on sessions held out, if there are enough to hold any out."""
    try:
        check = check_held_out(calls, share)
    except TeamsimError as error:
        complain(f"note: no check on sessions held out: {error}")
        return
    _print_held_out(check)


def _print_held_out(check: HeldOut) -> None:
    say(
        f"held out: {check.sessions} sessions, {check.calls} calls; log density a call "
        f"{check.conditional:.3f} given the tokens, {check.marginal:.3f} without "
        f"({check.family}): {check.conditional - check.marginal:+.3f} nats"
    )
    console.print(frame_table(check.sums, list(check.sums.columns)))


def predict(
    directory: Path,
    out: Path,
    team_sizes: list[int],
    replications: int,
    workers: int,
    topology: str | None,
    protocol: str | None,
    workload: str | None,
) -> None:
    """Simulate calibrated teams."""
    check_writable(out)
    target = Target(team_sizes, parse_changes(topology, protocol, workload))
    cells = read_calibration(directory)
    check_target(cells, target)
    with progress_bar("cells and sizes") as progress:
        table = predict_cells(cells, target, replications, workers or default_workers(), progress)
    pilot = pd.concat([cell.pilot for cell in cells], ignore_index=True)
    write_predictions(table, pilot, out)
    console.print(_predicted(table))
    if not table["success"].all():
        say("runs as they end, finished or not: `success` is the share that finished")
    say(f"{len(table)} simulated runs in {out}")


def _predicted(table: pd.DataFrame) -> object:
    """Return medians and 80 % intervals by mode and size."""
    rows = []
    for (mode, n), runs in table.groupby(["mode", "n_teammates"]):
        row: dict[str, object] = {"mode": mode, "n": n}
        for metric in ("wall_clock_seconds", "total_tokens", "total_rounds"):
            low, middle, high = np.quantile(runs[metric], [0.1, 0.5, 0.9])
            row[metric] = f"{middle:,.0f} ({low:,.0f} to {high:,.0f})"
        row["success"] = float(runs["success"].mean())
        rows.append(row)
    frame = pd.DataFrame(rows)
    return frame_table(frame, list(frame.columns))


def validate_predictions(predictions: Path, directory: Path, out: Path | None) -> None:
    """Score predictions against real runs, print the table and draw the picture."""
    table, pilot = read_predictions(predictions)
    _show(validate(table, pilot, directory), out or predictions.parent)


def _show(validation: Validation, out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        validation.cells.to_csv(out / "validation.csv", index=False)
        save(validation_figure(validation), out / "validation")
    except OSError as error:
        raise TeamsimError(f"{out} cannot be written: {error.strerror}") from None
    table = summary_table(validation)
    table = table.set_index("metric").T.reset_index(names="mean over cells")
    console.print(frame_table(table, list(table.columns)))
    if validation.in_sample:
        say("These team sizes were in the pilot: this is a check of fit, not of prediction.")
    say(f"validation.csv and validation.png in {out}")


def backtest(
    directory: Path,
    out: Path,
    pilot_sizes: Sequence[int],
    target_sizes: Sequence[int],
    replications: int,
    workers: int,
) -> None:
    """Calibrate on the small teams of a data set, predict its larger ones, and score that."""
    with traces_of([directory], "llm_teams", {}, strict=False) as traces:
        team = traces.team
        assert team is not None
        pilot = team.of_sizes(pilot_sizes)
        team.of_sizes(target_sizes)
        processes = workers or default_workers()
        calibrate_team(pilot, out, directory.resolve().name, processes)
        predictions = out / "predictions.parquet"
        sizes = list(target_sizes)
        predict(out, predictions, sizes, replications, processes, None, None, None)
        validate_predictions(predictions, directory, out)
