"""The page on results as JSON."""

from __future__ import annotations

from collections.abc import Mapping

from docs.markdown import table
from simulator.cli.json_fields import ENVELOPE, FORMS

_TEXT = """\
# Results as JSON

`--json` prints one JSON object on standard output, in place of tables; notes and errors are on
standard error. Exit codes are the same: 0, 1 if an expectation failed, 2 after an error that you
can correct.

The same things have the same names in all of them. The version in `schema` rises when a field is
removed or changes its meaning; fields may be added without that.

`null` is what is not known: a cost where nobody has said a price, the end of an interval that so
many replications do not bound, a time that no run took to its end. Intervals (`low`, `high`) are of
95 %. Times are in simulated seconds, costs in US dollars, shares from 0 to 1.
"""

_OBSERVE = """\
`observe --json` prints what `summary.json` holds:
[its keys](traces.md#what-is-found-for-programs). Without `--out` no twin is written: there are no
`next` commands, and the twin's `file` is `null`.
"""


def json_page() -> str:
    """Return the page: what all objects hold, and what those of each command hold beside it."""
    parts = [_TEXT, "All objects have:\n", _fields(ENVELOPE)]
    for command, form in FORMS.items():
        parts += [
            f"## {command}\n",
            f"`teamsim/{command}/{form.version}` has beside these:\n",
            _fields(form.fields),
        ]
    return "\n".join([*parts, "## observe\n", _OBSERVE])


def _fields(fields: Mapping[str, str]) -> str:
    return table(["field", "what"], ([f"`{name}`", text] for name, text in fields.items()))
