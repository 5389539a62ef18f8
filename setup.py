"""Copies the scenarios, which lie beside the packages, into the package that is built."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithScenarios(build_py):
    """Builds the packages, and puts the scenarios into ``simulator/scenarios``."""

    def run(self) -> None:
        """Build, unless the packages are only to be linked to."""
        super().run()
        if self.editable_mode:  # scenarios are then found where they lie
            return
        into = Path(self.build_lib) / "simulator" / "scenarios"
        self.mkpath(str(into))
        for path in sorted(Path("scenarios").glob("*.yaml")):
            self.copy_file(str(path), str(into / path.name))


setup(cmdclass={"build_py": BuildWithScenarios})
