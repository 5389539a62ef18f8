"""How commands end: well, or with one message about an error that the user can correct."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import typer

from simulator.cli.harmless import complain, flush_output
from simulator.cli.quiet import is_quiet
from simulator.errors import TeamsimError, TeamsimWarning

_UsageError: Any = typer.BadParameter.__base__
"""Exceptions of Typer's own copy of click, or of click itself, depending on its version."""

_EXTRAS = {
    "SALib": "sensitivity",
    "dash": "explore",
    "flask": "explore",
    "google": "timeline",
    "jinja2": "report",
    "opentelemetry": "timeline",
    "plotly": "report",
    "werkzeug": "explore",
}
"""Optional packages, and the command that installs each."""


def answered(command: Callable[[], int | None]) -> int:
    """Run a command and return its exit code: 2 after an error that the user can correct."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", TeamsimWarning)
        warnings.showwarning = _print_warning
        try:
            code = command() or 0
            flush_output()
            return code
        except TeamsimError as error:
            complain(f"error: {error}")
        except _UsageError as error:
            usage = error.ctx.get_usage() if error.ctx else ""
            complain(f"error: {_in_plain_words(error.format_message())}\n{usage}")
        except ModuleNotFoundError as error:
            missing = str(error.name).partition(".")[0]
            if missing not in _EXTRAS:
                raise
            extra = f"llm-teamsim[{_EXTRAS[missing]}]"
            complain(f"error: this command needs {missing}: pip install '{extra}'")
        except OSError as error:  # a disk that is full or read-only, a file of somebody else
            where = f"{error.filename}: " if error.filename else ""
            complain(f"error: {where}{error.strerror or error}")
    return 2


def _in_plain_words(message: str) -> str:
    """Return what Typer says of an option, without sentences that pydantic has for programs."""
    message = message.replace(": Input should", ": should").replace(": Value error, ", ": ")
    return message.partition(", unable to parse")[0]


def _print_warning(
    message: Warning | str, category: type[Warning], *where: Any, **more: Any
) -> None:
    if is_quiet() and issubclass(category, TeamsimWarning):
        return
    named = "note" if issubclass(category, TeamsimWarning) else category.__name__
    complain(f"{named}: {message}")
