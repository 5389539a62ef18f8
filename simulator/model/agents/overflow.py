"""Contexts that do not fit the window: what is sent in their place."""

from __future__ import annotations

from simulator.model.agents.draws import OwnDraws
from simulator.model.agents.kind import Reading
from simulator.model.streams import Purpose

_MOST_DRAWS = 100
"""Draws of a limit that is to be large enough."""


def compacted(kind: Reading, window_tokens: float, context: int) -> tuple[int, int]:
    """Return the tokens that are sent of a context, and how many are written as their summary.

    Parameters
    ----------
    kind : Reading
    window_tokens : float
        The agent's context limit.
    context : int
        Tokens of the context, which does not fit.
    """
    sent = min(int(kind.compaction * window_tokens), context)
    return sent, int(kind.compaction_output * sent)


def window_of(kind: Reading, begins_with: int, draws: OwnDraws) -> float:
    """Return the context limit of an agent that begins with so many tokens.

    Where limits differ, its model is one that can hold them, if there is any: the limit is drawn
    again until it is large enough, up to `_MOST_DRAWS` times, and the largest is taken.
    """
    facts = kind.window.facts
    if facts.is_constant:  # whole numbers are compared in half the instructions
        constant = facts.constant
        return int(constant) if constant.is_integer() else constant
    draw = draws.by(kind.window, Purpose.WINDOW_TOKENS)
    window = int(draw())
    for _ in range(_MOST_DRAWS):
        if window >= begins_with:
            break
        window = max(window, int(draw()))
    return window
