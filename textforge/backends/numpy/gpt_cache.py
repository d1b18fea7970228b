"""The keys and values that the Transformer on NumPy keeps.

Shapes: B rows, T tokens, H hidden size, N heads, D numbers of a head, L layers, W window, P places of a buffer. For one
row, buffers have no axis for rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from textforge.architectures.gpt import GPT, compute_rotations
from textforge.backends.numpy.weights import Numbers
from textforge.model import Array, Arrays

LEAST_ROOM = 64
"""Places that a buffer has beside a window, at least: so many tokens can be read at once."""
Turns = npt.NDArray[np.complexfloating[Any, Any]]


class Layer(NamedTuple):
    """A layer's buffers."""

    keys: Numbers
    """Keys, rotated by their place, (B, N, P, D)."""
    pairs: Turns
    """A view of the keys as complex numbers, (B, N, P, D / 2)."""
    values: Numbers
    """(B, N, P, D)."""


class Cache:
    """The keys and values of all layers for some rows, each at the place that it was read at.

    The places fill up from the first; before the window moves back to the beginning, `room` tokens may be read.
    """

    __slots__ = ("_seen", "architecture", "at", "by_row", "layers", "room", "rows", "turns")

    def __init__(self, rows: int, architecture: GPT, dtype: np.dtype[Any]) -> None:
        heads, head_size, window = architecture.num_heads, architecture.head_size, architecture.window
        self.rows = rows
        self.architecture = architecture
        self.at = 0
        """The next place to be written to."""
        self.room = max(window, LEAST_ROOM)
        self.turns = _make_turns(window + self.room, head_size, dtype)
        shape = (rows, heads, window + self.room, head_size)
        self.by_row = tuple(_view_pairs(*np.zeros((2, *shape), dtype)) for _ in range(architecture.num_layers))
        self.layers = self.by_row if rows != 1 else tuple(Layer(*(part[0] for part in layer)) for layer in self.by_row)
        """The same buffers, without an axis for one row."""
        self._seen = np.zeros(rows, np.int64)

    def make_room(self, count: int) -> tuple[int, int]:
        """Make room for tokens, `count` of them; return the first place they look back to, and the first of theirs."""
        if self.at + count > len(self.turns):
            self._move_to_beginning()
        seen = int(self._seen.max(initial=0)) if self.rows != 1 else self._seen.item()
        return self.at - min(seen, self.architecture.window - 1), self.at

    def write(self, layer: Layer, split: Numbers) -> Numbers:
        """Write keys and values of tokens, and return their rotated queries: all are (B, N, T, D), as in a `Layer`."""
        here = slice(self.at, self.at + split.shape[-2])
        queries, keys = np.ascontiguousarray(split[:2]).view(self.turns.dtype) * self.turns[here]
        layer.pairs[..., here, :], layer.values[..., here, :] = keys, split[2]
        rotated: Numbers = queries.view(split.dtype)
        return rotated

    def advance(self, count: int) -> None:
        """Count tokens that have been written to every layer."""
        self.at += count
        np.minimum(self._seen + count, self.architecture.window, out=self._seen)

    def find_empty(self, start: int, count: int) -> Array | None:
        """Return which places are empty, from `start` to behind the next `count` tokens, (B, 1, 1, places).

        Returns None where rows have seen equally many.
        """
        if self.rows <= 1 or (self._seen == self._seen[0]).all():
            return None
        empty: Array = np.arange(start, self.at + count) < (self.at - self._seen)[:, np.newaxis, np.newaxis, np.newaxis]
        return empty

    def take(self, source: Cache, rows: Array) -> None:
        """Copy these rows of another cache into this one."""
        self.at, self._seen = source.at, source._seen[rows]
        for own, other in zip(self.by_row, source.by_row, strict=True):
            own.keys[:, :, : self.at] = other.keys[rows, :, : self.at]
            own.values[:, :, : self.at] = other.values[rows, :, : self.at]

    def save(self) -> Arrays:
        """Return the canonical arrays of the state."""
        window, size = self.architecture.window, self.architecture.hidden_size
        first = max(self.at - window, 0)
        kept = slice(window - (self.at - first), window)
        keys, values = np.zeros((2, len(self.by_row), self.rows, window, size), self.by_row[0].keys.dtype)
        back = self.turns[first : self.at].conj()
        for layer, own_keys, own_values in zip(self.by_row, keys, values, strict=True):
            turned = (layer.pairs[:, :, first : self.at] * back).view(keys.dtype)
            own_keys[:, kept] = _join_heads(turned)
            own_values[:, kept] = _join_heads(layer.values[:, :, first : self.at])
        return {"keys": keys, "values": values, "seen": self._seen.astype(keys.dtype)}

    def restore(self, arrays: Arrays) -> None:
        """Take up what `save` returned, of this cache or of another backend's state."""
        self.at = self.architecture.window
        self._seen = np.clip(arrays["seen"], 0, self.at).astype(np.int64)
        by_head = (self.rows, self.at, self.architecture.num_heads, self.architecture.head_size)
        for layer, keys, values in zip(self.by_row, arrays["keys"], arrays["values"], strict=True):
            # (B, W, H) -> (B, N, W, D)
            parted = np.ascontiguousarray(keys.reshape(by_head).swapaxes(1, 2), layer.keys.dtype)
            layer.pairs[:, :, : self.at] = parted.view(self.turns.dtype) * self.turns[: self.at]
            layer.values[:, :, : self.at] = values.reshape(by_head).swapaxes(1, 2)

    def _move_to_beginning(self) -> None:
        first = max(self.at - self.architecture.window, 0)
        back = self.turns[first].conj()
        for layer in self.by_row:
            layer.pairs[:, :, : self.at - first] = layer.pairs[:, :, first : self.at] * back
            layer.values[:, :, : self.at - first] = layer.values[:, :, first : self.at].copy()
        self.at -= first

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the buffers' contents; views of them would come apart, so they are made anew."""
        contents = [(layer.keys, layer.values) for layer in self.by_row]
        return _restore, (self.rows, self.architecture, contents, self.at, self._seen)


def _restore(rows: int, architecture: GPT, contents: list[tuple[Numbers, Numbers]], at: int, seen: Array) -> Cache:
    cache = Cache(rows, architecture, contents[0][0].dtype)
    cache.at, cache._seen = at, seen
    for layer, (keys, values) in zip(cache.by_row, contents, strict=True):
        layer.keys[...], layer.values[...] = keys, values
    return cache


def _make_turns(length: int, head_size: int, dtype: np.dtype[Any]) -> Turns:
    """Return complex numbers by which a head's pairs are rotated at the first positions, (length, D / 2)."""
    cosines, sines = compute_rotations(length, head_size)
    return (cosines[:, 1::2] + 1j * sines[:, 1::2]).astype(np.result_type(dtype, np.complex64))


def _view_pairs(keys: Numbers, values: Numbers) -> Layer:
    return Layer(keys, keys.view(np.result_type(keys, np.complex64)), values)


def _join_heads(heads: Array) -> Array:
    """Return heads side by side, (B, N, T, D) -> (B, T, H)."""
    rows, number, length, size = heads.shape
    return heads.swapaxes(1, 2).reshape(rows, length, number * size)
