"""The mixture of models: the logits of its parts, joined by NumPy, whatever computes each.

Shapes: P parts, B rows, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from textforge.architectures.mix import Mix
from textforge.architectures.states import count_rows
from textforge.backends.numpy.model import PIECE_BYTES
from textforge.backends.streamed import read_as_stream
from textforge.model import Array, Arrays, Model, Opinion, SavedModel, State

Logits = npt.NDArray[np.float64]
SMALLEST = 1e-290
"""The smallest probability that has all the digits of a float64."""


class MixState:
    """The states of the parts, and what each said of the next token."""

    def __init__(self, parts: list[State], said: Logits) -> None:
        self.parts = parts
        self.said = said
        """(P, B, V): the logits of each part, up to what is the same for all tokens."""
        self.mixed: Logits = np.empty(said.shape[1:])


class MixModel(Model):
    """A mixture of models; its logits are in float64.

    >>> import textforge
    >>> made = textforge.train(text="It is so. It is. " * 20, architecture="ngram:order=2")
    >>> textforge.mix([made, made], weights=(0.3, 0.7)).generate("It", seed=1, max_tokens=4)
    ' is.'
    """

    def __init__(self, saved: SavedModel, architecture: Mix, parts: Sequence[Model]) -> None:
        self.vocabulary_size = saved.vocabulary_size
        self.window = saved.window
        self._saved = saved
        self._architecture = architecture
        self._models = parts
        self._parts = [read_as_stream(model) for model in parts]
        self._coefficients = np.array(architecture.coefficients)
        self._join = self._join_linear if architecture.kind == "linear" else self._join_geometric
        self._column = self._coefficients[:, np.newaxis, np.newaxis]
        self._used = self._coefficients > 0

    def start(self, batch_size: int) -> MixState:
        said = np.zeros((len(self._parts), batch_size, self.vocabulary_size))
        return MixState([part.start(batch_size) for part in self._parts], said)

    def step(self, ids: Array, state: MixState) -> Logits:
        said = state.said
        for number, part in enumerate(self._parts):
            said[number] = part.step(ids, state.parts[number])
        self._join(said, state.mixed)
        return state.mixed

    def forward(self, ids: Array, state: MixState, last_only: bool = False) -> Logits:
        rows, length = ids.shape
        logits = np.empty((rows, min(1, length) if last_only else length, self.vocabulary_size))
        if last_only and length:
            logits[:, 0] = self._read_to_last(ids, state)
            return logits
        piece = max(1, PIECE_BYTES // max(1, state.said.nbytes))
        for start in range(0, length, piece):
            read = [part.forward(ids[:, start : start + piece], own) for part, own in self._pair(state)]
            said = np.array(read, dtype=np.float64)  # (P, B, T, V)
            flat = said.reshape(len(said), -1, self.vocabulary_size)  # (P, B T, V)
            mixed = np.empty(flat.shape[1:])
            self._join(flat, mixed)
            logits[:, start : start + piece] = mixed.reshape(said.shape[1:])
            state.said[:] = said[:, :, -1]
        return logits

    def _read_to_last(self, ids: Array, state: MixState) -> Logits:
        """Read tokens, (B, T), and return the logits after the last, (B, V)."""
        for number, (part, own) in enumerate(self._pair(state)):
            state.said[number] = part.forward(ids, own, last_only=True)[:, -1]
        self._join(state.said, state.mixed)
        return state.mixed

    def _pair(self, state: MixState) -> list[tuple[Model, State]]:
        return list(zip(self._parts, state.parts, strict=True))

    def _join_linear(self, said: Logits, mixed: Logits) -> None:
        """Write into `mixed`, (B, V), the logarithm of the weighted sum of the probabilities by logits, (P, B, V)."""
        said -= np.maximum.reduce(said, axis=-1, keepdims=True)
        probabilities = np.exp(said)
        shares = self._column / np.add.reduce(probabilities, axis=-1, keepdims=True)  # (P, B, 1)
        probabilities *= shares
        np.add.reduce(probabilities, 0, out=mixed)
        if np.minimum.reduce(mixed, axis=None) > SMALLEST:
            np.log(mixed, mixed)
        else:
            _join_small(said[self._used], shares[self._used], mixed)

    def _join_geometric(self, said: Logits, mixed: Logits) -> None:
        """Write into `mixed`, (B, V), the weighted sum of the parts' logits, (P, B, V)."""
        with np.errstate(invalid="ignore"):
            np.dot(self._coefficients, said.reshape(len(said), -1), mixed.reshape(-1))
            total = np.add.reduce(mixed, axis=None)
        if not math.isfinite(total):
            _join_ruled_out(self._coefficients, said, mixed)

    def opinions(self, state: MixState) -> Sequence[Opinion]:
        names = self._architecture.part_names
        pairs = zip(names, self._architecture.coefficients, state.said, strict=True)
        return [Opinion(name, weight, said) for name, weight, said in pairs]

    def select(self, state: MixState, rows: Array) -> MixState:
        return MixState([part.select(own, rows) for part, own in self._pair(state)], state.said.take(rows, axis=1))

    def save(self) -> SavedModel:
        joined = self._architecture.join([model.save() for model in self._models])
        return attrs.evolve(joined, options=self._saved.options, window=self.window)

    def state_arrays(self, state: MixState) -> Arrays:
        """Return a copy of the parts' states, each array's name behind its part's number."""
        return {
            f"{number}/{name}": array
            for number, (part, own) in enumerate(self._pair(state))
            for name, array in part.state_arrays(own).items()
        }

    def make_state(self, arrays: Arrays) -> MixState:
        """Return a state from the arrays that `state_arrays` returned."""
        states = []
        for number, part in enumerate(self._parts):
            prefix = f"{number}/"
            own = {name.removeprefix(prefix): each for name, each in arrays.items() if name.startswith(prefix)}
            states.append(part.make_state(own))
        rows = count_rows(arrays, self._architecture.state())
        return MixState(states, np.zeros((len(states), rows, self.vocabulary_size)))


def _join_small(said: Logits, shares: Logits, mixed: Logits) -> None:
    """Join probabilities of which some are so small, or 0, that their sum loses digits: by their logarithms."""
    np.logaddexp.reduce(said + np.log(shares), axis=0, out=mixed)


def _join_ruled_out(coefficients: npt.NDArray[np.float64], said: Logits, mixed: Logits) -> None:
    """Join logits of which some rule a token out, by minus infinity.

    What a part of a positive coefficient rules out stays so. Where a part of a negative one does, the token is taken
    to be as unlikely as the least likely that this part leaves: it would be infinitely better than all others.
    """
    mixed[...] = 0.0
    for coefficient, logits in zip(coefficients.tolist(), said, strict=True):
        if coefficient < 0:
            least = np.where(logits > -np.inf, logits, np.inf).min(axis=-1, keepdims=True)
            mixed += coefficient * np.maximum(logits, least)
        elif coefficient > 0:
            mixed += coefficient * logits
