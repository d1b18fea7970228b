"""What passes between the rooms: models, their states and their saved form.

Shapes: B rows (texts generated or trained on at once), T tokens, V the vocabulary's size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self, SupportsFloat

import attrs
import numpy as np
import numpy.typing as npt

from textforge.errors import BackendError

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
State = Any
"""What a model carries from one token to the next: its own affair, passed back to it by the core."""
StateShape = tuple[int | None, ...]
"""The shape of an array of a state; None stands for the rows, of which there may be any number."""
Loss = SupportsFloat
"""A mean negative log-likelihood in nats a token. `float()` may wait for a device, so the core reads seldom."""


@attrs.frozen(eq=False)
class SavedModel:
    """A model in nobody's framework: what a bundle stores, and any backend of its architecture loads."""

    architecture: str
    options: Mapping[str, Any]
    """The architecture's options, in full."""
    vocabulary_size: int
    arrays: Arrays
    """The weights under their canonical names."""
    window: int | None = None
    """Tokens the model looks back on, where it can't carry a state on."""


class Model(ABC):
    """Token ids in, logits out."""

    vocabulary_size: int
    window: int | None = None
    """Tokens the model can look back on, where it can't carry a state on; None where it can."""

    @abstractmethod
    def start(self, batch_size: int) -> State:
        """The state before the first token, for `batch_size` rows."""

    @abstractmethod
    def step(self, ids: Array, state: State) -> npt.NDArray[np.floating[Any]]:
        """Read one token a row, (B,), and give the logits of the next, (B, V).

        Advances `state` in place. The result is valid until the next call.
        """

    def forward(self, ids: Array, state: State, last_only: bool = False) -> npt.NDArray[np.floating[Any]]:
        """Read (B, T) tokens and give the logits after each, (B, T, V), or after the last, (B, 1, V).

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
        """A copy of some rows of a state, in this order; a row may come more than once."""

    @abstractmethod
    def save(self) -> SavedModel:
        """Return the model as it stands, its arrays a copy."""

    def __repr__(self) -> str:
        window = "" if self.window is None else f", window of {self.window}"
        return f"<{type(self).__name__}: {self.vocabulary_size} tokens{window}>"

    def state_arrays(self, state: State) -> Arrays:
        """Return a copy of a state under canonical names, in the shapes that its architecture declares.

        Raises `BackendError` unless overridden.
        """
        raise BackendError(f"{type(self).__name__} can't give its state as arrays: it has no state_arrays()")

    def make_state(self, arrays: Arrays) -> State:
        """Return the state that `state_arrays` gave, of this model or of another backend's.

        Raises `BackendError` unless overridden.
        """
        raise BackendError(f"{type(self).__name__} can't take a state up from arrays: it has no make_state()")


class CountingModel(Model):
    """A model that learns in one reading of the text, such as n-grams."""

    @property
    def parameters(self) -> int:
        """The number of parameters: of the entries of all arrays, unless overridden."""
        return sum(array.size for array in self.save().arrays.values())

    @abstractmethod
    def count(self, tokens: Array) -> Self:
        """Return the model that has learnt these token ids, (n,), memory-mapped and in the smallest type that fits."""


class GradientModel(Model):
    """A model that learns step by step: the core's training loop trains it."""

    @abstractmethod
    def begin(self, optimizer: Optimizer, seed: int) -> None:
        """Get ready to train from here, with fresh moments; dropout is seeded from (`seed`, step)."""

    @abstractmethod
    def train_step(
        self, inputs: Array, targets: Array, state: State, *, learning_rate: float, step: int
    ) -> tuple[Loss, State]:
        """One step of gradient descent on `inputs`, (B, T), and the state after them, without gradients.

        `targets` are (B, T), each the token that follows; or (B,), the token after the last, and then only
        that one is predicted. `step` counts from 0.
        """

    @abstractmethod
    def loss(self, inputs: Array, targets: Array, state: State) -> tuple[Loss, State]:
        """The mean loss without dropout, and the state after, as in `train_step`; nothing is learnt."""

    @abstractmethod
    def training_arrays(self, state: State) -> Arrays:
        """What resuming needs beside the weights: moments and the carried state, under canonical names."""

    @abstractmethod
    def restore(self, arrays: Arrays) -> State:
        """Take up what `training_arrays` gave, after `begin`; the state it was given with."""


@attrs.frozen
class Optimizer:
    """How weights are changed, by PyTorch's definitions in every backend.

    ``adam``: betas 0.9 and 0.999, epsilon 1e-8. ``rmsprop``: alpha 0.99, epsilon 1e-8. ``sgd``: momentum 0.9.
    Before it, gradients are scaled down to a joint norm of `clip_norm`, as in `torch.nn.utils.clip_grad_norm_`.
    """

    name: str = "adam"
    clip_norm: float | None = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    alpha: float = 0.99
    momentum: float = 0.9
    epsilon: float = 1e-8
