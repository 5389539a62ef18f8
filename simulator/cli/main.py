"""``teamsim``: the commands, and how errors reach the user."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from simulator.errors import TeamsimError

# Commands import what they need when they run: `teamsim --help` must not wait for scipy.

app = typer.Typer(
    name="teamsim",
    help="Simulate teams of LLM agents before paying for real ones.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ScenarioFile = Annotated[Path, typer.Argument(help="Scenario file (YAML).", metavar="SCENARIO")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a field, e.g. team.size=4."),
]
Workers = Annotated[
    int, typer.Option("--workers", "-w", min=0, help="Processes; 0 means one a core.")
]


@app.command()
def check(scenario: ScenarioFile, settings: Settings = None) -> None:
    """Say whether a scenario is right, and how much it would run."""
    from analysis.curves import check_figure
    from simulator.scenario import load_study

    study = load_study(scenario, settings or [])
    points = study.points
    check_figure(study)
    replications = sum(point.scenario.replications for point in points)
    typer.echo(f"{scenario}: ok, {len(points)} points, {replications} replications")


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from simulator.scenario import scenario_json_schema

    typer.echo(json.dumps(scenario_json_schema(), indent=2))


@app.command(name="list")
def list_plugins() -> None:
    """List every plugin, family by family, and the agent profiles."""
    from simulator.scenario import REGISTRIES, profile_names

    for registry in REGISTRIES:
        typer.echo(f"{registry.family}: {', '.join(registry.names())}")
    typer.echo(f"profile: {', '.join(profile_names())}")


@app.command()
def run(
    scenario: ScenarioFile,
    settings: Settings = None,
    replications: Annotated[
        int | None, typer.Option("--replications", "-r", min=1, help="Instead of the scenario's.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Write the events of one replication (Parquet).")
    ] = None,
    replication: Annotated[int, typer.Option(min=0, help="Which replication --trace writes.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write a row a replication (Parquet).")] = None,
) -> None:
    """Run a scenario as it stands, without its sweep, and print what happened."""
    from simulator.cli import reports
    from simulator.scenario import load_study

    study = load_study(scenario, settings or [])
    if trace is not None:
        reports.run_with_trace(study.base, replication, trace)
    else:
        reports.run_and_summarise(study.base, replications, out)


@app.command()
def sweep(
    scenario: ScenarioFile,
    out: Annotated[Path, typer.Option(help="Directory for the results; resumed if it exists.")],
    settings: Settings = None,
    workers: Workers = 0,
) -> None:
    """Run every point of a sweep; interrupted, the same command goes on where it stopped."""
    from simulator.cli import reports
    from simulator.scenario import load_study

    reports.sweep(load_study(scenario, settings or []), out, workers)


@app.command()
def plot(
    directory: Annotated[Path, typer.Argument(help="Directory of a finished sweep.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to put scaling.png and .svg; DIRECTORY if absent.")
    ] = None,
) -> None:
    """Draw the scaling curves of a sweep over team size."""
    from simulator.cli import reports

    reports.plot(directory, out or directory)


@app.command()
def calibrate(
    directory: Annotated[Path, typer.Argument(help="Directory of real runs.")],
    out: Annotated[Path, typer.Option(help="Directory for the fitted scenarios.")],
) -> None:
    """Fit simulated agents to real runs: one scenario a cell, and a report of the fits."""
    from simulator.cli import reports

    reports.calibrate(directory, out)


@app.command()
def predict(
    directory: Annotated[Path, typer.Argument(help="What `teamsim calibrate` wrote.")],
    out: Annotated[Path, typer.Option(help="Table to write (Parquet).")],
    team_sizes: Annotated[
        list[int], typer.Option("--team-sizes", min=1, help="Team sizes to simulate.")
    ] = [1, 2, 3],  # noqa: B006 (Typer reads the default, nobody changes it)
    replications: Annotated[
        int, typer.Option("--replications", "-r", min=1, help="Replications a cell and size.")
    ] = 200,
    workers: Workers = 0,
    more_sizes: Annotated[
        list[int] | None, typer.Argument(help="Further team sizes.", metavar="[SIZE]...")
    ] = None,
) -> None:
    """Simulate calibrated teams of the given sizes: a row a simulated replication."""
    from simulator.cli import reports

    sizes = sorted({*team_sizes, *(more_sizes or [])})
    reports.predict(directory, out, sizes, replications, workers)


@app.command()
def validate(
    predictions: Annotated[Path, typer.Argument(help="Table that `teamsim predict` wrote.")],
    directory: Annotated[Path, typer.Argument(help="Directory of real runs.")],
) -> None:
    """Print real runs beside simulated ones, for each mode and team size."""
    from simulator.cli import reports

    reports.validate(predictions, directory)


def main() -> None:
    """Run the command line; a `TeamsimError` is one message and exit code 2."""
    try:
        app(standalone_mode=True)
    except TeamsimError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
