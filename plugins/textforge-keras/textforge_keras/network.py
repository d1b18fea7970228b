"""The network interface: an architecture as Keras layers.

Shapes: B rows, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import keras
import numpy as np
import tensorflow as tf

from textforge.model import Array, Arrays
from textforge_keras._dropout import Dropout as Dropout

State = dict[str, tf.Tensor]
"""The tensors that are carried from token to token, under the architecture's canonical names."""


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
        """Return a float32 copy in canonical order."""
        return np.array(np.transpose(value, self.axes), dtype=np.float32, order="C")

    def from_canonical(self, array: Array) -> Array:
        """Return an array in canonical order as one in the variable's own."""
        return np.ascontiguousarray(np.transpose(array, np.argsort(self.axes)))


class Network(ABC):
    """An architecture as Keras layers.

    A subclass makes its layers, built and of `dtype`, in `__init__(self, architecture, vocabulary_size, dtype, cudnn)`
    and declares `layers`, `weights` and `__call__`. First values come from the architecture, so layers should begin
    with zeros: drawing others would use up Keras's random numbers. Dropout is given with the call.
    """

    faster_with_xla: bool = False
    """True where XLA compiles a training step on a CPU unless something else is asked for: measure it."""

    def __init__(self, architecture: Any, vocabulary_size: int, dtype: str, cudnn: bool) -> None:
        """`dtype` is what weights are kept in; `cudnn` whether layers may compute with cuDNN's kernels."""
        self.architecture = architecture
        self.vocabulary_size = vocabulary_size
        self.dtype = dtype
        self.cudnn = cudnn

    @property
    @abstractmethod
    def layers(self) -> Sequence[keras.Layer]:
        """The layers."""

    @abstractmethod
    def weights(self) -> dict[str, Weight]:
        """Return the trained weights by canonical name."""

    @abstractmethod
    def __call__(
        self, ids: tf.Tensor, state: State, last_only: bool = False, dropout: Dropout | None = None
    ) -> tuple[tf.Tensor, State]:
        """Return the logits after each token, or after the last one only, and the state after that.

        `ids` (B, T) -> (B, T, V), or (B, 1, V). Each tensor of the state has the shape that the architecture declares;
        its type in mixed precision is the model's affair.
        `dropout`, unless None, is called for each value to be dropped from, (B, T, ·), in the same order in every
        framework.
        """

    def step(self, ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        """Return the logits after one token a row, (B,) -> (B, V), and the state after: a call, unless overridden."""
        logits, after = self(ids[:, tf.newaxis], state, last_only=True)
        return logits[:, 0], after

    def save(self) -> Arrays:
        """Return a float32 copy of the weights, under their canonical names."""
        return {name: weight.to_canonical(weight.variable.numpy()) for name, weight in self.weights().items()}

    def load(self, arrays: Arrays) -> None:
        """Take these weights, by canonical name."""
        for name, weight in self.weights().items():
            weight.variable.assign(weight.from_canonical(arrays[name]))

    @contextmanager
    def computing_in(self, policy: str) -> Iterator[None]:
        """Make the layers compute by another dtype policy in what is traced within, such as ``mixed_bfloat16``."""
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
    """Return ids of any shape, (…), as vectors, (…, V)."""
    return tf.one_hot(ids, vocabulary_size, dtype=dtype)
