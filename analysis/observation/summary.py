"""The findings as lines for a terminal: first the misfits of the twin, then what happened."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analysis.observation.findings import named_kind
from analysis.statistics.ranges import few_for_range
from simulator.words import counted, percent

_NAMES = {
    "makespan_s": "makespan, s",
    "cost_usd": "cost, USD",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "calls": "calls of models",
    "turns": "turns that ask for tools",
    "tool_calls": "calls of tools",
    "agents": "agents",
    "peak": "most at work at once",
    "failed_calls": "failed calls",
    "retries": "retries",
    "tool_errors": "errors of tools",
}
_ALWAYS = ("makespan_s", "cost_usd", "input_tokens", "output_tokens", "calls", "agents")
_FEW_RUNS = 5
"""Runs below which the median of what the twin is made of tests nothing."""

_MOST = 5
"""Most lines of a list."""


def summary(found: Mapping[str, Any], width: int) -> list[str]:
    """Return the summary of what `analysis.observation.findings.findings` returns.

    Parameters
    ----------
    found : mapping
    width : int
        Columns of the terminal; commands may be wider.
    """
    lines: list[str] = []
    for part in (_misfits, _structure, _runs, _time, _twin, _missing):
        lines += [*part(found, width), ""]
    return [*lines, "What now:", *(f"  {command}" for command in found["next"])]


def _misfits(found: Mapping[str, Any], width: int) -> Iterator[str]:
    off = [row for row in found["comparison"] if not row["fits"]]
    twin = found["twin"]
    if twin["runs"] < twin["of_runs"]:
        yield from textwrap.wrap(
            f"The twin stands for {twin['runs']:,} of {twin['of_runs']:,} runs, with "
            f"{percent(twin['of_time'])} of their time: the others have another structure and "
            "are not in it.",
            width,
            subsequent_indent="  ",
        )
    if not off:
        yield "The twin fits: each observed median is in its simulated 80 % interval."
        if twin["runs"] < _FEW_RUNS:
            few = "one run" if twin["runs"] == 1 else f"{twin['runs']} runs"
            yield f"  It was made of {few}, and could hardly do otherwise: more runs would test it."
        return
    yield "What does not fit (observed median, simulated 80 % interval):"
    for row in off:
        interval = f"{_value(row, 'low')} to {_value(row, 'high')}"
        is_within = row["low"] <= row["observed"] <= row["high"]
        instead = f"far from {_value(row, 'median')} in the middle of " if is_within else "not "
        said = f"{row['name']}: {_value(row, 'observed')}, {instead}{interval}: {row['reason']}"
        yield from textwrap.wrap(said, width, initial_indent="  ", subsequent_indent="    ")


def _value(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    return percent(value) if row["unit"] == "share" else number(value)


def _structure(found: Mapping[str, Any], width: int) -> Iterator[str]:
    said = found["structure"]
    kind = named_kind(said["kind"], said["in_turn"])
    if said["lead"]:
        kind += f", lead: {said['lead']}"
    if said["stages"]:
        kind += f": {' > '.join(said['stages'])}"
    yield from textwrap.wrap(
        f"Structure: {kind}{', in rounds' * said['in_rounds']} (confidence "
        f"{said['confidence']:.2f}: {said['agreeing']} of {said['runs']} runs, from "
        f"{said['evidence']})",
        width,
        subsequent_indent="  ",
    )
    for what, name in (("started", "started"), ("told", "told")):
        pairs = sorted(found[what], key=lambda row: -row["times"])
        for row in pairs[:_MOST]:
            yield _cut(f"  {row['from']} {name} {row['to']}: {row['times']:,} times", width)
    for note in found["notes"][:_MOST]:
        yield from textwrap.wrap(f"note: {note}", width, initial_indent="  ",
                                 subsequent_indent="    ")  # fmt: skip


def _runs(found: Mapping[str, Any], width: int) -> Iterator[str]:
    n = found["structure"]["runs"]
    spread = "least to most" if few_for_range(n) else "80 % of runs"
    yield f"{counted(n, 'run'):<28}{'median':>12}   {spread}"
    for name, said in _NAMES.items():
        values = found["runs"][name]
        if values["median"] is None:
            if name in _ALWAYS:
                yield f"  {said:<26}{'unknown':>12}"
        elif name in _ALWAYS or values["high"] > 0:
            low, high = number(values["low"]), number(values["high"])
            yield f"  {said:<26}{number(values['median']):>12}   {low} to {high}"
    yield from textwrap.wrap(f"costs: {found['costs']}", width, initial_indent="  ",
                             subsequent_indent="    ")  # fmt: skip
    yield ""
    yield f"{'agents by role':<28}{'agents':>8}{'calls':>9}{'output':>12}{'cost, USD':>12}"
    for row in found["agents"][: 2 * _MOST]:
        output, cost = (
            "unknown" if row[name] is None else number(row[name])
            for name in ("output_tokens", "cost_usd")
        )
        yield (
            f"  {_shortened(row['role'], 25):<26}{row['agents']:>8,}{row['calls']:>9,}"
            f"{output:>12}{cost:>12}"
        )
    tools = found["tools"]
    if tools:
        yield f"{'tools':<28}{'':>8}{'calls':>9}{'errors':>12}{'s a call':>12}"
        for row in tools[:_MOST]:
            each = number(row["seconds"] / row["calls"])
            name = _cut(row["tool"], 25)
            yield f"  {name:<26}{'':>8}{row['calls']:>9,}{row['errors']:>12,}{each:>12}"
        if len(tools) > _MOST:
            yield f"  and {len(tools) - _MOST} more"
    named = [f"{row['error']} {row['calls']:,}" for row in found["errors"]]
    if named:
        yield from textwrap.wrap(f"errors of models: {', '.join(named[: 2 * _MOST])}", width,
                                 subsequent_indent="  ")  # fmt: skip


def _time(found: Mapping[str, Any], width: int) -> Iterator[str]:
    yield "Where the agents' time went"
    yield from _shares([(name, share) for name, share in found["time"].items()], width)
    path = [
        (f"{_shortened(row['role'], 31 - len(row['what']))}: {row['what']}", row["share"])
        for row in found["critical_path"]
    ]
    yield "On the critical path"
    yield from _shares(path, width)
    most = [f"{row['agents']}: {percent(row['share'])}" for row in found["concurrency"][:8]]
    yield _cut(f"Agents at work, share of the time: {', '.join(most)}", width)


def _shares(shares: Sequence[tuple[str, float]], width: int) -> Iterator[str]:
    for name, share in shares[:_MOST]:
        bar = "#" * round(share * (width - 44))
        yield f"  {_cut(name, 33):<34}{percent(share):>5} {bar}".rstrip()


def _twin(found: Mapping[str, Any], width: int) -> Iterator[str]:
    twin = found["twin"]
    yield (
        f"The twin: {counted(twin['workers'], 'worker')}, "
        f"{counted(twin['tasks'], 'task')}, run {twin['replications']:,} times"
    )
    yield f"{'':<28}{'observed':>12}{'simulated':>12}   80 % of runs"
    for row in found["comparison"]:
        mark = " " if row["fits"] else "!"
        seen, made = _value(row, "observed"), _value(row, "median")
        low, high = _value(row, "low"), _value(row, "high")
        name = row["name"] + (f", {row['unit']}" if row["unit"] in ("s", "USD", "tokens") else "")
        yield f"{mark} {_cut(name, 25):<26}{seen:>12}{made:>12}   {low} to {high}"


def _missing(found: Mapping[str, Any], width: int) -> Iterator[str]:
    for each in found["twin"]["assumptions"]:
        yield from textwrap.wrap(f"Assumed: {each}", width, subsequent_indent="  ")
    missing = found["twin"]["missing"]
    yield f"Not estimated: {counted(len(missing), 'thing')}, listed in team.yaml, as"
    for each in missing[:3]:
        yield _cut(f"  {each}", width)


def number(value: float | None) -> str:
    """Return a number for tables, with three or four significant digits."""
    if value is None:
        return "unknown"
    if abs(value) >= 1e7:
        return f"{value / 1e6:,.1f} M"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _shortened(name: str, most: int) -> str:
    """Return a name without its middle: names of one package begin alike."""
    if len(name) <= most:
        return name
    begin = (most - 3) // 2
    return f"{name[:begin]}...{name[len(name) - (most - 3 - begin) :]}"
