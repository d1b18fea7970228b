"""For each check of models in running and in training, a model that fails it and passes the others."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from conformance.good_model import GOOD, GoodModel, GoodState

import textforge
from textforge.model import Arrays, Loss, State


class ListModel(GoodModel):
    """Gives logits as lists."""

    def step(self, ids: Any, state: GoodState) -> Any:
        return super().step(ids, state).tolist()

    def forward(self, ids: Any, state: GoodState, last_only: bool = False) -> Any:
        steps = np.stack([np.array(self.step(ids[:, t], state)) for t in range(ids.shape[1])], axis=1)
        return steps[:, -1:] if last_only else steps


class ForgetfulModel(GoodModel):
    """Reads each pass as if nothing came before."""

    def forward(self, ids: Any, state: GoodState, last_only: bool = False) -> Any:
        fresh = self.start(len(ids))
        logits = super().forward(ids, fresh, last_only)
        state.previous = fresh.previous
        return logits


class FirstOnlyModel(GoodModel):
    """Gives the logits after the first token where those after the last are asked for."""

    def forward(self, ids: Any, state: GoodState, last_only: bool = False) -> Any:
        return super().forward(ids, state)[:, :1] if last_only else super().forward(ids, state)


class SortingModel(GoodModel):
    """Selects rows in their own order."""

    def select(self, state: GoodState, rows: Any) -> GoodState:
        return super().select(state, np.sort(rows))


class SharingModel(GoodModel):
    """Disturbs what it selects from."""

    def select(self, state: GoodState, rows: Any) -> GoodState:
        selected = super().select(state, rows)
        state.previous = np.roll(state.previous, 1, axis=0)
        return selected


class FourRowsModel(GoodModel):
    """Has room for four rows."""

    def step(self, ids: Any, state: GoodState) -> Any:
        logits = super().step(ids, state)
        logits[4:] = logits[:1]
        return logits


class ViewModel(GoodModel):
    """Saves the weights themselves, which go on changing."""

    def save(self) -> textforge.SavedModel:
        return attrs.evolve(super().save(), arrays=dict(self.weights))


class IdleModel(GoodModel):
    """Learns nothing."""

    def train_step(
        self, inputs: Any, targets: Any, state: GoodState, *, learning_rate: float, step: int
    ) -> tuple[Loss, State]:
        return self.loss(inputs, targets, state)


class NoisyModel(GoodModel):
    """Trains with NumPy's global generator."""

    def train_step(
        self, inputs: Any, targets: Any, state: GoodState, *, learning_rate: float, step: int
    ) -> tuple[Loss, State]:
        noise = np.random.normal(0, 1e-3, self.weights["before.weight"].shape)
        self.weights["before.weight"] += noise.astype(np.float32)
        return super().train_step(inputs, targets, state, learning_rate=learning_rate, step=step)


class SumModel(GoodModel):
    """Gives the sum of losses instead of their mean."""

    def loss(self, inputs: Any, targets: Any, state: GoodState) -> tuple[Loss, State]:
        loss, state = super().loss(inputs, targets, state)
        return float(loss) * targets.size, state


class LearningModel(GoodModel):
    """Changes the weights where it should only measure."""

    def loss(self, inputs: Any, targets: Any, state: GoodState) -> tuple[Loss, State]:
        self.weights["before.weight"] *= np.float32(1.000001)
        return super().loss(inputs, targets, state)


class MomentlessModel(GoodModel):
    """Takes up training without its moments."""

    def restore(self, arrays: Arrays) -> State:
        return GoodState(arrays["state/previous"].copy())


class StatelessModel(GoodModel):
    """Takes up training without its state."""

    def restore(self, arrays: Arrays) -> State:
        super().restore(arrays)
        return self.start(len(arrays["state/previous"]))


class HalfModel(GoodModel):
    """Gives logits in float16."""

    def step(self, ids: Any, state: GoodState) -> Any:
        return super().step(ids, state).astype(np.float16)


class ClippingModel(GoodModel):
    """Writes to the ids that it reads."""

    def step(self, ids: Any, state: GoodState) -> Any:
        np.clip(ids, 0, self.vocabulary_size - 1, out=ids)
        return super().step(ids, state)


class WindowlessModel(GoodModel):
    """Loses the window in saving."""

    def save(self) -> textforge.SavedModel:
        return attrs.evolve(super().save(), window=None)


class SeedingModel(GoodModel):
    """Seeds NumPy's global generator in each step."""

    def train_step(
        self, inputs: Any, targets: Any, state: GoodState, *, learning_rate: float, step: int
    ) -> tuple[Loss, State]:
        np.random.seed(step)
        return super().train_step(inputs, targets, state, learning_rate=learning_rate, step=step)


class RoundingModel(GoodModel):
    """Saves its weights in fewer digits."""

    def save(self) -> textforge.SavedModel:
        saved = super().save()
        return attrs.evolve(saved, arrays={name: array.round(2) for name, array in saved.arrays.items()})


class WritingModel(GoodModel):
    """Learns in the arrays that it was loaded from."""

    def __init__(self, saved: textforge.SavedModel) -> None:
        super().__init__(saved)
        self.weights = dict(saved.arrays)


BROKEN = [
    (attrs.evolve(GOOD, make=model), *checks)
    for model, *checks in (
        (ListModel, "logits"),
        (HalfModel, "logits"),
        (ClippingModel, "ids untouched"),
        (ForgetfulModel, "one pass"),
        (FirstOnlyModel, "last only"),
        (SortingModel, "select"),
        (SharingModel, "select"),
        (FourRowsModel, "rows independent"),
        (RoundingModel, "save and load", "loss", "exact resume"),
        (ViewModel, "save is a copy"),
        (WritingModel, "save is a copy", "same training", "exact resume"),
        (WindowlessModel, "window"),
        (IdleModel, "loss falls"),
        (NoisyModel, "same training", "global generators"),
        (SumModel, "loss"),
        (LearningModel, "loss"),
        (MomentlessModel, "exact resume"),
        (StatelessModel, "exact resume"),
        (SeedingModel, "global generators"),
    )
]
