"""Readers of real traces, a format a file."""
