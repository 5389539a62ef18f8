"""All rows, by subject."""

from __future__ import annotations

from tests.validation import queues, speed_up, stragglers
from tests.validation.rows import Row

SUBJECTS: dict[str, list[Row]] = {
    "Speed-up and scalability": speed_up.ROWS,
    "Stragglers, redundancy and recovery": stragglers.ROWS,
    "Queues": queues.ROWS,
}

ROWS: list[Row] = [row for rows in SUBJECTS.values() for row in rows]
