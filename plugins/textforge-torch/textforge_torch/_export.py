"""The format ``torch``: a `state_dict` under PyTorch's own names, as safetensors.

Shapes: B rows, T tokens, E embedding size, H hidden size, C channels, V the vocabulary's size.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from textforge.architectures import conv
from textforge.architectures.conv import ARCHITECTURE as CONV
from textforge.architectures.conv import look_backs
from textforge.architectures.lstm import ARCHITECTURE as LSTM
from textforge.architectures.lstm import checked_arrays
from textforge.errors import ExportError, listed
from textforge.model import Array, Arrays, ReadBack, SavedModel

METADATA = "textforge"


class PlainLSTM(nn.Module):
    """The module that such a file is for, in PyTorch alone."""

    def __init__(self, vocabulary_size: int, hidden_size: int, num_layers: int, embedding_size: int | None) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.embedding = None if embedding_size is None else nn.Embedding(vocabulary_size, embedding_size)
        self.lstm = nn.LSTM(embedding_size or vocabulary_size, hidden_size, num_layers, batch_first=True)
        self.output = nn.Linear(hidden_size, vocabulary_size)

    def forward(self, ids: Tensor) -> Tensor:
        """The logits after each token, (B, T) -> (B, T, V)."""
        values, _ = self.lstm(_vectors(ids, self.embedding, self.vocabulary_size))
        logits: Tensor = self.output(values)
        return logits


class PlainConv(nn.Module):
    """As `PlainLSTM`, for the convolutional network."""

    def __init__(
        self,
        vocabulary_size: int,
        channels: int,
        num_layers: int,
        kernel_size: int,
        dilation_growth: int,
        embedding_size: int | None,
    ) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.embedding = None if embedding_size is None else nn.Embedding(vocabulary_size, embedding_size)
        self.input = nn.Linear(embedding_size or vocabulary_size, channels)
        self.look_backs = look_backs(num_layers, kernel_size, dilation_growth)
        dilations = [look_back // (kernel_size - 1) for look_back in self.look_backs]
        self.conv = nn.ModuleList(nn.Conv1d(channels, 2 * channels, kernel_size, dilation=each) for each in dilations)
        self.output = nn.Linear(channels, vocabulary_size)

    def forward(self, ids: Tensor) -> Tensor:
        """The logits after each token, (B, T) -> (B, T, V)."""
        values = self.input(_vectors(ids, self.embedding, self.vocabulary_size)).transpose(1, 2)  # (B, C, T)
        for layer, look_back in zip(self.conv, self.look_backs, strict=True):
            values = values + functional.glu(layer(functional.pad(values, (look_back, 0))), 1)
        logits: Tensor = self.output(values.transpose(1, 2))
        return logits


def _vectors(ids: Tensor, embedding: nn.Embedding | None, vocabulary_size: int) -> Tensor:
    """Embedded, (B, T) -> (B, T, E), or one-hot, (B, T, V)."""
    if embedding is None:
        return functional.one_hot(ids, vocabulary_size).to(torch.get_default_dtype())
    vectors: Tensor = embedding(ids)
    return vectors


def _plain(module: Callable[..., nn.Module], sizes: Sequence[str], saved: SavedModel) -> nn.Module:
    with torch.device("meta"):  # no weights are drawn
        return module(saved.vocabulary_size, **{name: saved.options[name] for name in sizes})


def _lstm_weights(saved: SavedModel) -> Arrays:
    arrays = checked_arrays(saved)
    found: Arrays = {}
    for name, array in arrays.items():
        room, *_, kind = name.split(".")
        if room != "lstm":
            found[name] = array
            continue
        layer = name.split(".")[1]
        if kind == "bias":
            found[f"lstm.bias_ih_l{layer}"] = array
            found[f"lstm.bias_hh_l{layer}"] = np.zeros_like(array)  # PyTorch has two, of which one is enough
        else:
            found[f"lstm.weight_{'ih' if kind == 'input_weight' else 'hh'}_l{layer}"] = array
    return found


Weights = Callable[[SavedModel], Arrays]
Module = Callable[[SavedModel], nn.Module]
FORMS: Mapping[str, tuple[Weights, Module]] = MappingProxyType(
    {
        LSTM: (_lstm_weights, functools.partial(_plain, PlainLSTM, ("hidden_size", "num_layers", "embedding_size"))),
        CONV: (conv.checked_arrays, functools.partial(_plain, PlainConv, conv.SIZES)),
    }
)
"""For each architecture its weights under PyTorch's names, and the module that loads them."""


def write_state_dict(saved: SavedModel, path: Path, about: Mapping[str, Any]) -> ReadBack:
    """Write the file, and give the logits of a plain module that has loaded it.

    Raises `ExportError` for an architecture that has no such module.
    """
    if saved.architecture not in FORMS:
        raise ExportError(
            f"a model of the architecture {saved.architecture!r} can't be written as 'torch': there are modules for "
            f"{listed(FORMS)}"
        )
    weights, module = FORMS[saved.architecture]
    tensors = {name: torch.tensor(array) for name, array in weights(saved).items()}
    path.write_bytes(save(tensors, {"format": "pt", METADATA: json.dumps(about)}))
    plain = module(saved)
    plain.load_state_dict(load_file(path), strict=True, assign=True)
    return _logits_of(plain)


def _logits_of(module: nn.Module) -> ReadBack:
    @torch.inference_mode()
    def logits(ids: Array) -> Array:
        found: Array = module(torch.tensor(ids)).numpy()
        return found

    return logits
