"""The architecture ``gpt``.

A Transformer that looks back on the last `window` positions of each layer. Token by token, with x the H numbers of a
position, `norm` the numbers less their mean, over their deviation (epsilon 1e-5), and I = 2H:

    x = embedding.weight[token]
    for each layer:
        [q, k, v] = attention.{layer}.input.weight · norm(x), each cut into heads of D = H / num_heads numbers
        x = x + attention.{layer}.output.weight · the heads' sums of the v of the last `window` positions, this one
            among them, weighed by softmax(rotated q · rotated k / sqrt(D))
        [a, g] = feed_forward.{layer}.input.weight · norm(x)
        x = x + feed_forward.{layer}.output.weight · (a * g * sigmoid(g))
    logits = embedding.weight · norm(x) + output.bias

Rotated by its position p, a head's numbers 2i and 2i + 1 turn as a pair, a complex number, by the angle
p / 10000**(2i / D); a product of two depends on how far apart their positions are, so that any may be called the
first. Weights are float32:

    embedding.weight                        (V, H), for the input and the output
    attention.{layer}.input.weight          (3H, H): the rows of queries, keys and values
    attention.{layer}.output.weight         (H, H)
    feed_forward.{layer}.input.weight       (2I, H): the values' rows, then the gates'
    feed_forward.{layer}.output.weight      (H, I)
    output.bias                             (V,)

Sources: Vaswani et al., "Attention is all you need", 2017; Radford et al., "Language models are unsupervised multitask
learners", 2019, for norms before each part and the first values; Dai et al., "Transformer-XL", 2019, for keys and
values that are carried from one sequence to the next; Su et al., "RoFormer", 2021, for rotary positions; Shazeer, "GLU
variants improve Transformer", 2020, for the gated feed-forward part; Press and Wolf, "Using the output embedding to
improve language models", 2017, for one embedding at both ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from textforge.architectures.base import Architecture, Weight
from textforge.architectures.first_values import normal, zeros
from textforge.components.component import option
from textforge.errors import OptionError
from textforge.model import Array, StateShape

SPREAD = 0.6
"""Deviation of the first weights, times the root of the hidden size."""
EPSILON = 1e-5
"""The number that a norm adds to the variance."""
BASE = 10_000.0
"""The slowest pair of a head turns by about 1 / BASE a position."""
QUERIES_AT_ONCE = 64
"""Positions whose queries a framework compares with their keys at once: a longer text would need memory by its square,
and shorter pieces are slower."""


class GPT(Architecture):
    """A small Transformer whose layers look back on a window of positions, carried as its state.

    >>> GPT(num_layers=2, hidden_size=8, num_heads=2, window=16).state()
    {'keys': (2, None, 16, 8), 'values': (2, None, 16, 8), 'seen': (None,)}
    """

    name = "gpt"
    training_defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({"learning_rate": 0.001})

    num_layers: int = option(default=4, ge=1, le=1000, help="Layers, one above the other.")
    hidden_size: int = option(default=192, ge=2, help="Numbers that each position carries from layer to layer.")
    num_heads: int = option(default=6, ge=1, help="Heads of each layer, which share the hidden size equally.")
    window: int = option(
        default=128, ge=1, le=1 << 16, help="Positions that each layer looks at: its own and those before it."
    )
    dropout: float = option(default=0.1, ge=0, lt=1, help="Share of what each layer adds that is dropped in training.")

    def __attrs_post_init__(self) -> None:
        """Raise `OptionError` unless each head has the same even number of the hidden size, as rotating needs."""
        super().__attrs_post_init__()
        least = 2 * self.num_heads
        if self.hidden_size % least:
            below = self.hidden_size // least * least
            near = f"{below} or {below + least}" if below else f"{least}"
            raise OptionError(
                f"{self.title()}num_heads={self.num_heads} can't share hidden_size={self.hidden_size} in equal, even "
                f"parts: the hidden size must be a multiple of {least}, such as {near}"
            )

    @property
    def head_size(self) -> int:
        """The numbers of a head."""
        return self.hidden_size // self.num_heads

    @property
    def inner_size(self) -> int:
        """The numbers, each with a gate, between a feed-forward part's two products."""
        return 2 * self.hidden_size

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        size, inner_size = self.hidden_size, self.inner_size
        deviation = SPREAD / math.sqrt(size)
        # 2 parts a layer add to x: so it is about as large after many layers as after few.
        reading, adding = normal(deviation), normal(deviation / math.sqrt(2 * self.num_layers))
        found = {"embedding.weight": Weight((vocabulary_size, size), reading, vocabulary_axis=0)}
        for layer in range(self.num_layers):
            found[f"attention.{layer}.input.weight"] = Weight((3 * size, size), reading)
            found[f"attention.{layer}.output.weight"] = Weight((size, size), adding)
            found[f"feed_forward.{layer}.input.weight"] = Weight((2 * inner_size, size), reading)
            found[f"feed_forward.{layer}.output.weight"] = Weight((size, inner_size), adding)
        found["output.bias"] = Weight((vocabulary_size,), zeros(), vocabulary_axis=0)
        return found

    def state(self) -> Mapping[str, StateShape]:
        """Return the shapes of the last positions' keys, not rotated, and values, the oldest first, and their number.

        Where fewer than `window` positions have been seen, the first places are empty, and no one looks at them.
        """
        cache = (self.num_layers, None, self.window, self.hidden_size)
        return {"keys": cache, "values": cache, "seen": (None,)}


def compute_speeds(head_size: int) -> Array:
    """Return the angles by which the pairs of a head turn from one position to the next, (head size / 2,), float64.

    >>> compute_speeds(4).tolist()
    [1.0, 0.01]
    """
    speeds: Array = BASE ** (-2.0 * np.arange(head_size // 2) / head_size)
    return speeds


def compute_rotations(length: int, head_size: int) -> tuple[Array, Array]:
    """Return cosines and sines by which heads are rotated at the first positions, (length, head size) each, float64.

    A head x becomes x * cosines + (x with the two of each pair exchanged) * sines.

    >>> cosines, sines = compute_rotations(3, head_size=4)
    >>> cosines[0].tolist(), sines[0].tolist()
    ([1.0, 1.0, 1.0, 1.0], [-0.0, 0.0, -0.0, 0.0])
    """
    angles = np.arange(length)[:, np.newaxis] * compute_speeds(head_size)
    cosines, sines = np.cos(angles), np.sin(angles)
    return np.repeat(cosines, 2, axis=1), np.stack([-sines, sines], axis=-1).reshape(length, head_size)


def make_band(queries: int, window: int) -> Array:
    """Return which keys each query looks at, (queries, window + queries): its own position and the window - 1 before.

    The keys are those of the `window` positions before the first query's, then of the queries' own.

    >>> make_band(2, window=3).astype(int).tolist()
    [[0, 1, 1, 1, 0], [0, 0, 1, 1, 1]]
    """
    behind = np.arange(queries)[:, np.newaxis] + window - np.arange(window + queries)
    return (behind >= 0) & (behind < window)
