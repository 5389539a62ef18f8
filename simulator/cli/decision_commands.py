"""The commands that help to decide: advice, causes, sensitivity, faults, pictures of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.json_output import AsJson
from simulator.cli.options import (
    Method,
    ScenarioFile,
    Seed,
    Settings,
    SweepDirectory,
    Workers,
    checked,
    options_named,
    path_in,
    ranges_in,
    refuse,
    sizes_in,
    with_seed,
)
from simulator.cli.quiet import Quiet
from simulator.documents import MOST_RUNS
from simulator.experiment.table_files import ENDINGS


def chaos(
    scenario: ScenarioFile,
    settings: Settings = None,
    replications: Annotated[
        int,
        typer.Option(
            "--replications", "-r", min=1, max=MOST_RUNS, help="Runs of each fault and pattern."
        ),
    ] = 30,
    out: Annotated[Path | None, typer.Option(help=f"Write the table ({ENDINGS}).")] = None,
    seed: Seed = None,
    workers: Workers = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a scenario under a battery of faults, with and without each of its patterns."""
    from simulator.cli import deciding
    from simulator.scenario import load_study

    base = load_study(scenario, with_seed(settings, seed)).base
    deciding.chaos(base, replications, out, workers, as_json)


def stack(
    scenario: ScenarioFile,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", parser=path_in, help="Directory for speedup_stack.png, .svg and .csv."
        ),
    ] = None,
    settings: Settings = None,
    replications: Annotated[
        int,
        typer.Option(
            "--replications", "-r", min=1, max=MOST_RUNS, help="Traced runs of each point."
        ),
    ] = 20,
    seed: Seed = None,
    workers: Workers = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show where the speed-up was lost: how much each cause takes, at every team size."""
    from simulator.cli import deciding
    from simulator.scenario import load_study

    study = load_study(scenario, with_seed(settings, seed))
    deciding.stack(study, replications, out, workers, as_json)


def timeline(
    scenario: ScenarioFile,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", parser=path_in, help="Directory for the picture and the two exports."
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="[FILE]",
            parser=path_in,
            help="Write a page that plays the replication: NAME-timeline.html, by the name of the "
            "scenario, if no file (.html) is given.",
        ),
    ] = None,
    settings: Settings = None,
    replication: Annotated[int, typer.Option(min=0, max=MOST_RUNS, help="The replication.")] = 0,
    messages: Annotated[bool, typer.Option("--messages", help="Mark messages too.")] = False,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Show what every agent did when: a picture, a page that plays it, exports for trace viewers.

    `--out` draws it, and writes it for Perfetto and as OpenTelemetry spans. `--html` writes one
    page that needs no network: agents, messages, board and costs as they were at each moment.
    """
    from simulator.cli import deciding
    from simulator.scenario import load_study

    if out is None and html is not None:
        refuse({"--messages": messages}, "--html shows them anyway; give --out for the picture")
    base = load_study(scenario, with_seed(settings, seed)).base
    deciding.timeline(base, replication, messages, out, html)


def sensitivity(
    scenario: ScenarioFile,
    vary: Annotated[
        list[str], typer.Option("--vary", metavar="PATH=LOW:HIGH", help="A number and its range.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", parser=path_in, help="Directory for sensitivity.png, .svg and .csv."
        ),
    ] = None,
    settings: Settings = None,
    metric: Annotated[str, typer.Option(help="Metric to explain.")] = "makespan_s",
    method: Annotated[Method, typer.Option(help="Screening, or shares of variance.")] = "morris",
    samples: Annotated[
        int,
        typer.Option(min=2, max=100_000, help="Trajectories, or base samples (a power of two)."),
    ] = 16,
    replications: Annotated[
        int, typer.Option("--replications", "-r", min=1, max=MOST_RUNS, help="Runs of each point.")
    ] = 10,
    seed: Seed = None,
    workers: Workers = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show which parameters of a scenario matter (Morris, Sobol)."""
    from simulator.cli import deciding
    from simulator.scenario import load_study

    base = load_study(scenario, with_seed(settings, seed)).base
    bounds = ranges_in(vary)
    deciding.sensitivity(base, bounds, metric, method, samples, replications, out, workers, as_json)


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
    out: Annotated[Path | None, typer.Option(help=f"Write the table ({ENDINGS}).")] = None,
    write: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the best scenario, with a comment that says why."),
    ] = None,
    seed: Seed = None,
    workers: Workers = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Advise whether a team is worth it, of what size and structure, and say how sure that is."""
    from analysis.decisions.advice import Wish
    from simulator.cli import deciding
    from simulator.scenario import load_study

    if not sizes.strip():
        raise typer.BadParameter(
            "team sizes are whole numbers from 1, as 1,2", param_hint="'--sizes'"
        )
    with options_named("usd_per_hour", "budget_usd", "min_quality", "indifference"):
        wish = Wish(usd_per_hour, budget_usd, min_quality, indifference=indifference)
        study = load_study(scenario, with_seed(settings, seed))
        wanted = deciding.AdviceWishes(wish, sizes_in(sizes), replications, out, write, as_json)
        return deciding.advise(study, wanted, workers)


def report(
    directory: SweepDirectory,
    out: Annotated[
        Path | None, typer.Option(help="The page (.html); report.html in DIRECTORY if absent.")
    ] = None,
    stacks: Annotated[
        int,
        typer.Option(
            min=0, max=MOST_RUNS, help="Traced runs of each point for the speed-up stacks."
        ),
    ] = 10,
    workers: Workers = 0,
    quiet: Quiet = False,
) -> None:
    """Write the report of a sweep: one HTML page that needs no network."""
    from simulator.cli import deciding

    deciding.report(directory, out, stacks, workers)


def explore(
    scenario: Annotated[
        Path | None,
        typer.Argument(
            help="Scenario to start from (YAML), or one that ships (teamsim scenarios).",
            metavar="[SCENARIO]",
        ),
    ] = None,
    settings: Settings = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of 127.0.0.1.")] = 8050,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Serve a page with sliders on this machine: the curves redraw as they move."""
    from simulator.cli import exploring
    from simulator.scenario import load_study

    study = None if scenario is None else load_study(scenario, with_seed(settings, seed))
    exploring.explore(study, port)
