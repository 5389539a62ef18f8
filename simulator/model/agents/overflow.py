"""Contexts that do not fit the window: what is sent in their place."""

from __future__ import annotations

from simulator.scenario.context import Context


def made_to_fit(spec: Context, context: int, beside: int) -> tuple[int, int]:
    """Return the tokens that are sent of a context, and how many are written as their summary.

    Parameters
    ----------
    spec : Context
    context : int
        Tokens of the context, which does not fit.
    beside : int
        Tokens of the prompt beside it.
    """
    if spec.overflow == "truncate":
        return min(context, max(0, int(spec.window_tokens) - beside)), 0
    sent = min(spec.compacted_tokens, context)
    return sent, int(spec.compaction_output * sent)
