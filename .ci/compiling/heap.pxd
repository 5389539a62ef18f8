from cpython.object cimport PyObject


cdef struct Entry:
    double time
    long long rank
    long long place
    PyObject* thing


cdef class Heap:
    cdef Entry* _entries
    cdef Py_ssize_t _size, _room
    cdef long long _count
    cdef public double time

    cpdef push(self, double time, long long rank, thing)
    cpdef pop(self)
    cpdef up_to(self, double time, double after=*)
    cpdef clear(self)
