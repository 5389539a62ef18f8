"""Finds calls that files of two formats tell of, as of one run exported as OTLP and from Langfuse.

Calls are the same if they begin and end at the same instants, and what is known of their models and
tokens is alike. A gateway's or a client's own record of a call lies within a wider one: of these
the counts of tokens must be known and equal. Times without a date tell of no instant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analysis.traces.canonical import CHATS

DATE_NS = 10**17
"""Times from here on, in 1973, are dates; those below count from the start of a run."""

_NEAR_NS = 2_000_000
"""Times of one instant differ by no more than this: some formats round them to milliseconds."""

_AROUND_NS, _AROUND_SHARE = 1_000_000_000, 0.2
"""By how much a wider record of a call begins earlier and ends later: time, share of its length."""

_MOST_NEAR = 100
"""Most calls before, and after, that are looked through for the one that a copy is of."""

_FEWEST_UNTOLD = 3
"""Calls at the instants of another run's that make a copy of it where nothing else is known."""

_HALF = 0.5
"""Share of a run's calls from which it is taken for the one that they are found in."""

_TAKEN_OVER = (
    "input_tokens", "cache_read_input_tokens", "cache_write_input_tokens",
    "cache_write_1h_input_tokens", "output_tokens", "reasoning_output_tokens", "cost_usd",
    "first_chunk_s", "finish_reason", "request_model", "response_model", "call_id",
)  # fmt: skip
"""What a call that is kept takes over from its copy, where it lacks it."""

_SEEN = (
    "run_id", "trace_id", "span_id", "call_id", "request_model", "response_model", "start_ns",
    "end_ns", "input_tokens", "output_tokens", "cache_read_input_tokens", "operation_name",
    "tool_name",
)  # fmt: skip


@dataclass(frozen=True)
class Once:
    """Calls, each once.

    Attributes
    ----------
    calls : DataFrame
        Those that are kept, their index unchanged.
    left_out : dict of (str, str) to DataFrame
        Calls of models left out, by the format that is kept and their own.
    """

    calls: pd.DataFrame
    left_out: dict[tuple[str, str], pd.DataFrame] = field(default_factory=dict)


def each_once(calls: pd.DataFrame) -> Once:
    """Return calls without those that another format tells of, too.

    The format with most rows is kept. If half of a run's calls are those of another run, it is that
    run: its calls of tools and of agents are left out, and what else it has belongs to that run.

    Parameters
    ----------
    calls : DataFrame
        The canonical table, its index unique.
    """
    found = Once(calls)
    if calls["source_format"].nunique() < 2:
        return found
    form = calls["source_format"].astype(object)
    is_dated = calls["start_ns"].ge(DATE_NS) & calls["end_ns"].notna()
    dated = calls[is_dated.fillna(False).astype(bool)]
    forms = dated["source_format"].value_counts().index.tolist()
    for i, name in enumerate(forms[1:], start=1):
        kept = dated.index[form[dated.index].isin(forms[:i])].intersection(found.calls.index)
        found = _without(found, name, kept, dated.index[form[dated.index] == name])
    return found


def _without(found: Once, name: str, kept: pd.Index, copied: pd.Index) -> Once:
    calls = found.calls
    pairs = _pairs(calls.loc[kept], calls.loc[copied], is_chat=True)
    if not pairs:
        return found
    pairs_of_tools = _pairs(calls.loc[kept], calls.loc[copied], is_chat=False)
    run = calls["run_id"].astype(object)
    own = calls[calls["source_format"] == name]
    is_chat = own["operation_name"].isin(CHATS)
    chats = run[own.index[is_chat]].value_counts()
    into: dict[Any, Counter[Any]] = {}
    for copy, original in pairs.items():
        into.setdefault(run[copy], Counter())[run[original]] += 1
    same = {
        each: some.most_common(1)[0][0]
        for each, some in into.items()
        if some.total() >= _HALF * chats[each]
    }
    others = own.index[~is_chat & own["run_id"].isin(list(same)).to_numpy(dtype=bool)]
    gone = [*pairs, *pairs_of_tools, *others]
    calls = _with_taken_over(calls, pairs)
    moved = run[own.index].map(same).astype("string").reindex(calls.index)
    left_out = dict(found.left_out)
    formats = calls["source_format"].astype(object)
    chosen = pd.Series({copy: formats[original] for copy, original in pairs.items()})
    for other, some in chosen.groupby(chosen):
        left_out[str(other), name] = calls.loc[some.index]
    return Once(
        calls.assign(run_id=moved.fillna(calls["run_id"])).drop(index=pd.Index(gone).unique()),
        left_out,
    )


def _with_taken_over(calls: pd.DataFrame, pairs: Mapping[Any, Any]) -> pd.DataFrame:
    copies, originals = list(pairs), list(pairs.values())
    calls = calls.copy()
    for name in _TAKEN_OVER:
        more = pd.Series(
            calls.loc[copies, name].to_numpy(), index=originals, dtype=calls[name].dtype
        )
        calls[name] = calls[name].fillna(more.reindex(calls.index))
    return calls


def _pairs(kept: pd.DataFrame, copied: pd.DataFrame, is_chat: bool) -> dict[Any, Any]:
    """Return the label of the call that is kept by that of its copy, each paired once."""
    kept, copied = (
        some[some["operation_name"].isin(CHATS if is_chat else ["execute_tool"])].sort_values(
            "start_ns", kind="stable"
        )
        for some in (kept, copied)
    )
    starts, begun = (some["start_ns"].to_numpy(dtype=np.int64) for some in (kept, copied))
    at = np.searchsorted(starts, begun)
    low = np.maximum(np.searchsorted(starts, begun - _AROUND_NS), at - _MOST_NEAR)
    high = np.minimum(np.searchsorted(starts, begun + _AROUND_NS, "right"), at + _MOST_NEAR)
    mine = [dict(zip(_SEEN, row, strict=True)) for row in _plain(kept)]
    taken: set[int] = set()
    sure: dict[Any, Any] = {}
    untold: dict[tuple[Any, Any], list[tuple[Any, int]]] = {}
    for label, values, first, last in zip(copied.index, _plain(copied), low, high, strict=True):
        if first == last:
            continue
        copy = dict(zip(_SEEN, values, strict=True))
        near = sorted(
            (i for i in range(first, last) if i not in taken),
            key=lambda i: abs(mine[i]["start_ns"] - copy["start_ns"]),
        )
        for i in near:
            alike = _alike(mine[i], copy)
            if alike is None:
                continue
            taken.add(i)
            if alike:
                sure[label] = kept.index[i]
            else:
                untold.setdefault((mine[i]["run_id"], copy["run_id"]), []).append((label, i))
            break
    for some in untold.values():
        if len(some) >= _FEWEST_UNTOLD:
            sure |= {label: kept.index[i] for label, i in some}
    return sure


def _plain(calls: pd.DataFrame) -> Any:
    columns = [calls[name].astype(object).where(calls[name].notna(), None) for name in _SEEN]
    return zip(*columns, strict=True)


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool | None:
    """Tell whether two calls are the same: False if only their times say so, None if they are not.

    Calls of tools have names instead of models and tokens.
    """
    begins, ends = (abs(one[name] - other[name]) for name in ("start_ns", "end_ns"))
    if not _of_one_model(one, other) or one["tool_name"] != other["tool_name"]:
        return None
    is_named = (one["trace_id"], one["span_id"]) == (other["trace_id"], other["span_id"])
    if (is_named and one["span_id"] is not None) or (
        one["call_id"] is not None and one["call_id"] == other["call_id"]
    ):
        return True
    counts = [_of_one_count(one, other, name) for name in ("input_tokens", "output_tokens")]
    if False in counts:
        return None
    is_told = None not in counts or one["tool_name"] is not None
    if max(begins, ends) <= _NEAR_NS:
        is_traced = one["trace_id"] is not None and one["trace_id"] == other["trace_id"]
        return is_told or is_traced
    lengths = [each["end_ns"] - each["start_ns"] for each in (one, other)]
    outer, inner = (one, other) if lengths[0] >= lengths[1] else (other, one)
    is_inside = (
        outer["start_ns"] <= inner["start_ns"] + _NEAR_NS
        and inner["end_ns"] <= outer["end_ns"] + _NEAR_NS
    )
    around = max(begins, ends) <= min(_AROUND_NS, _AROUND_SHARE * max(lengths))
    return True if is_told and is_inside and around else None


def _of_one_model(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    names = [
        [str(each[name]).rpartition("/")[2] for name in ("response_model", "request_model")
         if each[name] is not None]
        for each in (one, other)
    ]  # fmt: skip
    if not names[0] or not names[1]:
        return True
    return any(a.startswith(b) or b.startswith(a) for a in names[0] for b in names[1])


def _of_one_count(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> bool | None:
    """Tell whether counts are equal; None if one is not known. Some inputs lack what was cached."""
    values = one[name], other[name]
    if None in values:
        return None
    if values[0] == values[1]:
        return True
    if name != "input_tokens":
        return False
    cached = [each["cache_read_input_tokens"] or 0 for each in (one, other)]
    return bool(values[0] + cached[0] == values[1] or values[1] + cached[1] == values[0])


def agents_gone(before: pd.DataFrame, after: pd.DataFrame) -> set[tuple[str, str]]:
    """Return the agents, by run and id, that no call of those after is of, but of those before."""
    keys = [set(zip(each["run_id"], each["agent_id"], strict=True)) for each in (before, after)]
    return keys[0] - keys[1]


def messages_once(
    messages: Sequence[dict[str, Any]], before: pd.DataFrame, after: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return messages without those of agents that are gone, and each once.

    Parameters
    ----------
    messages : sequence of dict
        Rows of the canonical table.
    before, after : DataFrame
        The calls before and after those of another format were left out.
    """
    gone = agents_gone(before, after)
    seen: dict[tuple[Any, ...], list[int]] = {}
    found = []
    for each in messages:
        run, ends = each.get("run_id"), (each.get("src_agent_id"), each.get("dst_agent_id"))
        sent = each.get("sent_ns")
        if any((run, end) in gone for end in ends):
            continue
        times = seen.setdefault((run, *ends, each.get("kind")), [])
        if sent is not None and any(abs(sent - other) <= _NEAR_NS for other in times):
            continue
        times += [] if sent is None else [sent]
        found.append(each)
    return found
