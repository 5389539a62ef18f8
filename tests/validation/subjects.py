"""All rows, by subject."""

from __future__ import annotations

from tests.validation import (
    benchmarks,
    coordination,
    loops,
    published,
    queues,
    real_teams,
    speed_up,
    stragglers,
    teams,
    votes,
)
from tests.validation.rows import Row

SUBJECTS: dict[str, list[Row]] = {
    "Speed-up and scalability": speed_up.ROWS,
    "Stragglers, redundancy and recovery": stragglers.ROWS,
    "Queues": queues.ROWS,
    "Coordination, consistency and failure": coordination.ROWS,
    "Votes, debates and chains": votes.ROWS,
    "Agents in loops": loops.ROWS,
    "Teams of language models": [*published.ROWS, *real_teams.ROWS],
    "Benchmarks of teams": teams.ROWS,
    "Benchmarks of single models": benchmarks.ROWS,
}

ROWS: list[Row] = [row for rows in SUBJECTS.values() for row in rows]
