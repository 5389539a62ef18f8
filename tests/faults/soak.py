"""The long form of the fault suite: ``python -m tests.faults.soak``; prints one line of figures."""

from __future__ import annotations

import argparse
import collections
import resource
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.faults.conftest import SWEEP
from tests.faults.damage import damaged_and_read
from tests.faults.fuzz import documents, outcome
from tests.faults.kills import killed_and_resumed


def fuzzed(cases: int, start: int) -> collections.Counter[str]:
    """Run so many scenarios made from the schema; return how many ended how."""
    count: collections.Counter[str] = collections.Counter()

    @seed(start)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(documents())
    def run(document: dict[str, object]) -> None:
        count[outcome(document)] += 1

    run()
    return count


def main() -> None:
    """Kill and fuzz, and say how much there was of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--damages", type=int, default=200)
    parser.add_argument("--cases", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        scenario = Path(directory) / "long.yaml"
        scenario.write_text(SWEEP)
        toll = killed_and_resumed(scenario, Path(directory) / "out", said.seed, said.kills)
        damages = Path(directory) / "damages"
        damages.mkdir()
        damaged_and_read(damages, said.seed, said.damages)
    count = fuzzed(said.cases, said.seed)
    children, here = (
        resource.getrusage(who).ru_maxrss / 1e3
        for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)
    )
    print(
        f"{sum(toll.done.values())} faults in running sweeps ({len(toll.tracebacks)} tracebacks, "
        f"{toll.orphans} orphans, every table bit for bit), {said.damages} damaged directories "
        f"(made anew or refused by name), {sum(count.values()):,} fuzzed scenarios "
        f"({count['result']:,} results, {count['error']:,} clear errors), "
        f"{time.monotonic() - started:,.0f} s, at most {max(children, here):,.0f} MB a process"
    )
    for traceback in toll.tracebacks:
        print(traceback, file=sys.stderr)
    sys.exit(bool(toll.tracebacks or toll.orphans))


if __name__ == "__main__":
    main()
