"""``teamsim``: the commands, and how errors reach the user.

Commands import what they need when they run, so that ``teamsim --help`` does not wait for scipy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from simulator.cli.answers import answered
from simulator.cli.calibration_commands import backtest, calibrate, predict, validate
from simulator.cli.checking import check
from simulator.cli.decision_commands import (
    advise,
    chaos,
    explore,
    report,
    sensitivity,
    stack,
    timeline,
)
from simulator.cli.harmless import print_whole, say, say_words
from simulator.cli.interrupts import run_until_signal
from simulator.cli.observing import observe
from simulator.cli.options import with_optional_values
from simulator.cli.quiet import Quiet
from simulator.cli.run_commands import compare, plot, run, sweep
from simulator.cli.starting import new, scenarios
from simulator.garbage import search_seldom


def schema(quiet: Quiet = False) -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from simulator.scenario.schema_text import scenario_schema_text

    print_whole(scenario_schema_text())


def list_plugins(quiet: Quiet = False) -> None:
    """List every plugin, family by family, and the agent profiles."""
    from analysis.traces.reader import READERS
    from simulator.scenario import REGISTRIES, profile_names

    for registry in (*REGISTRIES, READERS):
        say_words(f"{registry.family}: {', '.join(registry.names())}")
    say_words(f"profile: {', '.join(profile_names())}")


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from simulator.cli.build import program

        say(program())
        raise typer.Exit


def teamsim(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version, the build and that of Python.",
        ),
    ] = False,
) -> None:
    """Simulate teams of LLM agents before paying for real ones."""


_COMMANDS: Sequence[tuple[str, Sequence[Callable[..., Any]]]] = (
    ("Write and check scenarios", (new, scenarios, check, schema, list_plugins)),
    ("Run them", (run, compare, sweep, plot, report)),
    ("Decide", (advise, stack, sensitivity, chaos, timeline, explore)),
    ("From real runs", (observe, calibrate, predict, validate, backtest)),
)
"""The commands by what they are for, as the help shows them."""


def _name_of(command: Callable[..., Any]) -> str:
    return "list" if command is list_plugins else command.__name__


def program_of(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the program with all its commands, or with the one that arguments begin with.

    Typer looks at the options of every command that there is, whichever is run: 40 ms for all.
    """
    app = typer.Typer(
        name="teamsim",
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",  # lines of a paragraph are filled
    )
    app.callback()(teamsim)
    all_of_them = {_name_of(each): (each, panel) for panel, some in _COMMANDS for each in some}
    first = arguments[0] if arguments else ""
    asked = {first: all_of_them[first]} if first in all_of_them else all_of_them
    for name, (command, panel) in asked.items():
        app.command(name=name, rich_help_panel=panel)(command)
    return app


app = program_of()


def main() -> None:
    """Run the command line; an error that the user can correct gives a message and exit code 2."""
    search_seldom()

    def run() -> int | None:
        arguments = with_optional_values(sys.argv[1:]) or ["--help"]
        code: int | None = program_of(arguments)(arguments, standalone_mode=False)
        return code

    sys.exit(answered(run))


if __name__ == "__main__":
    run_until_signal(main)
