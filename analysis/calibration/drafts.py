"""How often agents leave as it is what they have written for tasks that could not start."""

from __future__ import annotations

import pandas as pd

from analysis.calibration.shares import Share


def left_drafts(working: pd.DataFrame) -> tuple[Share, Share]:
    """Return how many calls that attempt drafts leave them as they are, those of each run.

    A draft is a task whose files the agent has written and which it has not finished. A call
    attempts as many of them as it attempts tasks beyond those that it writes for the first time,
    and leaves them if it writes at most half of them again: nearly all write all of them or none.

    Parameters
    ----------
    working : DataFrame
        The working calls of a cell (see `observations.observe`), those of an agent in order.

    Returns
    -------
    (Share, Share)
        After calls that left no drafts, and after calls that did.
    """
    agent = working.groupby(["run_dir", "agent"], sort=False)
    begun = agent["fresh_files"].cumsum() - working["fresh_files"]
    done = agent["completed"].cumsum() - working["completed"]
    claimed = working["claims"] + working["blocked"]
    drafts = (claimed - working["fresh_files"]).clip(upper=begun - done - working["owed"])
    has_drafts = drafts > 0
    again = working["files"] - working["fresh_files"] - working["owed"]
    are_left = has_drafts & (again * 2 <= drafts)
    before = are_left.groupby(agent.ngroup()).shift(1, fill_value=False)
    runs = working["run_dir"]
    first, later = has_drafts & ~before, has_drafts & before
    return Share.of(are_left[first], runs[first]), Share.of(are_left[later], runs[later])
