"""Calls of W&B Weave: what its API streams, its client returns, and its page exports."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from analysis.traces.collector import Collector
from analysis.traces.impossible import note_impossible
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.span import Span, span_of, spans_of
from analysis.traces.spans import collect
from analysis.traces.usage import of_api
from analysis.traces.values import (
    amount,
    mapping,
    nanoseconds,
    parsed,
    pick,
    rows_on,
    text,
    times_of,
)

_KINDS = {"llm": "chat", "tool": "execute_tool", "agent": "invoke_agent"}
"""Kinds that a program gives to its operations."""

_OF_MODELS = re.compile(
    r"chat\.completions|completions?\.create|messages\.(create|stream)|responses\.(create|parse)"
    r"|a?completion$|generate_content|converse|invoke_model|chat\.complete"
)
"""Names of operations of clients of models."""

_USAGE, _COSTS = "summary.usage.", "summary.weave.costs."
_PAGES = frozenset({"calls", "data"})


class Weave(Reader):
    """Calls with ``op_name``, times, and a summary that has the usage of each model.

    The usage of an operation may hold that of those inside of it: the innermost that have one are
    calls of models.
    """

    kind: ClassVar[str] = "weave"

    def recognises(self, head: Head) -> float:
        """Return the share of rows that are such calls, or pages of them."""
        return head.share(_is_call)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        collect((s for source in sources for s in _spans(source, self.kind, out)), out)


def _is_call(row: Mapping[str, Any]) -> bool:
    rows = rows_on(row, _PAGES)
    return any({"op_name", "started_at", "id"} <= each.keys() for each in rows)


def _spans(source: Source, form: str, out: Collector) -> Iterator[Span]:
    records = source.records(_PAGES, out.skip)
    own = (record for record in records if "op_name" in record.node)
    return spans_of(own, source.name, form, out, _span)


def _span(record: Record, source: str, form: str, out: Collector) -> Span | None:
    raw = record.node
    identity = text(raw.get("id"))
    trace = text(raw.get("trace_id")) or identity
    place = f"{record.place}, call {identity!r}"
    start, end = times_of(raw.get("started_at"), raw.get("ended_at"), nanoseconds)
    if identity is None or trace is None or start is None or end is None or end < start:
        out.skip(place, f"no id, or it began at {str(raw.get('started_at'))[:40]!r} and ended at "
                 f"{str(raw.get('ended_at'))[:40]!r}")  # fmt: skip
        return None
    name = _name_of(text(raw.get("op_name")) or "")
    models = _by_model(raw, "usage", _USAGE)
    said: dict[str, Any] = {"session.id": raw.get("thread_id"), "output.value": _output(raw)}
    operation = _operation(raw, name, bool(models))
    if operation is not None:
        said["gen_ai.operation.name"] = operation
    if operation == "execute_tool":
        said["gen_ai.tool.name"] = name
    elif operation == "invoke_agent":
        said["gen_ai.agent.name"] = text(raw.get("display_name")) or name
    if len(models) == 1:
        said["gen_ai.request.model"] = next(iter(models))
    exception = text(raw.get("exception"))
    span = span_of(
        record.place,
        source,
        form,
        (trace, identity, text(raw.get("parent_id"))),
        name,
        (start, end),
        {key: value for key, value in said.items() if value is not None},
        exception is not None,
        exception,
    )
    if operation not in {None, "execute_tool"} and models:
        for usage in models.values():
            note_impossible(usage, place, out)
        span.know(_sums(map(of_api, models.values())))
        cost = _cost(_by_model(raw, "costs", _COSTS))
        span.know({} if cost is None else {"cost_usd": cost})
    return span


def _name_of(op_name: str) -> str:
    """Return the name in a reference: ``weave:///entity/project/op/NAME:VERSION``."""
    return op_name.rpartition("/")[2].partition(":")[0]


def _operation(raw: Mapping[str, Any], name: str, has_usage: bool) -> str | None:
    """Return what an operation is: of the kind that it says, of a model, or of tokens."""
    attributes = mapping(raw.get("attributes"))
    of_weave = {**raw, **attributes, **mapping(attributes.get("weave"))}
    kind = text(pick(of_weave, "kind", "attributes.weave.kind", "attributes.kind"))
    if kind in _KINDS:
        return _KINDS[kind]
    if _OF_MODELS.search(name):
        return "chat"
    return name if has_usage and name else None


def _by_model(raw: Mapping[str, Any], what: str, prefix: str) -> dict[str, dict[str, Any]]:
    """Return the usage, or the costs, by model; a table has a column for each number."""
    summary = mapping(raw.get("summary"))
    told = mapping(summary.get(what)) or mapping(mapping(summary.get("weave")).get(what))
    if told:
        return {name: mapping(each) for name, each in told.items() if mapping(each)}
    found: dict[str, dict[str, Any]] = {}
    for column, value in raw.items():
        if column.startswith(prefix) and value not in (None, ""):
            model, _, field = column.removeprefix(prefix).rpartition(".")
            above, _, details = model.rpartition(".")
            if details.endswith("_details"):  # names of models may have points, too
                found.setdefault(above, {}).setdefault(details, {})[field] = value
            else:
                found.setdefault(model, {})[field] = value
    return found


def _sums(usages: Iterable[Mapping[str, int | None]]) -> dict[str, int]:
    """Return the counts of all models that an operation has asked, as one after another."""
    found: Counter[str] = Counter()
    for usage in usages:
        found.update({name: n for name, n in usage.items() if n is not None})
    return dict(found)


def _cost(costs: Mapping[str, Mapping[str, Any]]) -> float | None:
    names = ("prompt_tokens_total_cost", "completion_tokens_total_cost")
    known = [n for each in costs.values() for x in names if (n := amount(each.get(x))) is not None]
    return sum(known) if known else None


def _output(raw: Mapping[str, Any]) -> Any:
    output = raw.get("output")
    return parsed(output) or output if isinstance(output, str) else output
