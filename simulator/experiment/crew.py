"""Chunks on executors: this process, a pool of processes, a cluster."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol, TypeAlias

from simulator.errors import TeamsimError
from simulator.experiment.plan import Span
from simulator.version import __version__
from simulator.worker import tell_main

if TYPE_CHECKING:
    import pyarrow as pa

_LISTENS_S = 0.2
"""Seconds between two looks at how far chunks are that take long."""

_KEPT_JOBS = 4
"""Number of jobs that a worker remembers, as several sweeps may share an executor."""


class Job(Protocol):
    """Work that any process can compute in chunks; pickled once, and sent once to each worker."""

    def run(self, span: Span, hear: Hear | None = None) -> pa.Table:
        """Return the rows of a chunk; `hear` is told now and then how much of it is done."""
        ...


Hear = Callable[[float], None]
"""Told how many replications of a chunk are done, one that is begun in part."""

_Chunk: TypeAlias = "Future[tuple[pa.Table, float] | None]"
"""A chunk that an executor computes; it returns none if it has to be sent the job first."""

Done: TypeAlias = "tuple[Span, pa.Table, float]"
"""A chunk, its rows, and the seconds it took."""


class Crew:
    """Who computes the chunks of a job.

    A worker that does not know the job says so, and the job is then sent to it. So any executor
    will do, and the job is sent about once to each worker.

    Parameters
    ----------
    job : Job
    executor : concurrent.futures.Executor, optional
        None computes in this process.
    workers : int
        How many the executor has.
    under_way : callable, optional
        Returns how many replications are done of the chunks that the executor computes now, as far
        as it knows.
    takes_part : bool
        Whether this process computes chunks, too, and does not only wait for those of the executor.
    """

    def __init__(
        self,
        job: Job,
        executor: Executor | None,
        workers: int,
        under_way: Callable[[], float] | None = None,
        takes_part: bool = False,
    ) -> None:
        self._job, self._executor, self._under_way = job, executor, under_way
        self._takes_part = takes_part
        self._window = 2 * max(1, workers)
        if executor is not None:
            self._content = pickle.dumps(job)
            self._key = sha256(self._content).hexdigest()

    def compute(
        self, next_chunk: Callable[[], Span | None], hear: Hear | None = None
    ) -> Iterator[Done]:
        """Yield chunks as they are done, until there is no next one.

        Parameters
        ----------
        next_chunk : callable
            Returns the next chunk, or none. It is called when a worker is free.
        hear : callable, optional
            Told now and then how much is done of the chunks that are computed now.

        Raises
        ------
        TeamsimError
            If workers are lost.
        """
        if self._executor is None:
            while (span := next_chunk()) is not None:
                yield (span, *_timed(self._job, span, hear))
            return
        try:
            yield from self._shared(self._executor, next_chunk, hear)
        except ModuleNotFoundError as error:
            raise TeamsimError(
                f"workers lack {error.name}: install llm-teamsim {__version__} where they run"
            ) from None
        except (BrokenExecutor, CancelledError) as error:
            raise TeamsimError(
                "workers were lost: killed, out of memory, or their scheduler is gone "
                f"({type(error).__name__}); a sweep keeps what is done, and the same command goes "
                "on from there"
            ) from None

    def _shared(
        self, executor: Executor, next_chunk: Callable[[], Span | None], hear: Hear | None
    ) -> Iterator[Done]:
        """Yield chunks as the executor, or this process, has done them."""
        if self._takes_part and (span := next_chunk()) is not None:
            # A first, small chunk tells how large the others' may be; they start meanwhile.
            yield (span, *_timed(self._job, span, self._beside(hear)))
        running: dict[_Chunk, Span] = {}
        # A worker that asks for the job would have to wait until the chunk here is done.
        content = self._content if self._takes_part else None
        try:
            while True:
                while len(running) < self._window and (span := next_chunk()) is not None:
                    running[self._submit(executor, span, content)] = span
                content = None
                if self._takes_part and (span := next_chunk()) is not None:
                    yield (span, *_timed(self._job, span, self._beside(hear)))
                    finished = {future for future in running if future.done()}
                elif running:
                    finished = self._finished(running, hear)
                else:
                    return
                for future in finished:
                    span = running.pop(future)
                    done = future.result()
                    if done is None:
                        running[self._submit(executor, span, self._content)] = span
                    else:
                        yield span, *done
        finally:
            for future in running:
                future.cancel()

    def _finished(self, running: Iterable[_Chunk], hear: Hear | None) -> set[_Chunk]:
        """Return chunks that are done, once there are any; tell meanwhile how far all are."""
        if hear is None or self._under_way is None:
            return wait(running, return_when=FIRST_COMPLETED).done
        while not (done := wait(running, _LISTENS_S, FIRST_COMPLETED).done):
            hear(self._under_way())
        return done

    def _beside(self, hear: Hear | None) -> Hear | None:
        """Return what is told how much is done of a chunk here, and tells it with the others."""
        if hear is None or self._under_way is None:
            return hear
        under_way = self._under_way
        return lambda part: hear(part + under_way())

    def _submit(self, executor: Executor, span: Span, content: bytes | None) -> _Chunk:
        return executor.submit(_run_there, __version__, self._key, span, content)


_known = threading.local()
"""Jobs that this worker knows; each thread has its own, as threads must not share a simulation."""


def _run_there(
    version: str, key: str, span: Span, content: bytes | None
) -> tuple[pa.Table, float] | None:
    """Run a chunk of a job; return none if this worker neither knows the job nor is sent it now."""
    if version != __version__:
        raise TeamsimError(f"workers have teamsim {__version__}, and this is {version}")
    jobs: dict[str, Job] = _known.__dict__.setdefault("jobs", {})
    if key not in jobs:
        if content is None:
            return None
        while len(jobs) >= _KEPT_JOBS:
            del jobs[next(iter(jobs))]
        jobs[key] = pickle.loads(content)
    return _timed(jobs[key], span, tell_main())


def _timed(job: Job, span: Span, hear: Hear | None = None) -> tuple[pa.Table, float]:
    started = time.perf_counter()
    rows = job.run(span, hear)
    return rows, time.perf_counter() - started
