"""What `run`, `sweep` and `plot` do and print."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.statistics.completion import row_to_success, runs_finished, to_success
from analysis.statistics.curves import check_figure
from analysis.statistics.expectations import Finding, judge
from analysis.statistics.intervals import replications_for_quantile
from analysis.statistics.summaries import QUANTILES, summaries
from simulator.api.expecting import expected_of
from simulator.cli.expecting import described, exit_code, print_findings
from simulator.cli.harmless import say, say_words
from simulator.cli.interrupts import when_interrupted
from simulator.cli.json_output import print_json
from simulator.cli.quiet import tell
from simulator.cli.same_values import note_on_same, same_in_all
from simulator.cli.terminal import (
    PICTURES,
    check_table_writable,
    check_writable,
    make_directory,
    number,
    print_frame,
    print_rows,
    progress_bar,
)
from simulator.engine import Simulation
from simulator.errors import TeamsimError
from simulator.experiment import (
    read_manifest,
    read_results,
    read_shortfalls,
    run_sweep,
    shortfalls,
    sweep_into,
)
from simulator.experiment.cluster import dask_cluster
from simulator.experiment.estimate import check_memory
from simulator.experiment.intervals import SHARE_METRICS
from simulator.experiment.manifest import study_in
from simulator.experiment.pool import default_workers
from simulator.experiment.shortfalls import Shortfall
from simulator.experiment.table_files import check_one_of, names_file, write_table
from simulator.model.metrics import METRIC_NAMES, NUMERIC_METRICS
from simulator.model.trace import Trace
from simulator.scenario import Scenario, Study
from simulator.scenario.costs import cost_notes, is_cost_known, unknown_metrics
from simulator.words import counted, four_figures

if TYPE_CHECKING:
    import pyarrow as pa

Columns = Mapping[str, npt.NDArray[Any]]
"""Values of a replication each, by metric: a data frame would make a short run wait for pandas."""


@dataclass(frozen=True)
class RunWishes:
    """What the user wants of `run`."""

    replications: int | None = None
    out: Path | None = None
    expect: Sequence[str] = ()
    strict: bool = False
    """Whether an expectation that is not resolved is an error."""
    as_json: bool = False
    workers: int = 1
    """Processes; 0 means one for each core."""


def run_with_trace(scenario: Scenario, replication: int, path: Path) -> None:
    """Run one replication and write its events."""
    import pandas as pd

    check_table_writable(path)
    check_memory(scenario)
    trace = Trace(replication)
    simulation = Simulation(scenario)
    with progress_bar("replication") as progress:
        metrics = simulation.run(replication, trace, lambda share: progress(share, 1))
    # Arrow's own types: numbers that are missing in some rows stay whole numbers.
    write_table(trace.table().to_pandas(types_mapper=pd.ArrowDtype), path)
    unknown = unknown_metrics(scenario)
    rows = [
        (name, "unknown" if name in unknown else getattr(metrics, name)) for name in METRIC_NAMES
    ]
    print_rows(rows, ["metric", "value"])
    for note in cost_notes(scenario):
        say_words(note)
    if metrics.reason:
        say_words(f"{metrics.outcome}: {metrics.reason}")
    tell(f"{len(trace.rows)} events of replication {replication} in {path}")


def run_and_summarise(scenario: Scenario, wanted: RunWishes) -> int:
    """Run replications, print what happened, and hold it against what is expected.

    Returns
    -------
    int
        The exit code: 1 if an expectation failed.

    Raises
    ------
    TeamsimError
        If what is expected cannot be looked at, or `wanted.out` cannot be written.
    """
    if wanted.out is not None:
        check_table_writable(wanted.out)
    expectations = expected_of(scenario, wanted.expect)
    if wanted.replications is not None:
        scenario = scenario.model_copy(update={"replications": wanted.replications})
    with progress_bar("replications") as progress:
        workers = wanted.workers or default_workers()
        table = run_sweep(Study.of_scenario(scenario), workers=workers, progress=progress)
    table = table.select(["replication", *METRIC_NAMES])
    if wanted.out is not None:
        write_table(table.to_pandas(), wanted.out)
    findings = judge(table.to_pandas(), expectations) if expectations else []
    columns = _columns(table)
    if wanted.as_json:
        print_json("run", _described(scenario, columns, shortfalls(table), findings), scenario)
    else:
        _print_summary(scenario, columns, shortfalls(table))
        if findings:
            say("")
            print_findings(findings, table.to_pandas(), scenario)
    return exit_code(findings, wanted.strict)


def _columns(table: pa.Table) -> Columns:
    # Arrow's own conversion to arrays imports pandas.
    return {name: np.asarray(table[name].to_pylist()) for name in table.column_names}


def _shown_metrics(scenario: Scenario, columns: Columns) -> list[str]:
    """Return the numeric metrics that are not 0 throughout, and whose price is known."""
    unknown = unknown_metrics(scenario)
    return [name for name in NUMERIC_METRICS if columns[name].any() and name not in unknown]


def _summary(columns: Columns, metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return a row a metric, that of the makespan with times to success."""
    rows = summaries({name: columns[name] for name in metrics})
    lengths, finished = columns["makespan_s"], columns["success"]
    if not finished.all() and "makespan_s" in rows:
        rows["makespan_s"] = row_to_success(list(rows["makespan_s"]), lengths, finished)
    return rows


def _described(
    scenario: Scenario,
    columns: Columns,
    missed: Sequence[Shortfall],
    findings: Sequence[Finding],
) -> dict[str, Any]:
    """Return what happened, for JSON."""
    metrics: dict[str, Any] = dict(_summary(columns, NUMERIC_METRICS))
    notes = [str(each) for each in missed]
    if not is_cost_known(scenario):
        notes += cost_notes(scenario)
    shown = _shown_metrics(scenario, columns)
    notes += _notes_on_same(same_in_all(scenario, columns, shown), columns)
    return {
        "replications": len(columns["replication"]),
        "outcomes": dict(_outcomes(columns)),
        "finished": int(columns["success"].sum()),
        "metrics": metrics,
        "expectations": [described(each) for each in findings],
        "notes": notes,
    }


def _outcomes(columns: Columns) -> list[tuple[str, int]]:
    """Return how many runs ended in which way, the most frequent first."""
    return Counter(columns["outcome"].tolist()).most_common()


def _print_summary(scenario: Scenario, columns: Columns, missed: Sequence[Shortfall]) -> None:
    shown = _shown_metrics(scenario, columns)
    same = same_in_all(scenario, columns, shown)
    heads = ["metric", "mean", "95 % low", "95 % high", "sd", *QUANTILES]
    rows = _summary(columns, shown)
    print_rows([_with_bounds(name, row, name in same) for name, row in rows.items()], heads)
    are_known = not same and all(row["sd"] == 0.0 for row in rows.values())
    runs = len(columns["replication"])
    for note in cost_notes(scenario):
        say_words(note)
    needed = {name: replications_for_quantile(share) for name, share in QUANTILES.items()}
    for name, count in needed.items():
        if count > runs and not are_known:
            tell(f"{name} is not known from {counted(runs, 'replication')}: {count} needed")
    for said in (*_notes_on_same(same, columns), *missed):
        say_words(said)
    say_words(
        f"{counted(runs, 'replication')}: "
        + ", ".join(f"{name} {n}" for name, n in _outcomes(columns))
    )
    if not columns["success"].all():
        say_words(_time_to_success(columns))
    for outcome, replication, reason in _first_reasons(columns):
        say_words(f"{outcome}, replication {replication}: {reason}")


def _notes_on_same(same: Sequence[str], columns: Columns) -> list[str]:
    note = note_on_same(same, len(columns["replication"]))
    return [] if note is None else [note]


def _first_reasons(columns: Columns) -> Iterator[tuple[str, int, str]]:
    """Yield the ways in which runs ended for a reason, each with its first run and its reason."""
    told = set[str]()
    names = (columns[name].tolist() for name in ("outcome", "replication", "reason"))
    for outcome, replication, reason in zip(*names, strict=True):
        if reason and outcome not in told:
            told.add(outcome)
            yield outcome, replication, reason


def _with_bounds(metric: str, row: Mapping[str, float], may_vary: bool = True) -> list[object]:
    """Return a row of a summary as printed; an unknown quantile is printed as a bound."""
    sd, is_share = row["sd"], metric in SHARE_METRICS
    if sd == 0.0 and not may_vary:
        quantiles = [number(row[name]) for name in QUANTILES]
    else:
        quantiles = [
            _quantile(row[name], row[f"{name}_low"], row[f"{name}_high"], is_share)
            for name in QUANTILES
        ]
    return [metric, row["mean"], row["low"], row["high"], sd, *quantiles]


def _quantile(estimate: float, low: float, high: float, is_share: bool) -> str:
    if is_share and (low >= 1.0 or high <= 0.0):
        return number(estimate)  # a share cannot be beyond
    if not math.isfinite(estimate) or (math.isinf(low) and math.isinf(high)):
        return "not known"
    if math.isinf(high):
        return f"≥ {number(low)}"
    return f"≤ {number(high)}" if math.isinf(low) else number(estimate)


def _time_to_success(columns: Columns) -> str:
    """Return a note on how many runs finished, and on what the table's times then mean."""
    finished, runs = int(columns["success"].sum()), len(columns["success"])
    said = runs_finished(finished, runs)
    if not finished:
        return f"{said}: how long the work takes is not known, and makespan_s has no mean"
    time = to_success(columns["makespan_s"], columns["success"])
    return (
        f"{said}: makespan_s is the time to success, failed runs started again, "
        f"{four_figures(time.estimate)} s ({four_figures(time.low)} to {four_figures(time.high)}); "
        "its quantiles count them as longer than all others"
    )


def run_to_steady_state(scenario: Scenario, replications: int | None) -> None:
    """Run replications and print waits and times in system after the warm-up."""
    from analysis.statistics.steady_state import steady_state

    count = replications or scenario.replications
    check_memory(scenario)
    if Simulation(scenario).model.task_count < 10:
        raise TeamsimError("a steady state needs at least ten tasks")
    with progress_bar("replications") as progress:
        table = steady_state(scenario, count, progress=progress)
    columns = ["measure", "mean", "low", "high", "deleted"]
    heads = ["measure", "mean", "95 % low", "95 % high", "tasks deleted"]
    print_frame(table[columns], heads)
    say_words(f"{count} replications, one warm-up for all deleted (MSER-5, a tenth at least)")
    for row in table[~table["is_long_enough"]].itertuples():
        say_words(
            f"run too short: the interval of {row.measure} covers the mean less often than it "
            f"says; it takes at least {row.tasks_needed:,} tasks a replication"
        )


def sweep(study: Study, out: Path, workers: int, dask: str | None) -> None:
    """Run a sweep with a progress bar, over processes or on a cluster."""
    check_figure(study)
    with ExitStack() as stack:
        executor, workers = None, workers or default_workers()
        if dask is not None:
            executor, workers = stack.enter_context(dask_cluster(dask))
        stack.enter_context(
            when_interrupted(f"{out} keeps what is done, and the same command goes on from there")
        )
        with progress_bar("replications") as progress:
            count = sweep_into(out, study, workers, progress, executor)
    success = _columns(read_results(out, ["success"]))["success"]
    said = runs_finished(int(success.sum()), count)
    tell(f"{counted(count, 'replication')} in {out / 'results'} (Parquet), {said}")
    for shortfall in read_shortfalls(out):
        tell(shortfall)


def study_again(directory: Path, seed: int | None, replications: int | None = None) -> Study:
    """Return the study that made a directory, if need be with other seed and replications."""
    given = {"seed": seed, "replications": replications}
    said = {name: value for name, value in given.items() if value is not None}
    study = study_in(directory)
    if not said:
        return study
    return Study.of_points(
        [replace(point, scenario=point.scenario.model_copy(update=said)) for point in study.points]
    )


def plot(
    directory: Path, out: Path, x: str = "", y: Sequence[str] = (), series: Sequence[str] = ()
) -> None:
    """Draw the picture of a sweep: what is asked for, what its scenario asks, or scaling curves."""
    from analysis.plots import save
    from simulator.api.pictures import picture

    is_file = out.suffix.lower() in PICTURES
    if is_file:
        check_writable(out)
    elif names_file(out):
        check_one_of(out, "a picture", PICTURES)
    results = read_results(directory).to_pandas()
    name, figure = picture(results, read_manifest(directory), x, y, series)
    if not is_file:
        make_directory(out)
    for path in save(figure, out if is_file else out / name):
        tell(path)
