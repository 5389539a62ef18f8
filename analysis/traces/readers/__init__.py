"""Trace readers: a file a format; the file's name is its name on the command line."""
