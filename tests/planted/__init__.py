"""Bugs that tests must detect: each is put into a copy, where its tests must fail."""
