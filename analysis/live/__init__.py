"""A live view of one replication, as one HTML page: what every agent does, and the board."""

from analysis.live.content import Run
from analysis.live.write import write_live

__all__ = ["Run", "write_live"]
