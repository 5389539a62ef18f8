"""The commands that read real runs: calibrate, predict, validate, backtest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.json_output import AsJson
from simulator.cli.options import (
    Strict,
    TraceColumns,
    TraceFiles,
    TraceFormat,
    Workers,
    checked,
    columns_in,
    path_in,
    refuse,
    sizes_in,
)
from simulator.cli.quiet import Quiet
from simulator.documents import MOST_RUNS

MOST_DRAWS = 10_000
"""Most draws of a request."""

_NO_TABLE = "this is not a table of runs"

TeamSizes = Annotated[
    list[int] | None,
    typer.Option(
        "--team-sizes", "--n", min=1, help="Team sizes; 1, 2, 3, or those of a table of runs."
    ),
]
Like = Annotated[
    Path | None,
    typer.Option(
        help="For tables of runs: a calibration of team runs whose agents stand in for those of "
        "the table; those that ship if absent."
    ),
]
Meaning = Annotated[
    list[str] | None,
    typer.Option(
        "--protocol",
        metavar="NAME=KIND",
        help="For tables of runs: what a protocol in the table is here, as theirs=pre_assigned.",
    ),
]
PredictionSeed = Annotated[
    int,
    typer.Option("--seed", min=0, max=10**9, metavar="N", help="Root of all random numbers."),
]
Sizes = Annotated[list[int] | None, typer.Argument(help="Further team sizes.", metavar="[SIZE]...")]


def calibrate(
    traces: TraceFiles,
    out: Annotated[
        Path, typer.Option(metavar="PATH", parser=path_in, help="Directory for the fits.")
    ],
    form: TraceFormat = "auto",
    column: TraceColumns = None,
    team_sizes: Annotated[
        str,
        typer.Option("--team-sizes", help="Use only runs of these team sizes (a pilot), as 1,2."),
    ] = "",
    holdout: Annotated[
        float,
        typer.Option(
            callback=checked,
            min=0.0,
            max=0.9,
            help="Share of the sessions held out to check fits to single calls.",
        ),
    ] = 1 / 3,
    source: Annotated[
        str, typer.Option(help="Source to name in the profiles; the paths' names if absent.")
    ] = "",
    max_rounds: Annotated[
        int | None,
        typer.Option(
            min=1, help="Rounds after which team runs were given up, where they do not say it."
        ),
    ] = None,
    protocol: Meaning = None,
    like: Like = None,
    workers: Workers = 0,
    strict: Strict = False,
    quiet: Quiet = False,
) -> None:
    """Fit simulated agents to real runs: profiles, scenarios, and how good the fits are."""
    from analysis.traces.run_tables import is_run_table

    columns = columns_in(column or [])
    if len(traces) == 1 and is_run_table(traces[0], columns):
        from simulator.cli import fitting_runs

        refuse({"--source": source, "--strict": strict}, "this is a table of runs")
        fitting_runs.calibrate(
            traces[0],
            out,
            columns,
            sizes_in(team_sizes),
            fitting_runs.meant_by(protocol or []),
            like,
            workers,
            max_rounds,
        )
        return
    refuse({"--protocol": protocol, "--like": like}, _NO_TABLE)
    from simulator.cli import fitting

    fitting.calibrate(
        traces,
        out,
        form,
        columns,
        sizes_in(team_sizes),
        holdout,
        source,
        workers,
        strict,
        max_rounds,
    )


def predict(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIRECTORY", parser=path_in, help="Directory that `teamsim calibrate` wrote."
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="PATH", parser=path_in, help="Table to write (.parquet).")
    ],
    team_sizes: TeamSizes = None,
    replications: Annotated[
        int,
        typer.Option(
            "--replications", "-r", min=1, max=MOST_RUNS, help="Replications of each cell and size."
        ),
    ] = 400,
    topology: Annotated[
        str | None, typer.Option(help="Another topology than the pilot's: a name, YAML, or a file.")
    ] = None,
    protocol: Annotated[str | None, typer.Option(help="Another protocol than the pilot's.")] = None,
    workload: Annotated[str | None, typer.Option(help="Another workload than the pilot's.")] = None,
    max_rounds: Annotated[
        int | None,
        typer.Option(min=1, help="Rounds after which a run is given up."),
    ] = None,
    teams: Annotated[
        Path | None,
        typer.Option(
            help="Predict only the teams of a table (CSV, Parquet) with the columns model_dir, "
            "mode, task_type, p_label, n_teammates and, if they differ, max_rounds."
        ),
    ] = None,
    workers: Workers = 0,
    requests: Annotated[
        Path | None,
        typer.Option(
            help="Predict requests instead: a table (CSV, Parquet) with the columns request, "
            "model, context_tokens and, if known, turns."
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option(min=1, max=MOST_DRAWS, help="Draws of each request of --requests.")
    ] = 200,
    more_sizes: Sizes = None,
    seed: PredictionSeed = 0,
    quiet: Quiet = False,
) -> None:
    """Predict calibrated teams, also of sizes never run, or requests; write a row for each run."""
    if requests is not None:
        from simulator.cli import predicting

        of_teams = {
            "--team-sizes": team_sizes or more_sizes,
            "--topology": topology,
            "--protocol": protocol,
            "--workload": workload,
            "--max-rounds": max_rounds,
            "--teams": teams,
        }
        refuse(of_teams, "requests of --requests are predicted without teams")
        predicting.predict(directory, requests, out, draws, seed)
        return
    from analysis.calibration.run_file import holds_run_fits
    from simulator.cli.ahead import processes_for
    from simulator.late import be_late

    sizes = sorted({*(team_sizes or []), *(more_sizes or [])})
    if holds_run_fits(directory):
        of_cells = {"--workload": workload, "--teams": teams}
        refuse(of_cells, f"{directory} is fitted to a table of runs")
        from simulator.cli import fitting_runs

        fitting_runs.predict(
            directory, out, sizes, replications, workers, topology, protocol, max_rounds, seed
        )
        return
    if teams is not None:
        refuse({"--team-sizes": sizes}, "--teams says the sizes")
    sizes = sizes or [1, 2, 3]
    cells = len(list(directory.glob("*.yaml"))) if teams is None else 0
    with processes_for(replications * len(sizes) * cells, workers) as pool:
        be_late("pandas")  # imported while others simulate
        from simulator.cli import predicting_teams

        predicting_teams.predict(
            directory,
            out,
            sizes,
            replications,
            pool,
            topology,
            protocol,
            workload,
            teams,
            max_rounds,
            seed,
        )


def validate(
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS", parser=path_in, help="Table that `teamsim predict` wrote."
        ),
    ],
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="TRACES",
            parser=path_in,
            help="Directory of real runs, or a table; for requests, traces or a table.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Directory for validation.png and .csv; the table's if absent."),
    ] = None,
    column: TraceColumns = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Score predictions against real runs, beside baselines and running it again."""
    from analysis.validation.run_prediction import is_of_totals
    from simulator.cli import fitting, fitting_runs, predicting
    from simulator.experiment.table_files import check_directory_name

    if out is not None:
        check_directory_name(out)
    if is_of_totals(predictions):
        columns = columns_in(column or [])
        fitting_runs.validate(predictions, directory, columns, out, as_json)
        return
    refuse({"--column": column}, "this is not a prediction of a table of runs")
    if predicting.is_of_requests(predictions):
        predicting.validate(predictions, directory, out, as_json)
        return

    fitting.validate_predictions(predictions, directory, out, as_json)


def backtest(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="TRACES",
            parser=path_in,
            help="Directory of real team runs, or a table of runs.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="PATH", parser=path_in, help="Directory for all results.")
    ],
    pilot: Annotated[
        str,
        typer.Option(
            help="Team sizes to calibrate on, as 1,2; of a table of runs, or its protocols."
        ),
    ] = "1,2",
    target: Annotated[
        str, typer.Option(help="Team sizes to predict, as 3; of a table of runs, or its protocols.")
    ] = "3",
    replications: Annotated[
        int,
        typer.Option(
            "--replications", "-r", min=1, max=MOST_RUNS, help="Replications of each cell and size."
        ),
    ] = 400,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="Score the predictions without a part of the model, too, as forgetting; 'each' "
            "for all, one at a time.",
        ),
    ] = None,
    task_list: Annotated[
        str | None,
        typer.Option(
            "--list",
            metavar="NAME",
            help="Use the runs on this task list only, as `task_type` says.",
        ),
    ] = None,
    column: TraceColumns = None,
    protocol: Meaning = None,
    like: Like = None,
    seed: PredictionSeed = 0,
    workers: Workers = 0,
    quiet: Quiet = False,
) -> None:
    """Calibrate on the small teams of a data set, predict its larger ones, and score that."""
    from analysis.traces.run_tables import is_run_table

    columns = columns_in(column or [])
    if is_run_table(directory, columns):
        from simulator.cli import fitting_runs

        refuse({"--without": without}, "a table of runs has no parts to leave out")
        refuse({"--list": task_list}, "this is a table of runs")
        meant = fitting_runs.meant_by(protocol or [])
        fitting_runs.backtest(
            directory, out, columns, pilot, target, meant, like, replications, workers, seed
        )
        return
    refuse({"--column": column, "--protocol": protocol, "--like": like}, _NO_TABLE)
    from simulator.cli import fitting

    fitting.backtest(
        directory,
        out,
        sizes_in(pilot),
        sizes_in(target),
        replications,
        workers,
        without or [],
        seed,
        task_list,
    )
