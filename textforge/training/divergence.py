"""Divergence: a model that training has made worse than guessing."""

from __future__ import annotations

import math

from textforge.errors import Advice, TrainingError, advise
from textforge.training.losses import Losses
from textforge.training.settings import TrainingSettings

TOLERANCE = 1.05
"""A batch's loss may exceed another's by so much without a reason."""
HOPELESS = 2.0
"""A loss of so many times a guess's doesn't come back: training stops."""
BY_ROUNDING = 1e-3
"""A loss may exceed a guess's by so much, in nats, where nothing can be learnt."""


class Judge:
    """The judge of a run's weights: sound, or worse than guessing because training made them so.

    Guessing costs ln V nats a token, and untrained weights cost about as much. Weights are unsound where they are worse
    at what is judged, the validation text, and the training losses too are worse than guessing and than the first
    step's. So a text that ends unlike it began, or a run of a few steps, is no divergence.

    >>> Judge(vocabulary_size=65, unit="characters", settings=TrainingSettings(seed=1)).guess
    4.174387269895637
    """

    def __init__(self, vocabulary_size: int, unit: str, settings: TrainingSettings) -> None:
        self.guess = math.log(vocabulary_size)
        """The loss of guessing, in nats a token."""
        self.sound = True
        """True where the weights were sound when last judged."""
        self.hopeless = False
        """True where they were so unsound that they won't come back."""
        self._guessing = f"a guess among {vocabulary_size:,} {unit} costs {self.guess:.4g}"
        self._settings = settings

    def judge(self, losses: Losses, judged: float) -> None:
        """Judge weights by their loss and the training losses since the last judgement."""
        self.sound = self._is_sound(losses, judged)
        worst = HOPELESS * self._start(losses)
        self.hopeless = not self.sound and min(judged, _training_loss(losses)) > worst

    def may_save(self, losses: Losses) -> bool:
        """Return whether weights that were trained on since the last judgement may be saved."""
        return self.sound and self._is_sound(losses, losses.mean)

    def _is_sound(self, losses: Losses, judged: float) -> bool:
        return judged <= self.guess or _training_loss(losses) <= TOLERANCE * self._start(losses)

    def _start(self, losses: Losses) -> float:
        return max(self.guess, losses.first or 0.0)

    def describe(self, loss: float) -> str:
        """Return a message that says what is wrong with unsound weights of this loss."""
        rate = self._settings.peak_learning_rate
        return (
            f"training diverges: its loss is {loss:.4g} nats, {self._guessing}; these weights are not kept, "
            f"and a learning rate below {rate:g} would help"
        )

    def describe_worth(self, best_loss: float | None) -> str | None:
        """Return a message on the weights that a run kept; None where they are worth something."""
        if not self.sound:
            loss = "" if best_loss is None else f", of a loss of {best_loss:.4g} nats"  # saved before any validation
            return f"training ended diverged; the last sound weights are kept{loss}"
        if best_loss is None or best_loss <= self.guess + BY_ROUNDING:
            return None
        return (
            f"the model is worse than guessing: its loss is {best_loss:.4g} nats, {self._guessing}; "
            "train longer, or on a text whose end is like its beginning"
        )

    def not_finite(self, kind: str, loss: float, step: int, saved_step: int | None) -> TrainingError:
        """Return the error that a loss is no longer finite."""
        return self._error(f"the {kind} loss became {loss} at step {step}, so training stopped", saved_step)

    def never_sound(self, loss: float, saved_step: int | None) -> TrainingError:
        """Return the error that a run never had weights worth keeping."""
        return self._error(f"training diverged: its loss is {loss:.4g} nats, {self._guessing}", saved_step)

    def _error(self, problem: str, saved_step: int | None) -> TrainingError:
        kept = "nothing was saved" if saved_step is None else f"what was saved at step {saved_step} is kept"
        return TrainingError(f"{problem}; ", *self._remedy(), f"; {kept}")

    def _remedy(self) -> tuple[str | Advice, ...]:
        settings = self._settings
        clip = "none" if settings.clip_norm is None else f"{settings.clip_norm:g}"
        return (
            "lower the learning rate (",
            advise("learning_rate"),
            f", now {settings.peak_learning_rate:g}) or clip gradients (",
            advise("clip_norm"),
            f", now {clip})",
        )


def _training_loss(losses: Losses) -> float:
    return max(losses.mean, losses.latest)
