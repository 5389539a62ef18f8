"""The names that neutral ones stand for, in the scenario that is simulated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd


class TrueNames:
    """Puts names into a scenario in place of neutral ones, and takes them out of its runs again.

    Parameters
    ----------
    called : mapping
        Names by the neutral names that stand for them. A name may be a part of another: a tool that
        starts two kinds of agents has one with each.
    """

    def __init__(self, called: Mapping[str, str]) -> None:
        neutral = "|".join(map(re.escape, sorted(called, key=len, reverse=True)))
        self._called = called
        self._neutral = re.compile(rf"(?<![a-z])(?:{neutral})(?![a-z0-9])") if called else None
        self._put: dict[str, str] = {}

    def put_into(self, said: Any) -> Any:
        """Return what a scenario says, with the names that its neutral ones stand for."""
        if self._neutral is None:
            return said
        if isinstance(said, Mapping):
            return {self.put_into(name): self.put_into(value) for name, value in said.items()}
        if isinstance(said, (list, tuple)):
            return [self.put_into(each) for each in said]
        return self._name_for(said) if isinstance(said, str) else said

    def _name_for(self, neutral: str) -> str:
        assert self._neutral is not None
        name = self._neutral.sub(lambda found: self._called[found.group()], neutral)
        self._put[name] = neutral
        return name

    def taken_from(self, calls: pd.DataFrame) -> pd.DataFrame:
        """Return the calls of simulated runs under the neutral names."""
        columns = ("agent_role", "tool_name")
        return calls.assign(
            **{column: calls[column].replace(self._put).astype("string") for column in columns}
        )
