"""Which columns of a plain table are read: empty ones hide no others, and all tell of failures."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.traces.canonical import CALLS
from analysis.traces.column_names import (
    ALIASES,
    CACHED,
    UNCACHED,
    found_columns,
    found_counts,
    plain,
    several_in,
    unread_counts,
)
from analysis.traces.error_kinds import error_kind
from analysis.traces.table_rows import is_missing, knows_operations, truth
from analysis.traces.table_times import EXTRA
from analysis.traces.values import text
from simulator.errors import TeamsimError

_FAILED = {
    **dict.fromkeys(("is_error", "has_error", "errored", "failed", "is_failed"), "error"),
    **dict.fromkeys(("cancelled", "canceled", "is_cancelled", "aborted"), "cancelled"),
    **dict.fromkeys(("timed_out", "is_timeout"), "timeout"),
}
"""Columns that say yes where a call failed, and its status then."""

_ANSWERED = {"success", "ok", "is_success", "succeeded", "successful"}
"""Columns that say yes where a call was answered."""

_AGENTS = {"role", "agent_role", "node_name", "langgraph_node", "subagent", "sub_agent",
           "teammate", "persona", "assistant", "bot"}  # fmt: skip
_MAY_BE_AGENTS = {"assistant_name", "bot_name", "worker_id", "worker_name", "crew_member",
                  "agent_label", "agent_type", "from_agent", "actor", "speaker",
                  "sender"}  # fmt: skip
_OF_MESSAGES = {"user", "assistant", "system", "tool", "human", "ai", "function", "model",
                "developer"}  # fmt: skip
"""Columns that may say which agent made a call, unless they say whose a message is; the surer
first."""

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
"""Addresses of people, which are no agents."""

_LENGTHS = {"prompt_len", "output_len", "eval_count"}
"""Columns that other tables than those of servers of models may have for something else."""

_LONGEST_NAME, _MOST_NAMES = 60, 30
"""Texts are longer than names of agents; so many rows do not have each an agent of its own."""

_OF_ITS_OWN = {"run_id", "agent_id", "parent_agent_id", "operation_name", "status", "error_type"}
"""What columns of other names than the first mean something else by, or are read all."""

_SHOWN = 6
"""Most names of columns that a note lists."""


@dataclass(frozen=True)
class Columns:
    """What is read of a table.

    Attributes
    ----------
    chosen : mapping
        Canonical names to the names in the table.
    flags : mapping
        Further columns that say of each call whether it failed, or was answered, to the status that
        they tell of.
    inputs_of_others : mapping
        Rows whose input stands in another column than that of most, to its name.
    notes : list of str
        What is not read, and what else there is to say.
    cached : str or None
        The column ``cached`` where it holds no counts: it may say where a gateway has answered.
    """

    chosen: Mapping[str, str]
    flags: Mapping[str, str] = field(default_factory=dict)
    inputs_of_others: Mapping[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    cached: str | None = None

    def failure(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the status of a row that one of the flags says has failed; else nothing."""
        for name, status in self.flags.items():
            cell, answered = row.get(name), plain(name) in _ANSWERED
            said = truth(cell)
            if said is None and not answered and not is_missing(cell):
                return {"status": status, "error_type": error_kind(text(cell), None)}
            if said is not None and said != answered:
                return {"status": status, "error_type": f"{name}: {cell}"}
        return {}


def check_told(told: Mapping[str, str], file: str) -> None:
    """Check that no column is named as two times or two counts.

    Raises
    ------
    TeamsimError
        If one is: calls would have no length, or outputs as long as their inputs.
    """
    seen: dict[str, str] = {}
    for ours, theirs in told.items():
        if ours in EXTRA or CALLS.get(ours) in {"Int64", "Float64"}:
            if theirs in seen:
                raise TeamsimError(
                    f"{file}: the column {theirs!r} cannot be both {seen[theirs]} and {ours}"
                )
            seen[theirs] = ours


def filled(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Return the columns that say something in a row."""
    return [name for name in names if any(not is_missing(row.get(name)) for row in rows)]


def columns_of(
    rows: Sequence[dict[str, Any]],
    names: Sequence[str],
    told: Mapping[str, str],
    holds_counts: Callable[[str], bool],
) -> Columns:
    """Return which columns are read, and fill what one lacks from another of the same meaning.

    Parameters
    ----------
    rows : sequence of dict
        The rows of a table; cells of columns that are read are filled where another one has them.
    names : sequence of str
        Its columns.
    told : mapping
        Canonical names to columns, as the user has named them.
    holds_counts : callable
        Tells whether a column holds counts, and no words or truths.
    """
    notes = []
    counting = [
        name
        for name in names
        if plain(name) in {*_FAILED, *_ANSWERED} and name not in told.values()
        and holds_counts(name)
    ]  # fmt: skip
    if counting:
        notes.append(
            f"{', '.join(map(repr, counting))} not read: it counts, and does not say which calls "
            "failed"
        )
    if several := [name for name in several_in(names) if holds_counts(name)]:
        notes.append(
            f"{', '.join(map(repr, several))} may say of how many calls a row tells: each is taken "
            "for one call, as long and with as many tokens as all of them"
        )
    names = [name for name in names if name not in counting]
    with_some = filled(rows, names)
    chosen = found_columns(names) | found_columns(with_some)
    chosen |= {ours: theirs for ours, theirs in told.items() if ours not in EXTRA}
    # A canonical name is the surest.
    chosen |= {name: name for name in CALLS if name in with_some and name not in told}
    chosen |= found_counts(with_some, chosen, holds_counts)
    if "operation_name" not in told and (kind := _kind(rows, with_some, chosen)) is not None:
        chosen["operation_name"] = kind
    read = {*chosen.values(), *told.values()}
    if "agent_id" not in chosen and (role := _role(rows, with_some)) is not None:
        chosen["agent_id"] = role
        notes.append(f"{role!r} is taken as the agent of each call")
    if some := [name for name in chosen.values() if plain(name) in _LENGTHS]:
        verb = "is taken as a count" if len(some) == 1 else "are taken as counts"
        notes.append(f"{' and '.join(map(repr, some))} {verb} of tokens")
    inputs: dict[int, str] = {}
    for ours in (each for each in chosen if each in ALIASES and each not in told):
        if ours not in _OF_ITS_OWN:
            theirs = chosen[ours]
            taken = _fill(rows, theirs, _others(ours, theirs, with_some, read))
            for other in dict.fromkeys(taken.values()):
                notes.append(f"{other!r} is read where {theirs!r} is empty")
                read.add(other)
            inputs |= taken if ours == "input_tokens" else {}
    if some := list(filter(holds_counts, unread_counts(names, read))):
        notes.append(
            f"{', '.join(map(repr, some[:_SHOWN]))} not read; if they are counts of tokens, say "
            "which with --column"
        )
    cached = next((each for each in with_some if plain(each) == CACHED and each not in read), None)
    return Columns(chosen, _flags(with_some, read), inputs, notes, cached)


def _kind(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], chosen: Mapping[str, str]
) -> str | None:
    """Return another column that says which operations rows are, where the chosen one does not.

    So ``span_kind`` may say CLIENT or INTERNAL, and ``type`` what was done.
    """
    said = chosen.get("operation_name")
    if said is None or "operation" in plain(said):
        return None
    others = [name for name in names if plain(name) in ALIASES["operation_name"] and name != said]
    if not others or knows_operations([text(row.get(said)) for row in rows]):
        return None
    known = (name for name in others if knows_operations([text(row.get(name)) for row in rows]))
    return next(known, None)


def _role(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str | None:
    """Return a column that may name agents, and none of whose values is a role of a message."""
    return next(
        (
            name
            for known in (_AGENTS, _MAY_BE_AGENTS)
            for name in names
            if plain(name) in known
            and _are_agents([row.get(name) for row in rows if not is_missing(row.get(name))])
        ),
        None,
    )


def _are_agents(cells: Sequence[Any]) -> bool:
    """Tell whether values may be names of agents: no roles of messages, truths or texts."""
    said = {str(each).strip() for each in cells}
    return (
        not any(each.lower() in _OF_MESSAGES for each in said)
        and any(truth(each) is None for each in said)
        and all(len(each) <= _LONGEST_NAME for each in said)
        and not any(map(_ADDRESS.fullmatch, said))
        and len(said) <= max(_MOST_NAMES, len(cells) / 2)
    )


def _flags(names: Sequence[str], read: Collection[str]) -> dict[str, str]:
    known = {**_FAILED, **dict.fromkeys(_ANSWERED, "error")}
    return {name: known[plain(name)] for name in names if name not in read and plain(name) in known}


def _others(ours: str, chosen: str, names: Sequence[str], taken: Collection[str]) -> list[str]:
    """Return further columns that mean the same by their names."""
    if plain(chosen) in UNCACHED:
        return []
    same = {*ALIASES[ours]} - {*UNCACHED}
    return [name for name in names if plain(name) in same and name not in taken]


def _fill(rows: Sequence[dict[str, Any]], column: str, others: Sequence[str]) -> dict[int, str]:
    """Fill empty cells of a column from others that say something only there.

    Return from which column the cell of a row is.
    """
    found: dict[int, str] = {}
    for other in others:
        there = [i for i, row in enumerate(rows) if not is_missing(row.get(other))]
        if all(is_missing(rows[i].get(column)) for i in there):
            found |= dict.fromkeys(there, other)
            for i in there:
                rows[i][column] = rows[i][other]
    return found
