"""``teamsim``: the commands, and how errors reach the user.

Commands import what they need when they run, so that ``teamsim --help`` does not wait for scipy.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.answers import answered
from simulator.cli.calibration_commands import backtest, calibrate, predict, validate
from simulator.cli.harmless import complain, say
from simulator.cli.interrupts import run_until_signal
from simulator.cli.observing import observe
from simulator.cli.options import (
    Method,
    ScenarioFile,
    Settings,
    Workers,
    checked,
    range_in,
    sizes_in,
)
from simulator.documents import MOST_RUNS

app = typer.Typer(
    name="teamsim",
    help="Simulate teams of LLM agents before paying for real ones.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def check(scenario: ScenarioFile, settings: Settings = None) -> None:
    """Check a scenario, and print how many points and replications it has."""
    from analysis.statistics.curves import check_figure
    from simulator.experiment.allocation import budget_of
    from simulator.experiment.estimate import estimate
    from simulator.scenario import load_study

    study = load_study(scenario, settings or [])
    points = study.points
    check_figure(study)
    budget_of([each for point in points if (each := point.scenario.precision) is not None])
    replications = sum(point.scenario.replications for point in points)
    expected = estimate(points)
    expected.check_memory()
    say(f"{scenario}: ok, {len(points)} points, {replications} replications")
    for note in expected.notes():
        complain(f"note: {note}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from simulator.scenario import scenario_json_schema

    print(json.dumps(scenario_json_schema(), indent=2))


@app.command(name="list")
def list_plugins() -> None:
    """List every plugin, family by family, and the agent profiles."""
    from analysis.traces.reader import READERS
    from simulator.scenario import REGISTRIES, profile_names

    for registry in (*REGISTRIES, READERS):
        say(f"{registry.family}: {', '.join(registry.names())}")
    say(f"profile: {', '.join(profile_names())}")


@app.command()
def run(
    scenario: ScenarioFile,
    settings: Settings = None,
    replications: Annotated[
        int | None,
        typer.Option(
            "--replications",
            "-r",
            min=1,
            max=MOST_RUNS,
            help="Replications, instead of the scenario's.",
        ),
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Write the events of one replication (Parquet).")
    ] = None,
    replication: Annotated[
        int, typer.Option(min=0, max=MOST_RUNS, help="Replication that --trace writes.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Table of replications (Parquet).")] = None,
    steady: Annotated[
        bool, typer.Option("--steady", help="Print waits after the warm-up (MSER-5).")
    ] = False,
) -> None:
    """Run a scenario as it stands, without its sweep, and print what happened."""
    from simulator.cli import running
    from simulator.scenario import load_study

    study = load_study(scenario, settings or [])
    if steady:
        running.run_to_steady_state(study.base, replications)
    elif trace is not None:
        running.run_with_trace(study.base, replication, trace)
    else:
        running.run_and_summarise(study.base, replications, out)


@app.command()
def sweep(
    scenario: ScenarioFile,
    out: Annotated[Path, typer.Option(help="Directory for the results; resumed if it exists.")],
    settings: Settings = None,
    workers: Workers = 0,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on a dask cluster, e.g. tcp://10.0.0.1:8786."),
    ] = None,
) -> None:
    """Run every point of a sweep; after an interruption, the same command resumes it."""
    from simulator.cli import running
    from simulator.scenario import load_study

    running.sweep(load_study(scenario, settings or []), out, workers, dask)


@app.command()
def plot(
    directory: Annotated[Path, typer.Argument(help="Directory of a finished sweep.")],
    out: Annotated[
        Path | None, typer.Option(help="Directory for scaling.png and .svg; DIRECTORY if absent.")
    ] = None,
) -> None:
    """Draw the scaling curves of a sweep over team size."""
    from simulator.cli import running

    running.plot(directory, out or directory)


@app.command()
def chaos(
    scenario: ScenarioFile,
    settings: Settings = None,
    replications: Annotated[
        int,
        typer.Option(
            "--replications", "-r", min=1, max=MOST_RUNS, help="Runs of each fault and pattern."
        ),
    ] = 30,
    out: Annotated[Path | None, typer.Option(help="Write the table (CSV or Parquet).")] = None,
    workers: Workers = 0,
) -> None:
    """Run a scenario under a battery of faults, with and without each of its patterns."""
    from simulator.cli import deciding
    from simulator.scenario import load_study

    deciding.chaos(load_study(scenario, settings or []).base, replications, out, workers)


@app.command()
def stack(
    scenario: ScenarioFile,
    out: Annotated[Path, typer.Option(help="Directory for speedup_stack.png, .svg and .csv.")],
    settings: Settings = None,
    replications: Annotated[
        int,
        typer.Option(
            "--replications", "-r", min=1, max=MOST_RUNS, help="Traced runs of each point."
        ),
    ] = 20,
) -> None:
    """Show where the speed-up was lost: how much each cause takes, at every team size."""
    from simulator.cli import deciding
    from simulator.scenario import load_study

    deciding.stack(load_study(scenario, settings or []), replications, out)


@app.command()
def timeline(
    scenario: ScenarioFile,
    out: Annotated[Path, typer.Option(help="Directory for the picture and the two exports.")],
    settings: Settings = None,
    replication: Annotated[int, typer.Option(min=0, max=MOST_RUNS, help="The replication.")] = 0,
    messages: Annotated[bool, typer.Option("--messages", help="Mark messages too.")] = False,
) -> None:
    """Draw what every agent did when, and write it for Perfetto and as OpenTelemetry spans."""
    from simulator.cli import deciding
    from simulator.scenario import load_study

    deciding.timeline(load_study(scenario, settings or []).base, replication, messages, out)


@app.command()
def sensitivity(
    scenario: ScenarioFile,
    vary: Annotated[
        list[str], typer.Option("--vary", metavar="PATH=LOW:HIGH", help="A number and its range.")
    ],
    out: Annotated[Path, typer.Option(help="Directory for sensitivity.png, .svg and .csv.")],
    settings: Settings = None,
    metric: Annotated[str, typer.Option(help="Metric to explain.")] = "makespan_s",
    method: Annotated[Method, typer.Option(help="Screening, or shares of variance.")] = "morris",
    samples: Annotated[
        int,
        typer.Option(min=2, max=MOST_RUNS, help="Trajectories, or base samples (a power of two)."),
    ] = 16,
    replications: Annotated[
        int, typer.Option("--replications", "-r", min=1, max=MOST_RUNS, help="Runs of each point.")
    ] = 10,
    workers: Workers = 0,
) -> None:
    """Show which parameters of a scenario matter (Morris, Sobol)."""
    from simulator.cli import deciding
    from simulator.scenario import load_study

    base = load_study(scenario, settings or []).base
    bounds = dict(range_in(setting) for setting in vary)
    deciding.sensitivity(base, bounds, metric, method, samples, replications, out, workers)


@app.command()
def advise(
    scenario: ScenarioFile,
    settings: Settings = None,
    sizes: Annotated[str, typer.Option(help="Team sizes to try.")] = "2,3,4,6,8,12,16",
    usd_per_hour: Annotated[
        float | None,
        typer.Option(
            callback=checked, min=0.0, help="Value of an hour: minimise cost plus time, not time."
        ),
    ] = None,
    budget_usd: Annotated[
        float | None,
        typer.Option(callback=checked, min=0.0, help="Most that a run may cost on average."),
    ] = None,
    min_quality: Annotated[
        float | None,
        typer.Option(callback=checked, min=0.0, max=1.0, help="Share of tasks that must be right."),
    ] = None,
    replications: Annotated[
        int,
        typer.Option(
            "--replications", "-r", min=10, max=MOST_RUNS, help="Most runs of each candidate."
        ),
    ] = 2000,
    indifference: Annotated[
        float,
        typer.Option(
            callback=checked, min=0.0, max=0.5, help="Smaller differences (a share) do not matter."
        ),
    ] = 0.01,
    out: Annotated[Path | None, typer.Option(help="Write the table (CSV).")] = None,
    workers: Workers = 0,
) -> None:
    """Advise whether a team is worth it, of what size and structure, and say how sure that is."""
    from analysis.decisions.advice import Wish
    from simulator.cli import deciding
    from simulator.scenario import load_study

    wish = Wish(usd_per_hour, budget_usd, min_quality, indifference=indifference)
    base = load_study(scenario, settings or []).base
    deciding.advise(base, wish, sizes_in(sizes), replications, out, workers)


@app.command()
def report(
    directory: Annotated[Path, typer.Argument(help="Directory of a finished sweep.")],
    out: Annotated[
        Path | None, typer.Option(help="The page; report.html in DIRECTORY if absent.")
    ] = None,
    stacks: Annotated[
        int,
        typer.Option(
            min=0, max=MOST_RUNS, help="Traced runs of each point for the speed-up stacks."
        ),
    ] = 10,
) -> None:
    """Write the report of a sweep: one HTML page that needs no network."""
    from simulator.cli import deciding

    deciding.report(directory, out, stacks)


@app.command()
def explore(
    scenario: Annotated[
        Path | None, typer.Argument(help="Scenario to start from (YAML).", metavar="[SCENARIO]")
    ] = None,
    settings: Settings = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of 127.0.0.1.")] = 8050,
) -> None:
    """Serve a page with sliders on this machine: the curves redraw as they move."""
    from simulator.cli import deciding
    from simulator.scenario import load_study

    base = None if scenario is None else load_study(scenario, settings or []).base
    deciding.explore(base, port)


for command in (observe, calibrate, predict, validate, backtest):
    app.command()(command)


def main() -> None:
    """Run the command line; an error that the user can correct gives a message and exit code 2."""
    sys.exit(answered(lambda: app(sys.argv[1:] or ["--help"], standalone_mode=False)))


if __name__ == "__main__":
    run_until_signal(main)
