"""Curves with intervals, where they have always been found: see `analysis.statistics.curves`."""

from analysis.statistics.curves import *  # noqa: F403
