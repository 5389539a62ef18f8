"""The list of planted bugs is about the code as it is; `make planted` runs it."""

from __future__ import annotations

import pytest

from tests.planted.bugs import BUGS, Bug
from tests.project_copy import ROOT


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.wrong[:30])
def test_what_a_bug_replaces_stands_there_once(bug: Bug) -> None:
    assert (ROOT / bug.file).read_text().count(bug.right) == 1
    assert bug.wrong != bug.right
    assert (ROOT / bug.tests).is_file()
