"""The work of a single agent as in its runs: each replication of the twin has that of one of them.

How many requests a session has, how many turns each takes, and how much context it begins with go
together: sessions of many requests have short ones, and those that begin large are often short.
Distributions of each alone would make sessions that never were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.rounding import four_digits
from analysis.observation.role_fit import RoleFit, estimates
from analysis.observation.roles import typical
from analysis.observation.structure import SINGLE, SUBAGENTS
from analysis.observation.twin import Observed, Twin
from analysis.observation.units import Unit
from analysis.observation.workload import APART, Work
from analysis.traces.canonical import CHATS

FEWEST = 8
"""Fewest runs that stand for others; of fewer, the median run does."""

_MOST = 200
"""Most runs that a scenario lists."""


def resampled_workload(
    twin: Twin, seen: Observed, units: Mapping[str, Sequence[Unit]]
) -> Work | None:
    """Return the work of all runs, or None if several agents took it up, or they are too few.

    Sub-agents are no others: what they do follows from what the one agent asks for.

    Parameters
    ----------
    twin : Twin
        Its team is built.
    seen : Observed
    units : mapping
        Units of work of each run's workers.
    """
    is_alone = seen.structure.kind in (SINGLE, SUBAGENTS) and len(twin.worker_roles) == 1
    if not is_alone or twin.lead:
        return None
    (role,) = twin.worker_roles
    fit = twin.fits[role]
    sizes = {
        run.name: fit.turns[run.name] if fit.has_loops else [1] * len(units[run.name])
        for run in seen.runs
        if (fit.turns.get(run.name) if fit.has_loops else units[run.name])
    }
    if len(sizes) < FEWEST or len({tuple(each) for each in sizes.values()}) == 1:
        return None
    starts = _starts(seen, fit.role, fit.spec["context"])
    names = chosen(sorted(sizes, key=lambda name: (sum(sizes[name]), len(sizes[name]), name)))
    runs = [
        {"sizes": sizes[name], **({"start_tokens": starts[name]} if name in starts else {})}
        for name in names
    ]
    counts = [len(each) for each in sizes.values()]
    what = "turns of each request" if fit.has_loops else "calls, a task each"
    said = (
        f"{what}, of {len(runs):,} of {len(sizes):,} runs ({min(counts)} to {max(counts)} "
        "requests); each replication draws one of these runs"
    )
    spec = {"kind": "resampled", **_by_work(twin, fit), "runs": runs}
    assumes = f"{APART} (workload.in_order: true if they do)" if max(counts) > 1 else ""
    return Work(spec, said, typical(counts), is_certain=True, assumes=assumes)


def _by_work(twin: Twin, fit: RoleFit) -> dict[str, Any]:
    """Return by what runs of many turns differ from others, as a scenario says it; explain it."""
    found = fit.by_work
    if found is None or not found.powers:
        return {}
    twin.explain(
        "workload.by_work",
        f"what turns are like in runs of more turns, estimated from {found.runs:,} runs: "
        f"{estimates(found.powers, list(found.powers))}",
    )
    return {"by_work": found.spec()}


def chosen(names: Sequence[str]) -> list[str]:
    """Return the runs that a scenario lists: of too many, every so manieth."""
    if len(names) <= _MOST:
        return list(names)
    places = (np.arange(_MOST) + 0.5) * len(names) / _MOST
    return [names[int(place)] for place in places]


def let_tasks_say_turns(twin: Twin) -> None:
    """Let the loops of the twin's agent end when the work of their task is done, in place."""
    (role,) = twin.worker_roles
    agent, path = twin.agent_of(role), twin.path_of(role)
    if "loop" in agent:
        kept = {k: v for k, v in agent["loop"].items() if k not in ("turns", "end_probability")}
        agent["loop"] = {"work_per_turn": 1, **kept}
        twin.explain_further(f"{path}.loop", "each task has the turns that it had in its run")


def _starts(seen: Observed, role: str, context: Mapping[str, Any]) -> dict[str, float]:
    """Return what the first call of each run has read besides the system prompt."""
    if not isinstance(context.get("start_tokens"), Mapping):
        return {}
    calls = seen.calls[(seen.role_of_calls() == role) & seen.calls["operation_name"].isin(CHATS)]
    calls = calls[calls["input_tokens"].notna()].sort_values("start_ns", kind="stable")
    first: pd.Series = calls.drop_duplicates("run_id").set_index("run_id")["input_tokens"]
    system = float(context.get("system_tokens", 0.0))
    return {
        str(name): four_digits(max(0.0, float(tokens) - system)) for name, tokens in first.items()
    }
