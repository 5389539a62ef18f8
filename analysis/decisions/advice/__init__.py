"""Whether a team is worth it, how large, in which structure, and how sure that is."""

from analysis.decisions.advice.advising import SIZES, advise
from analysis.decisions.advice.contest import contest
from analysis.decisions.advice.moves import moves
from analysis.decisions.advice.structures import ALONE, candidates
from analysis.decisions.advice.structures import replicate as _replicate
from analysis.decisions.advice.turning_points import thresholds
from analysis.decisions.advice.verdict import Advice, Move, Threshold
from analysis.decisions.advice.wish import TIME_ONLY, Wish, objective
from analysis.decisions.advice.words import columns_in_words, in_words

__all__ = [
    "ALONE",
    "SIZES",
    "TIME_ONLY",
    "Advice",
    "Move",
    "Threshold",
    "Wish",
    "_replicate",
    "advise",
    "candidates",
    "columns_in_words",
    "contest",
    "in_words",
    "moves",
    "objective",
    "thresholds",
]
