"""Addresses that restore a setting, and the one whose curves are pinned behind its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from analysis.report.explorer.fields import written
from analysis.report.explorer.settings import CHOICES, Offered, Setting
from simulator.errors import TeamsimError

PINNED = "pinned"
"""Name of the pinned setting in the query of an address."""

_MOST_FIELDS = 200


def link(setting: Setting, pinned: Setting | None) -> str:
    """Return the query of an address that restores a setting, and what is pinned."""
    return setting.query() + ("&" + urlencode({PINNED: pinned.query()}) if pinned else "")


def from_link(search: object, offered: Offered) -> tuple[Setting, Setting | None]:
    """Return the setting and the pinned one that the query of an address asks for.

    Raises
    ------
    TeamsimError
        If it is not a query that `link` makes for this scenario.
    """
    query = _fields(search)
    pinned = query.pop(PINNED, None)
    return offered.from_query(query), None if pinned is None else from_pin(pinned, offered)


def from_pin(said: object, offered: Offered) -> Setting:
    """Return the pinned setting that a page names.

    Raises
    ------
    TeamsimError
        If it is none.
    """
    return offered.from_query(_fields(said))


def _fields(said: object) -> dict[str, str]:
    if not isinstance(said, str):
        raise TeamsimError("the query of an address is expected")
    try:
        pairs = parse_qsl(said.removeprefix("?"), True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise TeamsimError(f"more than {_MOST_FIELDS} settings") from None
    return dict(pairs)


def name_of(pinned: Setting, now: Setting, offered: Offered) -> str:
    """Return the name of a pinned setting: what it has other than the present one."""
    said = []
    for path in dict.fromkeys([*pinned.said, *now.said]):
        before = pinned.said.get(path, offered.now(path))
        if before != now.said.get(path, offered.now(path)):
            said.append(_named(path, before, offered))
    if pinned.most != now.most:
        said.append(f"up to {pinned.most} agents")
    return ", ".join(said) or "the same setting"


def _named(path: str, value: Any, offered: Offered) -> str:
    if path in CHOICES:
        return str(value)
    if path in offered.where:
        return f"{offered.label(path)} {value:g}"
    return f"{path} {written(value)}"
