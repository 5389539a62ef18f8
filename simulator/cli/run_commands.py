"""The commands that run scenarios and draw what came out: run, sweep, plot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.json_output import AsJson
from simulator.cli.options import (
    ScenarioFile,
    Seed,
    Settings,
    SweepDirectory,
    Workers,
    path_in,
    refuse,
    with_seed,
)
from simulator.cli.quiet import Quiet
from simulator.documents import MOST_RUNS
from simulator.experiment.table_files import ENDINGS

Replications = Annotated[
    int | None,
    typer.Option(
        "--replications",
        "-r",
        min=1,
        max=MOST_RUNS,
        metavar="N",
        help="Replications, instead of the scenario's.",
    ),
]


def run(
    scenario: ScenarioFile,
    settings: Settings = None,
    replications: Replications = None,
    seed: Seed = None,
    workers: Workers = 1,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            "--expect",
            metavar="EXPECTATION",
            help="What must hold, beside the scenario's 'expect' (see above).",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit with 1 also if an expectation is not resolved.",
        ),
    ] = False,
    trace: Annotated[
        Path | None,
        typer.Option(help=f"Write the events of one replication ({ENDINGS})."),
    ] = None,
    replication: Annotated[
        int, typer.Option(min=0, max=MOST_RUNS, help="Replication that --trace writes.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help=f"Table of replications ({ENDINGS}).")] = None,
    steady: Annotated[
        bool, typer.Option("--steady", help="Print waits after the warm-up (MSER-5).")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Run a scenario as it stands, without its sweep, and print what happened.

    What must hold is said as METRIC.STATISTIC, one of < <= > >=, and a number: 'makespan_s.p95 <
    600', 'cost_usd.mean <= 2', 'success.rate > 0.9'. Statistics are mean, median, percentiles such
    as p95, min and max; success has a rate.

    An expectation fails if its 95 % interval lies wholly on the wrong side, and the exit code is
    then 1. It is not resolved if the bound lies within the interval. That is no error without
    --strict, since too few runs are no evidence against a team; how many would resolve it is said.

    How long a run takes that did not finish is not known: median, percentiles and max count it as
    never, min leaves it out, and the mean is the time to success, failed runs started again.
    """
    from simulator.cli import running
    from simulator.scenario import load_study

    if steady or trace is not None:
        of_all = {
            "--expect": expect,
            "--strict": strict,
            "--json": as_json,
            "--out": out,
            "--workers": workers != 1,
        }
        if steady:
            refuse(of_all | {"--trace": trace}, "--steady goes without it")
        else:
            refuse(of_all | {"--replications": replications}, "--trace is of one run, without it")
    if trace is None:
        refuse({"--replication": replication}, "give --trace, which writes that replication")
    study = load_study(scenario, with_seed(settings, seed))
    if steady:
        running.run_to_steady_state(study.base, replications)
    elif trace is not None:
        running.run_with_trace(study.base, replication, trace)
    else:
        wanted = running.RunWishes(replications, out, expect or (), strict, as_json, workers)
        return running.run_and_summarise(study.base, wanted)
    return 0


def sweep(
    out: Annotated[
        Path,
        typer.Option(
            metavar="PATH", parser=path_in, help="Directory for the results; resumed if it exists."
        ),
    ],
    scenario: Annotated[
        Path | None,
        typer.Argument(
            help="Scenario file (YAML), or one that ships (`teamsim scenarios`).",
            metavar="[SCENARIO]",
        ),
    ] = None,
    again: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIRECTORY",
            help="Run again what made the results in a directory, in place of a scenario.",
        ),
    ] = None,
    settings: Settings = None,
    replications: Replications = None,
    seed: Seed = None,
    workers: Workers = 0,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on a dask cluster, e.g. tcp://10.0.0.1:8786."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Run every point of a sweep; after an interruption, the same command resumes it."""
    from simulator.cli import running
    from simulator.errors import TeamsimError
    from simulator.scenario import load_study

    if (scenario is None) == (again is None):
        raise TeamsimError(
            "give a scenario, or --from a directory of results"
            + ("" if scenario is None else ", not both")
        )
    if again is not None:
        refuse({"--set": settings}, "it goes with a scenario; --from runs again what was run")
    if dask is not None:
        refuse({"--workers": workers}, "the cluster of --dask says how many")
    if scenario is not None:
        study = load_study(scenario, with_seed(settings, seed, replications))
    else:
        study = running.study_again(again or Path(), seed, replications)
    running.sweep(study, out, workers, dask)


def plot(
    directory: SweepDirectory,
    x: Annotated[
        str, typer.Option("--x", metavar="FIELD", help="Swept field of the horizontal axis.")
    ] = "",
    y: Annotated[
        list[str] | None,
        typer.Option("--y", metavar="METRIC", help="Metric of a panel; may be given again."),
    ] = None,
    series: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD",
            help="Swept field that names the lines; may be given again. All others if absent.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            parser=path_in,
            help="Directory for the picture (.png and .svg), DIRECTORY if absent; or the name of "
            "the only file to write.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Draw a sweep: the picture that its scenario or the options ask for, or scaling curves."""
    from simulator.cli import running

    running.plot(directory, out or directory, x, y or [], series or [])


def compare(
    teams: Annotated[
        list[str],
        typer.Argument(
            help="Two scenarios or more, or directories of results (DIRECTORY:POINT if a sweep "
            "has several points); the others are compared with the first.",
            metavar="TEAM TEAM...",
        ),
    ],
    settings: Settings = None,
    replications: Annotated[
        int | None,
        typer.Option(
            "--replications",
            "-r",
            min=2,
            max=MOST_RUNS,
            metavar="N",
            help="Runs of each team, the first ones of those that have been run; the most that any "
            "of them says if absent.",
        ),
    ] = None,
    seed: Seed = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", parser=path_in, help="Directory for comparison.png, .svg and .csv."
        ),
    ] = None,
    workers: Workers = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare teams: which is faster, cheaper, better, and how sure that is.

    Scenarios are run as they stand, all with the seed of the first (or of the first directory, or
    --seed), so that luck is the same for all. --set holds for all scenarios; what was run before
    stays as it is.
    """
    from simulator.cli import comparing

    comparing.compare(teams, settings or [], replications, seed, out, workers, as_json)
