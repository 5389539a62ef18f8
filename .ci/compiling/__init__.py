"""Compiles the hot modules of the simulator with Cython, from the sources that are here.

``make compiled`` builds them into ``simulator/_compiled``. Nothing is written twice: what
Cython is told of classes, attributes and methods (`declarations`) comes from the annotations, as
mypy understands them (`classes`).
"""
