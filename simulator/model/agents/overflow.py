"""Contexts that do not fit the window: what is sent in their place."""

from __future__ import annotations

from simulator.model.agents.draws import OwnDraws
from simulator.model.streams import Purpose
from simulator.scenario.context import Context

_MOST_DRAWS = 100
"""Draws of a limit that is to be large enough."""


def compacted(spec: Context, window_tokens: float, context: int) -> tuple[int, int]:
    """Return the tokens that are sent of a context, and how many are written as their summary.

    Parameters
    ----------
    spec : Context
    window_tokens : float
        The agent's context limit.
    context : int
        Tokens of the context, which does not fit.
    """
    sent = min(int(spec.compaction * window_tokens), context)
    return sent, int(spec.compaction_output * sent)


def window_of(spec: Context, begins_with: int, draws: OwnDraws) -> float:
    """Return the context limit of an agent that begins with so many tokens.

    Where limits differ, its model is one that can hold them, if there is any: the limit is drawn
    again until it is large enough, up to `_MOST_DRAWS` times, and the largest is taken.
    """
    constant = spec.window_tokens.constant
    if constant is not None:  # whole numbers are compared in half the instructions
        return int(constant) if constant.is_integer() else constant
    draw = draws.of(spec.window_tokens, Purpose.WINDOW_TOKENS)
    window = int(draw())
    for _ in range(_MOST_DRAWS):
        if window >= begins_with:
            break
        window = max(window, int(draw()))
    return window
