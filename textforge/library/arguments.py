"""The keyword arguments of `textforge.train`, for type checkers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypedDict

from textforge.samplers.base import Sampler


class SettingsArguments(TypedDict, total=False):
    """The options of `textforge.TrainingSettings`, as keyword arguments; a test holds the two equal."""

    seed: int | None
    epochs: int | None
    minutes: float | None
    batch_size: int
    sequence_length: int
    sequences: str
    window: int
    stride: int
    optimizer: str
    learning_rate: float | None
    schedule: str
    warm_up: float
    clip_norm: float | None
    weight_decay: float
    validation: float
    validation_part: str
    validation_corpus: str | os.PathLike[str] | Sequence[str]
    shuffle: str
    replay: str | None
    mix: str | Sequence[str]
    patience: int | None
    sample: str | Sampler | Sequence[str | Sampler | Sequence[str | Sampler]]
    sample_every: int
