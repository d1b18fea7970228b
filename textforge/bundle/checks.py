"""Checks of a manifest's values beyond their kinds, so that all else may rely on them.

Whatever is wrong raises `ValueError`, its message continuing a sentence that named the file.
"""

from __future__ import annotations

import operator
from typing import Any

import attrs

from textforge.architectures.checks import MOST_TOKENS_OF_A_WINDOW
from textforge.components import values
from textforge.training.checkpoint import Checkpoint, Position
from textforge.training.settings import TrainingSettings

_MOST = (1 << 63) - 1


def check_window(window: int | None) -> None:
    """Refuse a model's window that is neither none nor a size that fits in memory."""
    if window is not None and not 1 <= window <= MOST_TOKENS_OF_A_WINDOW:
        raise ValueError(
            f"model.window must be none or between 1 and {MOST_TOKENS_OF_A_WINDOW}, got {values.quote(window)}"
        )


def check_position(position: Position, where: str = "position") -> None:
    """Refuse a position with numbers that training can't come to."""
    _check_counts(where, attrs.asdict(position, recurse=False))
    for name in ("course", "costs", "trend"):
        _check_counts(f"{where}.{name}", attrs.asdict(getattr(position, name)))
    for name in ("evaluated_step", "course.step", "trend.began", "trend.best_step"):
        value = operator.attrgetter(name)(position)
        if value > position.step:
            raise ValueError(
                f"{where}.{name} must be <= step, {values.quote(position.step)}, got {values.quote(value)}"
            )
    for name in ("progress", "hold"):
        value = getattr(position.course, name)
        if value > 1:
            raise ValueError(f"{where}.course.{name} must be between 0 and 1, got {values.quote(value)}")


def check_turn(turn: Position, position: Position) -> None:
    """Refuse a turn that is none of the run that came to a position."""
    check_position(turn, "turn")
    if not 0 < turn.step <= position.step:
        raise ValueError(
            f"turn.step must be between 1 and the position's, {values.quote(position.step)}, "
            f"got {values.quote(turn.step)}"
        )
    for name in ("rows", "length"):
        if getattr(turn, name) != getattr(position, name):
            raise ValueError(
                f"turn.{name} must be the position's, {values.quote(getattr(position, name))}, "
                f"got {values.quote(getattr(turn, name))}"
            )


def _check_counts(where: str, numbers: dict[str, Any]) -> None:
    """Refuse numbers below 0, or above what training can count, among those that can't have any value."""
    for name, value in numbers.items():
        least = 1 if name in ("total_steps", "validation_tokens") else 0
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and name not in _ANY_NUMBER and not least <= value <= _MOST:
            raise ValueError(f"{where}.{name} must be between {least} and {_MOST}, got {values.quote(value)}")


_ANY_NUMBER = ("loss_sum", "best_loss", "first_loss")


def check_settings(settings: dict[str, Any], checkpoint: Checkpoint) -> None:
    """Refuse settings that are no `TrainingSettings`, or not those that the checkpoint was trained with."""
    for name in settings:
        TrainingSettings.known_option(name)
    for name, declared in TrainingSettings.options().items():
        if declared.required and name not in settings:
            raise ValueError(f"settings.{name} is missing")
    _check_windows(TrainingSettings(**settings), checkpoint)


def _check_windows(settings: TrainingSettings, checkpoint: Checkpoint) -> None:
    # A backend that learns otherwise, as by counting, leaves no arrays and goes by none of these settings; and a
    # model of streams may have a window by its nature.
    if not checkpoint.arrays or settings.sequences != "windows":
        return
    if checkpoint.model.window != settings.window:
        raise ValueError(
            f"settings.sequences is windows of {settings.window}, but model.window is "
            f"{values.quote(checkpoint.model.window)}"
        )
