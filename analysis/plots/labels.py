"""The axis labels of metrics."""

from __future__ import annotations

import textwrap

import pandas as pd

from analysis.statistics.curves import QUANTILES, TO_SUCCESS

_LABELS = {
    "makespan_s": "makespan (simulated s)",
    "quality": "tasks done without a fault",
    "success": "runs that finish all tasks",
    "error_rate": "tasks not done right",
    "overhead_s": "agents' time beside first attempts (s)",
    "tokens": "tokens read and written",
    "speedup": "speed-up over one agent",
    "error_amplification": "errors over those of one agent",
    "cost_usd": "cost (US dollars)",
    "utilisation": "time in calls (share)",
    "straggler_gap_s": "longest - mean call (s)",
    "waiting_s": "agents' time waiting (s)",
    "recovery_s": "time to recover (s)",
    "availability": "availability (share of agents' time)",
    "goodput": "correct tasks a second",
    "rate_limited_s": "wait after refusals (s)",
    "rate_limits": "requests refused",
    "on_tools_s": "wait for tools (s)",
    "on_subagents_s": "wait for sub-agents (s)",
    "tool_wait_s": "wait at stations (s)",
    "expired_tokens": "tokens expired in the cache",
    "cache_write_tokens": "tokens written to the cache",
}


_UNTIL_SUCCESS = {
    "makespan_s": "time to success (simulated s)",
    "overhead_s": "agents' time beside first attempts, until success (s)",
}


def metric_label(metric: str, all_finish: bool = True) -> str:
    """Return the axis label of a metric, or of a quantile of one.

    Parameters
    ----------
    metric : str
    all_finish : bool
        Whether all runs finished, so that a time to success is the time of a run.
    """
    if not all_finish and metric in _UNTIL_SUCCESS:
        return _UNTIL_SUCCESS[metric]
    if metric.endswith(TO_SUCCESS):
        # Also where all finished: its interval allows for runs that fail, that of a run does not.
        return f"{metric_label(metric.removesuffix(TO_SUCCESS))}, until success"
    for ending in QUANTILES:
        if metric.endswith(ending):
            return f"{metric_label(metric.removesuffix(ending))}, {ending[2:]}th percentile"
    return _LABELS.get(metric, metric.replace("_", " "))


def balanced(text: str, width: int) -> str:
    """Return `text` in the fewest lines of at most `width`, all about equally long.

    No word is cut that fits into a line.
    """
    lines = textwrap.wrap(text, width)
    for narrow in range(1, width):
        found = textwrap.wrap(text, narrow)
        if len(found) <= len(lines) and found == textwrap.wrap(
            text, narrow, break_long_words=False
        ):
            return "\n".join(found)
    return "\n".join(lines)


def stack_labels(stacks: pd.DataFrame) -> tuple[list[str], str]:
    """Return the texts below the bars of a speed-up stack, and that of their axis.

    Bars are told apart by the size of the team, or else by what was swept in its place. If not all
    runs finished, the number of pairs of runs that did stands below.
    """
    said, axis = [f"{n:g}" for n in stacks["n"]], "agents n"
    if not stacks["n"].is_unique:
        rests = [
            str(name).removeprefix(str(series)).strip(", ")
            for name, series in zip(stacks["name"], stacks["series"], strict=True)
        ]
        fields = {rest.rpartition("=")[0] for rest in rests}
        if len(fields) == 1:
            axis, rests = fields.pop(), [rest.rpartition("=")[2] for rest in rests]
        else:
            axis = "point"
        if stacks["n"].nunique() == 1:
            said, axis = rests, f"{axis}, n = {said[0]}"
        else:
            said = [f"{rest} (n = {n})" for rest, n in zip(rests, said, strict=True)]
    pairs = zip(said, stacks["finished"], stacks["runs"], strict=True)
    return [text if k == m else f"{text}\n{k:g}/{m:g}" for text, k, m in pairs], axis
