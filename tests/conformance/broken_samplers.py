"""For each check of a sampler, a sampler that fails it and passes the others."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

import textforge
from textforge.errors import BackendError
from textforge.samplers.base import Logits


class GoodSampler(textforge.Sampler):
    """Keeps tokens near the likeliest, and counts for each row how often it was asked."""

    name = "good"
    p: float = textforge.option(default=0.5, gt=0, le=1, help="Floor, relative to the likeliest token.")

    def __call__(self, logits: Logits, context: Any) -> Logits:
        context.state["calls"] = context.state.get("calls", np.zeros(len(logits))) + 1
        floor = logits.max(axis=-1, keepdims=True) + np.log(self.p) * context.state["calls"][:, np.newaxis]
        return np.where(logits < floor, -np.inf, logits)


class AnotherShape(GoodSampler):
    """Adds an axis."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        return logits[..., np.newaxis].copy()


class AnotherDtype(GoodSampler):
    """Rounds to float32."""

    def __call__(self, logits: Logits, context: Any) -> Any:
        return logits.astype(np.float32)


class InPlace(GoodSampler):
    """Works in the array it is given."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        logits -= 1
        return logits


class Overflowing(GoodSampler):
    """Takes the exponential of logits as they are."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        with np.errstate(all="ignore"):
            return np.log(np.exp(logits))


class NothingLeft(GoodSampler):
    """Has a floor that every token may lie under."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        return np.where(logits < -15, -np.inf, logits)


class Reviving(GoodSampler):
    """Gives back what was ruled out."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        return np.maximum(logits, -1e6)


class TwoTokens(GoodSampler):
    """Compares the likeliest token with the second."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        return logits - np.partition(logits, -2)[:, -2:-1].clip(-1, 1)


class FirstRow(GoodSampler):
    """Measures every row by the first."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        return logits - logits[0].max().clip(-50, 50)


class RowsLeftBehind(GoodSampler):
    """Keeps what belongs to rows where it isn't dropped with them."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        first = context.shared.setdefault("first", logits.max(axis=-1, keepdims=True).clip(-50, 50))
        return logits - first[: len(logits)]


class RowsCounted(GoodSampler):
    """Keeps what isn't by row in the state."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        context.state["calls"] = context.state.get("calls", 0) + 1
        return logits / context.state["calls"]


CALLS = [0]


class OneRun(GoodSampler):
    """Counts its calls for all runs together."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        CALLS[0] = CALLS[0] + 1 if context.step else 0
        return logits / (1 + CALLS[0])


class OwnDice(GoodSampler):
    """Draws from NumPy's global generator."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        return logits + np.random.random()


class Seeding(GoodSampler):
    """Seeds Python's global generator in each step, and draws from it."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        random.seed(1)
        return logits + random.random()


class NaivePLess(GoodSampler):
    """Rules out all tokens less likely than the sum of squared probabilities, which rounding may bring above each."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        p = np.exp(logits - logits.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        return np.where(p < (p**2).sum(axis=-1, keepdims=True), -np.inf, logits)


class WearingOut(GoodSampler):
    """Divides by what has come to zero after twenty steps."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        with np.errstate(all="ignore"):
            return (logits - logits.max(axis=-1, keepdims=True)) / np.float64(max(0, 20 - context.step))


class Assigning(GoodSampler):
    """Keeps what it computes on itself."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        self.floor = logits.max(axis=-1, keepdims=True)  # type: ignore[attr-defined]
        return logits - self.floor  # type: ignore[attr-defined]


class Frameworkless(GoodSampler):
    """Needs something that isn't installed."""

    def check(self, encoder: Any) -> None:
        pass

    def __call__(self, logits: Logits, context: Any) -> Logits:
        raise BackendError("the sampler good needs a framework: run `pip install it`")


class Choosy(GoodSampler):
    """Takes no encoder of more than ten tokens."""

    def check(self, encoder: Any) -> None:
        if encoder.vocabulary_size > 10:
            raise textforge.TextforgeError("there must be ten tokens at most")


class Chatty(GoodSampler):
    """Prints as it works."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        print("at step", context.step)
        return logits.copy()


class Borrowed(GoodSampler):
    """Has the name of another one."""

    name = "top-k"


class Warning(GoodSampler):
    """Divides by zero along the way."""

    def __call__(self, logits: Logits, context: Any) -> Logits:
        np.ones(1) / np.zeros(1)
        return logits.copy()


class Halving(GoodSampler):
    """Changes its option after the constructor."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "p", self.p / 2)


class Undescribed(GoodSampler):
    p: float = textforge.option(default=0.5, gt=0, le=1, help="Floor, relative to the likeliest token.")


class BadlyDescribed(GoodSampler):
    """Says nothing of its option."""

    p: float = textforge.option(default=0.5, gt=0, le=1, help="p")


BROKEN = [
    (AnotherShape(), "shape"),
    (AnotherDtype(), "dtype"),
    (InPlace(), "input untouched"),
    (Overflowing(), "no nan"),
    (NothingLeft(), "one finite"),
    (Reviving(), "minus infinities"),
    (TwoTokens(), "one token vocabulary"),
    (FirstRow(), "rows independent"),
    (RowsLeftBehind(), "rows dropped"),
    (RowsCounted(), "rows dropped"),
    (OneRun(), "runs apart"),
    (OwnDice(), "determinism", "global generators"),
    (Seeding(), "global generators"),
    (NaivePLess(), "flat rows"),
    (WearingOut(), "long run"),
    (Assigning(), "use"),
    (Frameworkless(), "use"),
    (Choosy(), "use"),
    (Chatty(), "silent"),
    (Borrowed(), "name"),
    (Warning(), "quiet"),
    (Halving(), "spec round trip"),
    (Undescribed(), "described"),
    (BadlyDescribed(), "described"),
]
