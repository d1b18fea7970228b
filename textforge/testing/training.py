"""A tiny corpus to train on, and models to begin with."""

from __future__ import annotations

from typing import Any

import numpy as np

from textforge.architectures.lstm import ARCHITECTURE, LSTMBackend
from textforge.backends.base import Backend
from textforge.encoders.char import CharEncoder
from textforge.evaluation.loss import token_loss
from textforge.model import Arrays, Model, SavedModel
from textforge.testing.failures import NotApplicable
from textforge.training.data import Tokens, TrainingData
from textforge.training.report import Report
from textforge.training.settings import TrainingSettings

LETTERS = "\n abcdef"
VOCABULARY_SIZE = len(LETTERS)
SEED = 1
TEXT = "abc abd\nfeed a cab\nabc def\n" * 60


class _UntrainedLSTM(LSTMBackend):
    """The core's own first weights."""

    name = "untrained"
    architecture = ARCHITECTURE

    def load(self, saved: SavedModel) -> Model:
        raise NotApplicable("it holds weights only")


def untrained(backend: Backend) -> SavedModel:
    """A model of the core's own architectures, for a backend that only runs what others have trained."""
    if backend.runs(ARCHITECTURE):
        return _UntrainedLSTM(hidden_size=12, num_layers=2, embedding_size=5).initial(VOCABULARY_SIZE, SEED)
    raise NotApplicable(
        f"it only runs models of {backend.architecture}, and the kit has none: give one, saved=…, in its test class"
    )


def tiny_tokens() -> Tokens:
    """The tiny corpus as ids."""
    return CharEncoder().fit([LETTERS]).encode(TEXT).astype(np.uint8)


def fitted(backend: Backend, model: Model, changes: dict[str, Any]) -> Model:
    """What a model becomes on the tiny corpus."""
    data = TrainingData.split(tiny_tokens(), CharEncoder().fit([LETTERS]), 0.1)
    settings = TrainingSettings(**{"seed": SEED, "epochs": 3, "batch_size": 4, "sequence_length": 16, **changes})
    return backend.fit(model, data, settings, Report())


def tiny_loss(model: Model) -> float:
    """The model's mean loss on the tiny corpus, in nats a token."""
    return token_loss(model, tiny_tokens()).mean


def copied(arrays: Arrays) -> Arrays:
    """The arrays, copied."""
    return {name: np.array(array) for name, array in arrays.items()}
