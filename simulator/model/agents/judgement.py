"""How an agent's attempts go wrong, and what it notices of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from simulator.model.agents.draws import OwnDraws
from simulator.model.agents.kind import Kind
from simulator.model.answers import CORRECT, Difficulty, expit
from simulator.model.streams import Draw, Purpose
from simulator.scenario.agent import Agent


class Judgement:
    """Draws the answers of an agent's attempts.

    Parameters
    ----------
    kind : Kind
    draws : OwnDraws
    difficulty : Difficulty
        The draws that agents share.

    Attributes
    ----------
    errs : bool
        Whether it errs at all.
    depends_on_context : bool
        Whether the size of the prompt tells on it.
    is_particular : bool
        Whether the errors of a call have something in common.
    rolls_error, rolls_hand_off, rolls_truncation : callable
        Uniforms in [0, 1).
    """

    __slots__ = (
        "_call_correlation",
        "_call_roll",
        "_common_mode",
        "_common_rolls",
        "_context_error",
        "_draws",
        "_kind",
        "_logit",
        "_now",
        "_own_logit",
        "_p",
        "_rolls_call",
        "_rolls_common",
        "_rolls_detection",
        "_rolls_propagation",
        "_rolls_review",
        "_rolls_wrong",
        "_shifts",
        "depends_on_context",
        "errs",
        "is_particular",
        "rolls_error",
        "rolls_hand_off",
        "rolls_truncation",
    )

    def __init__(self, kind: Kind, draws: OwnDraws, difficulty: Difficulty) -> None:
        erring = kind.erring
        self._kind = erring
        self._own_logit = self._logit = self._now = draws.logit(erring.odds, Purpose.ERROR)
        self._p = expit(self._logit)
        self.errs = errs = self._p > 0.0
        self._context_error = erring.of_context if errs else None
        self.depends_on_context = self._context_error is not None
        self._shifts: Sequence[float] | None = difficulty.shifts(
            erring.family, erring.probability, erring.difficulty_correlation
        )
        self._common_mode = erring.common_mode if errs else 0.0
        self._common_rolls: Sequence[float] = ()
        if self._common_mode:
            self._common_rolls = difficulty.common_rolls(erring.family)
        self._rolls_common = draws.rolls(Purpose.COMMON_MODE, self._common_mode > 0.0)
        self._call_correlation = erring.call_correlation if errs else 0.0
        self.is_particular = self._call_correlation > 0.0
        self._call_roll = 0.0
        self._rolls_call = draws.rolls(Purpose.CALL_ERROR, self.is_particular)
        self.rolls_error = draws.rolls(Purpose.ERROR, errs)
        self._rolls_wrong = draws.rolls(Purpose.WRONG_ANSWER, errs and erring.options > 1)
        # Streams that most agents never read are made when they are first read.
        self._draws = draws
        self._rolls_detection: Draw | None = None
        self._rolls_propagation: Draw | None = None
        self._rolls_review: Draw | None = None
        self.rolls_hand_off = draws.rolls(Purpose.HAND_OFF, erring.hand_off > 0.0)
        self.rolls_truncation = draws.rolls(Purpose.TRUNCATION, kind.working.truncation_loss > 0.0)

    def settle(self, drift: float, prompt_tokens: int, window_tokens: float) -> None:
        """Set the probability of an error, by drift and by the size of the prompt."""
        self._now = self._logit + self._kind.of_drift * drift
        if self._context_error is not None:
            self._now += self._context_error.at(prompt_tokens, window_tokens)
        self._p = expit(self._now)

    def change_model(self, model: Agent | None, logit: float) -> None:
        """Err as another model does from now on; None: as its own. `settle` is to follow.

        `logit` is the other model's logit of the error probability. If that model has no random
        effects of its own, those of the run and the agent are added as before.
        """
        self._logit = self._own_logit
        if model is not None:
            own, effects = self._kind.probability, 0.0
            if 0.0 < own < 1.0 and not model.errors.probability.effects:
                effects = self._own_logit - math.log(own / (1.0 - own))
            self._logit = logit + effects

    def begin_to_err(self) -> None:
        """Let the agent err if, by the probability that holds now, it does at all."""
        self.errs = self._p > 0.0

    def draw_with(self, rolls_error: Draw) -> None:
        """Draw errors from a stream, even where the agent's own model makes none."""
        self.rolls_error = rolls_error

    def begin_call(self) -> None:
        """Draw what the attempts of one call have in common."""
        if self._call_correlation:
            self._call_roll = self.rolls_error()

    def answer(self, task: int) -> int:
        """Return what an attempt at `task` answers: `CORRECT` or the number of a wrong answer."""
        p = self._p
        if self._shifts is not None:
            p = expit(self._now + self._shifts[task])
        if self._common_mode and self._rolls_common() < self._common_mode:
            roll = self._common_rolls[task]
        elif self._call_correlation and self._rolls_call() < self._call_correlation:
            roll = self._call_roll
        else:
            roll = self.rolls_error()
        return CORRECT if roll >= p else self._wrong_answer()

    def finds_fault(self) -> bool:
        """Return whether the tests of a faulty attempt find that it is."""
        if self._rolls_detection is None:
            self._rolls_detection = self._draws.rolls(Purpose.DETECTION)
        return self._rolls_detection() < self._kind.detection

    def inherits_fault(self) -> bool:
        """Return whether an attempt that builds on what is faulty is faulty, too."""
        if self._rolls_propagation is None:
            self._rolls_propagation = self._draws.rolls(Purpose.PROPAGATION)
        return self._rolls_propagation() < self._kind.propagation

    def rejects(self, chance: float) -> bool:
        """Return whether a review rejects what it does with probability `chance`."""
        if self._rolls_review is None:
            self._rolls_review = self._draws.rolls(Purpose.REVIEW)
        return self._rolls_review() < chance

    def _wrong_answer(self) -> int:
        options = self._kind.options
        if options == 1 or self._rolls_wrong() < self._kind.shared:
            return 1
        return 1 + int(self._rolls_wrong() * options)
