"""A plugin with an architecture and a backend of its own that learns by gradients: NumPy tables of two tokens."""

from __future__ import annotations

from typing import Any

import numpy as np

import textforge
from textforge.model import Arrays, Loss, State


class BigramState:
    def __init__(self, previous: Any) -> None:
        self.previous = previous


class BigramModel(textforge.GradientModel):
    def __init__(self, saved: textforge.SavedModel) -> None:
        self.vocabulary_size = saved.vocabulary_size
        self.window = saved.window
        self.scale = saved.options["scale"]
        self.weights = {name: np.array(array) for name, array in saved.arrays.items()}
        self.calls: list[dict[str, Any]] = []
        self.fail_at: int | None = None

    def start(self, batch_size: int) -> BigramState:
        return BigramState(np.zeros(batch_size, dtype=np.int64))

    def step(self, ids: Any, state: BigramState) -> Any:
        ids = np.asarray(ids, dtype=np.int64)
        logits = self.weights["last"][ids] + self.weights["before"][state.previous]
        state.previous = ids
        return logits

    def select(self, state: BigramState, rows: Any) -> BigramState:
        return BigramState(state.previous[rows].copy())

    def save(self) -> textforge.SavedModel:
        arrays = {name: array.copy() for name, array in self.weights.items()}
        return textforge.SavedModel("bigram", {"scale": self.scale}, self.vocabulary_size, arrays, self.window)

    def state_arrays(self, state: BigramState) -> Arrays:
        return {"previous": state.previous.copy()}

    def make_state(self, arrays: Arrays) -> BigramState:
        return BigramState(arrays["previous"].astype(np.int64))

    def begin(self, optimizer: textforge.Optimizer, seed: int) -> None:
        self.seed = seed
        self.moment = {name: np.zeros_like(array) for name, array in self.weights.items()}

    def _loss(self, inputs: Any, targets: Any, state: BigramState) -> tuple[float, State, Arrays]:
        inputs, targets = np.asarray(inputs, np.int64), np.asarray(targets, np.int64)
        before = np.concatenate([state.previous[:, None], inputs[:, :-1]], axis=1)
        last_only = targets.ndim == 1
        if last_only:
            inputs, before, targets = inputs[:, -1:], before[:, -1:], targets[:, None]
        logits = self.weights["last"][inputs] + self.weights["before"][before]
        logits = logits - logits.max(axis=-1, keepdims=True)
        p = np.exp(logits)
        p /= p.sum(axis=-1, keepdims=True)
        chosen = np.take_along_axis(p, targets[..., None], axis=-1)
        gradient = p.copy()
        np.put_along_axis(gradient, targets[..., None], chosen - 1, axis=-1)
        gradient /= targets.size
        grads = {name: np.zeros_like(array) for name, array in self.weights.items()}
        np.add.at(grads["last"], inputs, gradient.astype(np.float32))
        np.add.at(grads["before"], before, gradient.astype(np.float32))
        return float(-np.log(np.maximum(chosen, 1e-30)).mean()), BigramState(inputs[:, -1].copy()), grads

    def train_step(
        self, inputs: Any, targets: Any, state: BigramState, *, learning_rate: float, step: int
    ) -> tuple[Loss, State]:
        loss, state, grads = self._loss(inputs, targets, state)
        self.calls.append({"step": step, "learning_rate": learning_rate, "shape": np.shape(inputs)})
        for name, gradient in grads.items():
            self.moment[name] = np.float32(0.9) * self.moment[name] + gradient
            self.weights[name] -= np.float32(learning_rate) * self.moment[name]
        return (float("nan") if step == self.fail_at else loss), state

    def loss(self, inputs: Any, targets: Any, state: BigramState) -> tuple[Loss, State]:
        return self._loss(inputs, targets, state)[:2]

    def training_arrays(self, state: BigramState) -> Arrays:
        moments = {f"moment/{name}": array.copy() for name, array in self.moment.items()}
        return {**moments, "state/previous": state.previous.copy()}

    def restore(self, arrays: Arrays) -> State:
        self.moment = {name: arrays[f"moment/{name}"].copy() for name in self.moment}
        return BigramState(arrays["state/previous"].copy())


class Bigram(textforge.Architecture):
    """Tables of the last token and the one before."""

    name = "bigram"
    scale: float = textforge.option(default=0.1, gt=0, help="Deviation of the first weights.")

    def weights(self, vocabulary_size: int) -> dict[str, textforge.Weight]:
        shape = (vocabulary_size, vocabulary_size)
        return {name: textforge.Weight(shape, textforge.normal(self.scale)) for name in ("last", "before")}

    def state(self) -> dict[str, textforge.StateShape]:
        return {"previous": (None,)}


class BigramBackend(textforge.Backend):
    """Computes such tables with NumPy."""

    name = "bigram"
    speed: int = textforge.option(default=1, ge=1, help="Means nothing.")

    def load(self, saved: textforge.SavedModel, architecture: Any, implementation: Any) -> BigramModel:
        return implementation(saved)


def make_bigram(vocabulary_size: int, seed: int, scale: float = 0.1) -> BigramModel:
    """An untrained model, as the core makes it."""
    return BigramModel(Bigram(scale=scale).create(vocabulary_size, seed))


@textforge.hookimpl
def register_architectures(register: Any) -> None:
    register(Bigram)


@textforge.hookimpl
def register_backends(register: Any) -> None:
    register(BigramBackend)


@textforge.hookimpl
def register_implementations(register: Any) -> None:
    register(backend="bigram", architecture="bigram", by=f"{__name__}:BigramModel")
