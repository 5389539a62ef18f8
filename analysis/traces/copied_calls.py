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


_FEWEST_OF_COPY = 3
"""Calls of a file, not all alike, that are not all those of another one by chance."""
_SECOND_NS = 10**9

_OF_ONE_ANSWER = [
    "source",
    "run_id",
    "session_id",
    "agent_id",
    "operation_name",
    "response_model",
    "call_id",
    "attempt",
    "status",
    "input_tokens",
    "start_ns",
]
"""What the rows of an answer have in common that is written again and again as it grows."""


def parts_of_answers(calls: pd.DataFrame) -> tuple[pd.Series[bool], pd.Series[bool]]:
    """Tell which calls are parts of an answer that was streamed, and which may be.

    A part has the id and the start of another call that alone says why it ended, and no more
    tokens. Where no row says it, answers may as well be several, to one request. All but the
    longest of these may be parts.
    """
    some = calls[calls["call_id"].notna() & calls["operation_name"].isin(CHATS)]
    some = some[some.duplicated(_OF_ONE_ANSWER, keep=False) & some["start_ns"].ge(DATE_NS)]
    if some.empty:
        nothing = pd.Series(False, index=calls.index)
        return nothing, nothing
    some = some.sort_values(["end_ns", "output_tokens"], kind="stable")
    groups = some.groupby(_OF_ONE_ANSWER, dropna=False)
    more = groups["output_tokens"].diff()
    keys = [some[name] for name in _OF_ONE_ANSWER]
    grows, strictly = (
        each.groupby(keys, dropna=False).transform("all")
        for each in (more.fillna(0).ge(0) & some["output_tokens"].notna(), more.fillna(1).gt(0))
    )
    is_last = ~some.duplicated(_OF_ONE_ANSWER, keep="last")
    ends = groups["finish_reason"].transform("count")
    last_tells = (is_last & some["finish_reason"].notna()).groupby(keys, dropna=False)
    parts = grows & ~is_last & (ends == 1) & last_tells.transform("any")
    maybe = grows & strictly & ~is_last & (ends == 0)
    every = (each.reindex(calls.index, fill_value=False).astype(bool) for each in (parts, maybe))
    return next(every), next(every)


def told_before(calls: pd.DataFrame) -> pd.Series[bool]:
    """Tell which calls an earlier file, or row, has told of already.

    They are of the same run and agent, with the same dates and counts. Calls that are alike in one
    file are that many calls, and as many of another file are theirs, unless they have one id where
    others have ids of their own. Tools and others without counts are copies where calls of models
    of the same file and run are. So are all calls of a file, whatever their times, where each is in
    another file.

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
    whole = _whole_files(calls, repeated)
    repeated &= calls["start_ns"].ge(DATE_NS).fillna(False).astype(bool) & calls["end_ns"].notna()
    repeated &= calls["quality_time"].ne("estimated").fillna(True).astype(bool)
    counted = calls["operation_name"].isin(CHATS)
    counted &= calls[["input_tokens", "output_tokens"]].notna().all(axis=1)
    surely = (repeated & counted).groupby([calls["run_id"], calls["source"]], dropna=False)
    return (again | whole | repeated & (counted | surely.transform("any"))).astype(bool)


def _whole_files(calls: pd.DataFrame, repeated: pd.Series[bool]) -> pd.Series[bool]:
    """Tell which calls are in a file all of whose calls are those of runs of other files.

    So copies are found of tables whose times are those since the start of a run, or not known.
    """
    whole = _is_whole(calls, repeated)
    return (whole & _vary(calls[whole]).reindex(calls.index, fill_value=False)).astype(bool)


def may_be_copies(calls: pd.DataFrame) -> list[str]:
    """Return files that may be copies: their calls are each in another file, and hardly differ."""
    if calls["source"].nunique() < 2:
        return []
    number = calls.groupby([*_ALIKE, "source"], dropna=False).cumcount()
    some = calls[_is_whole(calls, calls[_ALIKE].assign(number=number).duplicated())]
    return sorted(some.loc[~_vary(some), "source"].unique())


def _is_whole(calls: pd.DataFrame, repeated: pd.Series[bool]) -> pd.Series[bool]:
    sizes = calls.groupby("source")["source"].transform("size")
    all_are = repeated.groupby(calls["source"]).transform("all")
    return (sizes.ge(_FEWEST_OF_COPY) & all_are).astype(bool)


def _vary(calls: pd.DataFrame) -> pd.Series[bool]:
    """Tell of each call whether those of its file differ by more than whole seconds."""
    lengths = calls["end_ns"] - calls["start_ns"]
    lengths = lengths.where((lengths % _SECOND_NS).ne(0).fillna(False))
    said = zip(lengths, calls["input_tokens"], calls["output_tokens"], strict=True)
    kinds = pd.Series(list(map(str, said)), index=calls.index)
    return kinds.groupby(calls["source"]).transform("nunique").gt(1).astype(bool)


def _told_again(calls: pd.DataFrame) -> pd.Series[bool]:
    """Tell which calls repeat one with their id, in files whose ids are each of one call."""
    known = calls["call_id"].notna() & calls["start_ns"].ge(DATE_NS).fillna(False).astype(bool)
    repeated = calls.duplicated([*_ALIKE, "call_id"]) & known
    others = calls[known & ~repeated]
    shared = others.loc[others.duplicated(["source", "call_id"]), "source"]
    return (repeated & ~calls["source"].isin(shared)).astype(bool)
