"""For each check of an implementation's names, an implementation that fails it and passes the others."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np
from conformance.good_model import GOOD, GoodModel, GoodState

import textforge
from textforge.errors import BackendError
from textforge.model import Arrays, State


class Renaming(GoodModel):
    """Saves its weights under names of its own."""

    NAMES: Mapping[str, str] = MappingProxyType({"before.weight": "mixer.kernel"})

    def __init__(self, saved: textforge.SavedModel) -> None:
        canonical = {own: name for name, own in self.NAMES.items()}
        super().__init__(attrs.evolve(saved, arrays={canonical.get(k, k): v for k, v in saved.arrays.items()}))

    def save(self) -> textforge.SavedModel:
        saved = super().save()
        return attrs.evolve(saved, arrays={self.NAMES.get(k, k): v for k, v in saved.arrays.items()})


class Optionless(GoodModel):
    """Adds an option of its own to what it saves."""

    def save(self) -> textforge.SavedModel:
        return attrs.evolve(super().save(), options={**self.options, "fast": True})

    def __init__(self, saved: textforge.SavedModel) -> None:
        super().__init__(attrs.evolve(saved, options={k: v for k, v in saved.options.items() if k != "fast"}))


class OwnStateNames(GoodModel):
    """Calls its state otherwise."""

    def state_arrays(self, state: GoodState) -> Arrays:
        return {"hidden": state.previous.copy()}


class OwnStateShapes(GoodModel):
    """Gives its state in another layout."""

    def state_arrays(self, state: GoodState) -> Arrays:
        return {"previous": state.previous.T.copy()}


class SharedState(GoodModel):
    """Gives away the arrays in which it goes on computing."""

    def step(self, ids: Any, state: GoodState) -> Any:
        previous = state.previous
        logits = super().step(ids, state)
        previous[:] = state.previous
        state.previous = previous
        return logits

    def state_arrays(self, state: GoodState) -> Arrays:
        return {"previous": state.previous}


class LosingState(GoodModel):
    """Begins anew where it should go on."""

    def make_state(self, arrays: Arrays) -> GoodState:
        return self.start(len(arrays["previous"]))


class OwnMoments(GoodModel):
    """Names its moments as its framework does."""

    def training_arrays(self, state: GoodState) -> Arrays:
        return {name.replace("momentum/", "velocity/"): a for name, a in super().training_arrays(state).items()}

    def restore(self, arrays: Arrays) -> State:
        return super().restore({name.replace("velocity/", "momentum/"): a for name, a in arrays.items()})


class MoreArrays(GoodModel):
    """Adds what only it understands."""

    def training_arrays(self, state: GoodState) -> Arrays:
        return {**super().training_arrays(state), "generator": np.zeros(4)}


class Missing(GoodModel):
    """Needs a framework that isn't there."""

    def __init__(self, saved: textforge.SavedModel) -> None:
        raise BackendError("the backend good needs a framework, which is not installed: run `pip install it`")


BROKEN = [
    (attrs.evolve(GOOD, make=model), *checks)
    for model, *checks in (
        (Renaming, "canonical weights", "loss"),
        (Optionless, "canonical weights"),
        (OwnStateNames, "state arrays"),
        (OwnStateShapes, "state arrays"),
        (SharedState, "state arrays"),
        (LosingState, "state arrays"),
        (OwnMoments, "checkpoint names"),
        (MoreArrays, "checkpoint names"),
        (Missing, "use"),
    )
]
