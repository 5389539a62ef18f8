"""Runs the golden corpus: ``python -m tests.golden``, or ``python -m tests.golden accept``."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

from simulator.model.metrics import METRIC_NAMES
from tests.golden import arithmetic, corpus, expected
from tests.golden.compare import Same, changed_metrics, differences, nearly, to_the_bit
from tests.golden.corpus import Run

SHOWN = 20
"""Scenarios whose differences are shown."""


def check(runs: Iterable[Run], wanted: expected.Expected) -> list[str]:
    """Return what differs, an entry a replication."""
    same = same_as(wanted)
    found_keys, said = set(), []
    for run in runs:
        found_keys.add(run.key)
        if run.key not in wanted.runs:
            said.append(f"{_place(run.key)}: nothing is expected of it yet")
            continue
        lines = differences(run, wanted.runs[run.key], same, lambda run=run: _trace_of(run))
        if lines:
            said.append("\n  ".join([f"{_place(run.key)}:", *lines]))
    gone = [key for key in wanted.runs if key not in found_keys]
    return said + [f"{_place(key)}: is expected and was not run" for key in gone]


def same_as(wanted: expected.Expected) -> Same:
    """Return how closely numbers are compared: to the bit where this machine rounds alike."""
    alike = wanted.made_on.get("arithmetic") == arithmetic.fingerprint()
    return to_the_bit if alike else nearly


def _trace_of(run: Run) -> tuple[corpus.Row, ...]:
    path = next(path for path in corpus.files() if path.stem == run.scenario)
    point = next(point for point in corpus.points(path) if point.name == run.point)
    return corpus.run(path, point, run.replication, keep_trace=True).trace or ()


def _place(key: tuple[str, str, int]) -> str:
    scenario, point, replication = key
    return f"{scenario} ({point}), replication {replication}"


def changes(runs: Iterable[Run], before: expected.Expected) -> list[str]:
    """Say for each scenario which metrics change and by how much, on average over its runs."""
    old_runs, new_runs = defaultdict(list), defaultdict(list)
    changed: dict[str, set[str]] = defaultdict(set)
    fresh = {run.scenario for run in runs} - {name for name, _, _ in before.runs}
    gone = {name for name, _, _ in before.runs} - {run.scenario for run in runs}
    traces = set()
    for run in runs:
        old = before.runs.get(run.key)
        if old is None:
            continue
        new_runs[run.scenario].append(run)
        old_runs[run.scenario].append(old)
        changed[run.scenario].update(changed_metrics(run, old, to_the_bit))
        if (run.trace, run.marks) != (old.trace, old.marks):
            traces.add(run.scenario)
    said = [f"{name}: new" for name in sorted(fresh)] + [f"{name}: gone" for name in sorted(gone)]
    for name in new_runs:
        lines = [
            _change(metric, old_runs[name], new_runs[name])
            for metric in sorted(changed[name], key=_order)
        ]
        if lines or name in traces:
            said.append("; ".join([f"{name}: " + (lines or ["the trace alone"])[0], *lines[1:]]))
    return said


def _order(metric: str) -> int:
    return METRIC_NAMES.index(metric) if metric in METRIC_NAMES else len(METRIC_NAMES)


def _change(metric: str, old: list[Run], new: list[Run]) -> str:
    before, after = ([run.metrics.get(metric, 0) for run in runs] for runs in (old, new))
    if any(isinstance(value, str) for value in before + after):
        pair = next((b, a) for b, a in zip(before, after, strict=True) if b != a)
        return f"{metric} {pair[0] or ''!r} -> {pair[1] or ''!r}"
    mean, now = fmean(before), fmean(after)
    share = f" ({(now - mean) / mean:+.2g})" if mean else ""
    return f"{metric} {mean:.6g} -> {now:.6g}{share}"


def main(arguments: list[str]) -> int:
    """Check the corpus, or with ``accept`` write its expected values anew."""
    began = time.perf_counter()
    wanted = expected.read()
    runs = list(corpus.run_all())
    took = f"{len(runs)} replications in {time.perf_counter() - began:.0f} s"
    if arguments == ["accept"]:
        for line in changes(runs, wanted):
            print(line)
        expected.write(arithmetic.made_on(), runs)
        print(f"Accepted {took}.")
        return 0
    said = check(runs, wanted)
    print(*said[:SHOWN], sep="\n")
    if len(said) > SHOWN:
        print(f"... and {len(said) - SHOWN} replications more")
    how = "to the bit" if same_as(wanted) is to_the_bit else "real numbers to 1e-9"
    print(f"{took}, compared {how}: {len(said)} differ from {_shown(expected.FOLDER)}.")
    return 1 if said else 0


def _shown(path: Path) -> str:
    return str(path.relative_to(corpus.HERE.parents[1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
