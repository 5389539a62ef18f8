"""Token counts of a call, converted to one convention.

Writers differ in whether the input includes tokens read from the cache and written to it, and
whether the output includes reasoning. In our tables both do. If a writer gives a total, the total
shows which convention applies. Otherwise the writer's usual convention does, unless a part is
larger than the whole.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from analysis.traces.values import amount, count, mapping, pick

_INPUT = ("input", "input_tokens", "prompt_tokens", "promptTokens", "inputTokens", "prompt",
          "prompt_token_count", "promptTokenCount")  # fmt: skip
_OUTPUT = (
    "output",
    "output_tokens",
    "completion_tokens",
    "completionTokens",
    "outputTokens",
    "completion",
    "candidates_token_count",
    "candidatesTokenCount",
)
_TOTAL = ("total", "total_tokens", "totalTokens", "total_token_count", "totalTokenCount")
_CACHED = ("cache_read_input_tokens", "cached_input_tokens", "cached_tokens",
           "cacheReadInputTokens", "cached_content_token_count", "cachedContentTokenCount",
           "prompt_cache_hit_tokens")  # fmt: skip
_CACHE = ("cache_read_input", "cache_creation_input")
"""Beginnings of Anthropic's names: its input is without these."""

_WRITTEN = ("cache_creation_input_tokens", "cache_write_input_tokens", "cacheWriteInputTokens")
_APART = {"cache_read_input_tokens", "cache_creation_input_tokens", "cacheReadInputTokens",
          "cacheWriteInputTokens"}  # fmt: skip
"""Names of Anthropic's and Bedrock's APIs, whose input is without these."""

_EPHEMERAL = "ephemeral_"
"""Beginning of the names under which Anthropic tells what was written for how long."""

_FOR_1H = "1h"
"""A part of the names of what was written for an hour."""

_THOUGHTS = ("thoughts_token_count", "thoughtsTokenCount")
_TOOLS = ("tool_use_prompt_token_count", "toolUsePromptTokenCount")
"""Names of Gemini's API, whose output is without the one, and input without the other."""

_OF_ONE_API = ("anthropic", "bedrock")
"""Parts of the names of providers whose inputs are without the cached tokens, of any model."""

_WORD = re.compile(r"[a-z]+")

_FEWEST = 10
"""Calls with cached tokens of which some show that they are apart, where they are."""

_TELLING = 0.1
"""Share of the calls of a writer that must show what all of them do: fewer may be wrong counts."""

NAMES = frozenset({*_INPUT, *_OUTPUT, *_TOTAL, *_CACHED, *_WRITTEN, *_THOUGHTS, *_TOOLS} - {
    "input", "output", "prompt", "completion"})  # fmt: skip
"""Names that only counts of tokens have, in whatever object; those left out may be texts."""


def counts(
    plain: int | None,
    read: int | None,
    written: int | None,
    output: int | None,
    *,
    for_1h: int | None = None,
    reasoning: int | None = None,
    tools: int | None = None,
    total: int | None = None,
    includes_cache: bool = True,
    includes_reasoning: bool = True,
) -> dict[str, int | None]:
    """Return the counts under their canonical names.

    Parameters
    ----------
    plain : int or None
        Input as it is written.
    read, written : int or None
        Tokens from and into the cache.
    for_1h : int or None
        Those of the tokens into the cache that it keeps for an hour.
    output, reasoning : int or None
        Tokens that were written, and tokens of reasoning.
    tools : int or None
        Tokens of results of tools that the writer counts apart from the input.
    total : int or None
        Input and output together, if given.
    includes_cache, includes_reasoning : bool
        Whether this writer's input usually includes the tokens of the cache, and its output those
        of reasoning.
    """
    parts = (read or 0) + (written or 0)
    if plain is not None and tools:
        known = {plain + (output or 0), plain + (output or 0) + (reasoning or 0)}
        plain += tools if total not in known else 0
    whole = plain
    if output is not None and reasoning:
        sums = {n + output for n in (plain or 0, (plain or 0) + parts)}
        is_apart = not includes_reasoning and total not in sums
        is_apart = is_apart or (total not in sums and (total or 0) - reasoning in sums)
        if is_apart or reasoning > output:
            output += reasoning
    if plain is None:
        whole = parts if parts and not includes_cache else None
    elif parts:
        apart = is_cache_apart(plain, parts, output, total)
        whole = plain + parts if apart or (apart is None and not includes_cache) else plain
    return {
        "input_tokens": whole,
        "cache_read_input_tokens": read,
        "cache_write_input_tokens": written,
        "cache_write_1h_input_tokens": for_1h,
        "output_tokens": output,
        "reasoning_output_tokens": reasoning,
    }


def is_cache_apart(plain: int, parts: int, output: int | None, total: int | None) -> bool | None:
    """Return whether the numbers show that the input is without its parts; None if they do not.

    Parameters
    ----------
    plain, parts : int
        Input as it is written, and tokens from and into the cache.
    output, total : int or None
        Output, and all of them together, if given.
    """
    if parts > plain:  # a larger part is none, whatever is added up
        return True
    sums = {plain + (output or 0): False, plain + parts + (output or 0): True}
    return None if total is None else sums.get(total)


def is_reasoning_apart(
    plain: int | None, output: int | None, reasoning: int | None, total: int | None
) -> bool | None:
    """Return whether the numbers show that the output is without the reasoning; None if not.

    Parameters
    ----------
    plain, output, reasoning, total : int or None
        Input and output as they are written, tokens of reasoning, and all together, if given.
    """
    if output is None or not reasoning:
        return None
    if reasoning > output:
        return True
    sums = {(plain or 0) + output: False, (plain or 0) + output + reasoning: True}
    return None if total is None else sums.get(total)


def is_cache_apart_in_all(shown: Iterable[bool | None], usual: bool) -> bool:
    """Return whether the inputs of one writer's calls are without their parts.

    Calls with wrong counts may show the contrary of what the writer does. So more calls must show
    the one than the other, and a tenth of all; else it is as usual.

    Parameters
    ----------
    shown : iterable of bool or None
        What `is_cache_apart` returns of each call that has such parts.
    usual : bool
        Whether the inputs are without the parts as far as names tell.
    """
    tally = Counter(shown)
    most, least = max(tally[True], tally[False]), min(tally[True], tally[False])
    if most == least or most < _TELLING * tally.total():
        return usual and tally.total() > 0
    return tally[True] == most


def caches_are_apart(shown: Sequence[bool | None], usual: bool, others: bool) -> bool:
    """Return whether the inputs of a model's calls are without their parts.

    As `is_cache_apart_in_all`, but few calls, none of which shows it, are as `others` are.
    """
    is_untold = len(shown) < _FEWEST and not any(each is not None for each in shown)
    return others if is_untold else is_cache_apart_in_all(shown, usual)


def shows_both(shown: Sequence[bool | None]) -> bool:
    """Tell whether some calls show the one and some the other, and neither are a few wrong ones."""
    within, apart = shown.count(False), shown.count(True)
    return min(within, apart) >= max(1.0, _TELLING * (within + apart))


@lru_cache(4096)
def writer_of(provider: str | None, model: str | None) -> str:
    """Return whose API has counted the tokens of a call: its provider, else a word of its model."""
    word = _WORD.search((model or "").lower().rpartition("/")[2])
    return (provider or "").strip().lower() or (word.group() if word else "")


def may_have_several_apis(provider: str) -> bool:
    """Tell whether a provider may hand on counts of several APIs, as a gateway does."""
    return not any(api in provider.lower() for api in _OF_ONE_API)


def of_api(usage: Mapping[str, Any], includes_cache: bool | None = None) -> dict[str, int | None]:
    """Return the counts of a usage object as the APIs and their clients write it.

    Anthropic's, OpenAI's (also its details), Gemini's, Bedrock's, DeepSeek's, and LangChain's.

    Parameters
    ----------
    usage : mapping
    includes_cache : bool, optional
        Whether the input usually includes the tokens of the cache; else the names tell whose API
        it is of.
    """
    into = mapping(
        pick(
            usage,
            "input_token_details",
            "prompt_tokens_details",
            "input_tokens_details",
            "prompt_token_details",
        )
    )
    from_ = mapping(
        pick(
            usage,
            "output_token_details",
            "completion_tokens_details",
            "output_tokens_details",
            "completion_token_details",
        )
    )
    read, written = count(pick(usage, *_CACHED)), count(pick(usage, *_WRITTEN))
    if written is None:
        written = count(pick(into, "cache_creation", "cache_write"))
    parts = mapping(usage.get("cache_creation")) or mapping(
        into.get("cache_creation_token_details")
    )
    lasting = _sum(into, _EPHEMERAL) or _sum(parts, _EPHEMERAL)
    written = _larger(written, lasting)  # beside them LangChain writes 0 for their sum
    if includes_cache is None:
        is_openai = "prompt_tokens" in usage or "promptTokens" in usage
        includes_cache = is_openai or _APART.isdisjoint(usage)
    thoughts = count(pick(usage, *_THOUGHTS))
    return counts(
        count(pick(usage, *_INPUT)),
        read if read is not None else count(pick(into, "cache_read", "cached_tokens")),
        written,
        count(pick(usage, *_OUTPUT)),
        for_1h=_of_1h(into) or _of_1h(parts),
        reasoning=count(pick(from_, "reasoning", "reasoning_tokens")) or thoughts,
        tools=count(pick(usage, *_TOOLS)),
        total=count(pick(usage, *_TOTAL)),
        includes_cache=includes_cache,
        includes_reasoning=thoughts is None,
    )


def of_buckets(
    usage: Mapping[str, Any], input_sum: Any = None, output_sum: Any = None
) -> dict[str, int | None]:
    """Return the counts of Langfuse's usage buckets.

    Buckets whose names begin with ``input`` add up to the input, those with ``output`` to the
    output; so do tokens of the cache under Anthropic's names. Others
    (``prompt_details.cache_read``) are parts of the bucket in their name. Integrations differ, so
    sums that Langfuse has added, and a total, decide where they fit.

    Parameters
    ----------
    usage : mapping
        Bucket names to counts.
    input_sum, output_sum : optional
        Sums of the buckets, as Langfuse gives them.
    """
    known = {name.lower(): n for name, each in usage.items() if (n := count(each)) is not None}
    parts = [(f"{k}.{x}", n) for k, each in usage.items() for x, n in mapping(each).items()]
    both = known, dict(parts)  # details are objects of their own in the answers of OpenAI
    inputs = _sums(known, _INPUT, ("input", *_CACHE), count(input_sum))
    outputs = _sums(known, _OUTPUT, ("output", "thoughts"), count(output_sum))
    total = count(pick(usage, *_TOTAL))
    cached = _larger(*(_sum(each, "cache_read", "cached", "cache_hit") for each in both))
    written = _larger(_sum(known, "cache_creation", "cache_write"), _sum(known, _EPHEMERAL))
    # Sums that Langfuse adds may lack Anthropic's cached tokens, whose names begin otherwise.
    inputs = [n for n in inputs if (n or 0) >= (cached or 0) + (written or 0)] or inputs
    pairs = [(a, b) for a in inputs for b in outputs]
    sums = [(a or 0) + (b or 0) for a, b in pairs]
    fitting = (pair for pair, n in zip(pairs, sums, strict=True) if n == total)
    # Where none is the total, some may be more than all, which counted parts twice.
    within = (pair for pair, n in zip(pairs, sums, strict=True) if total and n <= total)
    read, wrote = next(fitting, next(within, pairs[0]))
    return {
        "input_tokens": read,
        "cache_read_input_tokens": cached,
        "cache_write_input_tokens": written,
        "cache_write_1h_input_tokens": _of_1h(known),
        "output_tokens": wrote,
        "reasoning_output_tokens": _larger(*(_sum(x, "reasoning", "thoughts") for x in both)),
    }


def _sums(
    known: Mapping[str, int], wholes: tuple[str, ...], prefixes: tuple[str, ...], said: int | None
) -> list[int | None]:
    """Return what the input or the output may be, the likeliest first.

    `said` is the sum that the writer gives, if any.
    """
    names = {name.lower() for name in wholes}
    plain = next((known[name] for name in names if name in known), None)
    parts = [n for name, n in known.items() if name.startswith(prefixes) and name not in names]
    if plain is None and not parts:
        return [said]
    together = (plain or 0) + sum(parts)
    found = [together, plain or together]
    return list(dict.fromkeys([said, *found] if said in found else found))


def _sum(known: Mapping[str, Any], *parts: str) -> int | None:
    found = [count(n) for name, n in known.items() if any(part in name for part in parts)]
    summed = [n for n in found if n is not None]
    return sum(summed) if summed else None


def _of_1h(known: Mapping[str, Any]) -> int | None:
    return _sum(
        {name: n for name, n in known.items() if _FOR_1H in name.lower()}, "cache", _EPHEMERAL
    )


def _larger(one: int | None, other: int | None) -> int | None:
    """Return the larger of a sum and the sum of its parts, either of which may not be told."""
    known = [n for n in (one, other) if n is not None]
    return max(known) if known else None


def cost_of(details: Mapping[str, Any]) -> float | None:
    """Return the total of cost buckets: the one with that name, else their sum."""
    total = amount(pick(details, "total", "total_cost", "totalCost"))
    if total is not None:
        return total
    known = [n for each in details.values() if (n := amount(each)) is not None]
    return sum(known) if known else None
