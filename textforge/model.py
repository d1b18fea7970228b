"""Models, their states and their saved form: the interfaces between architectures, backends and the core.

Shapes: B rows (texts generated or trained on at once), T tokens, V the vocabulary's size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self, SupportsFloat

import attrs
import numpy as np
import numpy.typing as npt

from textforge.errors import BackendError

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
State = Any
"""The memory of a model from one token to the next, of any type: the core only passes it back."""
StateShape = tuple[int | None, ...]
"""The shape of an array of a state; None stands for the rows, of which there may be any number."""
Loss = SupportsFloat
"""A mean negative log-likelihood in nats a token. `float()` may wait for a device, so the core reads seldom."""


@attrs.frozen(eq=False)
class SavedModel:
    """A model independent of any framework: a bundle stores it, and any backend of its architecture loads it."""

    architecture: str
    options: Mapping[str, Any]
    """The architecture's options, in full."""
    vocabulary_size: int
    arrays: Arrays
    """The weights under their canonical names."""
    window: int | None = None
    """Tokens the model looks back on, where it can't carry a state on."""


@attrs.frozen(eq=False)
class Opinion:
    """The opinion that one part of a model has of the next token."""

    part: str
    """Its name, such as that of its architecture."""
    weight: float
    """Its weight in the model."""
    logits: npt.NDArray[np.floating[Any]]
    """(B, V)."""


class Model(ABC):
    """A model of text: token ids in, logits of the next token out."""

    vocabulary_size: int
    window: int | None = None
    """Tokens the model can look back on, where it can't carry a state on; None where it can."""

    @abstractmethod
    def start(self, batch_size: int) -> State:
        """Return the state before the first token, for `batch_size` rows."""

    @abstractmethod
    def step(self, ids: Array, state: State) -> npt.NDArray[np.floating[Any]]:
        """Read one token a row, (B,), and return the logits of the next, (B, V).

        Advances `state` in place. The result is valid until the next call.
        """

    def forward(self, ids: Array, state: State, last_only: bool = False) -> npt.NDArray[np.floating[Any]]:
        """Read tokens, (B, T), and return the logits after each, (B, T, V), or after the last alone, (B, 1, V).

        The same as T calls of `step`; models that can read many tokens at once override it.
        """
        rows, length = ids.shape
        kept = 1 if last_only else length
        logits = np.zeros((rows, kept, self.vocabulary_size), dtype=np.float32)
        for t in range(length):
            step = self.step(ids[:, t], state)
            if step.dtype != logits.dtype:
                logits = logits.astype(step.dtype)
            logits[:, t if not last_only else 0] = step
        return logits

    @abstractmethod
    def select(self, state: State, rows: Array) -> State:
        """Return a copy of the rows of a state with these indices, (b,), in this order; one may come more than once."""

    @abstractmethod
    def save(self) -> SavedModel:
        """Return the model as it stands, its arrays a copy."""

    def opinions(self, state: State) -> Sequence[Opinion]:
        """Return the opinion of each part on the next token, where the model is made of others.

        They are those that went into the logits which the last call on this state has given, and valid as long. None
        unless overridden.
        """
        return ()

    def __repr__(self) -> str:
        window = "" if self.window is None else f", window of {self.window}"
        return f"<{type(self).__name__}: {self.vocabulary_size} tokens{window}>"

    def state_arrays(self, state: State) -> Arrays:
        """Return a copy of a state under canonical names, in the shapes that its architecture declares.

        Raises `BackendError` unless overridden.
        """
        raise BackendError(f"{type(self).__name__} can't give its state as arrays: it has no state_arrays()")

    def make_state(self, arrays: Arrays) -> State:
        """Return a state from what `state_arrays` returned, of this model or of another backend's.

        Raises `BackendError` unless overridden.
        """
        raise BackendError(f"{type(self).__name__} can't take a state up from arrays: it has no make_state()")


class CountingModel(Model):
    """A model that is trained in one reading of the text, such as n-grams."""

    @property
    def parameters(self) -> int:
        """The number of parameters: of the entries of all arrays, unless overridden."""
        return sum(array.size for array in self.save().arrays.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was left out in counting, which a run's report is told; none unless overridden."""
        return ()

    @abstractmethod
    def count(self, tokens: Array) -> Self:
        """Return a model that has counted these token ids, (n,), too, as if they followed those it has counted already.

        They are memory-mapped, and of the smallest type that fits. A model that was just created has counted none.
        """


class GradientModel(Model):
    """A model that is trained by gradient descent, a step at a time, in the core's training loop."""

    @abstractmethod
    def begin(self, optimizer: Optimizer, seed: int) -> None:
        """Prepare for training from here, with fresh moments; dropout is seeded from (`seed`, step)."""

    @abstractmethod
    def train_step(
        self, inputs: Array, targets: Array, state: State, *, learning_rate: float, step: int
    ) -> tuple[Loss, State]:
        """Take a step of gradient descent on `inputs`, (B, T); return the loss, and the state after them, detached.

        `targets`, (B, T), are the tokens that follow each input. Of shape (B,) they are those after the last input,
        and only these are predicted. `step` counts from 0.
        """

    @abstractmethod
    def loss(self, inputs: Array, targets: Array, state: State) -> tuple[Loss, State]:
        """Return the mean loss without dropout, and the state after, as in `train_step`; change no weight."""

    @abstractmethod
    def training_arrays(self, state: State) -> Arrays:
        """Return what resuming needs beside the weights: moments and the carried state, under canonical names."""

    @abstractmethod
    def restore(self, arrays: Arrays) -> State:
        """Restore the moments from what `training_arrays` returned, after `begin`; return the carried state in it."""


@attrs.frozen
class Optimizer:
    """An optimizer and its settings, by PyTorch's definitions in every backend.

    ``adam``: betas 0.9 and 0.999, epsilon 1e-8. ``rmsprop``: alpha 0.99, epsilon 1e-8. ``sgd``: momentum 0.9.
    Gradients are first scaled down to a joint norm of `clip_norm`, as in `torch.nn.utils.clip_grad_norm_`. With any of
    them, a step first takes learning rate times `weight_decay` of each weight off it, as `torch.optim.AdamW` does
    (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019); arrays of one axis, biases and gains, are
    spared, as is usual.
    """

    name: str = "adam"
    clip_norm: float | None = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    alpha: float = 0.99
    momentum: float = 0.9
    epsilon: float = 1e-8
    weight_decay: float = 0.0
