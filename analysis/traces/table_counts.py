"""What numbers and words of a plain table mean: counts of tokens, and how calls ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.traces.column_names import UNCACHED, plain
from analysis.traces.dialects import status_of
from analysis.traces.usage import counts, is_cache_apart, is_cache_apart_in_all
from analysis.traces.values import count, flag

_FINE = {"ok", "success", "succeeded", "successful", "completed", "complete", "done", "finished",
         "true", "1", "none", "nan"}  # fmt: skip

_OF_ANTHROPIC = {"input_tokens", "cache_creation_input_tokens"}
"""Names of Anthropic's API, whose input is without the cached tokens."""


def cache_is_apart(
    read: Mapping[str, Sequence[Any]], totals: Sequence[Any] | None, chosen: Mapping[str, str]
) -> bool:
    """Tell whether the input excludes cached tokens.

    Rows show it, with their totals or without; if too few do, the names of the columns tell.

    Parameters
    ----------
    read : mapping
        The counts, by canonical name.
    totals : sequence or None
        Input and output together, if the table has them.
    chosen : mapping
        The table's columns, by canonical name.
    """
    names = {plain(name) for name in chosen.values()}
    named = plain(chosen.get("input_tokens", "")) in UNCACHED or names >= _OF_ANTHROPIC
    return is_cache_apart_in_all(_shown(read, totals), named)


def rows_beyond_input(read: Mapping[str, Sequence[Any]]) -> int:
    """Return how many rows have more tokens from and into the cache than input.

    Parameters
    ----------
    read : mapping
        The counts, by canonical name.
    """
    return sum(each is True for each in _shown(read, None))


def _shown(read: Mapping[str, Sequence[Any]], totals: Sequence[Any] | None) -> list[bool | None]:
    """Return of each row with cached tokens whether it shows that the input excludes them."""
    none = [None] * len(next(iter(read.values()), totals or []))
    columns = [
        read.get(name, none)
        for name in ("input_tokens", "cache_read_input_tokens", "cache_write_input_tokens",
                     "output_tokens")
    ]  # fmt: skip
    return [
        is_cache_apart(n, (k or 0) + (w or 0), out, total)
        for n, k, w, out, total in zip(*columns, totals or none, strict=True)
        if n is not None and (k or w)
    ]


def counts_of(fields: Mapping[str, Any], apart: bool) -> dict[str, Any]:
    """Return the counts of a row in our convention; `apart` if its input lacks the cache."""
    found = counts(
        fields.get("input_tokens"),
        fields.get("cache_read_input_tokens"),
        fields.get("cache_write_input_tokens"),
        fields.get("output_tokens"),
        for_1h=fields.get("cache_write_1h_input_tokens"),
        reasoning=fields.get("reasoning_output_tokens"),
        includes_cache=not apart,
    )
    return {name: n for name, n in found.items() if n is not None}


def status_in(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the status under our names, from words, codes, or the name of an error."""
    said, error = fields.get("status"), fields.get("error_type")
    code = count(said) if said is not None else None
    http = fields.get("http_status")
    http = code if http is None and code is not None and code >= 100 else http
    if error is not None and (
        flag(error) is False or error.lower() in {"none", "null", "0", "nan"}
    ):
        error = None
    failed = error is not None or (http is not None and http >= 400)
    if (said is not None and code is None) or code == 0:
        failed = failed or str(said).lower() not in _FINE
    found: dict[str, Any] = {"status": "ok", "error_type": None}
    if failed:
        found = {"status": status_of(f"{said} {error}"), "error_type": error or said or str(http)}
    return found if http is None else found | {"http_status": http}
