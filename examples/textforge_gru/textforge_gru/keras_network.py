"""The GRU as Keras layers. Rows come first: (B, T, …)."""

import keras
import tensorflow as tf

from textforge_keras import Network, Weight

PARTS = ("input_weight", "recurrent_weight", "input_bias", "recurrent_bias")


class GRULayer(keras.layers.Layer):
    """One layer, its gates in our order; `keras.layers.GRU` has others."""

    def __init__(self, size, **keywords):
        super().__init__(**keywords)
        self.size = size

    def build(self, shape):
        shapes = ((3 * self.size, shape[-1]), (3 * self.size, self.size), (3 * self.size,), (3 * self.size,))
        for name, own in zip(PARTS, shapes, strict=True):
            setattr(self, name, self.add_weight(shape=own, initializer="zeros", name=name))

    def call(self, values, hidden):
        """Return the hidden state after each token, (B, T, H), from what the layer below gives and the one before."""
        given = tf.matmul(values, self.input_weight, transpose_b=True) + self.input_bias  # (B, T, 3H)

        def step(hidden, given):
            carried = tf.matmul(hidden, self.recurrent_weight, transpose_b=True) + self.recurrent_bias
            reset, update = tf.split(tf.sigmoid(given[:, : 2 * self.size] + carried[:, : 2 * self.size]), 2, axis=1)
            new = tf.tanh(given[:, 2 * self.size :] + reset * carried[:, 2 * self.size :])
            return new + update * (hidden - new)

        states = tf.scan(step, tf.transpose(given, (1, 0, 2)), tf.cast(hidden, given.dtype))  # (T, B, H)
        return tf.transpose(states, (1, 0, 2))


class GRUNetwork(Network):
    """An embedding, GRU layers, and a dense output; all begin with zeros, for first values are the architecture's."""

    def __init__(self, architecture, vocabulary_size, dtype, cudnn):
        super().__init__(architecture, vocabulary_size, dtype, cudnn)
        self.embedding = keras.layers.Embedding(vocabulary_size, architecture.embedding_size, "zeros", dtype=dtype)
        self.embedding.build((None, None))
        sizes = [architecture.embedding_size] + [architecture.hidden_size] * architecture.num_layers
        self.grus = [GRULayer(architecture.hidden_size, dtype=dtype) for _ in sizes[1:]]
        for layer, size in zip(self.grus, sizes, strict=False):
            layer.build((None, None, size))
        self.output = keras.layers.Dense(vocabulary_size, kernel_initializer="zeros", dtype=dtype)
        self.output.build((None, None, architecture.hidden_size))

    @property
    def layers(self):
        return [self.embedding, *self.grus, self.output]

    def weights(self):
        found = {"embedding.weight": Weight(self.embedding.embeddings, (0, 1))}
        for number, layer in enumerate(self.grus):
            variables = {name: getattr(layer, name) for name in PARTS}
            found |= {f"gru.{number}.{name}": Weight(v, tuple(range(len(v.shape)))) for name, v in variables.items()}
        return found | {
            "output.weight": Weight(self.output.kernel, (1, 0)),
            "output.bias": Weight(self.output.bias, (0,)),
        }

    def __call__(self, ids, state, last_only=False, dropout=None):
        values, after = self.embedding(ids), []
        for layer, hidden in zip(self.grus, tf.unstack(state["hidden"], len(self.grus)), strict=True):
            values = layer(values, hidden)
            after.append(values[:, -1])
        if last_only:
            values = values[:, -1:]
        if dropout is not None:
            values = dropout(values)
        return self.output(values), {"hidden": tf.stack(after)}
