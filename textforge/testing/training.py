"""A tiny corpus to train on, and the training of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from textforge.encoders.char import CharEncoder
from textforge.evaluation.loss import token_loss
from textforge.model import Array, Arrays, GradientModel, Model
from textforge.training.data import Tokens
from textforge.training.settings import TrainingSettings

LETTERS = "\n abcdef"
VOCABULARY_SIZE = len(LETTERS)
SEED = 1
TEXT = "abc abd\nfeed a cab\nabc def\n" * 60


def tiny_encoder() -> CharEncoder:
    """Return the encoder of the tiny corpus."""
    return CharEncoder().fit([LETTERS])


def tiny_tokens() -> Tokens:
    """Return the tiny corpus as ids, (n,)."""
    return tiny_encoder().encode(TEXT).astype(np.uint8)


def make_settings(changes: Mapping[str, Any]) -> TrainingSettings:
    """Return settings for the tiny corpus, but for `changes`."""
    return TrainingSettings(**{"seed": SEED, "epochs": 3, "batch_size": 4, "sequence_length": 16, **changes})


def made_ids(vocabulary_size: int, rows: int, length: int) -> Array:
    """Return tokens to read, (B, T), none of a row like another's."""
    return np.random.Generator(np.random.PCG64(7)).integers(0, vocabulary_size, (rows, length))


def make_batch(step: int, rows: int, length: int) -> tuple[Array, Array]:
    """Return the inputs and targets of a step, (B, T) each, from the tiny corpus."""
    streams = tiny_tokens()[: rows * 128].reshape(rows, 128)
    start = step * length
    return streams[:, start : start + length], streams[:, start + 1 : start + length + 1]


def exercise(model: Model, settings: TrainingSettings) -> None:
    """Let a model read, be saved, and, where it learns by steps, learn two steps."""
    ids = made_ids(model.vocabulary_size, rows=2, length=4)
    state = model.start(2)
    model.forward(ids, state)
    model.step(ids[:, 0], model.select(state, np.array([1, 0])))
    model.save()
    if isinstance(model, GradientModel) and model.vocabulary_size >= VOCABULARY_SIZE:
        model.begin(settings.make_optimizer(), settings.seed)
        state = model.start(2)
        for step in range(2):
            inputs, targets = make_batch(step, rows=2, length=8)
            loss, state = model.train_step(inputs, targets, state, learning_rate=settings.peak_learning_rate, step=step)
            float(loss)


def tiny_loss(model: Model) -> float:
    """Return the model's mean loss on the tiny corpus, in nats a token."""
    return token_loss(model, tiny_tokens()).mean


def copied(arrays: Arrays) -> Arrays:
    """Return copies of arrays."""
    return {name: np.array(array) for name, array in arrays.items()}
