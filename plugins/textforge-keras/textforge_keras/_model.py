"""A network as a model of textforge's: what makes logits, and learns.

Shapes: B rows, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from typing import Any

import numpy as np
import tensorflow as tf

from textforge.backends.training_arrays import STATE, carried_state
from textforge.errors import BackendError
from textforge.model import Array, Arrays, GradientModel, Loss, Optimizer, SavedModel
from textforge_keras._compilation import faster_with_xla
from textforge_keras._dropout import SeededDropout
from textforge_keras._network import Network, State
from textforge_keras._optimizers import Updates

Ids = Array | Sequence[int]
Compiled = Callable[..., Any]


class KerasModel(GradientModel):
    """A model in Keras, of any architecture there is a network for.

    What generates is compiled for any number of rows and tokens, and a training step for the shape of its batches.
    """

    def __init__(
        self,
        saved: SavedModel,
        network: type[Network],
        device: str,
        precision: str = "float32",
        jit_compile: bool | str = "auto",
    ) -> None:
        self.vocabulary_size = saved.vocabulary_size
        self.window = saved.window
        self._architecture = saved.architecture
        self._options = dict(saved.options)
        self._device = device
        self._precision = precision
        self._jit_compile = jit_compile
        dtype = "float64" if precision == "float64" else "float32"
        # cuDNN's kernels are for a GPU, compute in 32 bits here, and can't be compiled by XLA.
        cudnn = "GPU" in device and precision == "float32" and jit_compile is not True
        with tf.device(device):
            self._network = network.from_saved(saved, dtype, cudnn)
        self._updates: Updates | None = None
        self._dropout: SeededDropout | None = None
        self._train: Compiled = self._refuse

    def save(self) -> SavedModel:
        arrays = self._network.save()
        return SavedModel(self._architecture, dict(self._options), self.vocabulary_size, arrays, self.window)

    def start(self, batch_size: int) -> State:
        with tf.device(self._device):
            return self._network.start(batch_size)

    def step(self, ids: Ids, state: State) -> Array:
        with tf.device(self._device):
            logits, after = self._step(self._known(np.asarray(ids)), state)
        state.update(after)
        return _own_array(logits)

    def forward(self, ids: Array, state: State, last_only: bool = False) -> Array:
        forward = self._forward_last if last_only else self._forward_all
        with tf.device(self._device):
            logits, after = forward(self._known(ids), state)
        state.update(after)
        return _own_array(logits)

    def select(self, state: State, rows: Ids) -> State:
        places = np.asarray(rows, dtype=np.int32)
        with tf.device(self._device):
            return {name: tf.gather(value, places, axis=self._network.row_axis) for name, value in state.items()}

    def begin(self, optimizer: Optimizer, seed: int) -> None:
        if self._precision == "float64":
            raise BackendError(
                "keras: precision=float64 is for generating and evaluating, since weights are kept in float32: "
                "train with precision=float32 or bfloat16"
            )
        share = self._options.get("dropout", 0.0)
        on_cpu = "CPU" in self._device
        with tf.device(self._device):
            updates = Updates(optimizer, self._network.weights())
            self._dropout = SeededDropout(share, seed, on_cpu) if share else None
        self._train = self._compiled_step(updates)
        self._updates = updates

    def train_step(
        self, inputs: Array, targets: Array, state: State, *, learning_rate: float, step: int
    ) -> tuple[Loss, State]:
        rates = self._begun().rates(learning_rate)
        handed: tuple[Array, ...] = ()
        if self._dropout is not None:
            rows, length = inputs.shape
            shapes = self._network.dropout_shapes(rows, length, targets.ndim == 1)
            handed = self._dropout.handed(step, shapes)
        with tf.device(self._device):
            loss, after = self._train(self._known(inputs), self._known(targets), state, handed, rates)
        return loss, after

    def loss(self, inputs: Array, targets: Array, state: State) -> tuple[Loss, State]:
        compiled = self._loss_of_last if targets.ndim == 1 else self._loss_of_all
        with tf.device(self._device):
            loss, after = compiled(self._known(inputs), self._known(targets), state)
        return loss, after

    def training_arrays(self, state: State) -> Arrays:
        carried = {f"{STATE}{name}": np.array(value.numpy(), dtype=np.float32) for name, value in state.items()}
        return self._begun().arrays() | carried

    def restore(self, arrays: Arrays) -> State:
        self._begun().restore(arrays)
        with tf.device(self._device):
            carried = carried_state(arrays, self._network.state_shapes())
            return {name: tf.constant(array, self._network.dtype) for name, array in carried.items()}

    def _known(self, ids: Array) -> Array:
        """Ids as Keras takes them; one beyond the vocabulary TensorFlow itself may read as zeros."""
        if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < self.vocabulary_size:
            raise IndexError(f"ids must be from 0 to {self.vocabulary_size - 1}, got {ids.min()} to {ids.max()}")
        return ids.astype(np.int32)

    def _begun(self) -> Updates:
        if self._updates is None:
            self._refuse()
        return self._updates  # type: ignore[return-value]

    def _refuse(self, *arguments: object) -> None:
        raise BackendError("keras: the model is not ready to be trained: call begin(optimizer, seed) first")

    def _compiled_step(self, updates: Updates) -> Compiled:
        """A training step, compiled once for the shape of its first batch."""

        def train(
            inputs: tf.Tensor, targets: tf.Tensor, state: State, handed: tuple[tf.Tensor, ...], rates: tf.Tensor
        ) -> tuple[tf.Tensor, State]:
            dropout = None if self._dropout is None else self._dropout.within(handed)
            with tf.GradientTape() as tape, self._mixed_precision():
                loss, after = self._mean_loss(inputs, targets, state, dropout)
            updates.apply(tape.gradient(loss, updates.variables), rates)
            return loss, after

        return _compiled(train, jit_compile=self._with_xla())

    def _with_xla(self) -> bool:
        if isinstance(self._jit_compile, bool):
            return self._jit_compile
        return faster_with_xla(self._architecture, self._options, self._device)

    def _mixed_precision(self) -> AbstractContextManager[None]:
        return self._network.computing_in("mixed_bfloat16") if self._precision == "bfloat16" else nullcontext()

    def _mean_loss(self, inputs: tf.Tensor, targets: tf.Tensor, state: State, dropout: Any) -> tuple[tf.Tensor, State]:
        """The mean loss of (B, T) inputs with (B, T) or (B,) targets, and the state after."""
        last_only = len(targets.shape) == 1
        logits, after = self._network(inputs, state, last_only, dropout)
        expected = targets[:, tf.newaxis] if last_only else targets
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(expected, tf.cast(logits, self._network.dtype))
        return tf.reduce_mean(losses), after

    @cached_property
    def _step(self) -> Compiled:
        """One token a row, compiled for any number of rows."""
        return self._reader(self._network.step, tf.TensorSpec([None], tf.int32))

    @cached_property
    def _forward_all(self) -> Compiled:
        """Many tokens a row, compiled for any number of both."""
        return self._reader(self._network.__call__, tf.TensorSpec([None, None], tf.int32))

    @cached_property
    def _forward_last(self) -> Compiled:
        """The same, for the last token's logits."""
        return self._reader(partial(self._network.__call__, last_only=True), tf.TensorSpec([None, None], tf.int32))

    def _reader(self, function: Compiled, ids: tf.TensorSpec) -> Compiled:
        def compiled(ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            return function(ids, state)  # type: ignore[no-any-return]

        return _compiled(compiled, (ids, self._state_spec()))

    def _state_spec(self) -> dict[str, tf.TensorSpec]:
        shapes = self._network.state_shapes()
        return {name: tf.TensorSpec(shape, self._network.dtype) for name, shape in shapes.items()}

    @cached_property
    def _loss_of_all(self) -> Compiled:
        """The mean loss of every token, compiled for any number of rows and tokens."""
        return self._compiled_loss([None, None])

    @cached_property
    def _loss_of_last(self) -> Compiled:
        """The same of the last token."""
        return self._compiled_loss([None])

    def _compiled_loss(self, targets: list[None]) -> Compiled:
        def loss(inputs: tf.Tensor, targets: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            return self._mean_loss(inputs, targets, state, None)

        ids = (tf.TensorSpec([None, None], tf.int32), tf.TensorSpec(targets, tf.int32))
        return _compiled(loss, (*ids, self._state_spec()))


def _compiled(function: Compiled, signature: tuple[Any, ...] | None = None, jit_compile: bool = False) -> Compiled:
    compiled = tf.function(function, signature, autograph=False, jit_compile=jit_compile)
    # Each model compiles these once, but TensorFlow counts by the line of code, and would warn at the fifth model.
    compiled._omit_frequent_tracing_warning = True
    return compiled  # type: ignore[no-any-return]


def _own_array(logits: tf.Tensor) -> Array:
    """The logits as an array that may be written to."""
    array: Array = logits.numpy()
    return array if array.flags.writeable else array.copy()
