"""Runs all rows and writes the page of the manual: ``python -m tests.validation [TEXT ...]``.

With TEXT only new rows are run, and those in whose key it stands; the others stay as they were.
"""

from __future__ import annotations

import sys
import time

from tests.validation import page
from tests.validation.subjects import ROWS


def main(*texts: str) -> int:
    """Write the page; return 1 if a row that should hold does not."""
    known = page.read(page.PAGE.read_text()) if texts and page.PAGE.exists() else {}
    found: dict[str, page.Result] = {}
    wrong = 0
    for row in ROWS:
        for case in row.cases:
            test = row.test_id(case)
            begun = time.process_time()
            if test in known and not any(text in row.key for text in texts):
                found[test] = known[test]
                continue
            each = row.measure(*case.args)
            held = row.holds(case, each)
            found[test] = page.Result(each, held)
            wrong += held == bool(row.not_reached)
            seconds = time.process_time() - begun
            print(
                f"{'held' if held else 'NOT HELD':8} {test}: asked {case.asked:.5g}, "
                f"found {each.value:.5g} ± {each.error:.2g} ({seconds:.1f} s)",
                flush=True,
            )
    page.PAGE.write_text(page.write(found))
    print(f"{page.PAGE}: {len(found)} values, {wrong} not as they should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
