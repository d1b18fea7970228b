"""The LSTM as Keras layers.

Shapes: B rows, T tokens, E embedding size, H hidden size, L layers, V the vocabulary's size.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from textforge.architectures.lstm import LSTM
from textforge_keras.network import Dropout, Network, State, Weight, one_hot

_TRANSPOSED = (1, 0)
LEAST_HIDDEN_SIZE = 256
"""From here on an LSTM trains faster with XLA: see `LSTMNetwork`."""


class LSTMNetwork(Network):
    """Embedding or one-hot input, `keras.layers.LSTM` layers, `Dense` output.

    Tokens a second with XLA, as a multiple of those without, medians of five rounds in turn on two cores of an AMD EPYC
    with AVX-512, TensorFlow 2.21, sequences of 64: 1.04 at 1 x 64, 0.94 at 1 x 128 and 1 x 192, 1.39 to 1.69 at
    1 x 256, 1.48 at 2 x 256, 1.36 at 1 x 384, 1.20 at 1 x 512. It is a rule, not a measurement at each start, so that a
    resumed run is compiled alike.
    """

    architecture: LSTM

    def __init__(self, architecture: LSTM, vocabulary_size: int, dtype: str, cudnn: bool) -> None:
        super().__init__(architecture, vocabulary_size, dtype, cudnn)
        size, embedding_size = architecture.hidden_size, architecture.embedding_size
        self.embedding = None
        if embedding_size is not None:
            self.embedding = keras.layers.Embedding(vocabulary_size, embedding_size, "zeros", dtype=dtype)
            self.embedding.build((None, None))
        sizes = [embedding_size or vocabulary_size, *[size] * architecture.num_layers]
        self.lstms = [_lstm_layer(size, input_size, dtype, cudnn) for input_size in sizes[:-1]]
        self.output = keras.layers.Dense(vocabulary_size, kernel_initializer="zeros", dtype=dtype)
        self.output.build((None, None, size))
        self.faster_with_xla = size >= LEAST_HIDDEN_SIZE

    @property
    def layers(self) -> Sequence[keras.Layer]:
        return [*([] if self.embedding is None else [self.embedding]), *self.lstms, self.output]

    def weights(self) -> dict[str, Weight]:
        found: dict[str, Weight] = {}
        if self.embedding is not None:
            found["embedding.weight"] = Weight(self.embedding.embeddings, (0, 1))
        for number, layer in enumerate(self.lstms):
            found[f"lstm.{number}.input_weight"] = Weight(layer.cell.kernel, _TRANSPOSED)
            found[f"lstm.{number}.recurrent_weight"] = Weight(layer.cell.recurrent_kernel, _TRANSPOSED)
            found[f"lstm.{number}.bias"] = Weight(layer.cell.bias, (0,))
        found["output.weight"] = Weight(self.output.kernel, _TRANSPOSED)
        found["output.bias"] = Weight(self.output.bias, (0,))
        return found

    def __call__(
        self, ids: tf.Tensor, state: State, last_only: bool = False, dropout: Dropout | None = None
    ) -> tuple[tf.Tensor, State]:
        values = self._input(ids)
        hidden: list[tf.Tensor] = []
        cell: list[tf.Tensor] = []
        for number, layer in enumerate(self.lstms):
            before = [state["hidden"][number], state["cell"][number]]  # (B, H) each
            values, last_hidden, last_cell = layer(values, initial_state=before)
            if last_only and layer is self.lstms[-1]:  # layers above need the whole of those below
                values = values[:, -1:]
            if dropout is not None:
                values = dropout(values)
            hidden.append(last_hidden)
            cell.append(last_cell)
        return self.output(values), {"hidden": tf.stack(hidden), "cell": tf.stack(cell)}

    def step(self, ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        values = self._input(ids)
        hidden: list[tf.Tensor] = []
        cell: list[tf.Tensor] = []
        for number, layer in enumerate(self.lstms):
            values, after = layer.cell(values, [state["hidden"][number], state["cell"][number]])
            hidden.append(after[0])
            cell.append(after[1])
        return self.output(values), {"hidden": tf.stack(hidden), "cell": tf.stack(cell)}

    def _input(self, ids: tf.Tensor) -> tf.Tensor:
        """Return the first layer's input: embedded, (B, T) -> (B, T, E), or one-hot, (B, T, V)."""
        return one_hot(ids, self.vocabulary_size, self.dtype) if self.embedding is None else self.embedding(ids)


def _lstm_layer(hidden_size: int, input_size: int, dtype: str, cudnn: bool) -> keras.layers.LSTM:
    """Return a layer whose weights are still zeros: making them draws no random number, not even a dropout's seed."""
    layer = keras.layers.LSTM(
        hidden_size,
        kernel_initializer="zeros",
        recurrent_initializer="zeros",
        return_sequences=True,
        return_state=True,
        use_cudnn="auto" if cudnn else False,
        seed=0,
        dtype=dtype,
    )
    layer.build((None, None, input_size))
    return layer
