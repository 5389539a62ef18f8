"""How a request fails at the provider: after how long, and what is billed of it."""

from __future__ import annotations

from simulator.model.streams import Draw
from simulator.scenario.provider import ProviderErrors


class ErrorAnswers:
    """What the requests of one agent are like that the provider fails.

    Parameters
    ----------
    errors : ProviderErrors
    after_s : Draw
        Seconds until the error comes.
    rolls_bill : Draw
        Uniforms that decide whether it is billed.
    """

    __slots__ = ("_bill", "_rolls_bill", "after_s")

    def __init__(self, errors: ProviderErrors, after_s: Draw, rolls_bill: Draw) -> None:
        self.after_s = after_s
        self._bill = errors.bill
        self._rolls_bill = rolls_bill

    def billed(self) -> tuple[bool, float, float]:
        """Return whether one is billed, and shares of its cached input and of its output."""
        bill = self._bill
        if bill is None or self._rolls_bill() >= bill.share:
            return False, 0.0, 0.0
        return True, bill.cached, bill.written
