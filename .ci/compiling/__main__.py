"""Builds the compiled modules beside their sources: ``PYTHONPATH=.ci python -m compiling``."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from simulator.compiled import HOME


def main() -> int:
    """Build, or with ``--clean`` remove, the compiled modules."""
    parser = argparse.ArgumentParser(prog="python -m compiling", description=__doc__)
    parser.add_argument("--into", type=Path, default=HOME, help="a directory of its own")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--clean", action="store_true", help="remove what was built")
    said = parser.parse_args()
    if said.clean:
        from compiling.build import STAGE

        shutil.rmtree(said.into, ignore_errors=True)
        shutil.rmtree(STAGE, ignore_errors=True)
        return 0
    from compiling.build import build

    began = time.perf_counter()
    build(said.into.resolve(), workers=said.workers)
    print(f"Compiled into {said.into} in {time.perf_counter() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
