"""The command line in the process of the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simulator.cli.main import main


class Here:
    """The command line in this process: a new one would import everything first."""

    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._patch = patch

    def __call__(
        self, *arguments: object, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        said = ["teamsim", *map(str, arguments)]
        self._patch.setattr(sys, "argv", said)
        if cwd is not None:
            self._patch.chdir(cwd)
        with pytest.raises(SystemExit) as ended:
            main()
        captured = self._capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return subprocess.CompletedProcess(said, code, captured.out, captured.err)


@pytest.fixture
def teamsim_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(capsys, monkeypatch)
