"""What one call of an agent is about, and what has become of it."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.model.timers import AN_INSTANT
from simulator.model.why import Why

ATTEMPTS, DUTY, MERGE = 0, 1, 2
"""What a worker's call is: attempts at tasks, its protocol's duty, a merge after a partition."""


_NOTHING = Why.NOTHING
"""Python looks up a member of an enumeration by a function, at each call."""

_NONE: frozenset[int] = frozenset()
"""What most calls have: one object for all of them, as Python makes one of 216 bytes each time."""


class Call:
    """The call that an agent is in, or its last one, which a `CallBook` begins.

    Attributes
    ----------
    number : int
        Calls are numbered from 1 in the order in which they begin; 0 before the first.
    kind : int
        `ATTEMPTS`, `DUTY` or `MERGE`.
    picks : list of int
        Tasks that it attempts.
    work : float
        Work units.
    output : int
        Tokens that it writes.
    skipped : int
        Tokens that it need not write, as a checkpoint has what they say.
    message_tokens : int
        Those of its message; -1 where it sends none.
    rejected : frozenset of int
        Picks that the workspace has refused, or that a cut reply has lost.
    outdated : frozenset of int
        Picks that build on what has changed since it was read.
    failed, lost_to : bool, Why
        Whether it comes to nothing, and why.
    paid_share : float or None
        The share of its output that is paid for, where its input was read and it has failed.
    is_astray : bool
        Whether what it does takes no effect, because the team has gone on without it.
    is_backup : bool
        Whether it does again what another has in its hands.
    is_cut : bool
        Whether its reply exceeded what a reply can hold.
    """

    __slots__ = (
        "failed",
        "is_astray",
        "is_backup",
        "is_cut",
        "kind",
        "lost_to",
        "message_tokens",
        "number",
        "outdated",
        "output",
        "paid_share",
        "picks",
        "rejected",
        "skipped",
        "work",
    )

    def __init__(self) -> None:
        self.number = 0
        self.kind = ATTEMPTS
        self.picks: list[int] = []
        self.work = 0.0
        self.output = self.skipped = 0
        self.message_tokens = -1
        self.rejected: frozenset[int] = _NONE
        self.outdated: frozenset[int] = _NONE
        self.failed = False
        self.lost_to = _NOTHING
        self.paid_share: float | None = None
        self.is_astray = self.is_backup = self.is_cut = False

    def go_on(self, output: int, message_tokens: int) -> None:
        """Go on with another turn, in which so much is written."""
        self.output = output
        self.message_tokens = message_tokens
        self.paid_share = None

    def be(self, kind: int) -> None:
        """Set what the call is for: attempts at tasks, a duty of the protocol, or a merge."""
        self.kind = kind

    def be_backup(self) -> None:
        """Attempt, as a backup, a task that another agent is at work on."""
        self.is_backup = True

    def be_original(self) -> None:
        """Take back `be_backup`."""
        self.is_backup = False

    def begin_steps(self) -> None:
        """Begin a call that goes through phases: nothing has gone wrong yet."""
        self.is_astray = False
        self.paid_share = None
        self.skipped = 0

    def skip(self, share: float) -> None:
        """Write only what is left of the reply, of which a checkpoint has a share."""
        self.skipped = round(self.output * share)
        self.output -= self.skipped

    def go_astray(self) -> None:
        """Take no effect: the team goes on without it."""
        self.is_astray = True

    def cut_reply(self) -> None:
        """Let the reply exceed what a reply can hold."""
        self.is_cut = True

    def keep_reply(self) -> None:
        """Let the reply be of use as far as it goes."""
        self.is_cut = False

    def reject(self, tasks: Iterable[int]) -> None:
        """Let attempts at some of the picks have no effect."""
        self.rejected = self.rejected.union(tasks)

    def take_rejected(self) -> tuple[frozenset[int], bool]:
        """Return what was rejected, and whether because the reply was cut; begin anew."""
        rejected, self.rejected = self.rejected, _NONE
        was_cut, self.is_cut = self.is_cut, False
        return rejected, was_cut

    def fail(self, why: Why = _NOTHING) -> None:
        """Come to nothing."""
        self.failed = True
        self.lost_to = why or self.lost_to

    def written(self, share: float) -> int:
        """Return the whole tokens in a share of the output.

        A token that only a rounding error keeps from being whole is whole.
        """
        return int(self.output * share * (1.0 + AN_INSTANT))

    def pay(self, share: float | None) -> None:
        """Say which share of the output is paid for; None where not even the input is."""
        self.paid_share = share

    def be_silent(self) -> None:
        """Send no message."""
        self.message_tokens = -1

    def forget_rejected(self) -> None:
        """Let no attempt be rejected: none takes effect anyway."""
        self.rejected = _NONE

    def note_outdated(self, task: int) -> None:
        """Note that what a pick builds on has changed since it was read."""
        self.outdated = self.outdated.union((task,))

    def forget_outdated(self) -> None:
        """Forget what was outdated: the call is over."""
        self.outdated = _NONE

    def void(self) -> None:
        """Clear a call that came to nothing, except the reason why it was lost."""
        self.failed = False
        self.rejected = _NONE
        self.is_cut = False
        self.kind = ATTEMPTS

    def settle(self) -> None:
        """Clear the reason why the call was lost, once all who need it know it."""
        self.lost_to = _NOTHING
