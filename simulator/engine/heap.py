"""The heap of what is to happen: tuples that begin with a time, the smallest first.

The compiled build has this in C: `.ci/compiling/heap.pyx`.
"""

from heapq import heappop, heappush

__all__ = ["heappop", "heappush"]
