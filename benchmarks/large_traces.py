"""Reads a large OTLP file of several dialects, and says how long it took and how much memory.

``python -m benchmarks.large_traces [--spans 200000] [--layout lines|document|array] [--gzip]``
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECOND = 10**9
START = 1_772_359_200 * SECOND
PROMPT_CHARACTERS = 1_300
"""Makes a span 2 kB, as spans with prompts are."""


def attribute(key: str, value: str | int) -> dict[str, Any]:
    kind = "stringValue" if isinstance(value, str) else "intValue"
    return {"key": key, "value": {kind: value if isinstance(value, str) else str(value)}}


def run_of(number: int, prompt: str) -> list[dict[str, Any]]:
    """Return the spans of one run: an agent, a sub-agent, calls in three dialects, tools."""
    trace, spans = f"{number:032x}", []

    def span(
        i: int, parent: int | None, name: str, at: int, lasts: int, *said: dict[str, Any]
    ) -> None:
        spans.append(
            {
                "traceId": trace,
                "spanId": f"{number * 100 + i + 1:016x}",
                "parentSpanId": "" if parent is None else f"{number * 100 + parent + 1:016x}",
                "name": name,
                "kind": 1,
                "startTimeUnixNano": str(START + (number * 60 + at) * SECOND),
                "endTimeUnixNano": str(START + (number * 60 + at + lasts) * SECOND),
                "attributes": [*said, attribute("input.value", prompt)],
                "status": {},
            }
        )

    agent = attribute("gen_ai.operation.name", "invoke_agent")
    span(0, None, "invoke_agent lead", 0, 50, agent, attribute("gen_ai.agent.name", "lead"))
    span(1, 0, "helper", 20, 20, attribute("openinference.span.kind", "AGENT"))
    for i in range(2, 20):
        parent, at = (0, i) if i < 11 else (1, 10 + i)
        if i % 6 == 0:
            span(i, parent, "tool", at, 1, attribute("openinference.span.kind", "TOOL"),
                 attribute("tool.name", "grep"))  # fmt: skip
        elif i % 3 == 0:
            span(i, parent, "ChatOpenAI", at, 1, attribute("openinference.span.kind", "LLM"),
                 attribute("llm.model_name", "m"), attribute("llm.token_count.prompt", 900 + i),
                 attribute("llm.token_count.completion", 50))  # fmt: skip
        elif i % 3 == 1:
            span(i, parent, "chat m", at, 1, attribute("gen_ai.operation.name", "chat"),
                 attribute("gen_ai.request.model", "m"),
                 attribute("gen_ai.usage.input_tokens", 900 + i),
                 attribute("gen_ai.usage.output_tokens", 60))  # fmt: skip
        else:
            span(i, parent, "claude_code.llm_request", at, 1, attribute("model", "c"),
                 attribute("input_tokens", i), attribute("cache_read_tokens", 5000),
                 attribute("output_tokens", 70))  # fmt: skip
    return spans


def documents(spans: int) -> Iterator[str]:
    """Yield documents of a run each."""
    prompt = ('Look at the file, then say "what" is wrong.\n' * 40)[:PROMPT_CHARACTERS]
    for number in range(spans // 20):
        yield json.dumps(
            {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": run_of(number, prompt)}]}]}
        )


def write(path: Path, spans: int, layout: str) -> None:
    """Write a file of so many spans."""
    with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w") as file:
        if layout == "lines":
            file.writelines(f"{each}\n" for each in documents(spans))
            return
        start, end, cut = ("[", "]", (0, None)) if layout == "array" else (
            '{"resourceSpans": [', "]}", (len('{"resourceSpans": ['), -2))  # fmt: skip
        file.write(start)
        for i, each in enumerate(documents(spans)):
            file.write(("," if i else "") + each[cut[0] : cut[1]])
        file.write(end)


def measure(path: Path) -> None:
    """Read a file and print seconds, peak memory and what was read."""
    from analysis.traces.reading import read_traces

    start, used = time.perf_counter(), time.process_time()
    traces = read_traces([path])
    took, used = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = path.stat().st_size / 1e6
    print(f"{size:.0f} MB in {took:.1f} s ({used:.1f} s of processor time), peak {peak:.0f} MB")
    print(traces.report.line())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=200_000)
    parser.add_argument("--layout", choices=["lines", "document", "array"], default="lines")
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--read", type=Path, help="Read this file and write none.")
    said = parser.parse_args()
    if said.read is not None:
        measure(said.read)
        return
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / ("spans.json.gz" if said.gzip else "spans.json")
        write(path, said.spans, said.layout)
        # In a process of its own, so that the memory is the reading's.
        command = [sys.executable, "-m", "benchmarks.large_traces", "--read", str(path)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
