"""Columns of tables of calls, found by the names that gateways and people give them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from analysis.traces.attribute_names import COLUMNS, KNOWN

UNCACHED = ("uncached_input_tokens", "input_tokens_uncached", "input_uncached", "uncached_tokens",
            "non_cached_input_tokens", "uncached_prompt_tokens")  # fmt: skip
"""Names of an input that lacks the cached tokens."""

ALIASES: dict[str, tuple[str, ...]] = {
    "run_id": ("run_id", "run", "session", "session_id", "conversation_id", "thread_id",
               "chat_id", "workflow_id", "request_properties_helicone_session_id",
               "properties_helicone_session_id", "helicone_session_id", "run_dir", "trace_id"),
    "agent_id": ("agent_id", "agent", "agent_name", "worker", "node"),
    "parent_agent_id": ("parent_agent_id", "parent_agent"),
    "provider_name": ("provider_name", "provider", "vendor", "ai_org"),
    "response_model": ("response_model", "model", "model_name", "model_id", "request_model",
                       "deployment", "llm", "model_permaslug", "ai_model"),
    "input_tokens": ("input_tokens", "prompt_tokens", "tokens_in", "input_token_count",
                     "prompt_token_count", "n_input_tokens", "n_prompt_tokens",
                     "num_input_tokens", "num_prompt_tokens", "usage_prompt_tokens",
                     "usage_input_tokens", "tokens_prompt", "req_units", "in_tokens",
                     "tokens_input", "tok_in", "input_tok", "prompt_tok", "input_toks",
                     "prompt_toks", "request_tokens", "prompt_eval_count", "prompt_len",
                     *UNCACHED),
    "cache_read_input_tokens": ("cache_read_input_tokens", "cached_input_tokens", "cached_tokens",
                                "cache_read_tokens", "cached_prompt_tokens", "tokens_cached",
                                "native_tokens_cached", "prompt_cache_hit_tokens",
                                "prompt_cache_read_tokens", "cache_read", "input_cached",
                                "input_cached_tokens", "input_tokens_cached"),
    "cache_write_input_tokens": ("cache_write_input_tokens", "cache_creation_input_tokens",
                                 "cache_write_tokens", "cache_creation_tokens",
                                 "prompt_cache_write_tokens", "cache_write", "cache_creation"),
    "cache_write_1h_input_tokens": ("cache_write_1h_input_tokens", "cache_write_1h_tokens",
                                    "cache_creation_1h_input_tokens", "cache_creation_1h_tokens",
                                    "ephemeral_1h_input_tokens",
                                    "cache_creation_ephemeral_1h_input_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens", "tokens_out", "output_token_count",
                      "completion_token_count", "n_output_tokens", "n_completion_tokens",
                      "num_output_tokens", "num_completion_tokens", "generated_tokens",
                      "usage_completion_tokens", "usage_output_tokens", "tokens_completion",
                      "res_units", "out_tokens", "tokens_output", "tok_out", "output_tok",
                      "completion_tok", "output_toks", "completion_toks", "response_tokens",
                      "candidates_token_count", "eval_count", "output_len", "gen_tokens"),
    "reasoning_output_tokens": ("reasoning_output_tokens", "reasoning_tokens", "thinking_tokens",
                                "tokens_reasoning", "thoughts_token_count"),
    "cost_usd": ("cost_usd", "cost", "total_cost", "cost_total", "spend", "response_cost",
                 "price_usd", "usd", "total_cost_usd", "cost_in_usd", "cost_total_usd",
                 "cost_dollars", "spend_usd", "amount_usd", "estimated_cost_usd"),
    "attempt": ("attempt", "attempt_number"),
    "status": ("status", "state", "outcome", "success", "ok", "is_success"),
    "http_status": ("http_status", "status_code", "http_status_code", "response_code",
                    "response_status", "response_status_code"),
    "error_type": ("error_type", "error", "error_message", "exception", "error_code"),
    "finish_reason": ("finish_reason", "stop_reason", "finish_reason_normalized"),
    "tool_name": ("tool_name", "tool"),
    "operation_name": ("operation_name", "operation", "op", "span_type", "span_kind", "run_type",
                       "observation_type", "call_type", "event_type", "kind", "type"),
    "call_id": ("call_id", "request_id"),
    "task_id": ("task_id", "subtask_id"),
}  # fmt: skip
"""Canonical columns, and the names by which they are recognised without the user's help."""

TIMES: dict[str, tuple[str, ...]] = {
    "start": ("start", "start_time", "started_at", "started", "start_timestamp", "begin",
              "begin_time", "request_start", "request_created_at", "request_time",
              "request_timestamp", "start_ts", "start_at", "ts_start",
              "time_start", "start_datetime",
              "timestamp", "created_at", "created", "time", "ts", "datetime", "date",
              "start_iso", "t_start", "call_start", "start_epoch", "start_date_time", "sent_at",
              "request_sent", "requested_at", "date_time", "created_time", "event_time",
              "logged_at"),
    "end": ("end", "end_time", "ended_at", "ended", "end_timestamp", "finish_time", "finished_at",
            "completed_at", "completed", "stop_time", "response_at",
            "response_created_at", "response_timestamp", "end_ts", "end_at", "ts_end", "time_end",
            "end_datetime", "end_iso", "t_end", "call_end", "end_epoch", "end_date_time",
            "received_at", "response_received", "completed_time", "finished_time"),
    "duration": ("duration", "latency", "response_time", "elapsed", "elapsed_time", "total_time",
                 "request_duration", "call_duration", "total_latency", "e2e_latency",
                 "api_time", "processing_time", "delay", "generation_time", "seconds",
                 "request_latency", "response_latency", "llm_latency", "model_latency",
                 "api_latency", "call_latency", "inference_latency", "inference_time",
                 "call_time", "api_duration", "llm_duration", "total_duration", "time_taken"),
    "first_chunk": ("first_chunk", "ttft", "time_to_first_token", "time_to_first_chunk",
                    "first_token_latency", "first_token"),
}  # fmt: skip
"""Names of points in time and of durations, without the unit that may follow."""

_WEAK = {
    "end": TIMES["end"][TIMES["end"].index("end_iso") :],
    "duration": TIMES["duration"][TIMES["duration"].index("request_latency") :],
}
"""Names that count only where no other column says how long a call took."""

_ZONE = re.compile(r"_(utc|gmt)$")
"""What names of times end with where these are in UTC, as all are that say no zone."""

_WORDS = {
    "input_tokens": ("input", "prompt"),
    "output_tokens": ("output", "completion"),
    "cache_read_input_tokens": ("cached",),
}
"""Names of columns that hold counts if they hold numbers: else texts, or whether it is so."""

_COUNTS = re.compile(r"token|cache|(^|_)toks?(_|$)")
_TOTALS = ("total_tokens", "tokens_total", "token_count", "total_token_count", "tokens")

_CENTS = ("cost_cents", "cost_in_cents", "total_cost_cents", "spend_cents", "cost_usd_cents")
_PARTS_OF_COST = (
    ("input_cost", "prompt_cost", "cost_input", "input_cost_usd", "prompt_cost_usd"),
    ("output_cost", "completion_cost", "cost_output", "output_cost_usd", "completion_cost_usd"),
    ("cache_read_cost", "cached_input_cost", "cache_cost", "cache_read_cost_usd"),
    ("cache_write_cost", "cache_creation_cost", "cache_write_cost_usd"),
)
_PORTKEY = {"cost", "cost_currency", "ai_model", "ai_org", "req_units", "res_units"}
"""Columns of Portkey's exports of logs: cost in cents, ``response_time`` in milliseconds (its
manual, "Logs export")."""
_FEWEST_OF_PORTKEY = 3
_CURRENCY = ("cost_currency", "currency", "currency_code")
_IN_ANOTHER = re.compile(
    r"(cost|price|spend)(_.*)?_(eur|euros?|gbp|chf|jpy|cny|rmb|inr|cad|aud|nzd|sek|nok|dkk|pln|czk|brl|krw|sgd)"
)
"""Names of costs in a currency that is not the US dollar."""

CACHED = "cached"
"""A column that says of truths that a gateway answered, and of numbers how many were cached."""

_CACHE = ("cache_hit", "cache_status", "is_cache_hit", "from_cache")

_SEVERAL = {"requests", "num_requests", "n_requests", "request_count", "successful_requests",
            "num_model_requests", "calls", "n_calls", "num_calls", "llm_calls", "api_calls",
            "call_count", "num_turns", "n_turns", "turns"}  # fmt: skip

_TASK = ("task_id", "task", "subtask_id", "step_id")
_NEEDS = ("depends_on", "blocked_by", "dependencies", "needs", "requires", "waits_for")

UNITS: dict[str, int] = {
    "ns": 1,
    "nano": 1,
    "unix_nano": 1,
    "nanoseconds": 1,
    "us": 10**3,
    "micros": 10**3,
    "microseconds": 10**3,
    "ms": 10**6,
    "msec": 10**6,
    "millis": 10**6,
    "milliseconds": 10**6,
    "s": 10**9,
    "sec": 10**9,
    "secs": 10**9,
    "seconds": 10**9,
    "mins": 60 * 10**9,
    "minutes": 60 * 10**9,
    "hours": 3600 * 10**9,
}
"""Units at the end of a name, in ns."""


@lru_cache(4096)
def plain(name: str) -> str:
    """Return a name in lower case with underscores: ``Latency (ms)`` is ``latency_ms``."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", apart.lower()).strip("_")


_OF_SPANS = {
    plain(name): ours
    for slot, ours in COLUMNS.items()
    for name, (its, _) in KNOWN.items()
    if its == slot and "." in name
}
"""Columns that are called as attributes of spans are: ``gen_ai.usage.input_tokens``."""

_PREFIX = re.compile(r"^(?:span_)?attributes_|^custom_dimensions_")

_AMOUNTS = re.compile("token|cost|price|spend|usd")


def amounts_in(names: Iterable[str]) -> list[str]:
    """Return the columns that hold counts of tokens, costs or times, as their names say."""
    names = list(names)
    times = {name for name, _ in found_times(names).values()}
    return [name for name in names if name in times or _AMOUNTS.search(plain(name))]


def found_columns(names: Iterable[str]) -> dict[str, str]:
    """Return the canonical columns of a table and their names in it; the surest name first."""
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(plain(name), name)
    found = {
        ours: next(by_plain[each] for each in aliases if each in by_plain)
        for ours, aliases in ALIASES.items()
        if any(each in by_plain for each in aliases)
    }
    of_spans = {_PREFIX.sub("", each): name for each, name in by_plain.items()}
    for attribute in [each for each in _OF_SPANS if each in of_spans]:
        found.setdefault(_OF_SPANS[attribute], of_spans[attribute])
    return found


def found_counts(
    names: Iterable[str], known: Iterable[str], are_counts: Callable[[str], bool]
) -> dict[str, str]:
    """Return columns of counts whose names alone may mean something else.

    Parameters
    ----------
    names : iterable of str
        The columns of the table.
    known : iterable of str
        The canonical columns that are found.
    are_counts : callable
        Tells whether a column holds counts.
    """
    by_plain = {plain(name): name for name in names}
    known = set(known)
    return {
        ours: by_plain[word]
        for ours, words in _WORDS.items()
        for word in words
        if ours not in known and word in by_plain and are_counts(by_plain[word])
    }


def total_in(names: Iterable[str]) -> str | None:
    """Return the column of the sum of input and output."""
    by_plain = {plain(name): name for name in names}
    return next((by_plain[each] for each in _TOTALS if each in by_plain), None)


def unread_counts(names: Iterable[str], used: Iterable[str]) -> list[str]:
    """Return the columns that may hold counts of tokens by their names, and are not read."""
    names = list(names)
    times = (name for name, _ in found_times(names).values())
    others = (total_in(names), cache_in(names))
    used = {*used, *times, *(name for name in others if name is not None)}
    return [name for name in names if _COUNTS.search(plain(name)) and name not in used]


def _is_of_portkey(names: Iterable[str]) -> bool:
    return len(_PORTKEY.intersection(names)) >= _FEWEST_OF_PORTKEY


def parts_of_cost_in(names: Iterable[str]) -> list[str]:
    """Return the columns that add up to the cost of a call, if there are input and output."""
    by_plain = {plain(name): name for name in names}
    found = [
        next((by_plain[each] for each in some if each in by_plain), None) for some in _PARTS_OF_COST
    ]
    known = [name for name in found if name is not None]
    return [] if None in found[:2] else known


def unread_costs(names: Iterable[str], used: Iterable[str]) -> list[str]:
    """Return the columns that may hold costs of calls by their names, and are not read."""
    used = set(used)
    words = {name: set(plain(name).split("_")) for name in names if name not in used}
    return [
        name
        for name, said in words.items()
        if {"cost", "costs", "spend"} & said and "per" not in said
    ]


def cents_in(names: Iterable[str]) -> str | None:
    """Return the column whose costs are in cents: by its name, or as Portkey writes them."""
    by_plain = {plain(name): name for name in names}
    if "cost" in by_plain and _is_of_portkey(by_plain):
        return by_plain["cost"]
    return next((by_plain[each] for each in _CENTS if each in by_plain), None)


def currency_in(names: Iterable[str], cost: str) -> str | None:
    """Return the column that says in which currency a cost is, unless its own name says it."""
    by_plain = {plain(name): name for name in names}
    if "usd" in plain(cost).split("_"):
        return None
    return next((by_plain[each] for each in _CURRENCY if each in by_plain), None)


def other_costs_in(names: Iterable[str]) -> list[str]:
    """Return the columns of costs in other currencies than the US dollar."""
    return [name for name in names if _IN_ANOTHER.fullmatch(plain(name))]


def several_in(names: Iterable[str]) -> list[str]:
    """Return the columns that may say how many calls a row tells of."""
    return [name for name in names if plain(name) in _SEVERAL]


def cache_in(names: Iterable[str]) -> str | None:
    """Return the column that says whether a gateway answered from its cache."""
    by_plain = {plain(name): name for name in names}
    return next((by_plain[each] for each in _CACHE if each in by_plain), None)


def found_tasks(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the column of a call's task, and that of the tasks that it waits for, if both are."""
    by_plain = {plain(name): name for name in names}
    task, needs = (
        next((by_plain[each] for each in some if each in by_plain), None)
        for some in (_TASK, _NEEDS)
    )
    return None if task is None or needs is None else (task, needs)


def found_times(names: Iterable[str]) -> dict[str, tuple[str, int | None]]:
    """Return the times and durations of a table: column, and its unit in ns if the name has one."""
    names = list(names)
    found: dict[str, tuple[str, int | None]] = {}
    ranks: dict[str, int] = {}
    for name in names:
        base, unit = _split(plain(name))
        for what, bases in TIMES.items():
            coarse = len(bases) if (unit or 0) >= UNITS["minutes"] else 0  # which may be rounded
            if base in bases and bases.index(base) + coarse < ranks.get(what, 2 * len(bases)):
                found[what], ranks[what] = (name, unit), bases.index(base) + coarse
    for what, others in (("end", {"duration"}), ("duration", {"start", "end"})):
        is_weak = what in found and _split(plain(found[what][0]))[0] in _WEAK[what]
        if is_weak and others <= found.keys():
            del found[what]
    if "duration" in found and _is_of_portkey(map(plain, names)):
        name, unit = found["duration"]
        found["duration"] = name, unit or UNITS["ms"]
    return found


def unit_in(name: str) -> int | None:
    """Return the unit at the end of a column's name, in ns; None if it has none."""
    return _split(plain(name))[1]


def _split(name: str) -> tuple[str, int | None]:
    """Return a name without the unit at its end, and the unit."""
    if name == "seconds":
        return name, 10**9
    name = _ZONE.sub("", name)
    for suffix, unit in sorted(UNITS.items(), key=lambda each: -len(each[0])):
        if name.endswith(f"_{suffix}"):
            return name.removesuffix(f"_{suffix}").removesuffix("_in"), unit
    return name, None
