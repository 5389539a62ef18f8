"""Values of another type or without end, under any name, are read without a traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError
from tests.analysis import test_gemini_cli, test_js_spans, test_logfire_rows, test_opencode
from tests.analysis import test_weave_and_braintrust as exports
from tests.analysis.trace_samples import SAMPLES, lines, whole

Rows = list[dict[str, Any]]


def opencode() -> Rows:
    return [{"info": info, "messages": said} for info, said in test_opencode.sessions()]


def inspect_ai() -> Rows:
    model = {"event": "model", "model": "m", "timestamp": "2026-06-01T09:00:01Z", "retries": 1,
             "completed": "2026-06-01T09:00:05Z", "working_time": 3.0, "span_id": "s",
             "output": {"usage": {"input_tokens": 10, "output_tokens": 5}}}  # fmt: skip
    begins = {"event": "span_begin", "id": "s", "type": "agent", "name": "a",
              "timestamp": "2026-06-01T09:00:00Z"}  # fmt: skip
    ends = {"event": "span_end", "id": "s", "timestamp": "2026-06-01T09:00:06Z"}
    return [{"id": 1, "epoch": 1, "input": "", "target": "", "events": [begins, model, ends]}]


FORMATS: dict[str, Callable[[], Rows]] = {
    "gemini_cli": lambda: [
        {**test_gemini_cli.ABOUT, "kind": "main"},
        *test_gemini_cli.messages(),
    ],
    "opencode": opencode,
    "weave": exports.calls,
    "braintrust": exports.spans,
    "otlp": test_js_spans.spans,
    "otlp, printed": lambda: [test_js_spans.printed(span, True) for span in test_js_spans.spans()],
    "spans": test_logfire_rows.rows,
    "inspect_ai": inspect_ai,
}


def names_in(value: Any, kind: type | tuple[type, ...]) -> Iterator[str]:
    """Yield the names of the fields, at any depth, that have values of a kind."""
    for name, each in value.items() if isinstance(value, dict) else ():
        if isinstance(each, kind):
            yield name
        yield from names_in(each, kind)
    for each in value if isinstance(value, list) else ():
        yield from names_in(each, kind)


def with_odd(value: Any, name: str, odd: Any) -> Any:
    """Return a document in which all fields of one name have an odd value."""
    if isinstance(value, dict):
        return {k: odd if k == name else with_odd(v, name, odd) for k, v in value.items()}
    return [with_odd(each, name, odd) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("kind", "odd"), [(str, {"a": 1}), ((int, float), 1e308)], ids=["an object", "without end"]
)
@pytest.mark.parametrize("form", list(FORMATS))
def test_any_field_may_have_an_odd_value(form: str, kind: Any, odd: Any, tmp_path: Path) -> None:
    rows = FORMATS[form]()
    read = 0
    for name in dict.fromkeys(names_in(rows, kind)):
        path = lines(tmp_path / "odd.jsonl", with_odd(rows, name, odd))
        with contextlib.suppress(TeamsimError):  # an error that says so is an answer, too
            read += len(read_traces([path], form=form.partition(",")[0]).calls)
    assert read


@pytest.mark.parametrize("attempt", [10**12, 0])
def test_attempts_without_end_take_no_time(attempt: int, tmp_path: Path) -> None:
    path = whole(tmp_path / "s.json", with_odd(opencode()[0], "attempt", attempt))
    path.write_text(path.read_text().replace("retry-after", "x"))
    assert len(read_traces([path]).chats) > 3


def test_a_wait_without_end_is_none(tmp_path: Path) -> None:
    path = SAMPLES["claude_code"](tmp_path)
    files = [path] if path.is_file() else sorted(path.rglob("*.jsonl"))
    changed = 0
    for each in files:
        text = each.read_text()
        changed += text.count('"retryInMs": ')
        each.write_text(text.replace('"retryInMs": ', '"retryInMs": 1e308, "x": '))
    assert changed
    assert len(read_traces([path]).chats) == 7
