"""The format ``torch``: a `state_dict` under PyTorch's own names, as safetensors.

Shapes: B rows, T tokens, E embedding size, H hidden size, V the vocabulary's size.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from textforge.backends.base import Array, Arrays, ReadBack, SavedModel
from textforge.backends.lstm import ARCHITECTURE as LSTM
from textforge.backends.lstm import checked_arrays
from textforge.errors import ExportError, listed

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
        if self.embedding is None:
            values = functional.one_hot(ids, self.vocabulary_size).to(self.output.weight.dtype)
        else:
            values = self.embedding(ids)
        logits: Tensor = self.output(self.lstm(values)[0])
        return logits


def _plain_lstm(saved: SavedModel) -> nn.Module:
    sizes = {name: saved.options[name] for name in ("hidden_size", "num_layers", "embedding_size")}
    with torch.device("meta"):  # no weights are drawn
        return PlainLSTM(saved.vocabulary_size, **sizes)


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
FORMS: Mapping[str, tuple[Weights, Module]] = MappingProxyType({LSTM: (_lstm_weights, _plain_lstm)})
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
