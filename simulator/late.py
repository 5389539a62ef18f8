"""Parts of packages, imported without the rest of a package that takes long to import."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any

_LOCK = RLock()


class _LatePackage(ModuleType):
    """A package whose own code runs when somebody asks for a name that it does not have yet.

    Its path is one of these names, so that its code runs before a module in it is imported; not so
    where `part_of` has given it the path.
    """

    def __getattr__(self, name: str) -> Any:
        """Run the package's code and return what it then has, for the thread that comes first."""
        with _LOCK:
            if type(self) is _LatePackage:
                _complete(self)
            return ModuleType.__getattribute__(self, name)

    def __dir__(self) -> list[str]:
        """Run the package's code and list what it then has."""
        with _LOCK:
            if type(self) is _LatePackage:
                _complete(self)
            return list(ModuleType.__dir__(self))

    def give_path(self) -> None:
        """Have modules in it imported without its own code."""
        assert self.__spec__ is not None
        self.__path__ = self.__spec__.submodule_search_locations or []

    def hide_path(self) -> None:
        """Have its own code run before modules in it are imported."""
        vars(self).pop("__path__", None)


class _Loading(_LatePackage):
    """One whose code is running now: that thread finds no more than there is, others wait."""


def _complete(late: _LatePackage) -> None:
    package: ModuleType = late
    assert package.__spec__ is not None
    assert package.__spec__.loader is not None
    package.__class__ = _Loading
    had_path = "__path__" in vars(package)
    late.give_path()
    try:
        package.__spec__.loader.exec_module(package)
    except BaseException:
        package.__class__ = _LatePackage
        if not had_path:
            late.hide_path()
        raise
    package.__class__ = ModuleType


def part_of(package: str, *parts: str) -> ModuleType:
    """Import modules of a package, and not what the package itself imports.

    The package is there, too, and completes itself when a name is asked of it, as by ``from package
    import name``. So whoever imports it later has all of it, and the same modules.

    Parameters
    ----------
    package : str
        Dotted name, for example ``scipy.special``.
    parts : str
        Names of modules in it, to be imported in this order.

    Returns
    -------
    ModuleType
        The last of them.

    Raises
    ------
    ImportError
        If there is no such package, or no such module in it.
    """
    with _LOCK:
        be_late(package)
        late = sys.modules[package]
        if isinstance(late, _LatePackage):
            late.give_path()
        for part in parts:
            found = importlib.import_module(f"{package}.{part}")
    return found


def be_late(package: str) -> None:
    """Let a package's code run when a name or a module in it is asked for, if it has not run yet.

    Raises
    ------
    ImportError
        If there is no such package.
    """
    with _LOCK:
        if package in sys.modules:
            return
        spec = find_spec(package)  # imports what it is in
        if spec is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        late = module_from_spec(spec)
        late.__class__ = _LatePackage
        assert isinstance(late, _LatePackage)
        late.hide_path()
        sys.modules[package] = late
        above, _, name = package.rpartition(".")
        if above:
            vars(sys.modules[above])[name] = late
