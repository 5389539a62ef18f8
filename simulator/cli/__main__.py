"""The program ``teamsim``. It catches signals before the imports, which take long."""

from __future__ import annotations

from simulator.cli.interrupts import run_until_signal


def main() -> None:
    """Run the command line until it ends or a signal ends it."""
    run_until_signal(_commands)


def _commands() -> None:
    from simulator.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
