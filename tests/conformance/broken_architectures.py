"""For each check of an architecture, an architecture that fails it and passes the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np

import textforge
from textforge.architectures.base import Architecture, Weight
from textforge.architectures.first_values import normal, zeros
from textforge.model import Array, Arrays, SavedModel, StateShape


class GoodArchitecture(Architecture):
    """A table of the last token, with what the one before adds."""

    name = "good"
    training_defaults = MappingProxyType({"learning_rate": 0.5, "optimizer": "sgd"})
    scale: float = textforge.option(default=0.5, gt=0, help="Deviation of the first values.")
    width: int = textforge.option(default=3, ge=1, help="Numbers that a token is known by.")

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        return {
            "embedding.weight": Weight((vocabulary_size, self.width), normal(self.scale), vocabulary_axis=0),
            "before.weight": Weight((self.width, self.width), normal(self.scale)),
            "output.weight": Weight((self.width, vocabulary_size), normal(self.scale), vocabulary_axis=1),
            "output.bias": Weight((vocabulary_size,), zeros(), vocabulary_axis=0),
        }

    def state(self) -> Mapping[str, StateShape]:
        return {"previous": (None, self.width)}


CALLS = itertools.count(1)


class Swaying(GoodArchitecture):
    """Has its weights in another order each time."""

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        weights = dict(super().weights(vocabulary_size))
        return dict(reversed(weights.items())) if next(CALLS) % 2 else weights

    def create(self, vocabulary_size: int, seed: int) -> SavedModel:
        return GoodArchitecture(self.scale, self.width).create(vocabulary_size, seed)


class Transposed(GoodArchitecture):
    """Draws first values of another shape."""

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        weights = dict(super().weights(vocabulary_size))
        weights["output.weight"] = attrs.evolve(weights["output.weight"], initial=_transposed)
        return weights

    def check(self, saved: SavedModel) -> Arrays:
        arrays = {**saved.arrays, "output.weight": saved.arrays["output.weight"].T} if _whole(saved) else saved.arrays
        checked = super().check(attrs.evolve(saved, arrays=arrays))
        return {**checked, "output.weight": checked["output.weight"].T}


def _whole(saved: SavedModel) -> bool:
    return saved.arrays.get("output.weight", np.zeros(1)).ndim == 2


def _transposed(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    return random.normal(0, 1, shape[::-1])


class OneTokenNaN(GoodArchitecture):
    """Divides by the number of tokens but one."""

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        weights = dict(super().weights(vocabulary_size))
        weights["output.bias"] = attrs.evolve(weights["output.bias"], initial=_spread)
        return weights


def _spread(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    with np.errstate(all="ignore"):
        return np.arange(shape[0]) / np.float64(shape[0] - 1)


class Unseeded(GoodArchitecture):
    """Draws first values from a generator of its own."""

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        weights = dict(super().weights(vocabulary_size))
        weights["before.weight"] = attrs.evolve(weights["before.weight"], initial=_own_dice)
        return weights


def _own_dice(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    return np.random.default_rng().normal(0, 1, shape)


class Constant(GoodArchitecture):
    """Begins with the same values whatever the seed."""

    def create(self, vocabulary_size: int, seed: int) -> SavedModel:
        return super().create(vocabulary_size, 0)


class WrongAxis(GoodArchitecture):
    """Says that tokens lie along the other axis."""

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        weights = dict(super().weights(vocabulary_size))
        weights["output.weight"] = attrs.evolve(weights["output.weight"], vocabulary_axis=0)
        return weights


class NoAxis(GoodArchitecture):
    """Doesn't say where tokens lie."""

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        return {
            name: attrs.evolve(weight, vocabulary_axis=None)
            for name, weight in super().weights(vocabulary_size).items()
        }


class Numbered(GoodArchitecture):
    """Names weights by the vocabulary's size."""

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        weights = dict(super().weights(vocabulary_size))
        weights[f"before.{vocabulary_size}"] = weights.pop("before.weight")
        return weights


class Regrown(GoodArchitecture):
    """Draws all anew for a larger vocabulary."""

    def grow(self, saved: SavedModel, vocabulary_size: int, seed: int) -> SavedModel:
        return self.create(vocabulary_size, seed)


class Ungrown(GoodArchitecture):
    """Stays as it is, whatever vocabulary is asked for."""

    def grow(self, saved: SavedModel, vocabulary_size: int, seed: int) -> SavedModel:
        return saved


class Rowless(GoodArchitecture):
    """Leaves no place for the rows in its state."""

    def state(self) -> Mapping[str, StateShape]:
        return {"previous": (self.width,)}


class TwoRows(GoodArchitecture):
    """Leaves two places for the rows."""

    def state(self) -> Mapping[str, StateShape]:
        return {"previous": (None, None)}


class Forgetting(GoodArchitecture):
    """Saves only some of its options."""

    def create(self, vocabulary_size: int, seed: int) -> SavedModel:
        saved = super().create(vocabulary_size, seed)
        return attrs.evolve(saved, options={"width": self.width})


class Zeroing(GoodArchitecture):
    """Gives zeros where NaN was saved, and reads on."""

    def check(self, saved: SavedModel) -> Arrays:
        return super().check(attrs.evolve(saved, arrays={k: np.nan_to_num(v) for k, v in saved.arrays.items()}))


class Adding(GoodArchitecture):
    """Leaves out what it doesn't know."""

    def check(self, saved: SavedModel) -> Arrays:
        known = self.weights(saved.vocabulary_size)
        return super().check(attrs.evolve(saved, arrays={k: v for k, v in saved.arrays.items() if k in known}))


class KeyErrors(GoodArchitecture):
    """Takes for granted that its weights are there."""

    def check(self, saved: SavedModel) -> Arrays:
        saved.arrays["before.weight"]
        return super().check(saved)


class NoWindow(GoodArchitecture):
    """Looks back on no token."""

    @property
    def model_window(self) -> int | None:
        return 0


class WindowLost(GoodArchitecture):
    """Leaves its window out of new models."""

    @property
    def model_window(self) -> int | None:
        return 8

    def create(self, vocabulary_size: int, seed: int) -> SavedModel:
        return attrs.evolve(super().create(vocabulary_size, seed), window=None)


class BadDefaults(GoodArchitecture):
    """Prefers a setting that there isn't."""

    training_defaults = MappingProxyType({"learning_speed": 1})


class Unready(GoodArchitecture):
    """Has not been written yet."""

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        raise NotImplementedError


class Printing(GoodArchitecture):
    """Prints its weights."""

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        print("weights of", vocabulary_size)
        return super().weights(vocabulary_size)


class Seeding(GoodArchitecture):
    """Seeds NumPy's global generator."""

    def create(self, vocabulary_size: int, seed: int) -> SavedModel:
        np.random.seed(seed)
        return super().create(vocabulary_size, seed)


def _broken() -> Iterator[tuple[Any, ...]]:
    yield Swaying(), "weights", "vocabulary axes"
    yield Transposed(), "first values"
    yield OneTokenNaN(), "first values"
    yield Unseeded(), "seeds"
    yield Constant(), "seeds"
    yield WrongAxis(), "vocabulary axes"
    yield NoAxis(), "vocabulary axes"
    yield Numbered(), "vocabulary axes", "growth"
    yield Regrown(), "growth"
    yield Ungrown(), "growth"
    yield Rowless(), "state"
    yield TwoRows(), "state"
    yield Forgetting(), "options saved"
    yield Zeroing(), "damage refused"
    yield Adding(), "damage refused"
    yield KeyErrors(), "damage refused"
    yield NoWindow(), "window"
    yield WindowLost(), "window"
    yield BadDefaults(), "training defaults"
    yield Unready(), "use"
    yield Printing(), "silent"
    yield Seeding(), "global generators"


BROKEN = list(_broken())
