"""Uniform numbers by their address, as `simulator/model/uniforms.py` has them, in C.

NumPy takes most of a microsecond to set a generator's state, and that for each block of numbers.
The numbers are the same bits: `tests/builds` holds all that is drawn from them so.
"""

from array import array

import numpy as np
from cpython.array cimport array as carray
from cpython.array cimport clone
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

cdef extern from *:
    """
    #include <stdint.h>

    /* The product of two words, as its upper and its lower word. */
    static inline uint64_t words(uint64_t a, uint64_t b, uint64_t *low) {
    #ifdef __SIZEOF_INT128__
        unsigned __int128 product = (unsigned __int128)a * b;
        *low = (uint64_t)product;
        return (uint64_t)(product >> 64);
    #else
        uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
        uint64_t inner = a1 * b0 + (a0 * b0 >> 32);
        uint64_t outer = a0 * b1 + (uint32_t)inner;
        *low = a * b;
        return a1 * b1 + (inner >> 32) + (outer >> 32);
    #endif
    }

    /* Philox 4x64 with ten rounds. Each block of four numbers has a counter of its own. */
    static void philox(const uint64_t *key, uint64_t entity, uint64_t index, uint64_t purpose,
                       uint64_t counter, double *into, Py_ssize_t size) {
        for (Py_ssize_t start = 0; start < size; start += 4) {
            uint64_t k0 = key[0], k1 = key[1];
            uint64_t word[4] = {++counter, purpose, index, entity};  /* NumPy counts first */
            for (int round = 0; round < 10; round++) {
                uint64_t low0, low1;
                uint64_t high0 = words(0xD2E7470EE14C6C93ull, word[0], &low0);
                uint64_t high1 = words(0xCA5A826395121157ull, word[2], &low1);
                word[0] = high1 ^ word[1] ^ k0;
                word[1] = low1;
                word[2] = high0 ^ word[3] ^ k1;
                word[3] = low0;
                k0 += 0x9E3779B97F4A7C15ull;
                k1 += 0xBB67AE8584CAA73Bull;
            }
            for (int i = 0; i < 4 && start + i < size; i++)
                into[start + i] = (double)(word[i] >> 11) * 0x1p-53;
        }
    }
    """
    void philox(const uint64_t *key, uint64_t entity, uint64_t index, uint64_t purpose,
                uint64_t counter, double *into, Py_ssize_t size)


cdef carray _OF_FLOATS = array("d")
cdef object _empty = np.empty


cdef class _Stream:
    """The uniforms of one address: the generator makes four at a time."""

    cdef uint64_t _key[2]
    cdef uint64_t _entity, _index, _purpose, _counter
    cdef double _made[4]
    cdef int _left

    def __call__(self):
        if not self._left:
            philox(self._key, self._entity, self._index, self._purpose, self._counter, self._made,
                   4)
            self._counter += 1
            self._left = 4
        self._left -= 1
        return self._made[3 - self._left]


cdef class Uniforms:
    """All uniforms on [0, 1) of one replication: see the module of the same name."""

    def __init__(self, list key):
        self._key[0], self._key[1] = key

    cpdef block(self, uint64_t entity, uint64_t index, uint64_t purpose, uint64_t start,
                Py_ssize_t size):
        """Return `size` uniforms from position `start` (a multiple of 4)."""
        found = _empty(size)
        cdef Py_buffer view
        PyObject_GetBuffer(found, &view, PyBUF_WRITABLE)
        philox(self._key, entity, index, purpose, start // 4, <double *>view.buf, size)
        PyBuffer_Release(&view)
        return found

    cpdef numbers(self, uint64_t entity, uint64_t index, uint64_t purpose, uint64_t start,
                Py_ssize_t size):
        """Return the same uniforms as Python's numbers."""
        cdef carray found = clone(_OF_FLOATS, size, False)
        philox(self._key, entity, index, purpose, start // 4, found.data.as_doubles, size)
        return found

    cpdef stream(self, uint64_t entity, uint64_t index, uint64_t purpose):
        """Return what gives the uniforms from position 0 on."""
        cdef _Stream found = _Stream.__new__(_Stream)
        found._key[0], found._key[1] = self._key[0], self._key[1]
        found._entity, found._index, found._purpose = entity, index, purpose
        return found

    cpdef rows(self, uint64_t entity, object indices, uint64_t purpose, uint64_t start,
               Py_ssize_t size):
        """Return uniforms of several streams, all from position `start`, shape (indices, size)."""
        found = _empty((len(indices), size))
        cdef Py_buffer view
        cdef double *row
        PyObject_GetBuffer(found, &view, PyBUF_WRITABLE)
        row = <double *>view.buf
        try:
            for index in indices:
                philox(self._key, entity, index, purpose, start // 4, row, size)
                row += size
        finally:
            PyBuffer_Release(&view)
        return found
