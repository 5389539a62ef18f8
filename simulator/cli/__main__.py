"""The program ``teamsim``. It catches signals before the imports, which take long."""

from __future__ import annotations

from simulator.cli.interrupts import run_until_signal
from simulator.cli.streams import open_closed_streams
from simulator.forking import keep_to_one_thread


def main() -> None:
    """Run the command line until it ends or a signal ends it."""
    keep_to_one_thread()
    open_closed_streams()
    run_until_signal(_commands)


def _commands() -> None:
    from simulator.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
