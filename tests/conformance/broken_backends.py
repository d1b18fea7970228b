"""For each check of a backend, a backend that fails it and passes the others."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
from bigram_plugin import BigramBackend, BigramModel, BigramState

import textforge
from textforge.architectures.checks import check_names_and_shapes
from textforge.errors import BackendError
from textforge.model import Arrays, Loss, State


class GoodModel(BigramModel):
    """Tables of the last token and the one before."""


class GoodBackend(BigramBackend):
    """Tables of the last token and the one before, trained step by step."""

    name = "good"
    model: ClassVar[type[GoodModel]] = GoodModel

    def load(self, saved: textforge.SavedModel) -> BigramModel:
        shape = (saved.vocabulary_size, saved.vocabulary_size)
        check_names_and_shapes(dict(saved.arrays), {"last": shape, "before": shape})
        return self.model(saved)


class ListModel(GoodModel):
    def step(self, ids: Any, state: BigramState) -> Any:
        return super().step(ids, state).tolist()

    def forward(self, ids: Any, state: BigramState, last_only: bool = False) -> Any:
        steps = np.stack([np.array(self.step(ids[:, t], state)) for t in range(ids.shape[1])], axis=1)
        return steps[:, -1:] if last_only else steps


class Lists(GoodBackend):
    """Gives logits as lists."""

    model = ListModel


class ForgetfulModel(GoodModel):
    def forward(self, ids: Any, state: BigramState, last_only: bool = False) -> Any:
        fresh = self.start(len(ids))
        logits = super().forward(ids, fresh, last_only)
        state.previous = fresh.previous
        return logits


class Forgetful(GoodBackend):
    """Reads each pass as if nothing came before."""

    model = ForgetfulModel


class FirstOnlyModel(GoodModel):
    def forward(self, ids: Any, state: BigramState, last_only: bool = False) -> Any:
        return super().forward(ids, state)[:, :1] if last_only else super().forward(ids, state)


class FirstOnly(GoodBackend):
    """Gives the logits after the first token where those after the last are asked for."""

    model = FirstOnlyModel


class SortingModel(GoodModel):
    def select(self, state: BigramState, rows: Any) -> BigramState:
        return super().select(state, np.sort(rows))


class Sorting(GoodBackend):
    """Selects rows in their own order."""

    model = SortingModel


class SharingModel(GoodModel):
    def select(self, state: BigramState, rows: Any) -> BigramState:
        selected = super().select(state, rows)
        state.previous = np.roll(state.previous, 1)
        return selected


class Sharing(GoodBackend):
    """Disturbs what it selects from."""

    model = SharingModel


class FourRowsModel(GoodModel):
    def step(self, ids: Any, state: BigramState) -> Any:
        logits = super().step(ids, state)
        logits[4:] = logits[:1]
        return logits


class FourRows(GoodBackend):
    """Has room for four rows."""

    model = FourRowsModel


class Leaving(GoodBackend):
    """Gives new models what it doesn't save."""

    def create(self, vocabulary_size: int, seed: int) -> BigramModel:
        model = super().create(vocabulary_size, seed)
        step = model.step
        model.step = lambda ids, state: step(ids, state) + np.arange(vocabulary_size)  # type: ignore[method-assign]
        return model


class ViewModel(GoodModel):
    def save(self) -> textforge.SavedModel:
        return attrs.evolve(super().save(), arrays=dict(self.weights))


class Views(GoodBackend):
    """Saves the weights themselves, which go on changing."""

    model = ViewModel


class Patient(GoodBackend):
    """Makes do with what arrays there are."""

    def load(self, saved: textforge.SavedModel) -> BigramModel:
        size = saved.vocabulary_size
        arrays = {name: saved.arrays.get(name, np.zeros((size, size)))[:size, :size] for name in ("last", "before")}
        return self.model(attrs.evolve(saved, arrays=arrays))


class Seedless(GoodBackend):
    """Draws its first weights anew each time."""

    def create(self, vocabulary_size: int, seed: int) -> BigramModel:
        return super().create(vocabulary_size, int(np.random.SeedSequence().entropy or 0) % 2**32)


class IdleModel(GoodModel):
    def train_step(
        self, inputs: Any, targets: Any, state: BigramState, *, learning_rate: float, step: int
    ) -> tuple[Loss, State]:
        return self.loss(inputs, targets, state)


class Idle(GoodBackend):
    """Learns nothing."""

    model = IdleModel


class NoisyModel(GoodModel):
    def train_step(
        self, inputs: Any, targets: Any, state: BigramState, *, learning_rate: float, step: int
    ) -> tuple[Loss, State]:
        noise = np.random.normal(0, 1e-3, self.weights["last"].shape)
        self.weights["last"] += noise.astype(np.float32)
        return super().train_step(inputs, targets, state, learning_rate=learning_rate, step=step)


class Noisy(GoodBackend):
    """Trains with NumPy's global generator."""

    model = NoisyModel


class SumModel(GoodModel):
    def loss(self, inputs: Any, targets: Any, state: BigramState) -> tuple[Loss, State]:
        loss, state = super().loss(inputs, targets, state)
        return float(loss) * targets.size, state


class Summing(GoodBackend):
    """Gives the sum of losses instead of their mean."""

    model = SumModel


class LearningModel(GoodModel):
    def loss(self, inputs: Any, targets: Any, state: BigramState) -> tuple[Loss, State]:
        self.weights["last"] *= np.float32(1.000001)
        return super().loss(inputs, targets, state)


class Learning(GoodBackend):
    """Changes the weights where it should only measure."""

    model = LearningModel


class MomentlessModel(GoodModel):
    def restore(self, arrays: Arrays) -> State:
        return BigramState(arrays["state/previous"].copy())


class Momentless(GoodBackend):
    """Takes up training without its moments."""

    model = MomentlessModel


class StatelessModel(GoodModel):
    def restore(self, arrays: Arrays) -> State:
        super().restore(arrays)
        return self.start(len(arrays["state/previous"]))


class Stateless(GoodBackend):
    """Takes up training without its state."""

    model = StatelessModel


class HalfModel(GoodModel):
    def step(self, ids: Any, state: BigramState) -> Any:
        return super().step(ids, state).astype(np.float16)


class Halves(GoodBackend):
    """Gives logits in float16."""

    model = HalfModel


class ClippingModel(GoodModel):
    def step(self, ids: Any, state: BigramState) -> Any:
        np.clip(ids, 0, self.vocabulary_size - 1, out=ids)
        return super().step(ids, state)


class Clipping(GoodBackend):
    """Writes to the ids that it reads."""

    model = ClippingModel


class WindowlessModel(GoodModel):
    def save(self) -> textforge.SavedModel:
        return attrs.evolve(super().save(), window=None)


class Windowless(GoodBackend):
    """Loses the window in saving."""

    model = WindowlessModel


class SeedingModel(GoodModel):
    def train_step(
        self, inputs: Any, targets: Any, state: BigramState, *, learning_rate: float, step: int
    ) -> tuple[Loss, State]:
        np.random.seed(step)
        return super().train_step(inputs, targets, state, learning_rate=learning_rate, step=step)


class Seeding(GoodBackend):
    """Seeds NumPy's global generator in each step."""

    model = SeedingModel


class Missing(GoodBackend):
    """Needs a framework that isn't there."""

    def load(self, saved: textforge.SavedModel) -> BigramModel:
        raise BackendError("the backend good needs a framework, which is not installed: run `pip install it`")


BROKEN = [
    (Lists(), "logits"),
    (Halves(), "logits"),
    (Clipping(), "ids untouched"),
    (Windowless(), "window"),
    (Seeding(), "global generators"),
    (Missing(), "use"),
    (Forgetful(), "one pass"),
    (FirstOnly(), "last only"),
    (Sorting(), "select"),
    (Sharing(), "select"),
    (FourRows(), "rows independent"),
    (Leaving(), "save and load"),
    (Views(), "save is a copy"),
    (Patient(), "damage refused"),
    (Seedless(), "same seed"),
    (Idle(), "loss falls"),
    (Noisy(), "same training", "global generators"),
    (Summing(), "loss"),
    (Learning(), "loss"),
    (Momentless(), "exact resume"),
    (Stateless(), "exact resume"),
]
