"""The kind of an error: its name, also where a writer tells it in a message alone.

Tables that are written keep names of errors and no messages, which may quote a prompt. So whoever
counts rate limits finds them by name, whichever client has written them.
"""

from __future__ import annotations

import re

TOO_LONG, REFUSED, RATE_LIMIT, OVERLOADED = (
    "prompt_too_long",
    "refusal",
    "rate_limit",
    "overloaded",
)

_NAME = re.compile(r"[A-Za-z_][\w.:\-]{0,63}|\d{3}")
"""The name of an error, or an HTTP status; a message has blanks."""

_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            TOO_LONG,
            r"(prompt|input|request) is too long|context[_ ]length|context window|request_too_large"
            r"|maximum context|exceeds the (maximum number of tokens|model'?s context)",
        ),
        (RATE_LIMIT, r"rate[_ -]?limit|too many requests|resource_?exhausted|throttl"),
        (OVERLOADED, r"overloaded|high demand"),
        (REFUSED, r"usage polic|content[_ ](filter|policy|management)|refusal"),
    )
)
"""Kinds of errors that APIs tell in messages, the surest first."""

_LONGEST = 200
"""Characters that are kept of a message that names no error."""

_OF_HTTP = {413: TOO_LONG, 429: RATE_LIMIT, 529: OVERLOADED}

_TYPE = re.compile(r"""["']type["']\s*:\s*["'](?!error["'])([A-Za-z_]\w{0,63})["']""")
"""The type of an error in the answer of an API: of OpenAI's, Anthropic's and their like."""

_CLASS = re.compile(r"^(?:\w+\.)*([A-Z]\w*(?:Error|Exception|Timeout))\b")
"""An exception's class before its message."""

_VAGUE = {"error", "exception", "unknown", "api_error", "apierror", "apistatuserror", "failure",
          "failed", "unknown_error", "unknownerror", "none", "_other", "http_error", "status_error",
          "invalid_request", "invalid_request_error", "badrequesterror", "bad_request",
          "internalservererror", "server_error"}  # fmt: skip
"""Names of errors of several kinds: a message says more, if it names one."""


def is_name(error: str) -> bool:
    """Tell whether an error is told by name, and not by a message."""
    return _NAME.fullmatch(error) is not None


def error_kind(named: str | None, message: str | None, http: int | None = None) -> str | None:
    """Return the kind of an error, by name if it has one; else what is told of it.

    Parameters
    ----------
    named : str or None
        What its writer calls it, which may be a message.
    message : str or None
        More about it.
    http : int or None
        The HTTP status of the answer.
    """
    if named is not None and is_name(named) and named.lower() not in _VAGUE:
        return named
    told = f"{named or ''} {message or ''}".strip()
    kind = next((kind for kind, pattern in _KINDS if pattern.search(told)), _OF_HTTP.get(http or 0))
    if kind is not None:
        return kind
    typed = _TYPE.search(told) or _class_in(message) or _class_in(named)
    if named is not None and is_name(named):
        return named if typed is None or typed[1].lower() in _VAGUE else typed[1]
    if typed is not None:
        return typed[1]
    return told[:_LONGEST] or (str(http) if http else None)


def _class_in(told: str | None) -> re.Match[str] | None:
    return None if told is None else _CLASS.match(told.strip())
