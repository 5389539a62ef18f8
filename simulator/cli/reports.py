"""What commands do and print, kept apart so that ``--help`` imports none of it."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from analysis.advice import Wish, in_words, thresholds
from analysis.advice import advise as give_advice
from analysis.chaos import chaos as run_chaos
from analysis.curves import check_figure
from analysis.speedup_stack import CAUSES, speedup_stacks
from analysis.statistics import summary
from simulator.engine import Simulation
from simulator.errors import TeamsimError
from simulator.experiment import read_results, run_points, run_sweep
from simulator.experiment.runner import default_workers
from simulator.model.metrics import METRIC_NAMES
from simulator.model.trace import Trace
from simulator.scenario import Point, Scenario, Study
from simulator.scenario.figure import Figure

console = Console(width=None if sys.stdout.isatty() else 120)


def run_with_trace(scenario: Scenario, replication: int, path: Path) -> None:
    """Run one replication and write its events."""
    check_writable(path)
    trace = Trace(replication)
    simulation = Simulation(scenario)
    metrics = simulation.run(replication, trace)
    pq.write_table(trace.table(), path)
    row = pd.DataFrame([(name, getattr(metrics, name)) for name in METRIC_NAMES])
    console.print(frame_table(row, ["metric", "value"]))
    if metrics.reason:
        typer.echo(f"{metrics.outcome}: {metrics.reason}")
    typer.echo(f"{len(trace.rows)} events of replication {replication} in {path}")


def run_and_summarise(scenario: Scenario, replications: int | None, out: Path | None) -> None:
    """Run replications and print the mean, its 95 % interval and quantiles of each metric."""
    if out is not None:
        check_writable(out)
    if replications is not None:
        scenario = scenario.model_copy(update={"replications": replications})
    point = Point(0, scenario.name, {}, None, "", scenario)
    with progress_bar("replications") as progress:
        table = run_points([point], [], progress=progress)
    frame = table.to_pandas()[["replication", *METRIC_NAMES]]
    if out is not None:
        frame.to_parquet(out, index=False)
    numbers = [name for name in METRIC_NAMES if name not in {"outcome", "reason"}]
    numeric = [name for name in numbers if (frame[name] != 0).any()]
    rows = summary(frame, numeric).reset_index(names="metric")
    heads = ["metric", "mean", "95 % low", "95 % high", "sd", "p5", "p50", "p95", "p99"]
    console.print(frame_table(rows, heads))
    outcomes = frame["outcome"].value_counts()
    typer.echo(
        f"{len(frame)} replications: "
        + ", ".join(f"{name} {count}" for name, count in outcomes.items())
    )
    for outcome, ended in frame[frame["reason"] != ""].groupby("outcome", sort=False):
        first = ended.iloc[0]
        typer.echo(f"{outcome}, replication {first['replication']}: {first['reason']}")


def run_to_steady_state(scenario: Scenario, replications: int | None) -> None:
    """Run replications and print waits and times in system, the warm-up deleted."""
    from analysis.steady_state import steady_state

    count = replications or scenario.replications
    if Simulation(scenario).model.task_count < 10:
        raise TeamsimError("a steady state needs at least ten tasks")
    with progress_bar("replications") as progress:
        table = steady_state(scenario, count, progress=progress)
    console.print(frame_table(table, ["measure", "mean", "95 % low", "95 % high", "tasks deleted"]))
    typer.echo(f"{count} replications, the warm-up of each deleted by MSER-5")


def chaos(scenario: Scenario, replications: int, out: Path | None, workers: int) -> None:
    """Run the battery of faults, and print what was lost, for how long, and what it cost."""
    if out is not None:
        check_writable(out)
        if out.suffix not in {".csv", ".parquet"}:
            raise TeamsimError(f"{out}: a table is written as .csv or .parquet")
    with progress_bar("replications") as progress:
        table = run_chaos(scenario, replications, workers or default_workers(), progress)
    if out is not None and out.suffix == ".csv":
        table.to_csv(out, index=False)
    elif out is not None:
        table.to_parquet(out, index=False)
    priced = all(not kind.price.is_free for kind in scenario.team.kinds)
    console.print(_chaos_table(table, priced))
    if table["patterns"].nunique() == 1:
        typer.echo("the scenario has no patterns under 'resilience' to be tried without")
    typer.echo(f"means of {replications} replications; +/- is half of a 95 % interval")
    if out is not None:
        typer.echo(f"{len(table)} rows in {out}")


def _chaos_table(table: pd.DataFrame, priced: bool) -> Table:
    shown = Table(box=None, pad_edge=False)
    heads = ["fault", "patterns", "completed", "tasks lost", "makespan s", "+/-", "recovery s"]
    for i, head in enumerate([*heads, "extra USD" if priced else "extra tokens"]):
        shown.add_column(head, justify="left" if i < 2 else "right", no_wrap=True)
    before = ""
    for row in table.to_dict("records"):
        if row["fault"] != before and before:
            shown.add_section()
        shown.add_row(
            row["fault"] if row["fault"] != before else "",
            row["patterns"],
            f"{row['completed']:.0%}",
            f"{row['lost_tasks']:,.1f}",
            f"{row['makespan_s']:,.0f}",
            f"{row['makespan_half']:,.0f}",
            f"{row['recovery_s']:,.0f}",
            f"{row['extra_usd']:+,.3f}" if priced else f"{row['extra_tokens']:+,.0f}",
        )
        before = row["fault"]
    return shown


def stack(study: Study, replications: int, out: Path) -> None:
    """Compute the speed-up stacks of a sweep, draw and print them."""
    from analysis.plots import save, stack_figure

    make_directory(out)
    with progress_bar("points") as progress:
        stacks = speedup_stacks(study.points, replications, progress)
    if stacks.empty:
        raise TeamsimError(
            "there is no single agent to hold a team against: sweep team.size from 1 on, or name "
            "a 'baseline'"
        )
    stacks.to_csv(out / "speedup_stack.csv", index=False)
    columns = ["name", "n", "speed-up", *(name for name in CAUSES if stacks[name].abs().max() > 0)]
    console.print(frame_table(stacks[columns].round(3), columns))
    for path in save(stack_figure(stacks, study.base.question), out / "speedup_stack"):
        typer.echo(str(path))


def sensitivity(
    scenario: Scenario,
    bounds: dict[str, tuple[float, float]],
    metric: str,
    method: Literal["morris", "sobol"],
    samples: int,
    replications: int,
    out: Path,
    workers: int,
) -> None:
    """Vary parameters, print and draw how much each matters."""
    from analysis.plots import plot_sensitivity, save
    from analysis.sensitivity import sensitivity as analyse

    make_directory(out)
    with progress_bar("replications") as progress:
        table = analyse(
            scenario,
            bounds,
            metric,
            method,
            samples,
            replications,
            workers=workers or default_workers(),
            progress=progress,
        )
    table.to_csv(out / "sensitivity.csv", index=False)
    console.print(frame_table(table, list(table.columns)))
    figure = plot_sensitivity(table, metric).get_figure(root=True)
    assert figure is not None
    for path in save(figure, out / "sensitivity"):
        typer.echo(str(path))


def report(directory: Path, out: Path, stack_replications: int) -> None:
    """Write the report of a sweep."""
    from analysis.report import write_report

    read_results(directory)  # before the page is begun
    check_writable(out)
    with progress_bar("speed-up stacks") as progress:
        write_report(directory, out, stack_replications, progress)
    typer.echo(str(out))


def explore(base: Scenario | None, port: int) -> None:
    """Serve the explorer until interrupted."""
    import errno
    import logging

    from werkzeug.serving import make_server

    from analysis.explorer import explorer

    if base is not None and base.team.size is None:
        raise TeamsimError("the explorer moves team.size: give that, not 'team.groups'")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        server = make_server("127.0.0.1", port, explorer(base).server, threaded=True)
    except (OSError, SystemExit) as error:
        taken = getattr(error, "errno", errno.EADDRINUSE) == errno.EADDRINUSE
        why = "is taken: give another --port" if taken else "cannot be used"
        raise TeamsimError(f"port {port} {why}") from None
    typer.echo(f"http://127.0.0.1:{port}/ (Ctrl-C ends it)")
    server.serve_forever()


def timeline(scenario: Scenario, replication: int, messages: bool, out: Path) -> None:
    """Run one replication; draw and export what every agent did when."""
    from analysis.plots import gantt_figure, save
    from analysis.timeline import write_chrome_trace, write_otlp

    make_directory(out)
    trace = Trace(replication)
    metrics = Simulation(scenario).run(replication, trace)
    title = f"{scenario.name}, replication {replication}: {metrics.outcome}"
    for path in save(gantt_figure(trace.rows, scenario, messages, title), out / "timeline"):
        typer.echo(str(path))
    write_chrome_trace(out / "perfetto.json", trace.rows, scenario)
    typer.echo(f"{out / 'perfetto.json'} (open it at ui.perfetto.dev or chrome://tracing)")
    write_otlp(out / "otlp.jsonl", trace.rows, scenario, replication)
    typer.echo(str(out / "otlp.jsonl"))


def advise(
    scenario: Scenario,
    wish: Wish,
    sizes: Sequence[int],
    replications: int,
    out: Path | None,
    workers: int,
) -> None:
    """Compare one agent with teams, and print what to do and how sure that is."""
    if out is not None:
        check_writable(out)
    workers = workers or default_workers()
    with progress_bar("replications") as progress:
        advice = give_advice(
            scenario, wish, sizes, replications, workers=workers, progress=progress
        )
        if advice.verdict in ("team", "alone"):
            nearest = thresholds(scenario, advice, wish, workers=workers, progress=progress)
            advice = dataclasses.replace(advice, thresholds=nearest)
    for line in in_words(advice, wish):
        typer.echo(line)
    order = ["fulfils", "may_be_best", "objective"]
    shown = [column for column in order if column in advice.table]
    table = advice.table.sort_values(shown, ascending=[each == "objective" for each in shown])
    columns = ["system", "makespan_s", "cost_usd", "quality", "success", "fulfils"]
    columns += [name for name in ("behind", "p_best") if name in table]
    console.print(frame_table(table[columns].head(12), columns))
    if out is not None:
        table.to_csv(out, index=False)
        typer.echo(f"{len(table)} rows in {out}")


def sweep(study: Study, out: Path, workers: int) -> None:
    """Run a sweep with a progress bar."""
    check_figure(study)
    try:
        with progress_bar("replications") as progress:
            table = run_sweep(study, out, workers or default_workers(), progress)
    except KeyboardInterrupt:
        typer.echo(f"{out} keeps what is done: the same command goes on from there", err=True)
        raise
    typer.echo(f"{table.num_rows} replications in {out / 'results.parquet'}")


def plot(directory: Path, out: Path) -> None:
    """Draw the picture of a sweep: the one that its scenario asks for, or scaling curves."""
    from analysis.plots import save, scaling_figure, sweep_figure

    results = read_results(directory).to_pandas()
    manifest = json.loads((directory / "manifest.json").read_text("utf-8"))
    question, wanted = manifest.get("question", ""), manifest.get("figure")
    if wanted:
        name, figure = "figure", sweep_figure(results, Figure.model_validate(wanted), question)
    else:
        name, figure = "scaling", scaling_figure(results, question)
    make_directory(out)
    for path in save(figure, out / name):
        typer.echo(str(path))


@contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the time left on standard error while the body runs."""
    columns = (
        TextColumn(unit),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(unit, total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance


def make_directory(path: Path) -> None:
    """Make a directory for results, if it is not there.

    Raises
    ------
    TeamsimError
        If it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TeamsimError(f"{path} cannot be made: {error.strerror}") from None


def check_writable(path: Path) -> None:
    """Refuse an output path before the work is done rather than after.

    Raises
    ------
    TeamsimError
        If the file cannot be written there.
    """
    if path.is_dir():
        raise TeamsimError(f"{path} is a directory; give a file name")
    if not path.parent.is_dir():
        raise TeamsimError(f"{path}: there is no directory {path.parent}")


def frame_table(frame: pd.DataFrame, heads: list[str]) -> Table:
    """Return a data frame as a table of the terminal."""
    table = Table(box=None, pad_edge=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i == 0 else "right", no_wrap=True)
    for row in frame.itertuples(index=False):
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        if abs(value) >= 1e7:
            return f"{value / 1e6:,.1f} M"
        return "" if pd.isna(value) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
