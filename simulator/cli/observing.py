"""What ``observe`` does and prints: what happened in traces of a team, its twin, next commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from simulator.cli.harmless import WIDTH, complain, print_whole, say
from simulator.cli.json_output import as_json as result_as_json
from simulator.cli.options import (
    Seed,
    Strict,
    TraceColumns,
    TraceFiles,
    TraceFormat,
    columns_in,
    path_in,
)
from simulator.cli.quiet import Quiet
from simulator.documents import MOST_RUNS


@dataclass(frozen=True)
class Wanted:
    """The options that the user has given."""

    sessions: Sequence[str] = field(default_factory=tuple)
    since: str = ""
    agents: Sequence[str] = field(default_factory=tuple)
    models: Sequence[str] = field(default_factory=tuple)
    anonymise: bool = False
    as_json: bool = False
    replications: int = 200
    seed: int | None = None
    strict: bool = False


def observe(
    traces: TraceFiles,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Directory for the twin, tables and pictures; not needed with --json.",
            metavar="PATH",
            parser=path_in,
        ),
    ] = None,
    form: TraceFormat = "auto",
    column: TraceColumns = None,
    session: Annotated[
        list[str] | None, typer.Option("--session", help="Only this run, or session of a member.")
    ] = None,
    since: Annotated[
        str, typer.Option(help="Only runs that began then or later, as 2026-03-01 (UTC).")
    ] = "",
    agent: Annotated[
        list[str] | None, typer.Option("--agent", help="Only this agent, by name or id.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option("--model", help="Only this model.")] = None,
    anonymise: Annotated[
        bool,
        typer.Option(
            "--anonymise",
            help="Replace names by neutral ones in all that is written and printed, errors apart.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was found as JSON, in place of the summary.")
    ] = False,
    replications: Annotated[
        int, typer.Option("--replications", "-r", min=2, max=MOST_RUNS, help="Runs of the twin.")
    ] = 200,
    seed: Seed = None,
    strict: Strict = False,
    quiet: Quiet = False,
) -> None:
    """Show what happened in traces of a team, and make its twin: a scenario to sweep."""
    wanted = Wanted(
        session or (),
        since,
        agent or (),
        model or (),
        anonymise,
        as_json,
        replications,
        seed,
        strict,
    )
    run(traces, out, form, columns_in(column or []), wanted)


def run(
    paths: Sequence[Path], out: Path | None, form: str, columns: dict[str, str], wanted: Wanted
) -> None:
    """Observe traces, print the findings, and write them and the twin into a directory.

    Raises
    ------
    TeamsimError
        If there is no directory and no JSON is wanted, if the traces cannot be read, if they lack
        what is asked for, or if `out` cannot be written.
    """
    from analysis.observation.findings import findings
    from analysis.observation.neutral_names import anonymised
    from analysis.observation.observe import observe as look
    from analysis.observation.selection import Choice, choose, since_ns
    from analysis.observation.twin import twin_name
    from simulator.cli.interrupts import when_interrupted
    from simulator.cli.reading import traces_of
    from simulator.cli.terminal import progress_bar
    from simulator.errors import TeamsimError

    if out is None and not wanted.as_json:
        raise TeamsimError("give --out DIRECTORY for the twin, tables and pictures, or --json")
    if out is not None and out.exists() and not out.is_dir():
        raise TeamsimError(f"--out {out}: it is a file; give a directory")
    if wanted.since:
        since_ns(wanted.since)
    with (
        nullcontext() if out is None else when_interrupted(f"what is in {out} may be incomplete"),
        traces_of(paths, form, columns, wanted.strict, complain, not wanted.anonymise) as traces,
    ):
        chosen = choose(traces, Choice(wanted.sessions, wanted.since, wanted.agents, wanted.models))
        source = _source(paths)
        if wanted.anonymise:
            chosen, source = anonymised(chosen), "traces"
        with nullcontext() if out is None else _writable(out):
            seed = 1 if wanted.seed is None else wanted.seed
            found = look(chosen, twin_name(source), wanted.replications, progress_bar, seed)
        values = findings(found, out)
        said = result_as_json("observe", values, found.twin.scenario)
        if out is not None:
            _write(found, out, source)
            (out / "summary.json").write_text(said + "\n", encoding="utf-8")
        if wanted.as_json or out is None:
            print_whole(said)
        else:
            _summarise(values, out)


def _source(paths: Sequence[Path]) -> str:
    names = ["standard input" if str(p) == "-" else p.resolve().name for p in paths]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    """Make the directory, and check, before the work is done, that it can be written into."""
    from simulator.cli.terminal import directory_for
    from simulator.errors import TeamsimError

    with directory_for(out):
        probe = out / ".writable"
        try:
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise TeamsimError(f"{out} cannot be written: {error.strerror}") from None
        yield


def _write(found: Any, out: Path, source: str) -> None:
    from analysis.observation.writing import write_tables, write_team
    from analysis.plots import save
    from analysis.plots.observed import observed_figure, observed_title
    from analysis.plots.twin import twin_figure
    from simulator.version import __version__

    write_team(found, out / "team.yaml", source, __version__)
    write_tables(found, out / "tables")
    save(observed_figure(found, observed_title(found, source)), out / "observed")
    save(twin_figure(found.comparison, "Is the twin like the original?"), out / "twin")


def _summarise(values: dict[str, Any], out: Path) -> None:
    """Print the summary: misfits of the twin, what happened, the comparison, next commands."""
    for line in summary_lines(values, out):
        say(line)


def summary_lines(values: dict[str, Any], out: Path) -> list[str]:
    """Return the summary; only commands and paths may be wider than `WIDTH`."""
    from analysis.observation.summary import summary

    return [*summary(values, WIDTH), "", f"team.yaml, observed.png, twin.png, tables in {out}"]
