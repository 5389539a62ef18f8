"""Writes a twin as a scenario file, with a comment on the source of each number."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from analysis.observation.twin import Twin
from simulator.scenario.writing import WIDTH, scenario_lines


def team_yaml(twin: Twin, head: Sequence[str]) -> str:
    """Return the scenario file of a twin.

    Parameters
    ----------
    twin : Twin
    head : sequence of str
        Comments above it, one on each line.
    """
    lines = scenario_lines(twin.document, head, twin.sources)
    if twin.missing:
        lines += ["", "# Not in the traces, or too rarely to be estimated:"]
        for each in dict.fromkeys(twin.missing):
            wrapped = textwrap.wrap(each, WIDTH - 4, break_on_hyphens=False)
            lines += [f"# - {wrapped[0]}", *(f"#   {line}" for line in wrapped[1:])]
    return "\n".join(lines) + "\n"
