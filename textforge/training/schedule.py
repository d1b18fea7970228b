"""The learning rate over a run: a function of what its position records alone."""

from __future__ import annotations

import math

from textforge.training.checkpoint import Course, Position
from textforge.training.settings import TrainingSettings

FLOOR = 0.02
"""The last rate, as a share of the highest."""
HOLD = 0.6
"""The share of `wsd`, and of a further round of either, after the warm-up, for which the rate stays the highest.

Measured: 300,000 characters of Tiny Shakespeare, six epochs: 1.413 for 0, 1.401 for 0.5, 1.403 for 0.6 and 1.409 for
0.7; one epoch: 1.711, 1.639, 1.628 and 1.623."""
SUPPOSED_STEP = 0.01
"""Seconds that a step is supposed to take in a run limited by time, until one was measured: no more than the first
few."""


def begin_course(settings: TrainingSettings) -> Course:
    """Return the course of a run from its beginning."""
    return Course(hold=HOLD if settings.schedule == "wsd" else 0.0)


def find_fall(settings: TrainingSettings, course: Course) -> float:
    """Return the progress at which the rate begins to fall."""
    return settings.warm_up + course.hold * (1 - settings.warm_up)


def find_pace(settings: TrainingSettings, position: Position) -> float:
    """Return the share of the schedule that a step is, as long as the plan stays as it is."""
    course = position.course
    if position.total_steps is None:
        return min(1.0, SUPPOSED_STEP / (60 * settings.minutes)) if settings.minutes else 0.0
    left = position.total_steps - course.step
    return (1 - course.progress) / left if left > 0 else 0.0


def find_progress(settings: TrainingSettings, position: Position) -> float:
    """Return the share of the schedule that is done before the next step, from 0 to 1."""
    if position.total_steps is not None and position.step >= position.total_steps:
        return 1.0
    course = position.course
    return min(1.0, course.progress + (position.step - course.step) * find_pace(settings, position))


def learning_rate(settings: TrainingSettings, position: Position) -> float:
    """Return the learning rate of the next step.

    `cosine`: a linear warm-up, then half a cosine (Loshchilov and Hutter, 2017) down to a fiftieth. `wsd`: warm-up, the
    highest rate for a while, and that fall: warmup-stable-decay (Hu et al., "MiniCPM", 2024; Hägele et al., "Scaling
    laws and compute-optimal training beyond fixed training durations", 2024).
    """
    highest = settings.peak_learning_rate
    if settings.schedule == "constant":
        return highest
    progress, pace = find_progress(settings, position), find_pace(settings, position)
    return highest * shape(progress, pace, settings.warm_up, position.course.hold)


def shape(progress: float, pace: float, warm_up: float, hold: float = 0.0) -> float:
    """Return the rate at some progress as a share of the highest; a step goes on by `pace`.

    It rises for the share `warm_up`, stays for the share `hold` of the rest, and falls.

    >>> shape(0.0, 0.005, warm_up=0.02), shape(0.02, 0.005, warm_up=0.02), shape(1.0, 0.005, warm_up=0.02)
    (0.25, 1.0, 0.02)
    """
    if progress < warm_up:
        return min(1.0, (progress + pace) / warm_up)
    done = (progress - warm_up) / (1 - warm_up)
    done = max(0.0, done - hold) / (1 - hold) if hold < 1 else 0.0
    return FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * done)) / 2
