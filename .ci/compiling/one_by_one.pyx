"""Numbers read one after the other, as `simulator/model/one_by_one.py` has them, in C."""

from cpython.array cimport array as carray


cdef class _OneByOne:
    """The numbers of blocks, which are lists or arrays."""

    cdef object _blocks
    cdef list _few
    cdef carray _many
    cdef Py_ssize_t _at, _size

    def __call__(self):
        if self._at == self._size:
            self._go_on()
        cdef Py_ssize_t at = self._at
        self._at = at + 1
        return self._few[at] if self._many is None else self._many.data.as_doubles[at]

    cdef int _go_on(self) except -1:
        """Take the next block that has any numbers."""
        self._at = self._size = 0  # as it stays where there is none
        while not self._size:
            block = next(self._blocks)
            self._size = len(block)
        if isinstance(block, carray):
            self._many = block
        else:
            self._few, self._many = block, None
        return 0


cdef class _Only:
    """One number, again and again."""

    cdef object _value

    def __call__(self):
        return self._value


def one_by_one(blocks):
    """Return what gives the numbers of blocks."""
    cdef _OneByOne found = _OneByOne.__new__(_OneByOne)
    found._blocks = blocks
    return found


def only(value):
    """Return what always gives the same number."""
    cdef _Only found = _Only.__new__(_Only)
    found._value = value
    return found
