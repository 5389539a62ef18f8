"""The program ``teamsim``: signals are caught first, as imports take their time."""

from __future__ import annotations

from simulator.cli.interrupts import run_until_signal


def main() -> None:
    """Run the command line until it ends or is ended."""
    run_until_signal(_commands)


def _commands() -> None:
    from simulator.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
