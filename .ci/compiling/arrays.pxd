# Numbers of Python's arrays, read and written as C's. Places and numbers are checked, as Python does.

from cpython.array cimport array as carray


cdef inline Py_ssize_t place(carray numbers, Py_ssize_t i, int itemsize) except -1:
    if numbers is None or numbers.ob_descr.itemsize != itemsize:
        raise TypeError("an array of other numbers")
    if i < 0:
        i += len(numbers)
    if i < 0 or i >= len(numbers):
        raise IndexError("array index out of range")
    return i


cdef inline int get_int(carray numbers, Py_ssize_t i) except? -2147483648:
    return numbers.data.as_ints[place(numbers, i, sizeof(int))]


cdef inline int put_int(carray numbers, Py_ssize_t i, long long number) except -1:
    if number != <int>number:
        raise OverflowError("a number of more than 32 bits")
    numbers.data.as_ints[place(numbers, i, sizeof(int))] = <int>number
    return 0


cdef inline int add_int(carray numbers, Py_ssize_t i, long long number) except -1:
    return put_int(numbers, i, get_int(numbers, i) + number)


cdef inline double get_float(carray numbers, Py_ssize_t i) except? -1.0:
    return numbers.data.as_doubles[place(numbers, i, sizeof(double))]


cdef inline int put_float(carray numbers, Py_ssize_t i, double number) except -1:
    numbers.data.as_doubles[place(numbers, i, sizeof(double))] = number
    return 0


cdef inline int add_float(carray numbers, Py_ssize_t i, double number) except -1:
    return put_float(numbers, i, get_float(numbers, i) + number)
