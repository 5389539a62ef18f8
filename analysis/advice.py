"""Advice, where it has always been found: see `analysis.decisions.advice`."""

from analysis.decisions.advice import *  # noqa: F403
