cdef extern from *:
    """
    #include <stdint.h>
    """
    ctypedef unsigned long long uint64_t


cdef class Uniforms:
    cdef uint64_t _key[2]

    cpdef block(self, uint64_t entity, uint64_t index, uint64_t purpose, uint64_t start,
                Py_ssize_t size)
    cpdef numbers(self, uint64_t entity, uint64_t index, uint64_t purpose, uint64_t start,
                  Py_ssize_t size)
    cpdef stream(self, uint64_t entity, uint64_t index, uint64_t purpose)
    cpdef rows(self, uint64_t entity, object indices, uint64_t purpose, uint64_t start,
               Py_ssize_t size)
