"""The architecture interface: what a model is, whatever computes it.

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
from textforge.components.component import Component
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
    """First values from the shape and a NumPy generator: `normal(0.5)`, `glorot()`, or a function of yours."""
    vocabulary_axis: int | None = None
    """The axis along which each token has a row, where there is one: a new token's row is added there."""

    @property
    def size(self) -> int:
        """The number of parameters."""
        return math.prod(self.shape)


class Architecture(Component):
    """A model in nobody's framework: its options, its weights, and the state it carries from token to token.

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

    @abstractmethod
    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        """Return the weights by canonical name, in the order in which their first values are drawn."""

    def state(self) -> Mapping[str, StateShape]:
        """Return the shapes of what is carried from token to token, by canonical name; nothing unless overridden."""
        return {}

    @property
    def window(self) -> int | None:
        """Tokens it can look back on, where it can't carry a state on; None where it can."""
        return None

    def create(self, vocabulary_size: int, seed: int) -> SavedModel:
        """Return an untrained model, the same for the same seed in every backend."""
        random = np.random.Generator(np.random.PCG64(seed))
        arrays = {name: _draw(weight, random) for name, weight in self.weights(vocabulary_size).items()}
        return SavedModel(self.name, self.option_values(), vocabulary_size, arrays, self.window)

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
