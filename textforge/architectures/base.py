"""The architecture interface: a model's options, weights and state, whatever computes it.

Shapes: B rows, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

import attrs
import numpy as np

from textforge.architectures.checks import check_options, check_weights
from textforge.architectures.first_values import FirstValues
from textforge.architectures.recipe import Budget, CorpusSize, Recipe
from textforge.components.open import OpenComponent
from textforge.errors import BundleError, OptionError
from textforge.model import Array, Arrays, SavedModel, StateShape


@attrs.frozen
class Weight:
    """The declaration of one array of weights, float32.

    >>> from textforge.architectures.first_values import normal
    >>> Weight((5, 3), normal(0.5), vocabulary_axis=0).size
    15
    """

    shape: tuple[int, ...]
    initial: FirstValues
    """The function of shape and NumPy generator that draws the first values: `normal(0.5)`, say, or your own."""
    vocabulary_axis: int | None = None
    """The axis along which each token has a row, where there is one: a new token's row is added there."""

    @property
    def size(self) -> int:
        """The number of parameters."""
        return math.prod(self.shape)


class Architecture(OpenComponent):
    """A model's definition, independent of any framework: its options, its weights, and its state between tokens.

    Every option is part of the model. A subclass declares `weights` and `state`; first weights, the check of a saved
    model, the number of its parameters and the shapes of an optimizer's moments follow from them.
    """

    priority: ClassVar[int] = 0
    """Rank among the architectures that are trained unless one is asked for: of those above 0 that an installed backend
    trains, the highest."""
    training_defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """The training settings that suit it better than the general ones, such as ``{"learning_rate": 0.003}``. What the
    user gives wins."""

    def __attrs_post_init__(self) -> None:
        """Refuse options that don't go together; an override calls `super()`'s."""

    def sized(self, corpus: CorpusSize, budget: Budget) -> Recipe[Self]:
        """Return the recipe for a corpus and what limits the run: what isn't given, chosen.

        An override keeps the options in `given`. Its settings stand above the `training_defaults`. Unless overridden,
        nothing is chosen.
        """
        return Recipe(self)

    @abstractmethod
    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        """Return the weights by canonical name, in the order in which their first values are drawn."""

    def state(self) -> Mapping[str, StateShape]:
        """Return the shapes of the state's arrays, by canonical name; none unless overridden."""
        return {}

    @property
    def model_window(self) -> int | None:
        """The `window` of its models: tokens they can look back on where they can't carry a state on, or else None."""
        return None

    def create(self, vocabulary_size: int, seed: int) -> SavedModel:
        """Return an untrained model, the same for the same seed in every backend."""
        random = np.random.Generator(np.random.PCG64(seed))
        arrays = {name: _draw(weight, random) for name, weight in self.weights(vocabulary_size).items()}
        return SavedModel(self.name, self.option_values(), vocabulary_size, arrays, self.model_window)

    def grow(self, saved: SavedModel, vocabulary_size: int, seed: int) -> SavedModel:
        """Return a model of this architecture for a larger vocabulary, whose first tokens are those it had.

        Each weight keeps its values, and each new token has the first values that `create` draws for it. What an
        encoder's `grow` has added lies behind what was there, along the axis that has a row for each token.
        """
        drawn = self.create(vocabulary_size, seed)
        arrays = {name: _keep(old, drawn.arrays[name]) for name, old in self.check(saved).items()}
        return attrs.evolve(drawn, arrays=arrays, window=saved.window)

    def check(self, saved: SavedModel) -> Arrays:
        """Return the weights of a saved model of this architecture, as C-contiguous float32.

        Raises `textforge.errors.BundleError` where one is missing, unknown, of the wrong shape or not finite.
        """
        declared = self.weights(saved.vocabulary_size)
        return check_weights(saved.arrays, {name: weight.shape for name, weight in declared.items()})

    def count_parameters(self, saved: SavedModel) -> int:
        """Return the number of parameters."""
        return sum(array.size for array in saved.arrays.values())

    @classmethod
    def of(cls, saved: SavedModel) -> Self:
        """Return the architecture with the options of a saved model.

        Raises `textforge.errors.BundleError` where an option is missing, unknown or refused.
        """
        options = check_options(saved, cls.options())
        try:
            return cls(**options)
        except OptionError as error:
            problem = str(error).removeprefix(cls.title())
            raise BundleError(f"the model's {problem}; copy it again, or train it again") from None


def _draw(weight: Weight, random: np.random.Generator) -> Array:
    return np.ascontiguousarray(weight.initial(weight.shape, random), dtype=np.float32)


def _keep(old: Array, drawn: Array) -> Array:
    """Return drawn values with the old ones in the place of the first, along each axis that is longer now."""
    grown = drawn.copy()
    grown[tuple(map(slice, old.shape))] = old
    return grown
