"""The commands to start from: new writes a scenario, scenarios lists those that ship."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.harmless import WIDTH, say
from simulator.cli.quiet import Quiet, tell

_DEFAULT = "peers"

_LEAST_ROOM = 22
"""Columns for questions, however narrow the terminal is."""


def new(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"A template and the file to write; only the file means {_DEFAULT}.",
            metavar="[TEMPLATE] FILE",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
    quiet: Quiet = False,
) -> None:
    """Write a commented scenario to start from; without arguments, list the templates."""
    from simulator.errors import TeamsimError
    from simulator.scenario.shipped import TEMPLATES, names_in

    if not names:
        say("Templates, each with the question it asks:")
        for line in _questions(TEMPLATES, names_in(TEMPLATES)):
            say(line)
        tell("teamsim new TEMPLATE FILE writes one, for example: teamsim new peers mine.yaml")
        return
    if len(names) > 2:
        raise TeamsimError(f"{len(names)} names given: teamsim new TEMPLATE FILE, in this order")
    template, path = (names[0], Path(names[1])) if names[1:] else (_DEFAULT, Path(names[0]))
    _write(template, path, force)
    tell(f"{path}, made from the template {template}. Change its numbers, then:")
    tell(f"  teamsim run {path}")
    tell(f"  teamsim sweep {path} --out out/{path.stem} && teamsim plot out/{path.stem}")


def _write(template: str, path: Path, force: bool) -> None:
    """Write a template, named after the file.

    Raises
    ------
    TeamsimError
        If there is no such template, or the file exists or cannot be written.
    """
    from simulator.cli.terminal import check_writable
    from simulator.errors import TeamsimError, unknown_name
    from simulator.scenario.shipped import TEMPLATES, names_in
    from simulator.scenario.writing import scenario_name

    known = names_in(TEMPLATES)
    if template not in known:
        raise TeamsimError(unknown_name("template", template, known))
    if path.suffix not in (".yaml", ".yml"):
        hint = f": teamsim new {path} {path}.yaml" if str(path) in known else ""
        raise TeamsimError(f"{path}: a scenario is a file that ends in .yaml{hint}")
    check_writable(path)
    if path.exists() and not force:
        raise TeamsimError(f"{path} exists: give another name, or --force to write over it")
    text = (TEMPLATES / f"{template}.yaml").read_text("utf-8")
    name = scenario_name(path.stem, template)
    path.write_text(re.sub(r"(?m)^name: .*$", f"name: {name}", text, count=1), "utf-8")


def scenarios(quiet: Quiet = False) -> None:
    """List the scenarios that ship, each with the question it asks."""
    from simulator.scenario.shipped import scenario_directory, scenario_names

    for line in _questions(scenario_directory(), scenario_names()):
        say(line)
    tell("")
    tell("By name from anywhere: teamsim run quickstart")
    tell("Each has its answer in its file, in:")
    tell(scenario_directory())


def _questions(directory: Path, names: Sequence[str]) -> Iterator[str]:
    """Yield each scenario: its name, and its question beside it, in lines that fit."""
    from simulator.scenario.source import Source

    widest = max(map(len, names), default=0)
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    for name in names:
        question = str(Source.read(directory / f"{name}.yaml").data.get("question", ""))
        yield from textwrap.wrap(
            f"{name:{widest}}  {question}",
            max(columns, widest + _LEAST_ROOM),
            subsequent_indent=" " * (widest + 2),
            break_on_hyphens=False,
        )
