"""Small models, and batches to train them on."""

from __future__ import annotations

import random

import numpy as np

from gradient_backends.framework import Suite

VOCABULARY = 7
ROWS, LENGTH = 4, 10

SMALL = {
    "lstm": {"hidden_size": 16, "embedding_size": 8},
    "conv": {"channels": 12, "embedding_size": 8, "num_layers": 3, "kernel_size": 3},
    "gpt": {"hidden_size": 12, "num_heads": 2, "num_layers": 2, "window": 6},
}


class SmallModels(Suite):
    """Models small enough to be trained in a test."""

    def make(self, architecture, dropout=0.0, precision="float32", seed=1, **options):
        options = SMALL[architecture] | options
        return self.backend(architecture, dropout=dropout, precision=precision, **options).create(VOCABULARY, seed)


def batch(step, windows=False):
    block = np.random.default_rng(step).integers(0, VOCABULARY, (ROWS, LENGTH + 1)).astype(np.uint8)
    return block[:, :-1], block[:, -1] if windows else block[:, 1:]


def train(model, steps, state=None, rate=0.01, windows=False):
    state = model.start(ROWS) if state is None else state
    for step in steps:
        _, state = model.train_step(*batch(step, windows), state, learning_rate=rate, step=step)
    return state


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one) and set(one) == set(other)


def random_numbers_after(framework, called):
    """Return where everyone's random numbers stand after a call: the framework's, NumPy's and Python's."""
    np.random.seed(4)
    random.seed(4)
    own = framework.random_numbers_after(called)
    return own, np.random.random(3).tolist(), random.random()
