"""A sweep by a pool of processes and by a dask cluster of as many workers, in turns.

    python -m benchmarks.bench_dask [--workers 4] [--rounds 5]

The workers are started and warm. The machine may be busy, so the best of each counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.test_sweeps import QUICKSTART, dask_workers
from simulator.experiment.pool import processes
from simulator.experiment.runner import sweep_into
from simulator.scenario import load_study


def main() -> None:
    """Print the best time of each, and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_dask")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5, help="turns that each takes")
    parser.add_argument("--replications", type=int, default=300, help="of each point")
    said = parser.parse_args()
    warm = load_study(QUICKSTART, ["replications=4"])
    study = load_study(QUICKSTART, [f"replications={said.replications}"])
    workers = said.workers
    with (
        tempfile.TemporaryDirectory() as into,
        processes(workers) as pool,
        dask_workers(workers) as cluster,
    ):
        best: dict[str, float] = {}
        for number in range(said.rounds + 1):
            for name, executor in (("pool", pool), ("dask", cluster)):
                began = time.perf_counter()
                out = Path(into, f"{name} {number}")
                sweep_into(out, study if number else warm, workers, executor=executor)
                if number:
                    seconds = time.perf_counter() - began
                    best[name] = min(seconds, best.get(name, seconds))
    ratio = best["pool"] / best["dask"]
    print("| workers | pool, s | dask, s | pool / dask |\n|---:|---:|---:|---:|")
    print(f"| {workers} | {best['pool']:.2f} | {best['dask']:.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
