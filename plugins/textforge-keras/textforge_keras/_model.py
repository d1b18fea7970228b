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

from textforge.architectures.base import Architecture
from textforge.backends.framework_model import STATE, FrameworkModel
from textforge.backends.training_arrays import read_carried_state
from textforge.model import Array, Arrays, Loss, Optimizer, SavedModel
from textforge_keras._dropout import SeededDropout, watch_shapes
from textforge_keras._framework import remake_model
from textforge_keras._optimizers import Updates
from textforge_keras.network import Network, State

Ids = Array | Sequence[int]
Compiled = Callable[..., Any]


class KerasModel(FrameworkModel):
    """A model in Keras, of any architecture that there is a network for.

    What generates is compiled for any number of rows and tokens, and a training step for the shape of its batches.
    """

    framework = "keras"
    network: Network

    def __init__(
        self,
        saved: SavedModel,
        architecture: Architecture,
        network: type[Network],
        device: str,
        precision: str = "float32",
        jit_compile: bool | str = "auto",
    ) -> None:
        super().__init__(saved, architecture, precision)
        self._device = device
        self._jit_compile = jit_compile
        self._made_by = network
        # cuDNN's kernels are for a GPU, compute in 32 bits here, and can't be compiled by XLA.
        self._cudnn = "GPU" in device and precision == "float32" and jit_compile is not True
        self._make(saved.arrays)

    def _make(self, arrays: Arrays) -> None:
        dtype = "float64" if self.precision == "float64" else "float32"
        with tf.device(self._device):
            self.network = self._made_by(self.architecture, self.vocabulary_size, dtype, self._cudnn)
            self.check_weights({name: own.shape for name, own in self.network.weights().items()}, arrays)
            self.network.load(arrays)
        self._updates: Updates | None = None
        self._dropout: SeededDropout | None = None
        self._dropout_shapes: dict[tuple[int, int, bool], list[tuple[int, ...]]] = {}
        self._train: Compiled = self._refuse

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle what makes an equal model; compiled functions and moments are made anew."""
        network = (self._made_by.__module__, self._made_by.__qualname__)
        given = (self._device, self.precision, self._jit_compile)
        return remake_model, (network, self.save(), self.architecture, *given)

    def start(self, batch_size: int) -> State:
        def zeros(shape: tuple[int | None, ...]) -> tf.Tensor:
            return tf.zeros([batch_size if size is None else size for size in shape], self.network.dtype)

        with tf.device(self._device):
            return {name: zeros(shape) for name, shape in self.state_shapes.items()}

    def step(self, ids: Ids, state: State) -> Array:
        with tf.device(self._device):
            logits, after = self._step(self._check_known(np.asarray(ids)), state)
        state.update(after)
        return _own_array(logits)

    def forward(self, ids: Array, state: State, last_only: bool = False) -> Array:
        forward = self._forward_last if last_only else self._forward_all
        with tf.device(self._device):
            logits, after = forward(self._check_known(ids), state)
        state.update(after)
        return _own_array(logits)

    def select(self, state: State, rows: Ids) -> State:
        places = np.asarray(rows, dtype=np.int32)
        with tf.device(self._device):
            return {name: tf.gather(value, places, axis=self.row_axes[name]) for name, value in state.items()}

    def begin(self, optimizer: Optimizer, seed: int) -> None:
        self.check_precision()
        on_cpu = "CPU" in self._device
        with tf.device(self._device):
            updates = Updates(optimizer, self.network.weights())
            self._dropout = SeededDropout(self.dropout, seed, on_cpu) if self.dropout else None
        self._train = self._compile_step(updates)
        self._updates = updates

    def train_step(
        self, inputs: Array, targets: Array, state: State, *, learning_rate: float, step: int
    ) -> tuple[Loss, State]:
        rates = self._begun().rates(learning_rate)
        handed: tuple[Array, ...] = ()
        if self._dropout is not None:
            handed = self._dropout.hand_over(step, self._shapes_dropped(inputs, targets.ndim == 1))
        with tf.device(self._device):
            loss, after = self._train(self._check_known(inputs), self._check_known(targets), state, handed, rates)
        return loss, after

    def loss(self, inputs: Array, targets: Array, state: State) -> tuple[Loss, State]:
        compiled = self._loss_of_last if targets.ndim == 1 else self._loss_of_all
        with tf.device(self._device):
            loss, after = compiled(self._check_known(inputs), self._check_known(targets), state)
        return loss, after

    def training_arrays(self, state: State) -> Arrays:
        carried = {f"{STATE}{name}": array.astype(np.float32) for name, array in self.state_arrays(state).items()}
        return self._begun().arrays() | carried

    def restore(self, arrays: Arrays) -> State:
        self._begun().restore(arrays)
        with tf.device(self._device):
            return self.make_state(read_carried_state(arrays, self.state_shapes))

    def state_arrays(self, state: State) -> Arrays:
        return {name: np.array(value.numpy()) for name, value in state.items()}

    def make_state(self, arrays: Arrays) -> State:
        with tf.device(self._device):
            return {name: tf.constant(array, self.network.dtype) for name, array in arrays.items()}

    def _shapes_dropped(self, inputs: Array, last_only: bool) -> list[tuple[int, ...]]:
        """Return the shapes of the masks of a step, (T, B, ·), in order: by calling the network without computing."""
        key = (*inputs.shape, last_only)
        if key not in self._dropout_shapes:
            seen: list[tuple[int, ...]] = []

            def trace(ids: tf.Tensor, state: State) -> tf.Tensor:
                return self.network(ids, state, last_only, watch_shapes(seen))[0]

            state = {
                name: tf.TensorSpec([len(inputs) if size is None else size for size in shape], self.network.dtype)
                for name, shape in self.state_shapes.items()
            }
            traced = tf.function(trace, autograph=False)
            traced.get_concrete_function(tf.TensorSpec(inputs.shape, tf.int32), state)
            self._dropout_shapes[key] = seen
        return self._dropout_shapes[key]

    def _check_known(self, ids: Array) -> Array:
        """Return ids as Keras takes them; one beyond the vocabulary TensorFlow itself may read as zeros."""
        self.check_ids(ids)
        return ids.astype(np.int32)

    def _begun(self) -> Updates:
        if self._updates is None:
            self._refuse()
        return self._updates  # type: ignore[return-value]

    def _refuse(self, *arguments: object) -> None:
        raise self.make_unready_error()

    def _compile_step(self, updates: Updates) -> Compiled:
        """Return a training step, compiled once for the shape of its first batch."""

        def train(
            inputs: tf.Tensor, targets: tf.Tensor, state: State, handed: tuple[tf.Tensor, ...], rates: tf.Tensor
        ) -> tuple[tf.Tensor, State]:
            dropout = None if self._dropout is None else self._dropout.within(handed)
            with tf.GradientTape() as tape, self._mixed_precision():
                loss, after = self._mean_loss(inputs, targets, state, dropout)
            updates.apply(tape.gradient(loss, updates.variables), rates)
            return loss, after

        return _compile(train, jit_compile=self._with_xla())

    def _with_xla(self) -> bool:
        """Return whether XLA compiles the step; on a GPU not by itself: XLA can't have cuDNN's kernels for an LSTM."""
        if isinstance(self._jit_compile, bool):
            return self._jit_compile
        return "CPU" in self._device and self.network.faster_with_xla

    def _mixed_precision(self) -> AbstractContextManager[None]:
        return self.network.computing_in("mixed_bfloat16") if self.precision == "bfloat16" else nullcontext()

    def _mean_loss(self, inputs: tf.Tensor, targets: tf.Tensor, state: State, dropout: Any) -> tuple[tf.Tensor, State]:
        """Return the mean loss of (B, T) inputs with (B, T) or (B,) targets, and the state after."""
        last_only = len(targets.shape) == 1
        logits, after = self._with_state(self.network(inputs, state, last_only, dropout))
        expected = targets[:, tf.newaxis] if last_only else targets
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(expected, tf.cast(logits, self.network.dtype))
        return tf.reduce_mean(losses), after

    @cached_property
    def _step(self) -> Compiled:
        """One token a row, compiled for any number of rows."""
        return self._reader(self.network.step, tf.TensorSpec([None], tf.int32))

    @cached_property
    def _forward_all(self) -> Compiled:
        """Many tokens a row, compiled for any number of both."""
        return self._reader(self.network.__call__, tf.TensorSpec([None, None], tf.int32))

    @cached_property
    def _forward_last(self) -> Compiled:
        """The same, for the last token's logits."""
        return self._reader(partial(self.network.__call__, last_only=True), tf.TensorSpec([None, None], tf.int32))

    def _reader(self, function: Compiled, ids: tf.TensorSpec) -> Compiled:
        def compute(ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            return self._with_state(function(ids, state))

        return _compile(compute, (ids, self._state_spec()))

    def _with_state(self, read: tuple[tf.Tensor, State]) -> tuple[tf.Tensor, State]:
        """Return what a network gives, logits and state, the state checked and in the type it is kept in."""
        logits, after = read
        self.check_state(after)
        # Mixed precision computes the state in fewer bits than it is kept in.
        return logits, {name: tf.cast(after[name], self.network.dtype) for name in self.state_shapes}

    def _state_spec(self) -> dict[str, tf.TensorSpec]:
        return {name: tf.TensorSpec(shape, self.network.dtype) for name, shape in self.state_shapes.items()}

    @cached_property
    def _loss_of_all(self) -> Compiled:
        """The mean loss of every token, compiled for any number of rows and tokens."""
        return self._compile_loss([None, None])

    @cached_property
    def _loss_of_last(self) -> Compiled:
        """The same of the last token."""
        return self._compile_loss([None])

    def _compile_loss(self, targets: list[None]) -> Compiled:
        def loss(inputs: tf.Tensor, targets: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            return self._mean_loss(inputs, targets, state, None)

        ids = (tf.TensorSpec([None, None], tf.int32), tf.TensorSpec(targets, tf.int32))
        return _compile(loss, (*ids, self._state_spec()))


def _compile(function: Compiled, signature: tuple[Any, ...] | None = None, jit_compile: bool = False) -> Compiled:
    compiled = tf.function(function, signature, autograph=False, jit_compile=jit_compile)
    # Each model compiles these once, but TensorFlow counts by the line of code, and would warn at the fifth model.
    compiled._omit_frequent_tracing_warning = True
    return compiled  # type: ignore[no-any-return]


def _own_array(logits: tf.Tensor) -> Array:
    """Return the logits as an array that may be written to."""
    array: Array = logits.numpy()
    return array if array.flags.writeable else array.copy()
