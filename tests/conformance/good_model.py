"""An implementation that passes every check: `GoodArchitecture` in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from conformance.broken_architectures import GoodArchitecture

import textforge
from textforge.model import Array, Arrays, Loss, State
from textforge.testing import ImplementationCase

MOMENTUM = np.float32(0.9)


class GoodState:
    """Return what the token before adds to each row, (B, W)."""

    def __init__(self, previous: Array) -> None:
        self.previous = previous


class GoodModel(textforge.GradientModel):
    """`GoodArchitecture` in NumPy: logits = (e + before · previous e) · output + bias."""

    def __init__(self, saved: textforge.SavedModel) -> None:
        self.weights = GoodArchitecture.of(saved).check(saved)
        self.weights = {name: array.copy() for name, array in self.weights.items()}
        self.options = dict(saved.options)
        self.vocabulary_size, self.window = saved.vocabulary_size, saved.window

    def start(self, batch_size: int) -> GoodState:
        return GoodState(np.zeros((batch_size, self.options["width"]), dtype=np.float32))

    def step(self, ids: Any, state: GoodState) -> Any:
        embedded = self.weights["embedding.weight"][ids]  # (B, W)
        mixed = embedded + state.previous @ self.weights["before.weight"]
        state.previous = embedded
        return mixed @ self.weights["output.weight"] + self.weights["output.bias"]

    def select(self, state: GoodState, rows: Any) -> GoodState:
        return GoodState(state.previous[rows].copy())

    def save(self) -> textforge.SavedModel:
        arrays = {name: array.copy() for name, array in self.weights.items()}
        return textforge.SavedModel("good", self.options, self.vocabulary_size, arrays, self.window)

    def state_arrays(self, state: GoodState) -> Arrays:
        return {"previous": state.previous.copy()}

    def make_state(self, arrays: Arrays) -> GoodState:
        return GoodState(arrays["previous"].copy())

    def begin(self, optimizer: textforge.Optimizer, seed: int) -> None:
        assert optimizer.name == "sgd", "the architecture prefers it"
        self.momentum = {name: np.zeros_like(array) for name, array in self.weights.items()}
        self.steps = 0

    def _gradients(self, inputs: Any, targets: Any, state: GoodState) -> tuple[float, GoodState, Arrays]:
        inputs, targets = np.asarray(inputs, np.int64), np.asarray(targets, np.int64)
        embedding, before, output, bias = self.weights.values()
        embedded = embedding[inputs]  # (B, T, W)
        earlier = np.concatenate([state.previous[:, np.newaxis], embedded[:, :-1]], axis=1)
        after = GoodState(embedded[:, -1].copy())
        first = inputs.shape[1] - 1 if targets.ndim == 1 else 0  # only the last token is predicted
        targets = targets.reshape(len(targets), -1)
        mixed = (embedded + earlier @ before)[:, first:]
        logits = mixed @ output + bias
        p = np.exp(logits - logits.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        chosen = np.take_along_axis(p, targets[..., np.newaxis], axis=-1)
        wrong = p.copy()
        np.put_along_axis(wrong, targets[..., np.newaxis], chosen - 1, axis=-1)
        wrong /= targets.size  # (B, T, V), the gradient of the logits
        of_mixed = wrong @ output.T  # (B, T, W)
        of_embedding = np.zeros_like(embedding)
        np.add.at(of_embedding, inputs[:, first:], of_mixed)
        of_earlier = of_mixed @ before.T
        np.add.at(of_embedding, inputs[:, max(first, 1) - 1 : -1], of_earlier[:, 1 if first == 0 else 0 :])
        gradients = (
            of_embedding,
            np.einsum("btw,btx->wx", earlier[:, first:], of_mixed),
            np.einsum("btw,btv->wv", mixed, wrong),
            wrong.sum(axis=(0, 1)),
        )
        return float(-np.log(chosen).mean()), after, dict(zip(self.weights, gradients, strict=True))

    def train_step(
        self, inputs: Any, targets: Any, state: GoodState, *, learning_rate: float, step: int
    ) -> tuple[Loss, State]:
        loss, state, gradients = self._gradients(inputs, targets, state)
        for name, gradient in gradients.items():
            self.momentum[name] = MOMENTUM * self.momentum[name] + gradient.astype(np.float32)
            self.weights[name] -= np.float32(learning_rate) * self.momentum[name]
        self.steps += 1
        return loss, state

    def loss(self, inputs: Any, targets: Any, state: GoodState) -> tuple[Loss, State]:
        return self._gradients(inputs, targets, state)[:2]

    def training_arrays(self, state: GoodState) -> Arrays:
        moments = {f"momentum/{name}": array.copy() for name, array in self.momentum.items()}
        return {"optimizer.step": np.array([self.steps]), **moments, "state/previous": state.previous.copy()}

    def restore(self, arrays: Arrays) -> State:
        self.steps = int(arrays["optimizer.step"][0])
        self.momentum = {name: arrays[f"momentum/{name}"].copy() for name in self.momentum}
        return GoodState(arrays["state/previous"].copy())


GOOD = ImplementationCase(GoodArchitecture(), make=GoodModel)
