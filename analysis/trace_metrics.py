"""The metrics of one replication, computed from its trace alone."""

from __future__ import annotations

import pandas as pd

from simulator.model.metrics import Metrics


def metrics_from_trace(trace: pd.DataFrame, agents: int, tasks: int) -> Metrics:
    """Return the row of results that a trace tells, to hold against the accumulated one.

    Parameters
    ----------
    trace : DataFrame
        Columns of `simulator.model.trace.SCHEMA`, the events of one replication in order.
    agents : int
        Agents in the team, a coordinator included.
    tasks : int
        Tasks in the workload.

    Returns
    -------
    Metrics
        All but ``cost_usd``: prices are not in the trace.
    """
    events = dict(list(trace.groupby("event")))
    nothing = trace.iloc[:0]

    def of(event: str, **equal: str) -> pd.DataFrame:
        rows = events.get(event, nothing)
        for column, value in equal.items():
            rows = rows[rows[column] == value]
        return rows

    end = events["run_end"].iloc[0]
    calls = of("call_end")
    ended = calls[calls["outcome"] != "cut_off"]
    cut_off = of("call_end", outcome="cut_off")
    attempts = of("attempt")
    real = attempts[attempts["outcome"].isin(["done", "faulty", "failed_test"])]
    again = _is_rework(real)
    done = attempts[attempts["outcome"].isin(["done", "faulty"])]
    wasted = attempts[attempts["outcome"].isin(["duplicate", "blocked"])]
    idle, coordination = of("call_end", outcome="idle"), of("call_end", outcome="coordination")
    makespan = float(end["duration_s"])
    overhead = float(of("overhead")["duration_s"].sum())
    messages = of("message")
    busy = float(calls["duration_s"].sum())
    return Metrics(
        makespan_s=makespan,
        outcome=str(end["outcome"]),
        success=end["outcome"] == "completed",
        agents=agents,
        tasks=tasks,
        tasks_done=len(done),
        tasks_correct=int((done["outcome"] == "done").sum()),
        quality=float((done["outcome"] == "done").sum()) / tasks,
        calls=len(ended),
        idle_calls=len(idle),
        coordination_calls=len(coordination),
        rounds=len(of("round_start")),
        idle_rounds=int((~of("round_end")["round"].isin(done["round"])).sum()),
        messages=len(messages),
        deliveries=int(messages["peer"].sum()),
        message_tokens=int(messages["output_tokens"].sum()),
        input_tokens=int(ended["input_tokens"].sum()),
        cached_tokens=int(ended["cached_tokens"].sum()),
        output_tokens=int(ended["output_tokens"].sum()),
        attempts=len(attempts),
        duplicate_attempts=int((attempts["outcome"] == "duplicate").sum()),
        blocked_claims=len(of("claim_blocked")),
        concurrent_writes=len(of("conflict")),
        rewrites=len(of("write", outcome="rewrite")),
        failed_tests=int((attempts["outcome"] == "failed_test").sum()),
        straggler_gap_s=_straggler_gap(calls, of("round_end")),
        task_wait_s=_task_wait(trace, done),
        utilisation=busy / (agents * makespan) if makespan > 0 else 0.0,
        work_s=float(real.loc[~again, "duration_s"].sum()),
        rework_s=float(real.loc[again, "duration_s"].sum()),
        wasted_s=float(
            wasted["duration_s"].sum() + idle["duration_s"].sum() + cut_off["duration_s"].sum()
        ),
        coordination_s=float(coordination["duration_s"].sum()) + agents * overhead,
        waiting_s=agents * (makespan - overhead) - busy,
    )


def _is_rework(attempts: pd.DataFrame) -> pd.Series:
    """Return which attempts are at tasks that had failed their tests before."""
    failed = (attempts["outcome"] == "failed_test").astype(int)
    before = failed.groupby(attempts["task"]).cumsum() - failed
    return before > 0


def _straggler_gap(calls: pd.DataFrame, ends: pd.DataFrame) -> float:
    workers = calls[calls["round"].isin(ends["round"]) & (calls["outcome"] != "coordination")]
    latencies = workers.groupby("round")["duration_s"].agg(["max", "mean", "size"])
    latencies = latencies[latencies["size"] > 1]
    return float((latencies["max"] - latencies["mean"]).mean()) if len(latencies) else 0.0


def _task_wait(trace: pd.DataFrame, done: pd.DataFrame) -> float:
    """Return the mean wait; a task done together with its dependencies was never announced."""
    if done.empty:
        return 0.0
    ready = trace[trace["event"] == "task_ready"].set_index("task")["time_s"]
    start = trace[trace["event"] == "call_start"].set_index("call")["time_s"]
    waits = start.reindex(done["call"]).to_numpy() - ready.reindex(done["task"]).to_numpy()
    return float(pd.Series(waits).clip(lower=0.0).sum() / len(done))
