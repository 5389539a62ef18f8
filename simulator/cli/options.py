"""Options that several commands have, and what users write into them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from simulator.documents import MOST_NUMBER
from simulator.errors import TeamsimError


def path_in(text: str) -> Path:
    """Return a path; the empty one, as of an unset variable, is not the current directory."""
    if not text.strip():
        raise typer.BadParameter("the path is empty")
    return Path(text)


@contextmanager
def options_named(*fields: str) -> Iterator[None]:
    """Say ``--budget-usd`` in errors that begin with the name of a field, ``budget_usd``.

    Raises
    ------
    TeamsimError
        That of the body.
    """
    try:
        yield
    except TeamsimError as error:
        said = str(error)
        for name in fields:
            if said.startswith((f"{name}:", f"{name} ")):
                option = "--" + name.replace("_", "-")
                raise TeamsimError(option + said.removeprefix(name)) from None
        raise


ScenarioFile = Annotated[
    Path,
    typer.Argument(
        help="Scenario file (YAML), or one that ships (`teamsim scenarios`).",
        metavar="SCENARIO",
        parser=path_in,
    ),
]
SweepDirectory = Annotated[
    Path,
    typer.Argument(help="Directory of a finished sweep.", metavar="DIRECTORY", parser=path_in),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a field, e.g. team.size=4."),
]
TraceFiles = Annotated[
    list[Path],
    typer.Argument(
        help="Files, directories or patterns of real runs; - for standard input.",
        metavar="TRACES",
        parser=path_in,
    ),
]
TraceFormat = Annotated[
    str, typer.Option("--format", help="Trace format; auto detects it (see `teamsim list`).")
]
TraceColumns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="OURS=THEIRS", help="Name of a column of a plain table."),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Fail if anything in the traces has to be left out: duplicates, placeholders for "
        "counts, rows or values with errors, files of no known format.",
    ),
]
NAMED_BY_SCENARIO = Path("SCENARIO-timeline.html")
"""What stands for the page of ``timeline --html`` where its name is left out."""
Method = Literal["morris", "sobol"]
Seed = Annotated[
    int | None,
    typer.Option("--seed", min=0, max=2**63 - 1, metavar="N", help="Root of all random numbers."),
]
Workers = Annotated[
    int,
    typer.Option("--workers", "-w", min=0, max=1024, help="Processes; 0 means one for each core."),
]


def with_seed(
    settings: list[str] | None, seed: int | None, replications: int | None = None
) -> list[str]:
    """Return settings, and one more for each of a seed and replications that the user has given."""
    given = {"seed": seed, "replications": replications}
    said = [f"{name}={value}" for name, value in given.items() if value is not None]
    return [*(settings or []), *said]


def refuse(given: Mapping[str, object], why: str) -> None:
    """Refuse options that would change nothing, rather than leave them out in silence.

    Parameters
    ----------
    given : mapping of str to object
        What the user has given for each, or nothing (None, 0, False or an empty list).
    why : str
        Why the option has no effect, after its name.

    Raises
    ------
    TeamsimError
        If one of them is given.
    """
    for option, value in given.items():
        if value:
            raise TeamsimError(f"{option}: {why}")


def with_optional_values(arguments: Sequence[str]) -> list[str]:
    """Return arguments with the value that ``timeline --html`` may leave out.

    Typer has no options whose value is optional. What follows is no page, but the scenario, if it
    is YAML or one that ships.
    """
    found = list(arguments)
    if found[:1] != ["timeline"]:
        return found
    for i, (each, following) in enumerate(zip(found, [*found[1:], "-"], strict=True)):
        if each == "--":
            break
        if each == "--html" and (following.startswith("-") or _is_scenario(following)):
            found[i] = f"--html={NAMED_BY_SCENARIO}"
    return found


def _is_scenario(text: str) -> bool:
    from simulator.scenario.shipped import scenario_names

    return Path(text).suffix.lower() in (".yaml", ".yml") or text in scenario_names()


def sizes_in(text: str) -> list[int]:
    """Return the team sizes in a comma-separated list."""
    try:
        sizes = [int(part) for part in text.replace(",", " ").split()]
    except ValueError:
        sizes = [0]
    if any(size < 1 for size in sizes):
        raise TeamsimError(f"{text!r}: team sizes are whole numbers from 1, as 1,2")
    return sorted(set(sizes))


def range_in(setting: str) -> tuple[str, tuple[float, float]]:
    """Return the path and the range in PATH=LOW:HIGH."""
    path, equals, ends = setting.partition("=")
    low, colon, high = ends.partition(":")
    try:
        if not (path and equals and colon):
            raise ValueError
        return path, (checked(float(low)), checked(float(high)))
    except ValueError:
        raise TeamsimError(
            f"--vary {setting}: a range is PATH=LOW:HIGH, as team.agent.speed=0.5:2"
        ) from None


def ranges_in(settings: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the ranges of several PATH=LOW:HIGH, each path once."""
    ranges: dict[str, tuple[float, float]] = {}
    for setting in settings:
        path, ends = range_in(setting)
        if path in ranges:
            raise TeamsimError(f"--vary {setting}: {path} has a range already")
        ranges[path] = ends
    return ranges


def checked(value: float | None) -> Any:
    """Return the number of an option; raise an error if it is infinite or not a number."""
    if value is not None and not abs(value) <= MOST_NUMBER:
        raise typer.BadParameter(f"{value} is no number up to {MOST_NUMBER:g}")
    return value


def columns_in(settings: list[str]) -> dict[str, str]:
    """Return the column map of a plain table."""
    columns = {}
    for setting in settings:
        ours, equals, theirs = setting.partition("=")
        if not (ours and equals and theirs):
            raise TeamsimError(
                f"--column {setting}: a column is OURS=THEIRS, as duration_s=latency"
            )
        columns[ours] = theirs
    return columns
