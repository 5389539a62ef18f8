"""Whether a team is worth it, how large, in which structure, and how sure that is."""

from analysis.advice.advising import advise
from analysis.advice.contest import contest
from analysis.advice.structures import ALONE, candidates
from analysis.advice.structures import replicate as _replicate
from analysis.advice.turning_points import thresholds
from analysis.advice.verdict import Advice, Threshold
from analysis.advice.wish import TIME_ONLY, Wish, objective
from analysis.advice.words import in_words

__all__ = [
    "ALONE",
    "TIME_ONLY",
    "Advice",
    "Threshold",
    "Wish",
    "_replicate",
    "advise",
    "candidates",
    "contest",
    "in_words",
    "objective",
    "thresholds",
]
