"""Any executor gives the same bits, and is sent the scenario once."""

from __future__ import annotations

import pickle
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from simulator import __version__
from simulator.errors import TeamsimError
from simulator.experiment import crew, pacing, run_sweep
from simulator.experiment.plan import Span
from simulator.scenario import parse_study
from tests.experiment.conftest import SHORT

STUDY = parse_study(SHORT)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "TARGET_S", 0.01)


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_threads_and_processes_give_the_same_bits(kind: type[Executor]) -> None:
    with kind(max_workers=2) as executor:  # type: ignore[call-arg]
        assert run_sweep(STUDY, workers=2, executor=executor).equals(run_sweep(STUDY))


class _Counting(Executor):
    """Runs at once, through pickle as a cluster would, and counts what travels."""

    def __init__(self) -> None:
        self.sent: list[int] = []

    def submit(self, function: Any, /, *args: Any, **more: Any) -> Future[Any]:
        parcel = pickle.dumps((function, args, more))
        self.sent.append(len(parcel))
        function, args, more = pickle.loads(parcel)
        future: Future[Any] = Future()
        future.set_result(function(*args, **more))
        return future


def test_the_scenario_is_sent_once() -> None:
    crew._known.__dict__.clear()
    counting = _Counting()
    assert run_sweep(STUDY, workers=2, executor=counting).equals(run_sweep(STUDY))
    whole = len(pickle.dumps(STUDY.points))
    heavy = [size for size in counting.sent if size > 1000]
    # Chunks that were under way before the first answer may bring it along too.
    assert 1 <= len(heavy) <= 4
    assert max(heavy) < 2 * whole  # once in each, beside the columns of its results
    assert len(counting.sent) > 10


class _WhoWorks:
    """Work whose rows say which thread has done it; after the first, once another has begun."""

    begun: ClassVar[set[int]] = set()

    def run(self, span: Span, hear: object = None) -> pa.Table:
        me = threading.get_ident()
        self.begun.add(me)
        while span.start > 0 and len(self.begun) < 2:
            time.sleep(0.001)
        return pa.table({"thread": [me]})


def test_this_process_takes_part_where_it_is_to() -> None:
    _WhoWorks.begun.clear()
    chunks = iter([Span(i, i + 1) for i in range(6)])
    with ThreadPoolExecutor(1) as executor:
        shared = crew.Crew(_WhoWorks(), executor, 1, takes_part=True)
        done = list(shared.compute(lambda: next(chunks, None)))
    assert sorted(span.start for span, _, _ in done) == list(range(6))
    workers = {rows["thread"][0].as_py() for _, rows, _ in done}
    assert len(workers) == 2
    assert threading.get_ident() in workers


class _Broken(Executor):
    def submit(self, function: Any, /, *args: Any, **more: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future


@pytest.mark.slow
def test_lost_workers_are_said_so(tmp_path: Path) -> None:
    with pytest.raises(TeamsimError, match="the same command goes on from there"):
        run_sweep(STUDY, tmp_path / "out", executor=_Broken())
    assert run_sweep(STUDY, tmp_path / "out").equals(run_sweep(STUDY))


class _Failing(Executor):
    def __init__(self, error: Exception) -> None:
        self._error = error

    def submit(self, function: Any, /, *args: Any, **more: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(self._error)
        return future


def test_workers_without_the_package_or_with_another_version_are_refused() -> None:
    lacking = _Failing(ModuleNotFoundError("no", name="simulator"))
    with pytest.raises(TeamsimError, match="workers lack simulator: install llm-teamsim"):
        run_sweep(STUDY, executor=lacking)
    with pytest.raises(TeamsimError, match=r"and this is 0\.0\.0"):
        crew._run_there("0.0.0", "key", Span(0, 1), None)


def test_a_worker_remembers_a_few_jobs_only() -> None:
    crew._known.__dict__.clear()

    for seed in range(10):
        content = pickle.dumps(_Job(seed))
        assert crew._run_there(__version__, str(seed), Span(0, 1), None) is None
        assert crew._run_there(__version__, str(seed), Span(0, 1), content) is not None
        assert crew._run_there(__version__, str(seed), Span(0, 1), None) is not None
    assert list(crew._known.jobs) == ["6", "7", "8", "9"]


class _Job:
    def __init__(self, seed: int) -> None:
        self.seed = seed

    def run(self, span: Span, hear: object = None) -> Any:
        return span
