"""What numbers of a plain table mean: counts of tokens, and which of them are parts of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from analysis.traces.column_names import UNCACHED, plain
from analysis.traces.table_columns import Columns
from analysis.traces.table_rows import is_missing, truth
from analysis.traces.usage import (
    caches_are_apart,
    counts,
    is_cache_apart,
    is_cache_apart_in_all,
    is_reasoning_apart,
    may_have_several_apis,
    shows_both,
    writer_of,
)
from analysis.traces.values import amount, text
from simulator.words import counted

_MOST_VALUES = 20
"""Values of a column that may say what has written its rows."""
_TELLING = 0.1
"""Share of the rows that must have a total of another size before it is said."""

_FEWEST = 5
"""Rows that must show whether the input holds the cached tokens, with one of them at least."""

_OF_ANTHROPIC = {"input_tokens", "cache_creation_input_tokens"}
"""Names of Anthropic's API, whose input is without the cached tokens."""


def caches_apart(
    read: Mapping[str, Sequence[Any]],
    totals: Sequence[Any] | None,
    columns: Columns,
    words: Mapping[str, Sequence[str | None]],
    rows: Sequence[Mapping[str, Any]],
) -> tuple[list[bool], list[str]]:
    """Tell of each row whether its input excludes the cached tokens; note where it does.

    Each provider does alike in all its rows of models of one family, as a gateway may hand on what
    each API has counted. Rows show it, with their totals or without; if too few do, the names of
    the columns tell. Models of few rows, none of which shows it, do as the provider does, and a
    provider of few as most rows of the table do. Where rows of one model show both, another column
    may tell them apart, such as the gateway that has written them.

    Parameters
    ----------
    read, words : mapping
        The counts and the texts, by canonical name.
    totals : sequence or None
        Input and output together, if the table has them.
    columns : Columns
        The columns that are read.
    rows : sequence of mapping
        The rows, with all columns.
    """
    names = {plain(name) for name in columns.chosen.values()}
    named = plain(columns.chosen.get("input_tokens", "")) in UNCACHED or names >= _OF_ANTHROPIC
    none = [None] * len(rows)
    makers = [words.get(name, none) for name in ("provider_name", "response_model")]
    pairs = list(zip(*makers, strict=True))
    elsewhere = columns.inputs_of_others
    providers = [
        writer_of(*pair) + (f" ({elsewhere[i]!r})" if i in elsewhere else "")
        for i, pair in enumerate(pairs)
    ]
    usually = dict.fromkeys(providers, named) | {providers[i]: False for i in elsewhere}
    by_provider = _shown(read, totals, providers)
    of_all = is_cache_apart_in_all([each for some in by_provider.values() for each in some], named)
    usual = {
        who: caches_are_apart(some, usually[who], of_all and usually[who] == named)
        for who, some in by_provider.items()
    }
    writers = _told_apart(providers, [writer_of(None, model) for _, model in pairs])
    writers, notes = _told_by_columns(read, totals, writers, rows)
    shown = _shown(read, totals, writers)
    provider_of = dict(zip(writers, providers, strict=True))
    are_apart = {
        who: caches_are_apart(some, usually[provider_of[who]], usual[provider_of[who]])
        for who, some in shown.items()
        if some
    }
    apart = [are_apart.get(who, of_all) for who in writers]
    notes += [
        f"of {writer or 'the rows'}, {counted(some.count(True), 'row')} show that the input does "
        f"not hold the cached tokens, and {some.count(False):,} that it does: all are taken as if "
        f"it {'did not' if are_apart[writer] else 'did'}; check them, or read both kinds apart"
        for writer, some in shown.items()
        if shows_both(some)
    ]
    those = sorted(writer for writer, is_apart in are_apart.items() if is_apart)
    if those:
        whose = "" if len(those) == len(are_apart) else f" of {', '.join(those)}"
        notes.append(f"the input{whose} does not hold the cached tokens: added")
    beyond = _shown(read, None, [str(each) for each in apart]).get(str(False), [])
    if True in beyond:
        notes.append(
            f"{counted(beyond.count(True), 'row')} of {len(rows):,} with more cached tokens than "
            "input: added to it there, and taken for a part of it in the others"
        )
    return apart, notes


def _told_apart(providers: Sequence[str], models: Sequence[str]) -> list[str]:
    """Return the names of providers, with that of the model where one has those of several APIs."""
    of = {provider: set[str]() for provider in providers}
    for provider, model in zip(providers, models, strict=True):
        of[provider].add(model)
    return [
        f"{provider} {model}".strip()
        if len(of[provider]) > 1 and may_have_several_apis(provider)
        else provider
        for provider, model in zip(providers, models, strict=True)
    ]


def _told_by_columns(
    read: Mapping[str, Sequence[Any]],
    totals: Sequence[Any] | None,
    writers: list[str],
    rows: Sequence[Mapping[str, Any]],
) -> tuple[list[str], list[str]]:
    """Return the writers, with the value of a column where it tells two kinds of one's rows apart.

    Note which column does.
    """
    notes = []
    for writer, some in _shown(read, totals, writers).items():
        if not shows_both(some):
            continue
        its = [i for i, each in enumerate(writers) if each == writer]
        for column in dict.fromkeys(name for i in its for name in rows[i]):
            values = [text(row.get(column)) for row in rows]
            kinds = {values[i] for i in its}
            if not 1 < len(kinds) <= _MOST_VALUES or any(
                amount(each) is not None for each in kinds
            ):
                continue
            apart = [
                f"{each} with {column} {value}" if each == writer else each
                for each, value in zip(writers, values, strict=True)
            ]
            shown = _shown(read, totals, apart)
            tallies = [Counter(shown[name]) for name in {apart[i] for i in its}]
            clear = {n[True] > 0 for n in tallies if max(n[True], n[False]) >= _FEWEST}
            if len(clear) == 2 and not any(n[True] and n[False] for n in tallies):
                writers = apart
                notes.append(
                    f"of {writer or 'the rows'}, some inputs hold the cached tokens and some do "
                    f"not: {column!r} tells which"
                )
                break
    return writers, notes


def _shown(
    read: Mapping[str, Sequence[Any]], totals: Sequence[Any] | None, writers: Sequence[str]
) -> dict[str, list[bool | None]]:
    """Return of each writer's rows with cached tokens whether they show that these are apart."""
    none = [None] * len(writers)
    columns = [
        read.get(name, none)
        for name in ("input_tokens", "cache_read_input_tokens", "cache_write_input_tokens",
                     "output_tokens")
    ]  # fmt: skip
    found: dict[str, list[bool | None]] = {writer: [] for writer in writers}
    for writer, n, k, w, out, total in zip(writers, *columns, totals or none, strict=True):
        if n is not None and (k or w):
            found[writer].append(is_cache_apart(n, (k or 0) + (w or 0), out, total))
    return found


def reasoning_apart(
    read: Mapping[str, Sequence[Any]],
    totals: Sequence[Any] | None,
    words: Mapping[str, Sequence[str | None]],
    n_rows: int,
) -> tuple[list[bool], list[str]]:
    """Tell of each row whether its output excludes the reasoning; note where it does.

    It shows it, where the reasoning is more than the output or the total is that of both, or the
    contrary; else it does as most rows of its writer that show it (see `caches_apart`).
    """
    if not any(read.get("reasoning_output_tokens", ())):
        return [False] * n_rows, []
    none = [None] * n_rows
    makers = [words.get(name, none) for name in ("provider_name", "response_model")]
    writers = [writer_of(*pair) for pair in zip(*makers, strict=True)]
    names = ("input_tokens", "output_tokens", "reasoning_output_tokens")
    columns = (read.get(name, none) for name in names)
    shown = [is_reasoning_apart(*row) for row in zip(*columns, totals or none, strict=True)]
    of: dict[str, list[bool | None]] = {writer: [] for writer in writers}
    wrote, thoughts = (read.get(name, none) for name in names[1:])
    for writer, n, thought, each in zip(writers, wrote, thoughts, shown, strict=True):
        if n and thought:  # a call that was cut off shows nothing of others
            of[writer].append(each)
    usual = {writer: is_cache_apart_in_all(some, usual=False) for writer, some in of.items()}
    apart = [usual[w] if each is None else each for w, each in zip(writers, shown, strict=True)]
    whose = sorted(writer for writer, is_so in usual.items() if is_so)
    said = "" if len(whose) == len(usual) else f" of {', '.join(whose)}"
    return apart, [f"the output{said} does not hold the reasoning: added"] if whose else []


def of_answered(
    read: Mapping[str, Sequence[Any]], statuses: Sequence[Mapping[str, Any]]
) -> dict[str, list[Any]]:
    """Return the counts of the rows that were answered: those of failed calls show nothing.

    They are often of a part of a call, as where 0 stands for the input.
    """
    answered = [each["status"] == "ok" for each in statuses]
    return {
        name: [n if is_whole else None for n, is_whole in zip(some, answered, strict=True)]
        for name, some in read.items()
    }


def is_of_gateway(cached: Sequence[Any], costs: Sequence[Any]) -> bool | None:
    """Tell whether a column ``cached`` says that a gateway has answered; None if it says neither.

    Answers of a gateway cost nothing; prompts that a model reads from its cache do.
    """
    known = [(truth(each), cost) for each, cost in zip(cached, costs, strict=True)]
    if any(
        said is None and not is_missing(each) for (said, _), each in zip(known, cached, strict=True)
    ):
        return None
    hits = {cost for said, cost in known if said}
    others = {cost for said, cost in known if said is False}
    return None if not hits else hits <= {0, None} and any(others - {None, 0})


def note_on_totals(read: Mapping[str, Sequence[Any]], totals: Sequence[Any] | None) -> str | None:
    """Return what to say of totals that are not the sum of what is read, in whatever convention."""
    if totals is None:
        return None
    none = [None] * len(totals)
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens",
             "cache_write_input_tokens", "reasoning_output_tokens")  # fmt: skip
    columns = (read.get(name, none) for name in names)
    known = [
        (total, n + out, [each for each in parts if each])
        for n, out, *parts, total in zip(*columns, totals, strict=True)
        if total is not None and n is not None and out is not None
    ]
    odd = [
        (total, least)
        for total, least, parts in known
        if not any(total == least + sum(some) for k in range(4) for some in combinations(parts, k))
    ]
    if not odd or len(odd) < _TELLING * len(known):
        return None
    return (
        f"in {counted(len(odd), 'row')} of {len(known):,} the total of tokens is not the sum of "
        f"input and output, as {odd[0][0]:,} of {odd[0][1]:,}: check which columns they are"
    )


def counts_of(fields: Mapping[str, Any], apart: bool, thinks_apart: bool) -> dict[str, Any]:
    """Return the counts of a row in our convention.

    Parameters
    ----------
    fields : mapping
        Its values by canonical name.
    apart, thinks_apart : bool
        Whether its input is without the cached tokens, and its output without the reasoning.
    """
    found = counts(
        fields.get("input_tokens"),
        fields.get("cache_read_input_tokens"),
        fields.get("cache_write_input_tokens"),
        fields.get("output_tokens"),
        for_1h=fields.get("cache_write_1h_input_tokens"),
        reasoning=fields.get("reasoning_output_tokens"),
        includes_cache=not apart,
        includes_reasoning=not thinks_apart,
    )
    return {name: n for name, n in found.items() if n is not None}
