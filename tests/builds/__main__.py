"""Runs the same by both builds: ``python -m tests.builds``.

The builds cannot share a process. Each runs in one of its own, and leaves what it found in a file.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from simulator import compiled
from tests.builds.runs import Found, of_corpus, of_generated
from tests.golden import corpus

GENERATED = 500
SHOWN = 10


def run_all(cases: int, workers: int) -> dict[str, Found]:
    """Run everything by the build of this process."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        found = [
            *pool.map(of_corpus, corpus.files(), chunksize=4),
            *pool.map(of_generated, range(cases), chunksize=10),
        ]
    return {name: result for results in found for name, result in results}


def by(build: str, cases: int, workers: int, into: Path) -> dict[str, Found]:
    """Run everything by a build, in a process of its own."""
    file = into / f"{build}.pickle"
    said = ["--run", str(file), "--generated", str(cases), "--workers", str(workers)]
    here = {**os.environ, "TEAMSIM_BUILD": build}
    subprocess.run([sys.executable, "-m", "tests.builds", *said], env=here, check=True)
    found: dict[str, Found] = pickle.loads(file.read_bytes())
    return found


def differences(ours: dict[str, Found], theirs: dict[str, Found]) -> Iterator[str]:
    """Return a line for each replication that is not the same."""
    for name in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(name), theirs.get(name)
        if mine == other:
            continue
        place = next(
            (f"row {i} of the trace" for i, (a, b) in enumerate(_rows(mine, other)) if a != b),
            "its metrics",
        )
        yield f"{name}: {place}"


def _rows(mine: Found | None, other: Found | None) -> Iterator[tuple[Any, Any]]:
    if mine is not None and other is not None and len(mine) == len(other) == 2:
        yield from zip(mine[1], other[1], strict=False)


def main() -> int:
    """Compare the builds; with ``--run``, run everything by one."""
    parser = argparse.ArgumentParser(prog="python -m tests.builds", description=__doc__)
    parser.add_argument("--generated", type=int, default=GENERATED, help="scenarios")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--run", type=Path, help="run by TEAMSIM_BUILD alone, into a file")
    said = parser.parse_args()
    if said.run is not None:
        assert os.environ["TEAMSIM_BUILD"] == compiled.BUILD, compiled.BUILD
        said.run.write_bytes(pickle.dumps(run_all(said.generated, said.workers)))
        return 0
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = (
            by(build, said.generated, said.workers, Path(folder))
            for build in ("compiled", "interpreted")
        )
    found = list(differences(ours, theirs))
    print(*found[:SHOWN], sep="\n")
    took = time.perf_counter() - began
    print(f"{len(ours)} replications by both builds in {took:.0f} s: {len(found)} differ.")
    return 1 if found or not ours else 0


if __name__ == "__main__":
    sys.exit(main())
