"""What stays in a conversation for the length of a loop, and is dropped at its end."""

from __future__ import annotations


class Held:
    """The board, the artifacts and the notes that the first turn of a loop has read.

    Attributes
    ----------
    begins : int
        Tokens of the context before them.
    tokens : int
    is_between : bool
        Whether a turn has ended and the next has not been read.
    """

    __slots__ = ("begins", "is_between", "tokens")

    def __init__(self, begins: int, tokens: int) -> None:
        self.begins = begins
        self.tokens = tokens
        self.is_between = True

    def wait(self, is_between: bool) -> None:
        """Be between two turns, or in one."""
        self.is_between = is_between

    def lose(self, dropped: int, overflow: str) -> None:
        """Lose the oldest tokens of the context, or be part of a summary of it (``compact``)."""
        if dropped > 0 and overflow == "compact":
            self.begins = self.tokens = 0
        elif dropped > 0:
            self.tokens = max(0, self.tokens - max(0, dropped - self.begins))
            self.begins = max(0, self.begins - dropped)
