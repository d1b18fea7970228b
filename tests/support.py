"""Doubles that the tests share: a scripted model and small encoders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from textforge.backends.choose import load_model
from textforge.components.component import learned
from textforge.corpora.base import END_OF_TEXT
from textforge.encoders.base import Encoder, Ids, Unknown
from textforge.errors import EncodingError
from textforge.model import Model, SavedModel
from textforge.plugins.entry_points import is_core
from textforge.plugins.registry import Plugins
from textforge.plugins.sources import find_installed_sources
from textforge.training.fit import fit

LETTERS = "\n abcdefg"


def builtin_plugins() -> Plugins:
    """The plugins there are where nothing but textforge itself is installed."""
    return Plugins(sources=[source for source in find_installed_sources() if is_core(source.distribution)])


class LettersEncoder(Encoder):
    """The letters a to e; any text that is encoded has no others."""

    name = "letters"
    vocabulary_size = 5

    def fit(self, chunks: Any) -> LettersEncoder:
        return self

    def encode(self, text: str, *, unknown: Any = "error") -> Any:
        return np.array([ord(c) - 97 for c in text])

    def decode(self, ids: Any) -> str:
        return "".join(chr(97 + i) for i in ids)


class PieceEncoder(Encoder):
    """Each piece of a list is a token; text is cut into the longest pieces that fit, from the left.

    >>> PieceEncoder.of("a", "b", "ab").encode("abba").tolist()
    [2, 1, 0]
    """

    name = "piece"
    pieces: tuple[str, ...] = learned(default=())
    most_frequent_id: int = learned(default=0)

    @classmethod
    def of(cls, *pieces: str, most_frequent: int = 0) -> PieceEncoder:
        return cls(pieces=pieces, most_frequent_id=most_frequent)

    @property
    def vocabulary_size(self) -> int:
        return len(self.pieces)

    @property
    def end_of_text(self) -> int | None:
        return self.pieces.index(END_OF_TEXT) if END_OF_TEXT in self.pieces else None

    @property
    def most_frequent(self) -> int:
        return self.most_frequent_id

    def fit(self, chunks: Iterable[str]) -> Self:
        return self.replace(pieces=tuple(sorted(set("".join(chunks)))))

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        ids: list[int] = []
        place = 0
        while place < len(text):
            fitting = [id for id, piece in enumerate(self.pieces) if text.startswith(piece, place)]
            if not fitting and unknown == "error":
                raise EncodingError(f"the vocabulary lacks {text[place]!r}")
            best = max(fitting, key=lambda token: len(self.pieces[token]), default=None)
            ids += [] if best is None else [best]
            place += 1 if best is None else len(self.pieces[best])
        return np.array(ids, dtype=np.int64)

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self.pieces[id] for id in ids)


def letters() -> PieceEncoder:
    """A fitted encoder of nine characters, a newline and a space among them."""
    return PieceEncoder.of(*LETTERS)


class ScriptedModel(Model):
    """Logits as a function of each row's tokens so far, a list; its state is these lists.

    With a `window`, the function sees no more than what is in it. `calls` counts rows and tokens of each call.
    """

    def __init__(
        self, vocabulary_size: int, logits: Callable[[list[int]], Sequence[float]], *, window: int | None = None
    ) -> None:
        self.vocabulary_size = vocabulary_size
        self.window = window
        self.calls: list[tuple[str, int, int]] = []
        self._logits = logits
        self._result: Any = None

    def start(self, batch_size: int) -> list[list[int]]:
        return [[] for _ in range(batch_size)]

    def step(self, ids: Ids, state: list[list[int]]) -> Any:
        self.calls.append(("step", len(ids), 1))
        return self._read(ids[:, np.newaxis], state)

    def forward(self, ids: Ids, state: list[list[int]], last_only: bool = False) -> Any:
        self.calls.append(("forward", *ids.shape))
        if last_only:
            return self._read(ids, state)[:, np.newaxis]
        return np.stack([self._read(ids[:, t : t + 1], state).copy() for t in range(ids.shape[1])], axis=1)

    def select(self, state: list[list[int]], rows: Ids) -> list[list[int]]:
        return [list(state[row]) for row in rows]

    def save(self) -> SavedModel:
        return SavedModel("scripted", {}, self.vocabulary_size, {}, self.window)

    def _read(self, ids: Ids, state: list[list[int]]) -> Any:
        if self._result is not None:
            self._result.fill(np.nan)  # a result is valid until the next call only: hold callers to it
        for row, tokens in zip(ids.tolist(), state, strict=True):
            tokens.extend(row)
        self._result = np.array([self._logits(tokens) for tokens in state], dtype=np.float32)
        return self._result


def hashed_logits(vocabulary_size: int, spread: float = 2.0) -> Callable[[list[int]], Sequence[float]]:
    """Logits that look random, but are decided by all the tokens so far."""

    def logits(tokens: list[int]) -> Sequence[float]:
        mixed = 0
        for token in tokens:
            mixed = (mixed * 1_000_003 + token + 1) % (1 << 61)
        values: list[float] = (
            np.random.Generator(np.random.PCG64(mixed)).normal(size=vocabulary_size) * spread
        ).tolist()
        return values

    return logits


def constant_logits(probabilities: Sequence[float]) -> Callable[[list[int]], Sequence[float]]:
    """The same probabilities after any tokens."""
    values = [float(np.log(p)) if p > 0 else -np.inf for p in probabilities]
    return lambda tokens: values


def reciting(
    ids: Sequence[int], vocabulary_size: int, prompt_length: int = 1
) -> Callable[[list[int]], Sequence[float]]:
    """After a prompt of `prompt_length`, these tokens for certain, over and over."""

    def logits(tokens: list[int]) -> Sequence[float]:
        wanted = ids[(len(tokens) - prompt_length) % len(ids)]
        return [0.0 if id == wanted else -np.inf for id in range(vocabulary_size)]

    return logits


def corpus_path(name: str) -> Path:
    """A well-known corpus, beside the checkout or in the folder that TEXTFORGE_DATA names; skips without it."""
    folder = Path(os.environ.get("TEXTFORGE_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not (folder / name).is_file():
        pytest.skip(f"{name} is not in {folder}; TEXTFORGE_DATA may name another folder")
    return folder / name


class ModelMaker:
    """An architecture and what computes it, both by name; options go to whichever declares them.

    >>> ModelMaker("numpy", "lstm", hidden_size=8, precision="float64").create(vocabulary_size=5).dtype
    dtype('float64')
    """

    def __init__(self, backend: str = "numpy", architecture: str = "lstm", **options: Any) -> None:
        self.plugins = Plugins()
        backend_class, architecture_class = (
            self.plugins.find(kind, name) for kind, name in (("backend", backend), ("architecture", architecture))
        )
        runtime = {name: value for name, value in options.items() if name in backend_class.options()}
        self.backend = backend_class(**runtime)
        self.architecture = architecture_class(
            **{name: value for name, value in options.items() if name not in runtime}
        )

    def initial(self, vocabulary_size: int, seed: int = 1) -> SavedModel:
        """An untrained model."""
        return self.architecture.create(vocabulary_size, seed)

    def create(self, vocabulary_size: int, seed: int = 1) -> Any:
        """The same, ready to run."""
        return self.load(self.initial(vocabulary_size, seed))

    def fit(self, model: Any, *arguments: Any) -> Any:
        """Return what training by these data, settings, report and checkpoint makes of a model."""
        return self.load(fit(model, *arguments))

    def load(self, saved: SavedModel) -> Any:
        """Any model of that architecture, run by the backend."""
        return load_model(self.plugins, self.backend, saved)


def numpy_model(saved: SavedModel, precision: str = "float32") -> Any:
    """A saved model of any architecture, run by NumPy."""
    return ModelMaker("numpy", saved.architecture, precision=precision).load(saved)
