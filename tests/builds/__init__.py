"""The compiled build is held against the sources: the same results, to the bit.

``python -m tests.builds`` runs the golden corpus and 500 generated scenarios by both.
"""
