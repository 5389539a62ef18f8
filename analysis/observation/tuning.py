"""Tunes a twin so that its runs are as long and as large as the median observed run.

The fits are to calls. Only whole runs show how many calls a run takes, how inputs grow if agents
go on from task to task, and which tasks wait for others. By simulation with common random numbers,
the following are tuned: turns, inputs and outputs of each role (factors); the effect of a run on
its turns and pauses (their spread between runs); and, if the trace does not show which tasks wait
for which, the share of tasks in a chain.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy

from analysis.calibration.rounding import four_digits
from analysis.observation.runs import answered, run_table, runs_of
from analysis.observation.scaling import (
    first_input,
    geometric,
    scaled,
    scaled_counts,
    with_run_effect,
)
from analysis.observation.twin import Twin
from analysis.observation.typical_runs import log_variance, middle, of_roles

RUNS = 40
"""Fewest simulated runs of each trial."""

_TIMES, _CALLS = 5, 6_000
"""There are up to so many times as many, while they make no more calls than this in all: runs of
few calls differ most, and forty of them would tune a twin to their own chances."""

_CALLS_OF_LISTED = 25_000
"""Most calls of twice as many runs as are listed, by which the mean call is known better."""

_ROUNDS = 4
_FEWEST_RUNS = 8
"""Fewest observed runs from which their spread is estimated."""

_PAUSES = "coordination.round_overhead_s"

_SHORT = 0.03
"""Share of the makespan by which a twin may be short."""

_HALVINGS = 5
"""How often the share of tasks in a chain is bisected."""

_GROWTH = ("turn_tokens", "first_turn_tokens", "request_tokens")
"""What comes into a context besides what its agent writes and is told."""

_MOST_GROWTH = 2.0
"""Most that the growth of a context is changed, either way: it was fitted to many calls, and what
is further off has other causes. Sessions that begin large are often short, for example, and the
long ones would cost too much."""

_LEAST_SPREAD = 0.1
"""Effects of runs below this are left out."""


def tune(
    twin: Twin,
    observed: pd.DataFrame,
    table: pd.DataFrame,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Tune a twin in place.

    Parameters
    ----------
    twin : Twin
    observed : DataFrame
        From `of_roles`.
    table : DataFrame
        The observed runs, from `analysis.observation.runs.run_table`.
    progress : callable, optional
        Told ``(steps done, steps in all)``.
    """
    own = table.set_index("run_id")
    runs = _Runs(twin, float(table["calls"].mean()))
    steps: list[Callable[[], None]] = [
        *[lambda: _tune_roles(twin, runs, observed)] * _ROUNDS,
        *[lambda: _tune_chain(twin, runs, own["makespan_s"])] * (not twin.is_certain),
        *[lambda: _tune_spread(twin, runs, own)] * (len(table) >= _FEWEST_RUNS),
        *[lambda: _tune_roles(twin, runs, observed)] * 2,
        *[lambda: _tune_pauses(twin, runs, own)] * _has_assumed_work(twin, table),
    ]
    for done, step in enumerate(steps):
        if progress is not None:
            progress(done, len(steps))
        step()
    if progress is not None:
        progress(len(steps), len(steps))


def _has_assumed_work(twin: Twin, observed: pd.DataFrame) -> bool:
    """Return whether pauses stand for more than themselves: for how runs differ in their work."""
    is_paused = "round_overhead_s" in twin.document["coordination"]
    differ = (answered(observed) - observed["turns"].fillna(0.0)).nunique() > 1
    return is_paused and differ and twin.document["workload"]["kind"] != "resampled"


class _Runs:
    """The calls of a twin's runs, simulated again only where the twin has changed since."""

    def __init__(self, twin: Twin, calls_of_a_run: float) -> None:
        self._twin = twin
        # Of runs that are listed, each is drawn about twice, or once where they make many calls.
        listed = len(twin.document["workload"].get("runs", ()))
        listed *= 2 if 2 * listed * calls_of_a_run <= _CALLS_OF_LISTED else 1
        affordable = min(_TIMES * RUNS, _CALLS / max(1.0, calls_of_a_run))
        self._count = round(max(RUNS, listed, affordable))
        self._document = ""
        self._calls = pd.DataFrame()

    def calls(self) -> pd.DataFrame:
        """Return the calls of the twin as it is now."""
        twin, document = self._twin, json.dumps(self._twin.document, default=repr)
        if document != self._document:
            self._calls = twin.runs(self._count).calls
            self._document = document
        return self._calls

    def table(self) -> pd.DataFrame:
        """Return the table of these runs."""
        calls = self.calls()
        return run_table(runs_of(calls), calls)


def _tune_roles(twin: Twin, runs: _Runs, observed: pd.DataFrame) -> None:
    """Bring turns, inputs and outputs of each role nearer to what was observed."""
    calls = runs.calls()
    found = of_roles(calls, calls["agent_role"])
    for role in twin.fits:
        if role not in observed.index or role not in found.index:
            continue
        agent, path = twin.agent_of(role), twin.path_of(role)
        seen, made = (
            {str(row["role"]): row for row in each.reset_index().to_dict("records")}[role]
            for each in (observed, found)
        )
        to = "the median run"
        # Where each run has the work of one that was seen, its size is seen, too: short sessions,
        # whose turns may be otherwise, would else weigh as much as long ones.
        if twin.document["workload"]["kind"] == "resampled":
            seen, made = (
                {**each, "input": each["mean_input"], "output": each["mean_output"]}
                for each in (seen, made)
            )
            to = "the mean call"
        ratio = {name: _ratio(seen[name], made[name]) for name in ("calls", "input", "output")}
        # Each sub-agent is one loop: its turns are known, and how many there are is its parent's.
        # Turns of tasks as large as they were seen are known, too.
        if role in twin.subagents or "work_per_turn" in agent.get("loop", {}):
            ratio["calls"] = 1.0
        if "loop" in agent and abs(ratio["calls"] - 1.0) > 0.02:
            _scale_turns(agent["loop"], ratio["calls"])
            twin.explain_further(f"{path}.loop", "tuned to the calls of the median run")
        elif role == twin.lead and ratio["calls"] > 1.1:
            # What it does for each report is more than one call.
            agent["loop"] = {"turns": _turns(ratio["calls"])}
            twin.explain_further(f"{path}.loop", "tuned to the calls of the median run")
        if abs(ratio["output"] - 1.0) > 0.02:
            agent["tokens"]["output"] = scaled(agent["tokens"]["output"], ratio["output"])
            twin.explain_further(f"{path}.tokens.output", f"tuned to the output of {to}")
        kept = agent["context"].get("retention", 1.0)
        if (ratio["input"] < 0.98 or kept < 1.0) and _adds_only_output(twin, role):
            agent["context"]["retention"] = _kept(
                agent["context"], made["calls"], made["input"], seen["input"]
            )
            said = "tuned: inputs grow by less than what calls write and are told"
            twin.explain_further(f"{path}.context.retention", said)
        elif abs(ratio["input"] - 1.0) > 0.02:
            before = twin.growth.get(role, 1.0)
            twin.grow(role, _scale_inputs(agent, seen["input"], made["input"], before))
            twin.explain_further(f"{path}.context", f"tuned to the input of {to}")


def _ratio(wanted: float, found: float) -> float:
    if not (np.isfinite(wanted) and np.isfinite(found) and wanted > 0.0 and found > 0.0):
        return 1.0
    return float(np.clip(wanted / found, 0.2, 5.0))


def _turns(mean: float) -> Any:
    return geometric(1.0 / mean) if mean > 1.0 else 1


def _scale_turns(loop: dict[str, Any], factor: float) -> None:
    if "end_probability" in loop:
        mean = factor / loop["end_probability"]
        loop["end_probability"] = four_digits(min(1.0, 1.0 / mean))
    else:
        loop["turns"] = scaled_counts(loop["turns"], factor)


def _scale_inputs(agent: dict[str, Any], wanted: float, found: float, before: float) -> float:
    """Scale the growth of the context; and its beginning, if that alone is too much.

    Returns the factor of the growth, with that of the scalings `before`. It has a limit: where
    the growth has no effect on the input, it would have none.
    """
    context = agent["context"]
    begin = first_input(context)
    if wanted > begin and found > begin:
        total = before * (wanted - begin) / (found - begin)
        total = float(np.clip(total, 1.0 / _MOST_GROWTH, _MOST_GROWTH))
        factor = total / before
        for name in ("turn_tokens", "first_turn_tokens"):
            if name in context:
                context[name] = scaled(context[name], factor)
        for tool in agent.get("tools", {}).values():
            if "result_tokens" in tool:
                tool["result_tokens"] = scaled(tool["result_tokens"], factor)
        return total
    factor = float(np.clip(wanted / found, 0.5, 2.0))
    # What is dropped between requests begins each of them.
    begins = ["request_tokens"] if context.get("retention") == 0 else []
    for name in ("system_tokens", "start_tokens", *begins):
        if name in context:
            context[name] = scaled(context[name], factor)
    cache = context.get("cache")
    if isinstance(cache, dict) and "warm_tokens" in cache:
        context["cache"] = {**cache, "warm_tokens": scaled(cache["warm_tokens"], factor)}
    return before


def _adds_only_output(twin: Twin, role: str) -> bool:
    """Tell whether calls of a role are tasks of their own that add only their output to it."""
    agent = twin.agent_of(role)
    context = agent["context"]
    grows = any(context.get(name, 0.0) != 0.0 for name in _GROWTH)
    is_worker = role != twin.lead and role not in twin.subagents
    return is_worker and not grows and "loop" not in agent and not agent.get("tools")


def _kept(context: Mapping[str, Any], calls: float, made: float, wanted: float) -> float:
    """Return the share of the context to keep from call to call, for which inputs are as wanted.

    If a share r is kept and each call adds the same, the t-th call of a run finds r + ... + r^(t-1)
    of it. Wanted is the share at which the mean of these sums changes as the inputs should.
    """
    begin = first_input(context)
    before = float(context.get("retention", 1.0))
    if not (np.isfinite(wanted) and made > begin):  # unknown, or all of it is there from the start
        return before
    powers = np.arange(1, max(2, round(calls)))

    def found(share: float) -> float:
        return float(np.cumsum(share**powers).mean())

    aim = found(before) * max(0.0, wanted - begin) / (made - begin)
    if aim >= found(1.0):
        return 1.0
    return four_digits(float(scipy.optimize.brentq(lambda share: found(share) - aim, 0.0, 1.0)))


def _tune_chain(twin: Twin, runs: _Runs, observed: pd.Series) -> None:
    """Choose the share of tasks in a chain for which runs are as long as those observed.

    There is none if runs without it are as long but for `_SHORT` and twice the standard error of
    the observed mean: where a chain matters little at this team size, it would else stand for
    whatever else is not alike.
    """
    logs = np.log(observed[observed > 0.0].to_numpy(dtype=float))
    error = float(logs.std(ddof=1) / np.sqrt(len(logs))) if len(logs) > 1 else 0.1
    makespan_s = float(np.exp(logs.mean()))
    enough_s = makespan_s * (1.0 - min(_SHORT + 2.0 * error, 3.0 * _SHORT))

    def length(share: float) -> float:
        twin.say("workload.parallel_fraction", four_digits(1.0 - share))
        return middle(runs.table()["makespan_s"])

    lengths, low, high = {0.0: length(0.0)}, 0.0, 1.0
    for _ in range(_HALVINGS if lengths[0.0] < enough_s else 0):
        share = (low + high) / 2
        lengths[share] = length(share)
        low, high = (share, high) if lengths[share] < makespan_s else (low, share)
    # Of few tasks, one more in the chain makes a run longer at once: the nearest is on either side.
    best = min(lengths, key=lambda share: abs(np.log(lengths[share] / makespan_s)))
    twin.say("workload.parallel_fraction", four_digits(1.0 - best))
    twin.explain_further(
        "workload",
        "parallel_fraction: tuned to the makespan of the median run"
        + ("" if best else ", which is as long without a chain"),
    )


def _tune_spread(twin: Twin, runs: _Runs, observed: pd.DataFrame) -> None:
    """Set the effect of a run on turns so that runs differ in calls as much as those observed."""
    found = runs.table()
    missing = log_variance(answered(observed)) - log_variance(answered(found))
    if missing > _LEAST_SPREAD**2:
        _spread_turns(twin, missing**0.5)


def _tune_pauses(twin: Twin, runs: _Runs, observed: pd.DataFrame) -> None:
    """Set the pauses between requests so that the lengths of runs match in mean and spread.

    Simulated runs whose pauses last from minutes to days are long or short by chance: pauses stay
    as they were where no more than that is between the two.
    """
    pauses = twin.document["coordination"]["round_overhead_s"]
    wanted = middle(observed["makespan_s"])
    for _ in range(_ROUNDS):
        made = runs.table()["makespan_s"]
        ratio = _ratio(wanted, middle(made))
        by_chance = 2.0 * (log_variance(made) / len(made)) ** 0.5
        if abs(ratio - 1.0) > 0.02 and abs(np.log(ratio)) > by_chance:
            # Pauses are a part of a run: they change more than it.
            pauses = scaled(pauses, ratio**1.5)
            twin.say(_PAUSES, pauses)
            twin.explain_further(_PAUSES, "tuned to the length of the median run")
    if len(observed) < _FEWEST_RUNS:
        return
    found = runs.table()
    missing = log_variance(observed["makespan_s"]) - log_variance(found["makespan_s"])
    if missing > _LEAST_SPREAD**2:
        twin.say(_PAUSES, with_run_effect(pauses, missing**0.5))
        twin.explain_further(_PAUSES, "run_sigma: tuned to how much runs differ in their length")


def _spread_turns(twin: Twin, sigma: float) -> None:
    for role in twin.fits:
        agent, path = twin.agent_of(role), twin.path_of(role)
        if role == twin.lead or "loop" not in agent:
            continue
        loop = agent["loop"]
        if "end_probability" in loop:
            loop["turns"] = geometric(loop.pop("end_probability"))
        if "turns" in loop:
            loop["turns"] = with_run_effect(loop["turns"], sigma)
            twin.explain_further(
                f"{path}.loop", "run_sigma: tuned to how much runs differ in their calls"
            )
