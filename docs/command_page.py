"""The page of the command line, from the signatures of the commands."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from typer.models import OptionInfo

from docs.markdown import cell, said, table


class Parameter(NamedTuple):
    """An argument or an option of a command."""

    names: tuple[str, ...]
    value: str
    default: str
    meaning: str
    is_option: bool
    is_required: bool


def commands() -> str:
    """Return the page of the command line."""
    from simulator.cli.main import app

    parts = [
        "# Command line\n",
        "An error that you can correct gives a message and exit code 2. Ctrl-C and signals give "
        "128 plus the number of the signal. `teamsim COMMAND --help` prints what stands here.\n",
    ]
    for command in app.registered_commands:
        function = command.callback
        assert function is not None
        name = command.name or function.__name__
        parameters = parameters_of(function)
        words = [f"teamsim {name}"]
        words += [each.names[0] for each in parameters if not each.is_option]
        words += [
            f"{each.names[0]} {each.value}"
            for each in parameters
            if each.is_option and each.is_required
        ]
        words += ["[OPTIONS]"] * any(each.is_option for each in parameters)
        parts.append(f"## teamsim {name}\n\n{said(function.__doc__ or '')}\n")
        parts.append(f"```text\n{' '.join(words)}\n```\n")
        rows = [
            [
                ", ".join(f"`{each}`" for each in parameter.names),
                parameter.value,
                "required" if parameter.is_required else parameter.default,
                cell(parameter.meaning),
            ]
            for parameter in sorted(parameters, key=lambda each: each.is_option)
        ]
        if rows:
            parts.append(table(["Argument or option", "Value", "Default", "Meaning"], rows))
    return "\n".join(parts)


def parameters_of(function: Callable[..., Any]) -> list[Parameter]:
    """Return the arguments and options of a command, in the order of its signature."""
    signature = inspect.signature(function, eval_str=True)
    return [_parameter(each) for each in signature.parameters.values()]


def _parameter(given: inspect.Parameter) -> Parameter:
    assert get_origin(given.annotation) is Annotated
    kind, info = get_args(given.annotation)
    is_option = isinstance(info, OptionInfo)
    is_required = given.default is inspect.Parameter.empty
    default = given.default
    shown = f"`{default:.3g}`" if isinstance(default, float) else f"`{default}`"
    if is_required or default in (None, False, ""):
        shown = ""
    inner = _inner(kind)
    word = info.metavar or ("" if inner is bool else _word(inner))
    value = " ".join([word, *_bounds(info)])
    if is_option:
        first = info.default if isinstance(info.default, str) else ""
        first = first or f"--{given.name.replace('_', '-')}"
        names = (first, *info.param_decls)
    else:
        name = str(info.metavar or given.name).upper()
        repeats = "..." * (get_origin(kind) is list and "..." not in name)
        names = (f"{name}{repeats}" if is_required or "[" in name else f"[{name}]{repeats}",)
        value = _word(inner)
    return Parameter(names, value, shown, info.help or "", is_option, is_required)


def _inner(kind: Any) -> Any:
    """Return the type of one value: of the elements of a list, and without None."""
    if get_origin(kind) in (Union, types.UnionType):
        (kind,) = (each for each in get_args(kind) if each is not type(None))
    return get_args(kind)[0] if get_origin(kind) is list else kind


def _word(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(f"`{each}`" for each in get_args(kind))
    return {"Path": "PATH", "int": "INTEGER", "float": "NUMBER", "str": "TEXT"}[kind.__name__]


def _bounds(info: Any) -> list[str]:
    bounds = [f"≥ {info.min:g}"] if info.min is not None else []
    return [*bounds, f"≤ {info.max:g}"] if info.max is not None and info.max < 1e9 else bounds
