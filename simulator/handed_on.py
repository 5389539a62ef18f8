"""Names that a package hands on, each imported when it is first used."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Deprecated:
    """A name that will go, and still works.

    Attributes
    ----------
    instead : str
        The name to use in its place, one that the package hands on, too.
    goes_in : str
        The version that no longer has it.
    """

    instead: str
    goes_in: str


def handed_on(
    package: str, homes: Mapping[str, str], deprecated: Mapping[str, Deprecated] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package, so that importing it is quick.

    The second lists what the package's ``__all__`` says, so that editors and notebooks complete
    names that nobody has used yet.

    Parameters
    ----------
    package : str
        Its dotted name.
    homes : mapping of str to str
        The module of each name.
    deprecated : mapping of str to Deprecated, optional
        Old names; whoever uses one is warned (`DeprecationWarning`) and gets what replaces it.
    """
    old = deprecated or {}

    def get(name: str) -> Any:
        if name in old:
            new = old[name]
            warnings.warn(
                f"{package}.{name} is deprecated and goes in {new.goes_in}: use "
                f"{package}.{new.instead}",
                DeprecationWarning,
                stacklevel=2,
            )
            name = new.instead
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    def names() -> list[str]:
        return list(sys.modules[package].__all__)

    return get, names
