"""Writes the pages of the manual that follow from the code: ``python -m docs.generate``.

The reference (fields of a scenario, plugins, commands, metrics, trace events, Python) and the
gallery of scenarios. A test fails where a page is not what this would write.
"""

from __future__ import annotations

import ast
import inspect
import re
from itertools import pairwise
from pathlib import Path

import yaml

from docs.command_page import commands
from docs.field_pages import plugins, scenario_fields
from docs.json_page import json_page
from docs.markdown import cell, table
from docs.python_pages import python_pages

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs"
NOTE = (
    "<!-- Written by `python -m docs.generate` from the code: change that, not this page. -->\n\n"
)


def pages() -> dict[str, str]:
    """Return the text of every generated page, by its path below ``docs``."""
    found = {
        "gallery.md": gallery(),
        "json.md": json_page(),
        "reference/scenario.md": scenario_fields(),
        "reference/plugins.md": plugins(),
        "reference/commands.md": commands(),
        "reference/metrics.md": metrics(),
        "reference/trace.md": trace_events(),
        **python_pages(ROOT),
    }
    return {path: f"{NOTE}{text.strip()}\n" for path, text in found.items()}


def gallery() -> str:
    """Return the page of all scenarios that ship: question, answer and picture."""
    files = sorted((ROOT / "scenarios").glob("*.yaml"))
    files.sort(key=lambda file: file.stem != "quickstart")
    studies = {file.stem: yaml.safe_load(file.read_text("utf-8")) for file in files}
    rows = ([f"[{name}](#{name})", study["question"]] for name, study in studies.items())
    parts = [
        "# Gallery of scenarios\n",
        "Each scenario that ships asks one question. Its answer was found by running it, and a "
        "test checks that it still holds. To run one yourself:\n",
        "```console\n$ teamsim sweep voting --out out/voting\n$ teamsim plot out/voting\n```\n",
        "`make pictures` runs all those that have a picture of their own.\n",
        table(["Scenario", "Question"], rows),
    ]
    for name, study in studies.items():
        parts.append(f"## {name}\n\n**{study['question']}**\n\n{study['answer'].strip()}\n")
        for picture in (f"pictures/{name}.png", f"{name}.png"):
            if (ROOT / "scenarios" / picture).exists():
                parts.append(f"![Curves of the scenario {name}](../scenarios/{picture})\n")
        parts.append(f"File: [scenarios/{name}.yaml](../scenarios/{name}.yaml)\n")
    return "\n".join(parts)


UNITS = {"_s": "s", "_usd": "US dollars", "_tokens": "tokens"}
SHARES = {"quality", "availability", "utilisation"}


def metrics() -> str:
    """Return the page of metrics: the columns of a row of results."""
    from simulator.model.metrics import NOT_TRACED, Metrics

    (body,) = ast.parse(inspect.getsource(Metrics)).body
    assert isinstance(body, ast.ClassDef)
    rows, statements = [], [*body.body, None]
    for field, below in pairwise(statements):
        if not isinstance(field, ast.AnnAssign):
            continue
        name, kind = ast.unparse(field.target), ast.unparse(field.annotation)
        match below:
            case ast.Expr(value=ast.Constant(value=str(text))):
                pass
            case _:
                text = ""
        unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), "")
        unit = unit or {"str": "text", "bool": "0 or 1", "int": "number", "float": ""}[kind]
        unit = "share" if name in SHARES else "tasks a second" if name == "goodput" else unit
        rows.append([f"`{name}`", unit, "" if name in NOT_TRACED else "yes", cell(text)])
    return "\n".join(
        [
            "# Metrics\n",
            "One row of results is what one replication did. These are its columns, in "
            "`teamsim run --out`, in the results of a sweep and in `simulator.Metrics`. Times are "
            "in simulated seconds. Those marked *in a trace* can be computed from the "
            "[trace](trace.md) alone, and a test checks that both agree. Of a team that goes on "
            "while it is cut in two (`on_partition: available`), the trace does not tell which "
            "attempts are rework to whom: there `work_s` and `rework_s` agree in their sum, and "
            "`task_wait_s` may differ.\n",
            "The six times `work_s`, `rework_s`, `wasted_s`, `coordination_s`, `waiting_s` and "
            "`down_s` say where the agents' time went. With n agents, a coordinator included, they "
            "add up to n times `makespan_s`.\n",
            table(["Metric", "Unit", "In a trace", "Meaning"], rows),
            "Between points of a sweep there are also the ratios that `analysis.statistics.curves` "
            "computes, such as `speedup` (the time of the baseline over the time of the team). "
            "They may stand in `figure:` as well.\n",
        ]
    )


def trace_events() -> str:
    """Return the page of the events of a trace."""
    from simulator.model import trace

    text = inspect.getdoc(trace) or ""
    entries: list[list[str]] = []
    for line in text.splitlines():
        if found := re.match(r"``(\w+)``\s+(.*)", line):
            entries.append([f"`{found[1]}`", found[2]])
        elif entries and line.startswith("  "):
            entries[-1][1] += " " + line.strip()
    assert {name.strip("`") for name, _ in entries} == {event.value for event in trace.Event}
    columns = ([f"`{name}`", kind] for name, kind in trace.COLUMNS.items())
    return "\n".join(
        [
            "# Trace events\n",
            "`teamsim run SCENARIO --trace one.parquet` writes every event of one replication, a "
            "row an event. `time_s` is when it happened, in simulated seconds. Agents and tasks "
            "are numbered from 0. In Python it is `simulator.Trace`.\n",
            "## Columns\n",
            table(["Column", "Arrow type"], columns),
            "## Events\n",
            "For each event, the columns that are filled in and what they mean. All others are "
            "null.\n",
            table(["Event", "Columns"], ([name, cell(text)] for name, text in entries)),
        ]
    )


def main() -> None:
    """Write all pages."""
    for path, text in pages().items():
        file = PAGES / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        print(file.relative_to(ROOT))


if __name__ == "__main__":
    main()
