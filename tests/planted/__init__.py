"""Bugs that are known to be seen: each is put into a copy, where its tests must fail."""
