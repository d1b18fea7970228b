"""What an architecture is to the model: layers, their weights under canonical names, and a way from ids to logits.

Shapes: B rows, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar, Self

import attrs
import keras
import numpy as np
import tensorflow as tf

from textforge.backends.training_arrays import Shape
from textforge.model import Array, Arrays, SavedModel
from textforge_keras._dropout import Dropout

State = dict[str, tf.Tensor]
"""What is carried from token to token, on its device, under canonical names."""


@attrs.frozen
class Weight:
    """A variable of a layer, and how its axes are ordered to become canonical."""

    variable: keras.Variable
    axes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The canonical shape."""
        return tuple(self.variable.shape[axis] for axis in self.axes)

    def to_canonical(self, value: Array) -> Array:
        """A float32 copy in canonical order."""
        return np.array(np.transpose(value, self.axes), dtype=np.float32, order="C")

    def from_canonical(self, array: Array) -> Array:
        """An array in canonical order as the variable has it."""
        return np.ascontiguousarray(np.transpose(array, np.argsort(self.axes)))


class Network(ABC):
    """An architecture as Keras layers; dropout is given with the call."""

    row_axis: ClassVar[int]
    """The axis of a state's tensors that the rows lie along."""
    vocabulary_size: int

    @classmethod
    @abstractmethod
    def from_saved(cls, saved: SavedModel, dtype: str, cudnn: bool) -> Self:
        """The network with these weights, and whether it may compute with cuDNN's kernels.

        Raises `textforge.errors.BundleError` for weights that don't fit the options.
        """

    @property
    @abstractmethod
    def layers(self) -> Sequence[keras.Layer]:
        """The layers."""

    @abstractmethod
    def weights(self) -> dict[str, Weight]:
        """The trained weights under the names that every backend shares."""

    @abstractmethod
    def state_shapes(self) -> Mapping[str, Shape]:
        """The shapes of what is carried on, by canonical name."""

    @abstractmethod
    def dropout_shapes(self, rows: int, length: int, last_only: bool) -> list[tuple[int, ...]]:
        """The shapes of the masks of a step, (T, B, ·), in the order in which they are asked for."""

    @abstractmethod
    def __call__(
        self, ids: tf.Tensor, state: State, last_only: bool = False, dropout: Dropout | None = None
    ) -> tuple[tf.Tensor, State]:
        """The logits after each token, or after the last one only, and the state after that.

        `ids` (B, T) -> (B, T, V), or (B, 1, V)
        """

    def step(self, ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        """As a call, for one token a row: (B,) -> (B, V)."""
        logits, after = self(ids[:, tf.newaxis], state, last_only=True)
        return logits[:, 0], after

    @property
    def dtype(self) -> str:
        """What the weights are kept and, but in mixed precision, computed with."""
        return str(self.layers[-1].variable_dtype)

    def start(self, batch_size: int) -> State:
        """The state before the first token: zeros."""
        return {
            name: tf.zeros([batch_size if size is None else size for size in shape], self.dtype)
            for name, shape in self.state_shapes().items()
        }

    def save(self) -> Arrays:
        """A float32 copy of the weights, under their canonical names."""
        return {name: weight.to_canonical(weight.variable.numpy()) for name, weight in self.weights().items()}

    def load(self, arrays: Arrays) -> None:
        """Take these weights, by canonical name."""
        for name, weight in self.weights().items():
            weight.variable.assign(weight.from_canonical(arrays[name]))

    @contextmanager
    def computing_in(self, policy: str) -> Iterator[None]:
        """While entered, what is traced computes by another dtype policy."""
        layers = [part for layer in self.layers for part in (layer, getattr(layer, "cell", None)) if part is not None]
        before = [layer.dtype_policy for layer in layers]
        for layer in layers:
            layer.dtype_policy = policy
        try:
            yield
        finally:
            for layer, own in zip(layers, before, strict=True):
                layer.dtype_policy = own


def one_hot(ids: tf.Tensor, vocabulary_size: int, dtype: str) -> tf.Tensor:
    """Ids of any shape, (…), as vectors, (…, V)."""
    return tf.one_hot(ids, vocabulary_size, dtype=dtype)
