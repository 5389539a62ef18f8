"""The metrics of one replication, computed from its trace alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulator.model.metrics import Metrics
from simulator.model.trace import ANSWERED, FAILED, IN_VAIN, PROMPT_TOO_LONG

_NAMED_WAITS = ["rate_limit", "lock", "partition", "queue", "tool", "subagent", "barrier"]
"""Reasons to wait that have a metric of their own, or none: barriers."""


def metrics_from_trace(trace: pd.DataFrame, agents: int, tasks: int, workers: int) -> Metrics:
    """Return the row of results that a trace tells, to hold against the accumulated one.

    Parameters
    ----------
    trace : DataFrame
        Columns of `simulator.model.trace.SCHEMA`, the events of one replication in order.
    agents : int
        Agents in the team, a coordinator included.
    tasks : int
        Tasks in the workload.
    workers : int
        Of the agents, those that take tasks; they come first.

    Returns
    -------
    Metrics
        All but what only the agents and the workspace know: `NOT_TRACED`.
    """
    events = dict(list(trace.groupby("event")))
    nothing = trace.iloc[:0]

    def of(event: str, **equal: str) -> pd.DataFrame:
        rows = events.get(event, nothing)
        for column, value in equal.items():
            rows = rows[rows[column] == value]
        return rows

    end = events["run_end"].iloc[0]
    calls, attempts, reviews = of("call_end"), of("attempt"), of("review")
    tools, begun = of("tool"), of("subagent_start")
    reports = of("subagent_end")  # of sub-agents, whose time is none of the team's
    reported = reports[reports["outcome"] != "cut_off"]
    no_reports = reports[~reports["outcome"].isin(ANSWERED)]
    turns = of("turn")  # those that are not the last of their call
    ended = calls[calls["outcome"] != "cut_off"]
    real = attempts[~attempts["outcome"].isin(IN_VAIN)]
    again = _is_rework(real, reviews, of("lost"))
    settled = pd.concat([attempts, reviews]).query(
        "outcome in ['done', 'faulty', 'given_up', 'given_up_correct', 'partial']"
    )
    lost, apart = of("lost"), of("diverged")
    diverged = apart[apart["outcome"] != "first_attempt"]  # of a task done by a later one
    redone = lost[lost["outcome"].str.startswith("redo")]
    # What was settled and then undone, by another's write or by the other side of a partition.
    undone = pd.concat([redone, diverged])
    was_faulty = int(undone["outcome"].str.endswith("_was_faulty").sum())
    was_known = int(undone["outcome"].str.endswith("_was_known").sum())
    correct = int(settled["outcome"].isin(["done", "given_up_correct"]).sum()) - (
        len(undone) - was_faulty - was_known
    )
    spoilt = int((lost["outcome"] == "faulty").sum())
    in_vain = apart["outcome"].str.startswith("rework")
    makespan = float(end["duration_s"])
    overhead = float((of("overhead")["duration_s"] * of("overhead")["peer"]).sum())
    requests, down = of("request"), float(of("down")["duration_s"].sum())
    given_up = ended[ended["outcome"].isin(FAILED)]
    cut_off = calls[calls["outcome"] == "cut_off"]
    in_vain_tokens = pd.concat([requests, given_up, cut_off, no_reports])[
        ["input_tokens", "output_tokens"]
    ]
    paid = pd.concat([requests, calls, turns, reports])
    lost_s = float(requests.loc[requests["agent"] < agents, "duration_s"].sum())
    committed = float(of("commit")["duration_s"].sum())
    messages, busy = of("message"), float(calls["duration_s"].sum())
    seconds = calls.groupby("outcome")["duration_s"].sum()
    count = ended["outcome"].value_counts()
    waited = of("wait")
    waits = waited[waited["agent"] < agents].groupby("outcome")["duration_s"].sum()
    return Metrics(
        makespan_s=makespan,
        outcome=str(end["outcome"]),
        success=end["outcome"] == "completed",
        agents=agents,
        tasks=tasks,
        tasks_done=len(settled) - len(undone),
        tasks_correct=correct - spoilt,
        faulty_detected=int(settled["outcome"].isin(["given_up", "partial"]).sum()) - was_known,
        faulty_undetected=int((settled["outcome"] == "faulty").sum()) - was_faulty + spoilt,
        quality=(correct - spoilt) / tasks,
        calls=len(ended) + len(turns) + len(reported),
        tool_calls=len(tools),
        tool_errors=int((~tools["outcome"].isin(["done", "cancelled", "cut_off"])).sum()),
        tool_s=float(tools["duration_s"].sum()),
        tool_wait_s=float(of("tool_wait")["duration_s"].sum()),
        turns=int(ended["peer"].notna().sum() + reported["peer"].notna().sum()) + len(turns),
        sub_agents=len(begun),
        sub_agents_failed=int((~reported["outcome"].isin(["done", "cancelled"])).sum()),
        sub_agent_s=float(reports["time_s"].sum() - begun["time_s"].sum()),
        idle_calls=int(count.get("idle", 0)),
        lost_replies=int(attempts.loc[attempts["outcome"] == "lost", "call"].nunique()),
        coordination_calls=int(count.get("coordination", 0)),
        review_calls=int(count.get("review", 0)),
        reviews=len(reviews),
        rejections=int(reviews["outcome"].isin(["rejected", "false_alarm"]).sum())
        + int(reviews["outcome"].isin(["given_up", "given_up_correct"]).sum()),
        false_alarms=int(reviews["outcome"].isin(["false_alarm", "given_up_correct"]).sum()),
        rounds=len(of("round_start")),
        idle_rounds=_idle_rounds(of("round_start"), of("round_end"), settled, undone),
        messages=len(messages),
        deliveries=int(messages["peer"].sum()),
        message_tokens=int(messages["output_tokens"].sum()),
        input_tokens=int(paid["input_tokens"].sum()),
        cached_tokens=int(paid["cached_tokens"].sum()),
        output_tokens=int(paid["output_tokens"].sum()),
        attempts=len(attempts),
        duplicate_attempts=int((attempts["outcome"] == "duplicate").sum())
        + int((reviews["outcome"] == "duplicate").sum())
        + len(diverged),
        blocked_claims=len(of("claim_blocked")),
        concurrent_writes=len(of("conflict")),
        rewrites=len(of("write", outcome="rewrite")),
        lost_updates=len(lost),
        failed_tests=int((attempts["outcome"].isin(["failed_test", "given_up"])).sum()),
        failed_calls=len(given_up) + len(no_reports) - int((reports["outcome"] == "cut_off").sum()),
        too_long_prompts=int(count.get(PROMPT_TOO_LONG, 0))
        + int((reports["outcome"] == PROMPT_TOO_LONG).sum()),
        fault_events=len(of("fault")),
        crashes=len(of("fault", outcome="crash")),
        malformed=int((requests["outcome"] == "malformed").sum()),
        breaker_opens=len(of("breaker", outcome="open")),
        partial_tasks=int((attempts["outcome"] == "partial").sum()),
        detections=len(of("detected")),
        failovers=len(of("leads")),
        lost_s=lost_s,
        wasted_tokens=int(in_vain_tokens.to_numpy().sum()),
        availability=1.0 - down / (agents * makespan) if makespan > 0 else 1.0,
        goodput=(correct - spoilt) / makespan if makespan > 0 else 0.0,
        straggler_gap_s=_straggler_gap(calls, turns, of("round_end"), workers),
        task_wait_s=_task_wait(trace, settled) / max(1, len(settled) - len(undone)),
        utilisation=busy / (agents * makespan) if makespan > 0 else 0.0,
        work_s=float(real.loc[~again, "duration_s"].sum())
        - float(apart.loc[~in_vain, "duration_s"].sum()),
        rework_s=float(real.loc[again, "duration_s"].sum())
        - float(apart.loc[in_vain, "duration_s"].sum()),
        wasted_s=float(attempts.loc[attempts["outcome"].isin(IN_VAIN), "duration_s"].sum())
        + float(seconds.get("idle", 0.0))
        + float(seconds.get("cut_off", 0.0))
        + float(seconds.get("failed", 0.0))
        + lost_s
        + float(apart["duration_s"].sum()),
        coordination_s=float(seconds.get("coordination", 0.0))
        + float(seconds.get("review", 0.0))
        + committed
        + overhead,
        waiting_s=agents * makespan - overhead - busy - committed - down - lost_s,
        down_s=down,
        rate_limited_s=float(waits.get("rate_limit", 0.0)),
        lock_wait_s=float(waits.get("lock", 0.0)),
        partition_wait_s=float(waits.get("partition", 0.0)),
        queue_wait_s=float(waits.get("queue", 0.0)),
        on_tools_s=float(waits.get("tool", 0.0)),
        on_subagents_s=float(waits.get("subagent", 0.0)),
        held_back_s=float(waits[~waits.index.isin(_NAMED_WAITS)].sum()),
    )


def _idle_rounds(
    starts: pd.DataFrame, ends: pd.DataFrame, settled: pd.DataFrame, undone: pd.DataFrame
) -> int:
    """Return the number of rounds after which no more tasks were done than before.

    By the order of events: what a partition undoes between two rounds is of neither.
    """
    begun = starts["seq"].to_numpy()[: len(ends)]
    gained = np.zeros(len(ends))
    for rows, sign in ((settled, 1), (undone, -1)):
        seq = np.sort(rows["seq"].to_numpy())
        inside = np.searchsorted(seq, ends["seq"].to_numpy()) - np.searchsorted(seq, begun)
        gained += sign * inside
    return int((gained == 0).sum())


def _is_rework(
    attempts: pd.DataFrame, reviews: pd.DataFrame, lost: pd.DataFrame
) -> pd.Series[bool]:
    """Return which attempts are at tasks that had failed, been sent back or been undone before."""
    failed = attempts[attempts["outcome"] == "failed_test"]
    sent_back = reviews[reviews["outcome"].isin(["rejected", "false_alarm"])]
    undone = lost[lost["outcome"].str.startswith("redo")]
    first = pd.concat([failed, sent_back, undone]).groupby("task")["seq"].min()
    return attempts["seq"] > attempts["task"].map(first)


def _straggler_gap(
    calls: pd.DataFrame, turns: pd.DataFrame, ends: pd.DataFrame, workers: int
) -> float:
    # A call's row has the time of all its turns, of earlier rounds too.
    earlier_s = calls["call"].map(turns.groupby("call")["duration_s"].sum()).fillna(0.0)
    last = calls.assign(duration_s=calls["duration_s"] - earlier_s)
    both = pd.concat([last, turns])[["round", "agent", "duration_s"]]
    of_workers = both[both["round"].isin(ends["round"]) & (both["agent"] < workers)]
    each = of_workers.groupby(["round", "agent"])["duration_s"].sum()
    latencies = each.groupby("round").agg(["max", "mean", "size"])
    latencies = latencies[latencies["size"] > 1]
    return float((latencies["max"] - latencies["mean"]).mean()) if len(latencies) else 0.0


def _task_wait(trace: pd.DataFrame, settled: pd.DataFrame) -> float:
    """Return the sum of waits; a task done together with its dependencies was never announced."""
    if settled.empty:
        return 0.0
    ready = trace[trace["event"] == "task_ready"].drop_duplicates("task").set_index("task")
    start = trace[trace["event"] == "call_start"].set_index("call")["time_s"]
    # A review says how long ago the call began that did the task.
    began = (settled["time_s"] - settled["duration_s"]).where(
        settled["event"] == "review", settled["call"].map(start)
    )
    waits = began - settled["task"].map(ready["time_s"])
    return float(waits.clip(lower=0.0).sum())
