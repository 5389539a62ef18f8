"""What is counted while a replication runs, and the row that comes out."""

from __future__ import annotations

from dataclasses import dataclass, fields

from simulator.model.copied import Copied


@dataclass(slots=True)
class Metrics(Copied):
    """One row of results: what one replication did. Times in simulated seconds.

    The six times at the end say where the agents' time went; with n agents (a coordinator
    included) they add up to ``n * makespan_s``.
    """

    makespan_s: float = 0.0
    """From the start until the run ended (in rounds, until the last barrier)."""
    outcome: str = ""
    """completed, deadline, budget, max_rounds, max_calls or deadlock."""
    reason: str = ""
    """Why the run ended before all tasks were done; empty if they were."""
    success: bool = False
    """Whether every task was marked done, or as many as `enough` asks for."""
    agents: int = 0
    """Agents in the team, coordinators and verifiers included."""
    tasks: int = 0
    """Tasks of the workload."""
    tasks_done: int = 0
    """Tasks marked done, faulty or not."""
    tasks_correct: int = 0
    """Tasks done without a fault of their own or from a dependency."""
    faulty_detected: int = 0
    """Tasks done with a fault that somebody knows of, given up after `max_attempts`."""
    faulty_undetected: int = 0
    """Tasks done with a fault that nobody has seen; the three add up to tasks_done."""
    quality: float = 0.0
    """Tasks whose work has no fault, marked done (tasks_correct) or not, over tasks."""
    calls: int = 0
    """LLM calls that ended."""
    turns: int = 0
    """Calls that were turns of loops; a loop that is always one turn is a call like any."""
    loops_at_limit: int = 0
    """Loops that ended because they had as many turns as they may have."""
    tool_calls: int = 0
    """Calls of tools."""
    tool_errors: int = 0
    """Calls of tools that failed: errors, time-outs, outages, waits that were too long."""
    tool_s: float = 0.0
    """Time in which tools ran, each call counted for itself."""
    tool_wait_s: float = 0.0
    """Time for which calls of tools waited at their stations."""
    sub_agents: int = 0
    """Sub-agents that have begun; each is a call of a tool."""
    sub_agents_failed: int = 0
    """Sub-agents that came to nothing, or whose report was of no use."""
    sub_agent_s: float = 0.0
    """Time in which sub-agents ran, each counted for itself: of `tool_s`."""
    idle_calls: int = 0
    """Workers' calls that took no task."""
    lost_replies: int = 0
    """Calls whose reply exceeded the output limit and could not be used."""
    coordination_calls: int = 0
    """Calls of coordinators, and of workers that split, merge or reconcile work."""
    review_calls: int = 0
    """Calls that reviewed finished tasks, a coordinator's apart."""
    reviews: int = 0
    """Tasks reviewed."""
    rejections: int = 0
    """Reviewed tasks sent back."""
    false_alarms: int = 0
    """Reviewed tasks sent back although they were correct."""
    claims: int = 0
    """Claims of tasks, where a scenario says that agents forget to hand in, or what becomes of
    claims; 0 in all others."""
    marked_claims: int = 0
    """Claims that ended with their task marked done."""
    released_claims: int = 0
    """Claims that ended with their task open again: by a lease, or because the agent was gone."""
    open_claims: int = 0
    """Claims that were open when the run ended; the three add up to claims."""
    orphaned_claims: int = 0
    """Claims whose agent had finished the task without handing it in, or had gone down."""
    recovered_claims: int = 0
    """Of these, claims whose task was marked done after all."""
    unmarked_tasks: int = 0
    """Tasks that were finished, and not marked done when the run ended."""
    stalled_tasks: int = 0
    """Tasks left that wait, directly or not, for a task whose claim is open and orphaned."""
    rounds: int = 0
    """Rounds that have begun; 0 where agents do not act in rounds."""
    idle_rounds: int = 0
    """Rounds that have ended with as many tasks done as before."""
    messages: int = 0
    """Messages sent; a broadcast is one."""
    deliveries: int = 0
    """Messages that arrive, counted at each receiver when they are sent: where links have delays,
    some are still on their way when the run ends."""
    lost_messages: int = 0
    """Deliveries lost, to the network or to a partition."""
    reordered_messages: int = 0
    """Deliveries read after a later one of the same sender."""
    replica_messages: int = 0
    """Messages between the workspace and its replicas (quorum, consensus)."""
    message_tokens: int = 0
    """Tokens of the messages sent, each counted once."""
    input_tokens: int = 0
    """Tokens read, cached ones included."""
    cached_tokens: int = 0
    """Tokens read from the prompt cache."""
    cache_write_tokens: int = 0
    """Tokens written to a prompt cache of which the scenario says how it keeps them."""
    expired_tokens: int = 0
    """Tokens read at full price because they had expired from the cache."""
    output_tokens: int = 0
    """Tokens written, messages included."""
    cost_usd: float = 0.0
    """What the provider bills, by `Price`."""
    attempts: int = 0
    """Picks of tasks in calls that ended: successes, failures, duplicates and blocked ones."""
    duplicate_attempts: int = 0
    """Attempts at tasks that were done or claimed by another agent meanwhile."""
    blocked_claims: int = 0
    """Attempts at tasks whose dependencies were not done when the call ended."""
    concurrent_writes: int = 0
    """Writes that overlapped with another agent's (artifact-rounds with several writers)."""
    rewrites: int = 0
    """Writes to artifacts that had been written before."""
    failed_tests: int = 0
    """Faulty attempts that the agent's own tests found."""
    lost_updates: int = 0
    """Finished work that another agent's write undid."""
    merges: int = 0
    """Conflicting writes that were merged."""
    commit_attempts: int = 0
    """Commits sent to a workspace that may refuse them, refused ones included."""
    stale_reads: int = 0
    """Artifacts read in an old version, from replicas that had not got the newest."""
    duplicate_effects: int = 0
    """Effects applied again, by retries and duplicates that are not idempotent."""
    deadlocks: int = 0
    """Circles of agents that waited for each other's locks."""
    lease_expiries: int = 0
    """Claims and locks that ended because their lease did."""
    steals: int = 0
    """Tasks taken from another agent's hand."""
    compactions: int = 0
    """Contexts compacted or truncated."""
    retries: int = 0
    """Requests sent again, after a refusal or a failure, and commits after a lost
    acknowledgement."""
    rate_limits: int = 0
    """Calls that the provider refused."""
    failed_calls: int = 0
    """Calls that came to nothing: given up after the last retry, lost in a crash, cancelled; and
    loops that did so between two turns."""
    too_long_prompts: int = 0
    """Of these, calls whose prompt was larger than the window."""
    requests: int = 0
    """Requests that the provider took in, where they can fail (hedges and retries included)."""
    fault_events: int = 0
    """Crashes, and what the script of faults did."""
    crashes: int = 0
    """Agents that went down."""
    slow_calls: int = 0
    """Requests that were stragglers."""
    stalls: int = 0
    """Requests that would never have come back."""
    malformed: int = 0
    """Replies that could not be used."""
    provider_errors: int = 0
    """Requests that the provider failed, in outages or without."""
    timeouts: int = 0
    """Requests given up because they took too long."""
    breaker_opens: int = 0
    """Times that a circuit breaker opened."""
    hedges: int = 0
    """Second requests sent because the first had not come back."""
    fallbacks: int = 0
    """Calls that went to the other model."""
    partial_tasks: int = 0
    """Tasks left as they were, because the call that attempted them had failed for good."""
    backups: int = 0
    """Calls that did again what was in progress."""
    detections: int = 0
    """Agents found dead or stuck."""
    detection_s: float = 0.0
    """Mean time from a crash until it was noticed, over those that were."""
    reassigned: int = 0
    """Tasks taken from agents found dead or stuck, to be done by others."""
    restarts: int = 0
    """Agents restarted by the supervisor."""
    elections: int = 0
    """Elections begun, those that came to nothing included."""
    failovers: int = 0
    """Coordinators replaced by an elected worker."""
    duplicated_messages: int = 0
    """Deliveries that arrived twice."""
    lost_s: float = 0.0
    """Service of requests that came to nothing (of the wasted time), sub-agents' apart."""
    wasted_tokens: int = 0
    """Tokens, read or written, of requests and calls that came to nothing or were cut off."""
    wasted_usd: float = 0.0
    """What these have cost."""
    recovery_s: float = 0.0
    """Mean time after a fault until throughput was back to 90 % (see `Recovery`)."""
    availability: float = 1.0
    """Share of the agents' time for which they were not down."""
    goodput: float = 0.0
    """Correct tasks per second."""
    straggler_gap_s: float = 0.0
    """Mean over ended rounds with two or more workers' calls of longest minus mean call latency
    (time in service, where a worker makes several calls a round)."""
    task_wait_s: float = 0.0
    """Mean time from when a task could start to the start of the call that finished it."""
    utilisation: float = 0.0
    """Share of the agents' time in which calls were served, without requests in vain (`lost_s`)."""
    work_s: float = 0.0
    """Attempts at tasks that had not failed their tests before; of those that go on at a
    checkpoint, what was left."""
    rework_s: float = 0.0
    """Attempts at tasks that had failed their tests before."""
    wasted_s: float = 0.0
    """Idle calls, duplicates, blocked and refused attempts, requests and calls that came to
    nothing (all of them, also what a checkpoint has saved), and calls cut off at the end."""
    coordination_s: float = 0.0
    """Coordination and reviews, reads, commits and merges in the workspace, and all agents during
    the harness's time between rounds."""
    waiting_s: float = 0.0
    """At barriers, for work, for the coordinator, and the seven that follow."""
    rate_limited_s: float = 0.0
    """Of the waiting: after refusals of the provider."""
    lock_wait_s: float = 0.0
    """Of the waiting: for locks, and for the one writer of an artifact."""
    partition_wait_s: float = 0.0
    """Of the waiting: with a finished call, for the end of a partition."""
    queue_wait_s: float = 0.0
    """Of the waiting: in the provider's queue."""
    held_back_s: float = 0.0
    """Of the waiting: before a retry, at an open breaker or at a bulkhead."""
    on_tools_s: float = 0.0
    """Of the waiting: between two turns of a loop, for tools."""
    on_subagents_s: float = 0.0
    """Of the waiting: the same, for sub-agents, or for them and tools."""
    down_s: float = 0.0
    """Agents that were down."""


METRIC_NAMES: tuple[str, ...] = tuple(field.name for field in fields(Metrics))
"""The columns of a result row, in order."""

NUMERIC_METRICS: tuple[str, ...] = tuple(
    field.name for field in fields(Metrics) if str(field.type) != "str"
)
"""Those that are numbers: all but the outcome and its reason."""

NOT_TRACED = (
    "cost_usd",
    "loops_at_limit",
    "cache_write_tokens",
    "expired_tokens",
    "reason",
    "lost_messages",
    "reordered_messages",
    "replica_messages",
    "merges",
    "commit_attempts",
    "stale_reads",
    "duplicate_effects",
    "deadlocks",
    "lease_expiries",
    "stalled_tasks",
    "steals",
    "compactions",
    "retries",
    "rate_limits",
    "requests",
    "slow_calls",
    "stalls",
    "provider_errors",
    "timeouts",
    "hedges",
    "fallbacks",
    "backups",
    "reassigned",
    "restarts",
    "elections",
    "duplicated_messages",
    "detection_s",
    "wasted_usd",
    "recovery_s",
)
"""Metrics that a trace does not tell; all others can be computed from it alone."""
