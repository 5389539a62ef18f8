# cython: boundscheck=False, wraparound=False, overflowcheck=False
"""What is to happen, by its time, as `simulator/engine/heap.py` has it, in C.

Times are compared as numbers of the machine, beside each other in memory: Python compares tuples.
"""

from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.math cimport INFINITY


cdef inline bint _is_before(const Entry* one, const Entry* other) noexcept:
    if one.time != other.time:
        return one.time < other.time
    if one.rank != other.rank:
        return one.rank < other.rank
    return one.place < other.place


cdef class Heap:
    """Things by their times; of those of one time by their ranks, then as they were put in."""

    def __dealloc__(self):
        self.clear()
        PyMem_Free(self._entries)

    cpdef push(self, double time, long long rank, thing):
        """Put something in."""
        cdef Entry entry
        cdef Entry* grown
        cdef Py_ssize_t place = self._size, above
        if place == self._room:
            self._room = 2 * self._room + 16
            grown = <Entry*> PyMem_Realloc(self._entries, self._room * sizeof(Entry))
            if grown == NULL:
                self._room = place
                raise MemoryError
            self._entries = grown
        self._count += 1
        entry.time, entry.rank, entry.place = time, rank, self._count
        entry.thing = <PyObject*> thing
        Py_INCREF(thing)
        self._size += 1
        while place:
            above = (place - 1) >> 1
            if not _is_before(&entry, &self._entries[above]):
                break
            self._entries[place] = self._entries[above]
            place = above
        self._entries[place] = entry

    cpdef pop(self):
        """Take out what comes first."""
        cdef Entry last
        cdef Py_ssize_t place = 0, below = 1
        if not self._size:
            raise IndexError("there is nothing to take out")
        thing = <object> self._entries[0].thing
        Py_XDECREF(self._entries[0].thing)
        self.time = self._entries[0].time
        self._size -= 1
        last = self._entries[self._size]
        while below < self._size:
            if below + 1 < self._size and _is_before(
                &self._entries[below + 1], &self._entries[below]
            ):
                below += 1
            if not _is_before(&self._entries[below], &last):
                break
            self._entries[place] = self._entries[below]
            place, below = below, 2 * below + 1
        self._entries[place] = last
        return thing

    cpdef up_to(self, double time, double after=-INFINITY):
        """Return what has times up to one and after another, in no order."""
        cdef Py_ssize_t place = 0
        cdef list found = []
        while True:
            if place < self._size and self._entries[place].time <= time:
                if self._entries[place].time > after:
                    found.append(<object> self._entries[place].thing)
                place = 2 * place + 1
                continue
            while place and not place & 1:  # all below what is above it have been seen
                place = (place - 1) >> 1
            if not place:
                break
            place += 1
        return found

    cpdef clear(self):
        """Drop all."""
        while self._size:  # whoever is dropped may look at what is left
            self._size -= 1
            Py_XDECREF(self._entries[self._size].thing)
