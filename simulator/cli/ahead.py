"""Starts other processes for runs that are sure to be simulated, before they are needed.

They take time to start, in which this process imports, reads and fits what they wait for.
"""

from __future__ import annotations

from simulator.experiment.pool import Processes, default_workers

_RUNS_EACH = 500
"""Simulated runs that are worth another process: at 2 ms they take a second, and a start takes half
of one where it is no copy."""


def processes_for(runs: int, workers: int) -> Processes:
    """Return processes for about so many runs, the others of which start now if these are many.

    Parameters
    ----------
    runs : int
    workers : int
        How many processes there may be; 0 is one for each core.
    """
    most = workers or default_workers()
    if runs < _RUNS_EACH:
        return Processes(most)
    pool = Processes(min(most, 1 + runs // _RUNS_EACH))
    pool.prepare("analysis.calibration.habit_search")
    return pool
