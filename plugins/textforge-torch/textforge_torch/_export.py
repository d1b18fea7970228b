"""Files of the format ``torch``, and the modules that load them.

Shapes: B rows, T tokens, E embedding size, H hidden size, L layers, C channels, V the vocabulary's size.
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
