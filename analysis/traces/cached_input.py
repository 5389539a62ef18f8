"""Adds cached tokens to inputs of spans that lack them, where other spans show that they do.

By the conventions the input includes tokens from and into the cache, but some instrumentations
write it as Anthropic's and Bedrock's APIs do: without them. A call that reads more from the cache
than its input, or a total, shows which it is, and one instrumentation does alike for all calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from analysis.traces.collector import Collector
from analysis.traces.span import Span
from analysis.traces.usage import (
    caches_are_apart,
    is_cache_apart_in_all,
    may_have_several_apis,
    writer_of,
)
from simulator.words import counted


def add_cached_tokens(spans: Iterable[Span], out: Collector) -> None:
    """Add them where calls of the same instrumentation and API show that they are apart.

    Few calls of a model, none of which shows it, are as those of its provider. If more calls show
    the contrary, or too few show it, the calls that show neither stay as they are
    (`analysis.traces.usage.is_cache_apart_in_all`).
    """
    providers: dict[tuple[str, str | None, str], dict[str, list[Span]]] = {}
    for span in spans:
        if span.cache is not None:
            provider = str(span.fields.get("provider_name") or "")
            model = span.fields.get("response_model")
            family = writer_of(None, model) if may_have_several_apis(provider) else ""
            families = providers.setdefault((span.form, span.scope, provider), {})
            families.setdefault(family, []).append(span)
    n = doubtful = 0
    for families in providers.values():
        usual = is_cache_apart_in_all(chain(*map(_shown, families.values())), usual=False)
        for some in families.values():
            shown = _shown(some)
            if not caches_are_apart(shown, False, usual):
                doubtful += shown.count(True) if None in shown else 0
                continue
            for span in some:
                if span.cache is not None and span.cache[0] is None:
                    span.add_cached()
                    n += 1
    if n:
        out.notes.append(
            f"{n} calls: the input does not hold the cached tokens, as others of the same "
            "instrumentation show: added"
        )
    if doubtful:
        out.notes.append(
            f"{counted(doubtful, 'call')} whose input does not hold the cached tokens, though that "
            "of most others of the same instrumentation may: added in these alone"
        )


def _shown(spans: Iterable[Span]) -> list[bool | None]:
    return [span.cache[0] for span in spans if span.cache is not None]
