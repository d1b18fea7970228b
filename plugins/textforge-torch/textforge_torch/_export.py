"""Files of the format ``torch``, and the modules that load them.

Shapes: B rows, T tokens, E embedding size, H hidden size, L layers, C channels, N heads,
D numbers of a head, W window, V the vocabulary's size.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from textforge.architectures.base import Architecture
from textforge.architectures.conv import Conv
from textforge.architectures.gpt import EPSILON, GPT, compute_rotations
from textforge.architectures.lstm import LSTM
from textforge.formats.base import ReadBack
from textforge.model import Array, Arrays
from textforge_torch.network import State

METADATA = "textforge"


class PlainModule(nn.Module, ABC):
    """A module of PyTorch's own parts, which a file of the format ``torch`` is for.

    A subclass makes its parts in ``__init__(self, architecture, vocabulary_size)`` and declares `forward`; its
    parameters' names are those in the file.
    """

    @classmethod
    def state_dict_of(cls, arrays: Arrays) -> Arrays:
        """Return weights under the module's names, from those by canonical name: the same ones, unless overridden."""
        return arrays

    @abstractmethod
    def forward(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the logits after each token, (B, T) -> (B, T, V), and the state after the last.

        States are tensors by canonical name, of the shapes that the architecture declares.
        """


class PlainLSTM(PlainModule):
    """The LSTM: `nn.Embedding`, unless its input is one-hot, `nn.LSTM`, `nn.Linear`."""

    def __init__(self, architecture: LSTM, vocabulary_size: int) -> None:
        super().__init__()
        size, embedding_size = architecture.hidden_size, architecture.embedding_size
        self.vocabulary_size = vocabulary_size
        self.embedding = None if embedding_size is None else nn.Embedding(vocabulary_size, embedding_size)
        self.lstm = nn.LSTM(embedding_size or vocabulary_size, size, architecture.num_layers, batch_first=True)
        self.output = nn.Linear(size, vocabulary_size)

    @classmethod
    def state_dict_of(cls, arrays: Arrays) -> Arrays:
        found: Arrays = {}
        for name, array in arrays.items():
            room, *layer, kind = name.split(".")
            if room != "lstm":
                found[name] = array
            elif kind == "bias":
                found[f"lstm.bias_ih_l{layer[0]}"] = array
                found[f"lstm.bias_hh_l{layer[0]}"] = np.zeros_like(array)  # PyTorch has two, of which one is enough
            else:
                found[f"lstm.weight_{'ih' if kind == 'input_weight' else 'hh'}_l{layer[0]}"] = array
        return found

    def forward(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        vectors = _embed(ids, self.embedding, self.vocabulary_size)
        values, (hidden, cell) = self.lstm(vectors, (state["hidden"], state["cell"]))  # (B, T, H), (L, B, H) twice
        return self.output(values), {"hidden": hidden, "cell": cell}


class PlainConv(PlainModule):
    """The convolutional network: `nn.Embedding`, unless its input is one-hot, `nn.Linear`, `nn.Conv1d`, `nn.Linear`."""

    def __init__(self, architecture: Conv, vocabulary_size: int) -> None:
        super().__init__()
        channels, embedding_size = architecture.channels, architecture.embedding_size
        self.vocabulary_size = vocabulary_size
        self.embedding = None if embedding_size is None else nn.Embedding(vocabulary_size, embedding_size)
        self.input = nn.Linear(embedding_size or vocabulary_size, channels)
        dilations = [look_back // (architecture.kernel_size - 1) for look_back in architecture.look_backs]
        self.conv = nn.ModuleList(
            nn.Conv1d(channels, 2 * channels, architecture.kernel_size, dilation=dilation) for dilation in dilations
        )
        self.output = nn.Linear(channels, vocabulary_size)

    def forward(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        values = self.input(_embed(ids, self.embedding, self.vocabulary_size)).transpose(1, 2)  # (B, C, T)
        after: State = {}
        for number, layer in enumerate(self.conv):
            name = f"conv.{number}"
            read = torch.cat([state[name].transpose(1, 2), values], -1)  # (B, C, look-back + T)
            after[name] = read[..., ids.shape[1] :].transpose(1, 2)
            values = values + functional.glu(layer(read), 1)
        return self.output(values.transpose(1, 2)), after


class PlainGPT(PlainModule):
    """The Transformer: `nn.Embedding`, for input and output, and `nn.Linear`."""

    def __init__(self, architecture: GPT, vocabulary_size: int) -> None:
        super().__init__()
        size, inner_size = architecture.hidden_size, architecture.inner_size
        self.shape = (3, architecture.num_heads, architecture.head_size)
        self.window = architecture.window
        self.embedding = nn.Embedding(vocabulary_size, size)
        layers = range(architecture.num_layers)
        self.attention = nn.ModuleList(_make_pair(size, 3 * size, size) for _ in layers)
        self.feed_forward = nn.ModuleList(_make_pair(size, 2 * inner_size, inner_size) for _ in layers)
        self.output = nn.ParameterDict({"bias": nn.Parameter(torch.empty(vocabulary_size))})

    def forward(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        length = self.window + ids.shape[1]
        rotations = [torch.tensor(part, dtype=torch.float32) for part in compute_rotations(length, self.shape[-1])]
        visible = self._find_visible(state["seen"], length)
        values, layers = self.embedding(ids), []
        pairs: Any = zip(self.attention, self.feed_forward, strict=True)  # of `nn.ModuleDict`s, which know no types
        for number, (attention, feed_forward) in enumerate(pairs):
            queries, keys, added = attention["input"](_norm(values)).unflatten(-1, self.shape).unbind(2)
            carried = (_split_heads(state[name][number], self.shape[1:]) for name in ("keys", "values"))
            both = [torch.cat(parts, 1) for parts in zip(carried, (keys, added), strict=True)]  # (B, W + T, N, D)
            layers.append([part[:, -self.window :].flatten(2) for part in both])
            turned, turned_keys = (
                _rotate(part, *(turn[-part.shape[1] :] for turn in rotations)).transpose(1, 2)
                for part in (queries, both[0])
            )
            sums = functional.scaled_dot_product_attention(
                turned, turned_keys, both[1].transpose(1, 2), attn_mask=visible
            )
            values = values + attention["output"](sums.transpose(1, 2).flatten(2))
            inner, gates = feed_forward["input"](_norm(values)).chunk(2, -1)
            values = values + feed_forward["output"](inner * functional.silu(gates))
        keys, carried_values = (torch.stack(parts) for parts in zip(*layers, strict=True))
        seen = (state["seen"] + ids.shape[1]).clamp(max=self.window)
        logits = functional.linear(_norm(values), self.embedding.weight, self.output["bias"])
        return logits, {"keys": keys, "values": carried_values, "seen": seen}

    def _find_visible(self, seen: Tensor, length: int) -> Tensor:
        """Return which places each query looks at, (B, 1, T, W + T): the window's, where they aren't empty."""
        places = torch.arange(length)
        behind = places[self.window :, None] - places
        filled = places >= self.window - seen[:, None, None, None]
        return (behind >= 0) & (behind < self.window) & filled


def _make_pair(size: int, outputs: int, inputs: int) -> nn.ModuleDict:
    """Return the products of a part of a layer, into it and back."""
    return nn.ModuleDict({"input": nn.Linear(size, outputs, bias=False), "output": nn.Linear(inputs, size, bias=False)})


def _norm(values: Tensor) -> Tensor:
    return functional.layer_norm(values, values.shape[-1:], eps=EPSILON)


def _rotate(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Return heads, (B, T, N, D), rotated by positions whose cosines and sines are (T, D)."""
    exchanged = heads.reshape(*heads.shape[:-1], -1, 2).flip(-1).flatten(-2)
    return heads * cosines[:, None] + exchanged * sines[:, None]


def _embed(ids: Tensor, embedding: nn.Embedding | None, vocabulary_size: int) -> Tensor:
    """Return vectors, (B, T) -> (B, T, E), or, one-hot, (B, T, V)."""
    if embedding is None:
        return functional.one_hot(ids, vocabulary_size).to(torch.float32)
    vectors: Tensor = embedding(ids)
    return vectors


def write_state_dict(arrays: Arrays, path: Path, about: Mapping[str, Any]) -> None:
    """Write weights to a file, with what it says of the model in its header."""
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    path.write_bytes(save(tensors, {"format": "pt", METADATA: json.dumps(about)}))


def read_state_dict(
    module: type[PlainModule], architecture: Architecture, vocabulary_size: int, path: Path
) -> ReadBack:
    """Return a way to compute logits by a module that has loaded a file."""
    with torch.device("meta"):  # no weights are drawn
        loaded = module(architecture, vocabulary_size)
    loaded.load_state_dict(load_file(path), strict=True, assign=True)

    @torch.inference_mode()
    def read(ids: Array, state: Arrays | None) -> tuple[Array, Arrays]:
        if state is None:
            shapes = architecture.state().items()
            sizes = {name: [len(ids) if size is None else size for size in shape] for name, shape in shapes}
            before = {name: torch.zeros(shape) for name, shape in sizes.items()}
        else:
            before = {name: torch.tensor(array) for name, array in state.items()}
        logits, after = loaded(torch.tensor(ids), before)
        return logits.numpy(), {name: tensor.numpy() for name, tensor in after.items()}

    return read


def _split_heads(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return values by head, (B, W, H) -> (B, W, N, D)."""
    return values.reshape(*values.shape[:-1], *shape)
