"""Quorums that read what is old."""

from __future__ import annotations

from tests.conftest import agent, run


def test_what_is_read_in_an_old_version_spoils_what_is_built_on_it() -> None:
    m = run(
        team__agent=agent(),
        workload={"kind": "parallel_fraction", "tasks": 200, "parallel_fraction": 0},
        workspace={"kind": "quorum", "replicas": 3, "read": 1, "write": 1},
    )
    assert m.stale_reads > 0
    # The first stale read on the chain makes every later task faulty.
    assert m.faulty_undetected >= 190
