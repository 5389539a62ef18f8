"""When a process may be copied, and what its copies do."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux")


def said_by(
    directory: Path, program: str, *arguments: str, err: str = "", warnings: str = "error"
) -> str:
    """Return what a program prints that has one thread at first: this process has several."""
    file = directory / "program.py"
    file.write_text(textwrap.dedent(program))
    done = subprocess.run(
        [sys.executable, "-W", warnings, file, *arguments],
        env={"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == err
    return done.stdout.strip()


def test_a_process_with_one_thread_may_be_copied(tmp_path: Path) -> None:
    program = """
    import numpy, pandas, scipy.special
    from simulator.forking import may_fork
    print(may_fork())
    """
    assert said_by(tmp_path, program) == "True"


def test_a_process_with_another_thread_may_not(tmp_path: Path) -> None:
    program = """
    import threading
    from simulator.forking import Waiting, may_fork
    over = threading.Event()
    for kind in (Waiting, threading.Thread):
        kind(target=over.wait, daemon=True).start()
        print(may_fork())
    over.set()
    """
    assert said_by(tmp_path, program) == "True\nFalse"


def test_who_has_chosen_how_processes_start_is_obeyed(tmp_path: Path) -> None:
    program = """
    import multiprocessing
    from simulator.forking import may_fork
    multiprocessing.set_start_method("spawn")
    print(may_fork())
    """
    assert said_by(tmp_path, program) == "False"


POOL = """
import os, signal, sys, threading, time
from simulator.experiment.pool import Processes

def look(name):
    blocked = {int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, [])}
    return os.getpid(), (name in sys.modules, blocked == {signal.SIGINT, signal.SIGHUP})

if __name__ == "__main__":
    import wave
    if "thread" in sys.argv:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    with Processes(4) as pool:
        others = pool.started()
        looks = [others.submit(look, "wave") for _ in range(60)]
        found = dict(each.result() for each in looks)
        print(others.are_copies, set(found.values()))
        if "killed" in sys.argv:
            print(*found, flush=True)
            for _ in range(3):
                others.submit(time.sleep, 60)
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_copies_have_what_was_imported_and_leave_the_keyboard_to_the_main_process(
    tmp_path: Path,
) -> None:
    assert said_by(tmp_path, POOL) == "True {(True, True)}"


@pytest.mark.slow
def test_where_a_thread_may_hold_locks_new_processes_start(tmp_path: Path) -> None:
    assert said_by(tmp_path, POOL, "thread") == "False {(False, True)}"


def test_copies_end_with_a_main_process_that_is_killed(tmp_path: Path) -> None:
    _, numbers = said_by(tmp_path, POOL, "killed").splitlines()
    ends = time.monotonic() + 5  # they sleep for a minute
    while any(Path(f"/proc/{each}").exists() for each in numbers.split()):
        assert time.monotonic() < ends
        time.sleep(0.02)
    assert len(numbers.split()) == 3


SIGNALLED = """
import os, signal, time
from simulator.cli.interrupts import run_until_signal
from simulator.experiment.pool import Processes

def handler():
    return signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, signal.set_wakeup_fd(-1)

def program():
    with Processes(2) as pool:
        others = pool.started()
        print(others.are_copies, others.submit(handler).result())
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

run_until_signal(program)
"""


def test_the_main_process_alone_says_that_a_signal_has_ended_it(tmp_path: Path) -> None:
    said = said_by(tmp_path, SIGNALLED, err="ended by SIGTERM\n")
    assert said == "True (True, -1)"


PROGRESS = """
import sys, time
from simulator.cli.ticker import Ticker
from simulator.forking import may_fork
from simulator.experiment.pool import Processes
from rich.console import Console
from rich.progress import Progress

def work(number):
    return number

console = Console(file=sys.stdout, force_terminal=True)
with Progress(console=console, auto_refresh=False) as bar, Ticker(bar):
    task = bar.add_task("long", total=7)
    for number in range(7):
        with Processes(3) as pool:
            pool.started()
            assert pool.are_copies
            assert pool.started().submit(work, number).result() == number
        bar.update(task, completed=number)
        time.sleep(0.15)
assert may_fork()
"""


def test_a_bar_is_drawn_beside_which_a_process_is_copied(tmp_path: Path) -> None:
    drawn = said_by(tmp_path, PROGRESS)
    assert len({share for share in ("29%", "43%", "57%", "71%") if share in drawn}) >= 3


STRUCK = """
import os, signal, time
from simulator.cli.interrupts import run_until_signal
from simulator.experiment.pool import Processes

def program():
    fork, forked = os.fork, []
    def struck():
        forked.append(1)
        if len(forked) == {nth}:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)  # for another thread that would take the signal
        return fork()
    os.fork = struck
    with Processes(4) as pool:
        pool.started()
        time.sleep(60)

run_until_signal(program)
"""


@pytest.mark.parametrize("nth", [1, 3])
def test_a_signal_waits_until_all_copies_are_made(tmp_path: Path, nth: int) -> None:
    assert said_by(tmp_path, STRUCK.format(nth=nth), err="ended by SIGTERM\n") == ""


NO_MORE = """
import os
from simulator.experiment.pool import Processes

def no_more():
    raise BlockingIOError(11, "Resource temporarily unavailable")

os.fork = no_more
try:
    with Processes(3) as pool:
        pool.started()
except OSError as error:
    print(error.strerror)
"""


def test_where_the_system_allows_no_more_processes_that_is_the_error(tmp_path: Path) -> None:
    assert said_by(tmp_path, NO_MORE) == "Resource temporarily unavailable"


DAEMON = """
import multiprocessing, os
from simulator.experiment.pool import Processes, in_processes

def who(job):
    return os.getpid()

def work(job):
    with Processes(3) as pool:
        return set(in_processes(who, range(3), pool)) == {os.getpid()}

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(1) as pool:
        print(pool.map(work, range(2)))
"""


def test_a_process_that_may_start_none_does_all_itself(tmp_path: Path) -> None:
    assert said_by(tmp_path, DAEMON, warnings="default") == "[True, True]"


AGAIN = """
import warnings
from simulator.experiment.pool import Processes

def old(job):
    try:
        warnings.warn("old", DeprecationWarning)
    except DeprecationWarning:
        return "raised"

found = set()
for number in range(40):
    with Processes(3) as pool:
        found.add((pool.started().are_copies, pool.started().submit(old, 1).result()))
print(found)
"""


def test_pools_one_after_the_other_are_copies_that_warn_as_the_main_process_does(
    tmp_path: Path,
) -> None:
    assert said_by(tmp_path, AGAIN) == "{(True, 'raised')}"
