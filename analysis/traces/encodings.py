"""Bytes of trace files as text: UTF-8, and bytes that are none as Windows writes them."""

from __future__ import annotations

import codecs

WINDOWS = "teamsim-windows"
"""How to decode bytes that are no UTF-8: as Windows-1252, in which Excel writes CSV files. Names
that differ stay apart."""


def _of_windows(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(WINDOWS, _of_windows)
