"""Models to compare with, as textbooks write them, in float64."""

from __future__ import annotations

import numpy as np

from textforge.model import SavedModel


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class TextbookLSTM:
    """One row, one token at a time, gate by gate."""

    def __init__(self, saved: SavedModel):
        self.arrays = {name: array.astype(np.float64) for name, array in saved.arrays.items()}
        self.layers = saved.options["num_layers"]
        size = saved.options["hidden_size"]
        self.hidden = [np.zeros(size) for _ in range(self.layers)]
        self.cell = [np.zeros(size) for _ in range(self.layers)]
        self.vocabulary_size = saved.vocabulary_size

    def logits(self, id):
        arrays = self.arrays
        x = arrays["embedding.weight"][id] if "embedding.weight" in arrays else np.eye(self.vocabulary_size)[id]
        for layer in range(self.layers):
            x = self._layer(layer, x)
        return arrays["output.weight"] @ x + arrays["output.bias"]

    def _layer(self, layer, x):
        name = f"lstm.{layer}"
        gates = self.arrays[f"{name}.input_weight"] @ x
        gates = gates + self.arrays[f"{name}.recurrent_weight"] @ self.hidden[layer] + self.arrays[f"{name}.bias"]
        enter, forget, candidate, leave = np.split(gates, 4)
        self.cell[layer] = sigmoid(forget) * self.cell[layer] + sigmoid(enter) * np.tanh(candidate)
        self.hidden[layer] = sigmoid(leave) * np.tanh(self.cell[layer])
        return self.hidden[layer]


class TextbookConv:
    """One row, one token at a time, each layer with all it ever read."""

    def __init__(self, saved: SavedModel):
        self.arrays = {name: array.astype(np.float64) for name, array in saved.arrays.items()}
        self.options = saved.options
        self.read = [[] for _ in range(self.options["num_layers"])]
        self.vocabulary_size = saved.vocabulary_size

    def logits(self, id):
        arrays = self.arrays
        x = arrays["embedding.weight"][id] if "embedding.weight" in arrays else np.eye(self.vocabulary_size)[id]
        x = arrays["input.weight"] @ x + arrays["input.bias"]
        for layer, read in enumerate(self.read):
            read.append(x)
            x = x + self._added(layer, read)
        return arrays["output.weight"] @ x + arrays["output.bias"]

    def _added(self, layer, read):
        both = self.arrays[f"conv.{layer}.bias"]
        for age in range(self.options["kernel_size"]):
            place = len(read) - 1 - age * self.options["dilation_growth"] ** layer
            if place >= 0:
                both = both + self.arrays[f"conv.{layer}.weight"][:, :, -1 - age] @ read[place]
        value, gate = np.split(both, 2)
        return value * sigmoid(gate)


class TextbookGPT:
    """One row, one token at a time, head by head, each key rotated by its position in the whole text."""

    def __init__(self, saved: SavedModel):
        self.arrays = {name: array.astype(np.float64) for name, array in saved.arrays.items()}
        self.options = saved.options
        self.keys = [[] for _ in range(self.options["num_layers"])]
        self.values = [[] for _ in range(self.options["num_layers"])]

    def logits(self, id):
        arrays = self.arrays
        x = arrays["embedding.weight"][id]
        for layer in range(self.options["num_layers"]):
            x = x + arrays[f"attention.{layer}.output.weight"] @ self._attended(layer, self._normed(x))
            value, gate = np.split(arrays[f"feed_forward.{layer}.input.weight"] @ self._normed(x), 2)
            x = x + arrays[f"feed_forward.{layer}.output.weight"] @ (value * gate * sigmoid(gate))
        return arrays["embedding.weight"] @ self._normed(x) + arrays["output.bias"]

    def _attended(self, layer, x):
        query, key, value = np.split(self.arrays[f"attention.{layer}.input.weight"] @ x, 3)
        self.keys[layer].append(key)
        self.values[layer].append(value)
        now = len(self.keys[layer]) - 1
        seen = range(max(0, now + 1 - self.options["window"]), now + 1)
        heads = []
        for head in np.split(np.arange(len(x)), self.options["num_heads"]):
            turned = self._rotated(query[head], now)
            products = [turned @ self._rotated(self.keys[layer][place][head], place) for place in seen]
            weights = np.exp((np.array(products) - max(products)) / np.sqrt(len(head)))
            heads.append(weights / weights.sum() @ [self.values[layer][place][head] for place in seen])
        return np.concatenate(heads)

    def _normed(self, x):
        return (x - x.mean()) / np.sqrt(x.var() + 1e-5)

    def _rotated(self, head, position):
        turned = np.empty_like(head)
        for first in range(0, len(head), 2):
            angle = position / 10000 ** (first / len(head))
            one, other = head[first : first + 2]
            turned[first] = one * np.cos(angle) - other * np.sin(angle)
            turned[first + 1] = one * np.sin(angle) + other * np.cos(angle)
        return turned


TEXTBOOKS = {"lstm": TextbookLSTM, "conv": TextbookConv, "gpt": TextbookGPT}


def textbook_logits(saved: SavedModel, ids):
    """(B, T) -> (B, T, V)"""
    rows = []
    for row in ids:
        model = TEXTBOOKS[saved.architecture](saved)
        rows.append([model.logits(id) for id in row])
    return np.array(rows)


def textbook_loss(saved: SavedModel, inputs, targets):
    """Mean loss in nats; (B,) targets are the token after the last."""
    logits = textbook_logits(saved, inputs)
    if targets.ndim == 1:
        logits, targets = logits[:, -1:], targets[:, None]
    logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return -np.take_along_axis(logs, targets[..., None].astype(np.int64), axis=-1).mean()
