"""Text of prompts and answers stays in the trace: nothing that is printed or written holds it."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from simulator.cli.main import main

PLANTED = "xyzzyplugh"
CALLS = 60
TEXT = f"Tell nobody of {PLANTED}, \x1b[31m{PLANTED}"


def lengths() -> Iterator[tuple[int, int, int]]:
    """Yield start, seconds and output tokens of calls, one after the other."""
    chance, start = random.Random(1), 0
    for _ in range(CALLS):
        tokens = chance.randint(50, 900)
        seconds = 2 + tokens // 60 + chance.randint(0, 3)
        yield start, seconds, tokens
        start += seconds + 1


def stamp(second: int) -> str:
    return f"2026-03-01T{10 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000Z"


def claude_code(directory: Path) -> None:
    lines: list[Any] = []
    for i, (start, seconds, tokens) in enumerate(lengths()):
        common = {"sessionId": f"s{i % 4}"}
        asked = {**common, "type": "user", "uuid": f"u{i}", "timestamp": stamp(start)}
        asked["message"] = {"role": "user", "content": TEXT}
        asked["toolUseResult"] = {"content": TEXT, "stdout": TEXT}
        usage = {"input_tokens": 900 + 7 * i, "output_tokens": tokens}
        message = {"id": f"m{i}", "model": "c-4", "stop_reason": "end_turn", "usage": usage}
        message["content"] = [{"type": "text", "text": TEXT}]
        said = {**common, "type": "assistant", "uuid": f"a{i}", "parentUuid": f"u{i}"}
        lines += [asked, {**said, "timestamp": stamp(start + seconds), "message": message}]
    broken = [f'{{"message": "{PLANTED}', json.dumps(TEXT), json.dumps([TEXT])]
    text = "\n".join([*map(json.dumps, lines), *broken])
    (directory / "session.jsonl").write_text(text)


def langfuse(directory: Path) -> None:
    observations = [
        {
            "id": f"g{i}", "traceId": f"t{i % 4}",
            "type": "GENERATION", "model": "m", "input": TEXT,
            "output": {"content": TEXT}, "metadata": {"prompt": TEXT}, "statusMessage": TEXT,
            "startTime": stamp(start), "endTime": stamp(start + seconds),
            "promptTokens": 900 + 7 * i, "completionTokens": tokens,
            "level": "ERROR" if i < 5 else "DEFAULT",
        }
        for i, (start, seconds, tokens) in enumerate(lengths())
    ]  # fmt: skip
    observations.append({"id": "bad", "type": "GENERATION", "input": TEXT, "output": TEXT})
    traces = [
        {"id": f"t{k}", "sessionId": f"S{k}", "input": TEXT, "observations": observations[k::4]}
        for k in range(4)
    ]
    (directory / "export.json").write_text(json.dumps(traces))


def otlp(directory: Path) -> None:
    def words(key: str) -> dict[str, Any]:
        return {"key": key, "value": {"stringValue": TEXT}}

    spans = []
    for i, (start, seconds, tokens) in enumerate(lengths()):
        numbers = {"gen_ai.usage.input_tokens": 900 + 7 * i, "gen_ai.usage.output_tokens": tokens}
        names = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
        attributes = [{"key": k, "value": {"intValue": str(v)}} for k, v in numbers.items()]
        attributes += [{"key": k, "value": {"stringValue": v}} for k, v in names.items()]
        attributes += [words(key) for key in (
            "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.prompt.0.content",
            "gen_ai.system_instructions", "llm.input_messages.0.message.content", "input.value",
        )]  # fmt: skip
        spans.append(
            {
                "traceId": f"t{i % 4}", "spanId": f"s{i}", "name": "chat", "attributes": attributes,
                "startTimeUnixNano": str((start + 100) * 10**9),
                "endTimeUnixNano": str((start + 100 + seconds) * 10**9),
                "status": {"code": 2, "message": TEXT} if i < 5 else {},
                "events": [{"name": "gen_ai.content", "attributes": [words("body")]}],
            }
        )  # fmt: skip
    spans.append({"traceId": "t", "spanId": "bad", "attributes": [words("gen_ai.prompt")]})
    document = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    (directory / "spans.jsonl").write_text(json.dumps(document))


def table(directory: Path) -> None:
    rows = [
        {"session": f"s{i % 4}", "model": "m", "duration_s": seconds, "input_tokens": 900 + 7 * i,
         "output_tokens": tokens, "prompt": TEXT, "response": TEXT}
        for i, (_, seconds, tokens) in enumerate(lengths())
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(directory / "calls.csv", index=False)


COMMANDS = {
    "calibrate": ["--holdout", "0", "-w", "1"],
    "observe": ["-r", "4"],
    "observe --json": ["-r", "4"],
    "observe --anonymise": ["-r", "4"],
}


# What else `observe` prints or renames is the same for all formats: CI has that of one.
EACH = [
    pytest.param(write, named, id=f"{write.__name__}-{named}", marks=marks)
    for write in (claude_code, langfuse, otlp, table)
    for named in COMMANDS
    for marks in ([pytest.mark.thorough] if "--" in named and write is not table else [],)
]


@pytest.mark.each
@pytest.mark.slow
@pytest.mark.parametrize(("write", "named"), EACH)
def test_words_of_a_trace_go_nowhere(
    write: Callable[[Path], None],
    named: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "traces").mkdir()
    write(tmp_path / "traces")
    (trace,) = (tmp_path / "traces").iterdir()
    assert PLANTED in trace.read_text()
    out = tmp_path / "out"
    command = [*named.split(), tmp_path / "traces", "--out", out, *COMMANDS[named]]
    monkeypatch.setattr(sys, "argv", ["teamsim", *map(str, command)])
    monkeypatch.setattr("analysis.observation.tuning.RUNS", 4)
    if write is not table:  # pictures are of tables that are the same whatever they were read from
        monkeypatch.setattr("analysis.plots.save", lambda figure, path: [])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 0, said
    assert PLANTED not in said.out + said.err
    written = [path for path in out.rglob("*") if path.is_file()]
    assert any(path.suffix == ".yaml" for path in written)
    assert [path.name for path in written if PLANTED.encode() in path.read_bytes()] == []
