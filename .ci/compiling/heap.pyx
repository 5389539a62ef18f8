# cython: boundscheck=False, wraparound=False
"""A binary heap of tuples that begin with a time, as `simulator/engine/heap.py` has it, in C.

Python compares two tuples in ten times as long as it takes to compare their times.
"""

from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact


cdef inline bint _is_before(tuple one, tuple other) except -1:
    cdef double mine, theirs
    if PyFloat_CheckExact(one[0]) and PyFloat_CheckExact(other[0]):
        mine, theirs = PyFloat_AS_DOUBLE(one[0]), PyFloat_AS_DOUBLE(other[0])
        if mine != theirs:
            return mine < theirs
    return one < other


def heappush(list heap not None, tuple item not None):
    """Put one in."""
    cdef Py_ssize_t place = len(heap), above
    cdef tuple parent
    heap.append(item)
    while place:
        above = (place - 1) >> 1
        parent = heap[above]
        if not _is_before(item, parent):
            break
        heap[place] = parent
        place = above
    heap[place] = item


def heappop(list heap not None):
    """Take the smallest out.

    Raises
    ------
    IndexError
        If there is none.
    """
    cdef tuple last = heap.pop(), child, first
    cdef Py_ssize_t count = len(heap), place = 0, below = 1
    if not count:
        return last
    first = heap[0]
    while below < count:
        if below + 1 < count and _is_before(heap[below + 1], heap[below]):
            below += 1
        child = heap[below]
        if not _is_before(child, last):
            break
        heap[place] = child
        place, below = below, 2 * below + 1
    heap[place] = last
    return first
