"""What is counted while a replication runs, and the row that comes out."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Metrics:
    """One row of results: what one replication did. Times in simulated seconds.

    The six times at the end say where the agents' time went; with n agents (a coordinator
    included) they add up to ``n * makespan_s``.
    """

    makespan_s: float = 0.0
    """From the start until the run ended (in rounds, until the last barrier)."""
    outcome: str = ""
    """completed, deadline, budget, max_rounds, max_calls or deadlock."""
    success: bool = False
    """Whether every task was marked done."""
    agents: int = 0
    """Agents in the team, a coordinator included."""
    tasks: int = 0
    tasks_done: int = 0
    tasks_correct: int = 0
    """Tasks done without a fault of their own or from a dependency."""
    quality: float = 0.0
    """tasks_correct / tasks."""
    calls: int = 0
    """LLM calls that ended."""
    idle_calls: int = 0
    """Workers' calls that took no task."""
    coordination_calls: int = 0
    """Coordinator's calls."""
    rounds: int = 0
    idle_rounds: int = 0
    """Rounds, ended ones, in which no task was finished."""
    messages: int = 0
    """A broadcast is one message ..."""
    deliveries: int = 0
    """... and one delivery for each receiver."""
    message_tokens: int = 0
    """Tokens of the messages sent, each counted once."""
    input_tokens: int = 0
    """Tokens read, cached ones included."""
    cached_tokens: int = 0
    """Tokens read from the prompt cache."""
    output_tokens: int = 0
    """Tokens written, messages included."""
    cost_usd: float = 0.0
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
    retries: int = 0
    timeouts: int = 0
    rate_limited_s: float = 0.0
    breaker_opens: int = 0
    hedges: int = 0
    failovers: int = 0
    recovery_s: float = 0.0
    """These seven stay 0: no scenario can yet ask for what they count."""
    straggler_gap_s: float = 0.0
    """Mean over ended rounds with two or more workers' calls of longest minus mean call latency."""
    task_wait_s: float = 0.0
    """Mean time from when a task could start to the start of the call that finished it."""
    utilisation: float = 0.0
    """Share of the agents' time spent in calls."""
    work_s: float = 0.0
    """First attempts at tasks."""
    rework_s: float = 0.0
    """Attempts at tasks that had failed their tests before."""
    wasted_s: float = 0.0
    """Idle calls, duplicates, blocked attempts, and calls cut off at the end."""
    coordination_s: float = 0.0
    """Coordinator's calls, and all agents during the harness's time between rounds."""
    waiting_s: float = 0.0
    """At barriers, for work, or for the coordinator."""
    down_s: float = 0.0
    """Out of order; 0, since no scenario can yet ask for failures."""


METRIC_NAMES: tuple[str, ...] = tuple(field.name for field in fields(Metrics))
"""The columns of a result row, in order."""
