"""Dropout whose masks depend on nothing but the seed and the step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from textforge.backends.dropout import DropoutMasks, make_dropout_seed
from textforge.model import Array

Dropout = Callable[[tf.Tensor], tf.Tensor]


class SeededDropout:
    """Dropout that neither uses nor changes TensorFlow's or Keras's random numbers.

    On a CPU the masks are the core's, and so the same in every backend: they are handed to the compiled step. Elsewhere
    the step draws them itself, from a seed that it is handed.
    """

    def __init__(self, share: float, seed: int, on_cpu: bool) -> None:
        self._share = share
        self._seed = seed
        self._on_cpu = on_cpu
        self._scale = DropoutMasks(share, seed, 0).scale

    def hand_over(self, step: int, shapes: Sequence[tuple[int, ...]]) -> tuple[Array, ...]:
        """Return what the compiled step needs for its masks, of these shapes, (T, B, ·), in order."""
        if self._on_cpu:
            return tuple(map(DropoutMasks(self._share, self._seed, step), shapes))
        return (np.array([make_dropout_seed(self._seed, step)], dtype=np.uint64).view(np.int32),)

    def within(self, handed: Sequence[tf.Tensor]) -> Dropout:
        """Return the dropout of a step that was handed this: called once for each mask, in order."""
        masks = map(_rows_first, handed) if self._on_cpu else None
        drawn = 0

        def drop(values: tf.Tensor) -> tf.Tensor:
            nonlocal drawn
            if masks is not None:
                return values * (tf.cast(next(masks), values.dtype) * self._scale)
            drawn += 1
            uniform = tf.random.stateless_uniform(tf.shape(values), handed[0] + [drawn, 0])
            return values * (tf.cast(uniform >= self._share, values.dtype) / (1.0 - self._share))

        return drop


def watch_shapes(seen: list[tuple[int, ...]]) -> Dropout:
    """Return a dropout that drops nothing, and notes the shapes of the masks it would have needed, (T, B, ·)."""

    def drop(values: tf.Tensor) -> tf.Tensor:
        rows, length, *others = values.shape
        seen.append((length, rows, *others))
        return values

    return drop


def _rows_first(mask: tf.Tensor) -> tf.Tensor:
    """Return a mask with rows first, (T, B, ·) -> (B, T, ·)."""
    return tf.transpose(mask, (1, 0, 2))
