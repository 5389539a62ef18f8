"""The messages of Claude Code's sessions, and the tools that they call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Message:
    """An assistant's message, which has several lines; the first and the last are used."""

    place: str
    first: dict[str, Any]
    began: int
    last: dict[str, Any]
    ended: int
    is_copy: bool

    def join(self, other: Message) -> None:
        """Take in more of the message: lines before these, or after them, in whatever order."""
        if other.began < self.began:
            self.first, self.began = other.first, other.began
        if other.ended >= self.ended:
            self.last, self.ended = other.last, other.ended


@dataclass(slots=True)
class ToolUse:
    """A call of a tool: its place, message, time and arguments."""

    place: str
    message: str | None
    event: dict[str, Any]
    name: str | None
    at: int
    to: dict[str, Any]


Result = tuple[str, dict[str, Any], dict[str, Any], int]
"""The id of a tool's call, its result as the model and as the program has it, and its time."""
