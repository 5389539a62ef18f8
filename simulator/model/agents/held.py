"""Tokens that a loop adds to the context: which its end drops, and which a checkpoint keeps."""

from __future__ import annotations

from typing import NamedTuple


class Conversation(NamedTuple):
    """What a checkpoint has of the conversation of a loop."""

    tokens: int = 0
    """What the loop has added to the context, but for what its next part reads anew."""
    before: int = 0
    """Tokens of the context before that."""
    cached: int = 0
    """How many tokens of both together, from the beginning, the model's cache has."""
    readable: int = 0
    """How many it has once the next prompt has been read."""


class Held:
    """The board, the artifacts and the notes that the first turn of a loop has read.

    They stay in the conversation for the length of the loop, and are dropped at its end.

    Parameters
    ----------
    before : int
        Tokens of the context that are there before the loop.
    is_between : bool
        Whether the messages that were read last are not to be read again.

    Attributes
    ----------
    before : int
    begins : int
        Tokens of the context before them.
    tokens : int
    is_between : bool
        Whether a turn has ended and the next has not been read.
    """

    __slots__ = ("_is_begun", "before", "begins", "is_between", "tokens")

    def __init__(self, before: int, is_between: bool = False) -> None:
        self.before = before
        self.begins = self.tokens = 0
        self.is_between, self._is_begun = is_between, False

    def end_turn(self, read: int, fresh: int, dropped: int, overflow: str) -> None:
        """End a turn; the first has read `fresh` tokens behind those that are kept for good."""
        if dropped > 0:
            self.lose(dropped, overflow)
        if not self._is_begun:
            self.begins, self.tokens, self._is_begun = read, fresh, True
        self.is_between = True

    def end(self, read: int, dropped: int, overflow: str) -> tuple[int, int]:
        """End the loop; return how much of what was read stays where it is, and how much stays."""
        self.lose(dropped, overflow)
        return (self.begins if self.tokens else read), read - self.tokens

    def wait(self, is_between: bool) -> None:
        """Be between two turns, or in one."""
        self.is_between = is_between

    def lose(self, dropped: int, overflow: str) -> None:
        """Lose the oldest tokens of the context, or be part of a summary of it (``compact``)."""
        if dropped > 0 and overflow == "compact":
            self.before = self.begins = self.tokens = 0
        elif dropped > 0:
            self.tokens = max(0, self.tokens - max(0, dropped - self.begins))
            self.begins = max(0, self.begins - dropped)
            self.before = max(0, self.before - dropped)

    def saved(self, context_tokens: int, cached: int) -> Conversation:
        """Return what a checkpoint has now of a context, of which so many tokens are cached."""
        tokens = context_tokens - self.before - self.tokens
        readable = self.begins if self.tokens else context_tokens
        return Conversation(tokens, self.before, min(cached, readable), readable)
