"""The Transformer as Keras layers.

Shapes: B rows, T tokens, H hidden size, N heads, D numbers of a head, L layers, W window, V the vocabulary's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from textforge.architectures.gpt import EPSILON, GPT, QUERIES_AT_ONCE, compute_speeds, make_band
from textforge_keras.network import Dropout, Network, State, Weight

_TRANSPOSED = (1, 0)
PARTS = ("attention", "feed_forward")
SIDES = ("input", "output")


class GPTNetwork(Network):
    """Embedding, layers of attention and gated feed-forward parts, and the embedding once more as the output."""

    architecture: GPT

    def __init__(self, architecture: GPT, vocabulary_size: int, dtype: str, cudnn: bool) -> None:
        super().__init__(architecture, vocabulary_size, dtype, cudnn)
        size, inner_size = architecture.hidden_size, architecture.inner_size
        self.embedding = keras.layers.Embedding(vocabulary_size, size, "zeros", dtype=dtype)
        self.embedding.build((None, None))
        sizes = [(size, 3 * size), (size, size), (size, 2 * inner_size), (inner_size, size)]
        self.parts = [
            [_product(inputs, outputs, dtype) for inputs, outputs in sizes] for _ in range(architecture.num_layers)
        ]
        self.bias = keras.Variable(np.zeros(vocabulary_size), dtype=dtype, name="bias")

    @property
    def layers(self) -> Sequence[keras.Layer]:
        return [self.embedding, *(part for layer in self.parts for part in layer)]

    def weights(self) -> dict[str, Weight]:
        found = {"embedding.weight": Weight(self.embedding.embeddings, (0, 1))}
        names = [f"{part}.{{}}.{side}.weight" for part in PARTS for side in SIDES]
        for number, layer in enumerate(self.parts):
            found |= {n.format(number): Weight(p.kernel, _TRANSPOSED) for n, p in zip(names, layer, strict=True)}
        return found | {"output.bias": Weight(self.bias, (0,))}

    def __call__(
        self, ids: tf.Tensor, state: State, last_only: bool = False, dropout: Dropout | None = None
    ) -> tuple[tf.Tensor, State]:
        # What layers add to is kept in all its bits where they themselves compute in fewer.
        values = tf.cast(self.embedding(ids), self.dtype)
        attention = _Attention(self.architecture, ids, state)
        read: list[tf.Tensor] = []
        for number, (attention_in, attention_out, inner, outer) in enumerate(self.parts):
            split = attention.split(tf.cast(attention_in(_norm(values)), self.dtype))
            read.append(split[:, :, 1:])
            is_last = last_only and number == len(self.parts) - 1  # layers above need the whole of those below
            if is_last:
                values = values[:, -1:]
            values += self._drop(attention_out(attention(number, split, is_last)), dropout)
            values += self._drop(outer(_gate(inner(_norm(values)))), dropout)
        return self._output(_norm(values)), attention.find_state_after(read)

    def _drop(self, added: tf.Tensor, dropout: Dropout | None) -> tf.Tensor:
        return tf.cast(added if dropout is None else dropout(added), self.dtype)

    def _output(self, values: tf.Tensor) -> tf.Tensor:
        """Return logits, (B, T, H) -> (B, T, V)."""
        computing = self.embedding.compute_dtype
        table = tf.cast(self.embedding.embeddings.value, computing)
        return tf.cast(tf.matmul(tf.cast(values, computing), table, transpose_b=True), self.dtype) + self.bias.value


def _product(inputs: int, outputs: int, dtype: str) -> keras.layers.Dense:
    layer = keras.layers.Dense(outputs, use_bias=False, kernel_initializer="zeros", dtype=dtype)
    layer.build((None, None, inputs))
    return layer


def _norm(values: tf.Tensor) -> tf.Tensor:
    values -= tf.reduce_mean(values, -1, keepdims=True)
    return values * tf.math.rsqrt(tf.reduce_mean(tf.square(values), -1, keepdims=True) + EPSILON)


def _gate(inner: tf.Tensor) -> tf.Tensor:
    """Return values times x * sigmoid(x) of their gates x, (…, 2I) -> (…, I)."""
    values, gates = tf.split(inner, 2, axis=-1)
    return values * gates * tf.sigmoid(gates)


class _Attention:
    """The attention of one call: what its layers have in common. The number of tokens may be unknown until it runs."""

    def __init__(self, architecture: GPT, ids: tf.Tensor, state: State) -> None:
        self._architecture, self._window, self._state = architecture, architecture.window, state
        self._rows, self._length = (tf.shape(ids)[n] if size is None else size for n, size in enumerate(ids.shape))
        self._dtype = state["keys"].dtype
        self._rotations = self._make_rotations()
        heads = (architecture.num_heads, architecture.head_size)
        shape = (architecture.num_layers, self._rows, self._window, *heads)
        self._keys = self._rotate(tf.reshape(state["keys"], shape), 0)
        self._values = tf.reshape(state["values"], shape)

    def split(self, product: tf.Tensor) -> tf.Tensor:
        """Return queries, keys and values by head, (B, T, 3H) -> (B, T, 3, N, D)."""
        architecture = self._architecture
        return tf.reshape(product, (self._rows, self._length, 3, architecture.num_heads, architecture.head_size))

    def __call__(self, layer: int, split: tf.Tensor, last_only: bool) -> tf.Tensor:
        """Return the heads' sums, (B, T or 1, H), by queries, keys and values, (B, T, 3, N, D)."""
        rotated = self._rotate(split[:, :, :2], self._window)  # (B, T, 2, N, D)
        queries = rotated[:, :, 0]
        keys = tf.concat([self._keys[layer], rotated[:, :, 1]], 1)  # (B, W + T, N, D)
        values = tf.concat([self._values[layer], split[:, :, 2]], 1)
        if last_only:
            queries, keys, values = queries[:, -1:], keys[:, -self._window :], values[:, -self._window :]
            sums = self._average(queries, keys, values, self._mask_last)
        elif isinstance(self._length, int) and self._length <= QUERIES_AT_ONCE:
            sums = self._average(queries, keys, values, self._mask_all)
        else:
            sums = self._average_by_pieces(queries, keys, values)
        return tf.reshape(sums, (self._rows, 1 if last_only else self._length, self._architecture.hidden_size))

    def find_state_after(self, read: list[tf.Tensor]) -> State:
        """Return the state after this call, from each layer's new keys and values, (B, T, 2, N, D)."""
        size, window = self._architecture.hidden_size, self._window
        new = tf.reshape(tf.stack(read), (len(read), self._rows, self._length, 2, size))
        after = {"seen": tf.minimum(self._state["seen"] + tf.cast(self._length, self._dtype), float(window))}
        for number, name in enumerate(("keys", "values")):
            # Nothing is learnt from what later sequences do with the state.
            after[name] = tf.stop_gradient(tf.concat([self._state[name], new[:, :, :, number]], 2)[:, :, -window:])
        return after

    def _make_rotations(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return cosines and sines of all positions, (W + T, 1, D / 2)."""
        half = self._architecture.head_size // 2
        speeds = tf.constant(compute_speeds(self._architecture.head_size))
        angles = tf.cast(tf.range(self._window + self._length), tf.float64)[:, tf.newaxis] * speeds
        return tuple(tf.reshape(tf.cast(f(angles), self._dtype), (-1, 1, half)) for f in (tf.cos, tf.sin))

    def _rotate(self, heads: tf.Tensor, start: int) -> tf.Tensor:
        """Return heads, (…, T, N, D) or (…, T, 2, N, D), rotated by the positions from `start` on."""
        length = self._window if start == 0 else self._length
        cosines, sines = (part[start : start + length] for part in self._rotations)
        if start:
            cosines, sines = cosines[:, tf.newaxis], sines[:, tf.newaxis]
        first, second = heads[..., ::2], heads[..., 1::2]
        pairs = tf.stack([first * cosines - second * sines, second * cosines + first * sines], -1)
        return tf.reshape(pairs, tf.shape(heads))

    @cached_property
    def _mask_all(self) -> tf.Tensor:
        """The keys that each query looks at, (B, 1, T, W + T), for T known."""
        band = tf.constant(make_band(self._length, self._window))
        return band & self._find_filled(tf.range(self._window + self._length))[:, tf.newaxis, tf.newaxis]

    @cached_property
    def _mask_last(self) -> tf.Tensor:
        """The keys that the last query looks at, (B, 1, 1, W)."""
        return self._find_filled(tf.range(self._length, self._length + self._window))[:, tf.newaxis, tf.newaxis]

    @cached_property
    def _pieces(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The places of the keys of each piece, (pieces, W + P), and what each query sees, (B, pieces, 1, P, W + P)."""
        count = self._count_pieces()
        places = tf.range(count)[:, tf.newaxis] * QUERIES_AT_ONCE + tf.range(self._window + QUERIES_AT_ONCE)
        band = tf.constant(make_band(QUERIES_AT_ONCE, self._window))
        return places, band & self._find_filled(places)[:, :, tf.newaxis, tf.newaxis]

    def _find_filled(self, places: tf.Tensor) -> tf.Tensor:
        """Return which of these places, (…), are filled for each row, (B, …)."""
        seen = tf.reshape(self._state["seen"], (self._rows, *[1] * len(places.shape)))
        return tf.cast(places, self._dtype) >= float(self._window) - seen

    def _count_pieces(self) -> tf.Tensor | int:
        return -(-self._length // QUERIES_AT_ONCE)

    def _average_by_pieces(self, queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """Return sums of a text of any length, whose products in one piece would need memory by its square."""
        count, heads = self._count_pieces(), queries.shape[-2:]
        added = [[0, 0], [0, count * QUERIES_AT_ONCE - self._length], [0, 0], [0, 0]]
        pieces = tf.reshape(tf.pad(queries, added), (self._rows, count, QUERIES_AT_ONCE, *heads))
        places, mask = self._pieces
        keys, values = (tf.gather(tf.pad(part, added), places, axis=1) for part in (keys, values))
        sums = self._average(pieces, keys, values, mask)
        return tf.reshape(sums, (self._rows, count * QUERIES_AT_ONCE, *heads))[:, : self._length]

    def _average(self, queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Return sums, (…, queries, N, D), of queries, (…, queries, N, D), keys and values, (…, keys, N, D)."""
        scaled = queries * self._architecture.head_size**-0.5
        products = tf.einsum("...qnd,...knd->...nqk", scaled, keys)
        weights = tf.nn.softmax(tf.where(mask, products, tf.constant(-np.inf, self._dtype)))
        return tf.einsum("...nqk,...knd->...qnd", weights, values)
