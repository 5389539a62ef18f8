"""Copies the scenarios, which lie beside the packages, into the package that is built.

With ``TEAMSIM_COMPILE=1`` the hot modules are compiled too, into ``simulator/_compiled``: that
needs a C compiler, and makes a wheel for one Python on one machine.
"""

import os
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

COMPILES = os.environ.get("TEAMSIM_COMPILE") == "1"


class BuildWithScenarios(build_py):
    """Builds the packages, and puts scenarios and their schema into ``simulator/scenarios``."""

    def run(self) -> None:
        """Build, unless the packages are only to be linked to."""
        super().run()
        if self.editable_mode:  # scenarios are then found where they lie
            return
        into = Path(self.build_lib) / "simulator" / "scenarios"
        self.mkpath(str(into))
        kinds = ("*.yaml", "scenario.schema.json")
        for path in sorted(path for kind in kinds for path in Path("scenarios").glob(kind)):
            self.copy_file(str(path), str(into / path.name))
        if COMPILES:
            here = Path(__file__).resolve().parent
            sys.path[:0] = [str(here), str(here / ".ci")]
            from compiling.build import build

            build(Path(self.build_lib).resolve() / "simulator" / "_compiled")


class MaybeCompiled(Distribution):
    """What is built: for any machine, unless modules are compiled."""

    def has_ext_modules(self) -> bool:
        """Return whether the wheel is for one machine."""
        return COMPILES


setup(
    cmdclass={"build_py": BuildWithScenarios},
    distclass=MaybeCompiled,
    # What pip installs for the build, and only for it.
    setup_requires=["Cython>=3.1,<4", "mypy>=1.15,<3"] if COMPILES else [],
)
