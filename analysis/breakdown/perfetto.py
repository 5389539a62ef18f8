"""The course of one replication as a file for Perfetto and chrome://tracing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.breakdown.lives import lives_of
from analysis.breakdown.timeline import agent_names, instants_of, spans_of
from simulator.model.trace import Row
from simulator.scenario import Scenario


def chrome_trace(rows: Sequence[Row], scenario: Scenario) -> dict[str, Any]:
    """Return a replication in the Trace Event Format, for Perfetto and chrome://tracing.

    Complete events (``X``) for spans and sub-agents, instant events (``i``), and the agents' names
    as metadata (``M``); times in microseconds, a simulated second being a second.
    """
    names, lives = agent_names(scenario), lives_of(rows)
    names += [life.name for life in lives]
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": scenario.name}}
    ]
    for i, name in enumerate(names):
        meta = {"ph": "M", "pid": 1, "tid": i}
        events.append({**meta, "name": "thread_name", "args": {"name": name}})
        events.append({**meta, "name": "thread_sort_index", "args": {"sort_index": i}})
    for span in spans_of(rows):
        tasks = ", ".join(map(str, span.tasks))
        events.append(
            {
                "ph": "X",
                "name": f"{span.kind} {tasks}".strip(),
                "cat": span.kind,
                "pid": 1,
                "tid": span.agent,
                "ts": 1e6 * span.start_s,
                "dur": 1e6 * (span.end_s - span.start_s),
                "args": {"call": span.call, "tasks": list(span.tasks)},
            }
        )
    for life in lives:
        events.append(
            {
                "ph": "X",
                "name": life.outcome,
                "cat": "sub-agent",
                "pid": 1,
                "tid": life.agent,
                "ts": 1e6 * life.start_s,
                "dur": 1e6 * (life.end_s - life.start_s),
                "args": {"call": life.call, "parent": names[life.parent]},
            }
        )
    for instant in instants_of(rows):
        events.append(
            {
                "ph": "i",
                "name": instant.what,
                "cat": instant.kind,
                "pid": 1,
                "tid": instant.agent if instant.agent is not None else 0,
                "ts": 1e6 * instant.time_s,
                "s": "t" if instant.agent is not None else "g",
            }
        )
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def write_chrome_trace(path: Path, rows: Sequence[Row], scenario: Scenario) -> None:
    """Write a replication for Perfetto (ui.perfetto.dev) and chrome://tracing."""
    path.write_text(json.dumps(chrome_trace(rows, scenario)), encoding="utf-8")
