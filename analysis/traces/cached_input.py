"""Adds cached tokens to inputs of spans that lack them, and the reasoning to outputs.

By the conventions the input includes tokens from and into the cache, and the output those of the
reasoning, but some instrumentations write them as Anthropic's, Bedrock's and Gemini's APIs do:
without them. A call that reads more from the cache than its input, or reasons more than its output,
or a total, shows which it is, and one instrumentation does alike for all calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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

_Doubt = Callable[[Span], tuple[bool | None, int] | None]
"""Returns whether a call's numbers show that a part is apart, if in doubt, and how much it is."""


def add_cached_tokens(spans: Iterable[Span], out: Collector) -> None:
    """Add them where calls of the same instrumentation and API show that they are apart.

    Few calls of a model, none of which shows it, are as those of its provider; reasoning not. If
    more calls show the contrary, or too few show it, the calls that show neither stay as they are
    (`analysis.traces.usage.is_cache_apart_in_all`).
    """
    spans = list(spans)
    _add(spans, lambda span: span.cache, "input_tokens", "the cached tokens", True, out)
    _add(spans, lambda span: span.thought, "output_tokens", "the reasoning", False, out)


def _add(
    spans: Iterable[Span], doubt: _Doubt, field: str, part: str, as_provider: bool, out: Collector
) -> None:
    """Add a part to one of the counts of calls; those that show that it is apart have it added.

    Few calls of a model do as those of its provider, if so said: what a gateway hands on of the
    reasoning is as each API counts it.
    """
    providers: dict[tuple[str, str | None, str], dict[str, list[Span]]] = {}
    for span in spans:
        if doubt(span) is not None:
            provider = str(span.fields.get("provider_name") or "")
            model = span.fields.get("response_model")
            family = writer_of(None, model) if may_have_several_apis(provider) else ""
            families = providers.setdefault((span.form, span.scope, provider), {})
            families.setdefault(family, []).append(span)
    n = doubtful = 0
    for families in providers.values():
        usual = is_cache_apart_in_all(_shown(chain(*families.values()), doubt), usual=False)
        for some in families.values():
            shown = _shown(some, doubt)
            if not caches_are_apart(shown, False, usual and as_provider):
                doubtful += shown.count(True) if None in shown else 0
                continue
            for span in some:
                if (each := doubt(span)) is not None and each[0] is None and field in span.fields:
                    span.know({field: span.fields[field] + each[1]})
                    n += 1
    what = field.removesuffix("_tokens")
    if n:
        out.notes.append(
            f"{counted(n, 'call')}: the {what} does not hold {part}, as others of the same "
            "instrumentation show: added"
        )
    if doubtful:
        out.notes.append(
            f"{counted(doubtful, 'call')} whose {what} does not hold {part}, though that "
            "of most others of the same instrumentation may: added in these alone"
        )


def _shown(spans: Iterable[Span], doubt: _Doubt) -> list[bool | None]:
    """Return what the answered calls show: counts of failed ones may be of a part of the call."""
    answered = (span for span in spans if span.status == "ok")
    return [each[0] for span in answered if (each := doubt(span)) is not None]
