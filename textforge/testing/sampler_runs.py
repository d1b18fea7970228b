"""A sampler at work on made-up texts, as in generation but watched at each step."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import numpy as np
import numpy.typing as npt

from textforge.encoders.base import Encoder
from textforge.errors import GenerationError, TextforgeError
from textforge.generation.chain import expanded
from textforge.generation.context import RowContext
from textforge.generation.history import History
from textforge.samplers.base import Logits, Sampler
from textforge.testing.failures import CheckFailure, NotApplicable, choose_mend, described
from textforge.testing.isolation import undisturbed
from textforge.testing.texts import PLAIN_TEXT

SEED = 5
STEPS = 60
"""Enough for what shows late: a floor that rises at each step, a buffer that is full."""

Guard = Callable[[int], AbstractContextManager[None]]
"""What is around the sampler's calls, by the step."""


class SamplerRun:
    """A sampler, its presets expanded, on some texts, a row each."""

    def __init__(self, sampler: Sampler, encoder: Encoder, texts: Sequence[int], guard: Guard = undisturbed) -> None:
        self.encoder = encoder
        _ask(sampler, encoder)
        self.texts = list(texts)
        self.step = 0
        self._guard = guard
        self._spec = sampler.spec
        self._history = History(_prompt(encoder), len(texts))
        self._links = [
            (sampler, RowContext(self._history, seed=SEED, texts=texts, position=place, encoder=encoder))
            for place, sampler in enumerate(expanded([sampler]))
        ]

    def __call__(self, logits: Logits, *, read_only: bool = False) -> Logits:
        """Return what the sampler leaves of the logits, of which it is given copies."""
        for sampler, context in self._links:
            context.step = self.step
            given = np.array(logits)
            given.flags.writeable = not read_only
            try:
                with self._guard(self.step):
                    logits = sampler(given, context)
            except TextforgeError:
                raise
            except Exception as error:
                raise CheckFailure(
                    f"{self._spec} to take logits of shape {given.shape} at step {self.step}",
                    described(error),
                    choose_mend(error, "let it work with any number of rows and tokens, and with tokens ruled out"),
                ) from error
        return logits

    def advance(self) -> None:
        """Add a token to each text: each has its own, and repeats itself."""
        places = np.array(self.texts) * 5 + self.step % 3
        self._history.append(places % self.encoder.vocabulary_size)
        self.step += 1

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all texts but these, by their place."""
        self.texts = [self.texts[row] for row in rows]
        self._history.keep(rows)
        for _, context in self._links:
            try:
                context.keep(rows)
            except GenerationError as error:
                raise CheckFailure(
                    "context.state to have one entry a row",
                    str(error),
                    "keep an array or a list with an entry a row in context.state, all else in context.shared",
                ) from None

    def logits(self) -> Logits:
        """Return logits that depend on each text and the step alone, (B, V)."""
        return np.array([_logits(text, self.step, self.encoder.vocabulary_size) for text in self.texts])

    def play(self, steps: int = STEPS) -> list[Logits]:
        """Return what the sampler leaves at each of some steps."""
        found = []
        for _ in range(steps):
            found.append(np.array(self(self.logits())))
            self.advance()
        return found


def _ask(sampler: Sampler, encoder: Encoder) -> None:
    for one in expanded([sampler]):
        try:
            one.check(encoder)
        except TextforgeError as error:
            raise NotApplicable(f"it refuses an encoder of {encoder.vocabulary_size} tokens: {error}") from error


def _prompt(encoder: Encoder) -> npt.NDArray[np.int64]:
    ids = encoder.encode(PLAIN_TEXT[:12] * 2, unknown="skip")
    return ids if len(ids) else np.zeros(4, dtype=np.int64)


@functools.lru_cache(maxsize=4096)
def _logits(text: int, step: int, size: int) -> Logits:
    random = np.random.Generator(np.random.PCG64([SEED, text, step]))
    logits: Logits = random.normal(-2.0, 3.0, size)
    return logits
