"""How the calls of plain tables ended, from words, codes and errors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from analysis.traces.dialects import status_of
from analysis.traces.error_kinds import error_kind
from analysis.traces.table_columns import Columns
from analysis.traces.table_rows import FALSE, TRUE, is_blank
from analysis.traces.values import count, flag

_FINE = {"ok", "success", "succeeded", "successful", "completed", "complete", "done", "finished",
         "passed", *TRUE, "none", "nan", "status_code_ok",
         "unset", "status_code_unset",
         "stop", "length", "end_turn", "max_tokens", "stop_sequence", "tool_use", "tool_calls",
         "function_call", "pause_turn"}  # fmt: skip
"""Words for calls that were answered; the last ones say why an answer ended."""

_NO_ERROR = {"none", "null", "nan", "no error", "no errors", "ok", "success", "successful",
             "succeeded", "completed", *FALSE}  # fmt: skip
"""Words for calls without an error."""

_NO_ERROR_CODES = range(100, 400)
"""HTTP statuses of calls without an error."""

_FAILING = re.compile(
    "err|fail|exce|time.?out|timed|deadline|cancel|abort|den(y|ied)|refus|reject|limit|invalid|"
    "unavail|overload|crash|kill|interrupt|drop|block|filter|fals|^(f|n|no|off|nein|faux|non)$|"
    "unsuccess|incomplete|unauth|forbid|not_found|bad_|broken|lost|throttl|quota|exhaust|expired|"
    "disconnect|^n?ko$|^nok$|^bad$|^[45]xx$|fehler|échec"
)
"""Parts of words for calls that failed."""

_HTTP = re.compile(r"(?:http(?:/[0-9.]+)?\s*)?([1-5][0-9]{2})\b", re.IGNORECASE)
"""An HTTP status with or without its words: ``200 OK``, ``HTTP/1.1 200 OK``."""

_SHOWN = 6
"""Most words of a column that a note lists."""


def without_unknown(words: dict[str, list[str | None]], chosen: Mapping[str, str]) -> str | None:
    """Leave out statuses of which no word is known; return what to say of words that are not.

    They are of failures where other words, or most rows by saying nothing, are of answered calls,
    and of answered calls where others are of failures.

    Parameters
    ----------
    words : dict
        The texts of the rows, by canonical name; statuses are taken out of it.
    chosen : mapping
        The table's columns, by canonical name.
    """
    there, n_empty = Counter[str](), 0
    for each, n in Counter(words.get("status", [])).items():
        if each is None or is_blank(each):
            n_empty += n
        else:
            there[_word(each)] += n
    codes = {word for word in there if count(word) is not None or _HTTP.match(word)}
    fine, failing = _FINE.intersection(there), set(filter(_FAILING.search, there))
    unknown = [word for word in there if word not in codes | fine | failing]
    if not unknown:
        return None
    note = f"column {chosen['status']!r} says {', '.join(map(repr, unknown[:_SHOWN]))}"
    if codes or fine or n_empty > sum(there[word] for word in unknown):
        return f"{note}: taken for failures"
    if failing:
        words["status"] = [
            None if each is None or _word(each) in unknown else each for each in words["status"]
        ]
        return f"{note} where no failure is said: taken for answered calls"
    del words["status"]
    return f"{note}, and nothing that is known: not read"


def _word(said: str) -> str:
    return said.lower().replace("-", "_")


def _is_no_error(said: str) -> bool:
    """Tell whether what stands in a column of errors says that there was none."""
    if flag(said) is False or said.lower() in _NO_ERROR:
        return True
    code = count(said)
    return code is not None and code in _NO_ERROR_CODES


def status_in(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the status under our names, from words, codes, or the name of an error."""
    said, error = fields.get("status"), fields.get("error_type")
    http_text = _HTTP.match(str(said))
    code = count(http_text[1] if http_text else said) if said is not None else None
    http = fields.get("http_status")
    http = code if http is None and code is not None and code >= 100 else http
    if error is not None and _is_no_error(error):
        error = None
    failed = error is not None or (http is not None and http >= 400)
    if (said is not None and code is None) or code == 0:
        failed = failed or _word(str(said)) not in _FINE
    found: dict[str, Any] = {"status": "ok", "error_type": None}
    if failed:
        also = None if error is None or _word(str(said)) in _FINE else said
        kind = error_kind(error or said, also, http)
        found = {"status": status_of(f"{said} {error}"), "error_type": kind}
    return found if http is None else found | {"http_status": http}


def statuses_of(
    rows: Iterable[Mapping[str, Any]], columns: Columns, said: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the status of each row: what its values say, by canonical name, else its flags."""
    found = []
    for row, values in zip(rows, said, strict=False):
        status = status_in(values)
        found.append(status | (columns.failure(row) if status["status"] == "ok" else {}))
    return found
