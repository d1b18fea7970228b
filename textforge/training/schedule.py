"""The learning rate over a run: it depends on the step and the plan alone."""

from __future__ import annotations

import math

from textforge.training.settings import TrainingSettings

WARM_UP = 0.02
"""Share of the steps over which the rate rises."""
MEASURED = 0.05
"""Share of a run limited by time in which its speed is measured; the rate is the highest from the first step."""
FLOOR = 0.02
"""The last rate, as a share of the highest."""


def learning_rate(settings: TrainingSettings, step: int, total_steps: int | None) -> float:
    """Return the learning rate of a step, counted from 0.

    `cosine`: a linear warm-up, then half a cosine (Loshchilov and Hutter, 2017) down to a fiftieth. A run limited by
    time doesn't know its steps at first: instead of warming up it keeps the highest rate until they are known.
    """
    peak = settings.peak_learning_rate
    if settings.schedule == "constant" or total_steps is None:
        return peak
    by_time = settings.minutes is not None
    warm_up = (MEASURED if by_time else WARM_UP) * total_steps
    if step < warm_up:
        return peak if by_time else peak * (step + 1) / math.ceil(warm_up)
    done = min(1.0, (step - warm_up) / max(1.0, total_steps - warm_up))
    return peak * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * done)) / 2)
