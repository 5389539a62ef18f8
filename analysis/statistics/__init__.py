"""Statistics of results: intervals, curves with intervals, laws fitted to them, selection."""

from analysis.statistics.intervals import *  # noqa: F403
