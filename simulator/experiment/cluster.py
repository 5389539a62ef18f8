"""Sweeps on a dask cluster."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from socket import create_connection
from typing import Any

from simulator.errors import TeamsimError

_CONNECT_S = 10.0


@contextmanager
def dask_cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """Return an executor on a running cluster, and how many threads it has.

    Parameters
    ----------
    address : str
        Address of the scheduler, such as ``tcp://127.0.0.1:8786``.

    Raises
    ------
    TeamsimError
        If dask is not installed, nobody answers, or the cluster has no workers.
    """
    try:
        import distributed
        from distributed.comm.addressing import get_address_host_port
    except ImportError:
        raise TeamsimError(
            "--dask needs dask.distributed: pip install 'llm-teamsim[cluster]'"
        ) from None
    try:
        # A client that finds no scheduler logs an error again when it is garbage-collected: try to
        # connect first.
        with create_connection(get_address_host_port(address), _CONNECT_S):
            dask: Any = distributed
            client = dask.Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise TeamsimError(f"--dask {address}: no scheduler answers there ({error})") from None
    try:
        threads = sum(client.nthreads().values())
        if threads == 0:
            raise TeamsimError(f"--dask {address}: the cluster has no workers yet")
        _let_errors_be_raised_only()
        yield client.get_executor(), threads
    finally:
        client.close(timeout=_CONNECT_S)


def _let_errors_be_raised_only() -> None:
    """Keep a client that loses its scheduler from logging errors that its futures raise anyway."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).disabled = True
