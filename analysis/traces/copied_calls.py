"""Calls that are told of twice in one format: copies of a file, exports that overlap."""

from __future__ import annotations

import pandas as pd

from analysis.traces.canonical import CHATS
from analysis.traces.two_formats import DATE_NS

_ALIKE = [
    "run_id",
    "session_id",
    "agent_id",
    "operation_name",
    "tool_name",
    "request_model",
    "response_model",
    "input_tokens",
    "output_tokens",
    "status",
    "start_ns",
    "end_ns",
]
"""What a call and its copy have in common."""


def told_before(calls: pd.DataFrame) -> pd.Series[bool]:
    """Tell which calls an earlier file, or row, has told of already.

    They are of the same run and agent, with the same dates and counts. Calls that are alike in one
    file are that many calls, and as many of another file are theirs, unless they have one id where
    others have ids of their own. Tools and others without counts are copies where calls of models
    of the same file and run are.

    Parameters
    ----------
    calls : DataFrame
        The canonical table.
    """
    if not calls.duplicated(_ALIKE).any():
        return pd.Series(False, index=calls.index)
    again = _told_again(calls)
    if calls["source"].nunique() < 2:
        return again
    number = calls.groupby([*_ALIKE, "source"], dropna=False).cumcount()
    repeated = calls[_ALIKE].assign(number=number).duplicated()
    repeated &= calls["start_ns"].ge(DATE_NS).fillna(False).astype(bool) & calls["end_ns"].notna()
    repeated &= calls["quality_time"].ne("estimated").fillna(True).astype(bool)
    counted = calls["operation_name"].isin(CHATS)
    counted &= calls[["input_tokens", "output_tokens"]].notna().all(axis=1)
    surely = (repeated & counted).groupby([calls["run_id"], calls["source"]], dropna=False)
    return (again | repeated & (counted | surely.transform("any"))).astype(bool)


def _told_again(calls: pd.DataFrame) -> pd.Series[bool]:
    """Tell which calls repeat one with their id, in files whose ids are each of one call."""
    known = calls["call_id"].notna() & calls["start_ns"].ge(DATE_NS).fillna(False).astype(bool)
    repeated = calls.duplicated([*_ALIKE, "call_id"]) & known
    others = calls[known & ~repeated]
    shared = others.loc[others.duplicated(["source", "call_id"]), "source"]
    return (repeated & ~calls["source"].isin(shared)).astype(bool)
