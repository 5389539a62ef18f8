"""Plants every bug of the list, one at a time, in a copy of the project, and runs its tests.

``python -m tests.planted [TEXT]`` takes the bugs in whose file TEXT stands. Ends with 1 unless
tests fail with each bug, or never end.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.planted.bugs import BUGS, Bug
from tests.planted.trial import Outcome, Trial, in_words
from tests.project_copy import ROOT


def outcome(bug: Bug, trial: Trial) -> Outcome:
    """Return what a bug's tests say to it."""
    right = (ROOT / bug.file).read_text()
    assert right.count(bug.right) == 1, bug
    named = ("-k", bug.names) if bug.names else ()
    return trial.outcome(bug.file, right.replace(bug.right, bug.wrong), [(bug.tests, *named)])


def main(text: str = "") -> int:
    """Plant the bugs; return how many are not seen."""
    outcomes: Counter[Outcome] = Counter()
    with tempfile.TemporaryDirectory() as directory:
        trial = Trial(Path(directory))
        for bug in (bug for bug in BUGS if text in bug.file):
            found = outcome(bug, trial)
            outcomes[found] += 1
            said = (bug.wrong or f"without {bug.right}").splitlines()[-1].strip()
            print(f"{found:10}  {bug.file}: {said}", flush=True)
    print(in_words(outcomes))
    return outcomes[Outcome.UNSEEN]


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
