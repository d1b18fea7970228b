"""Bare PyTorch networks and a loop for them: what training costs without a framework around it.

The maths and sizes of textforge's architectures, written plainly with PyTorch's own layers and dropout; each carries
its state from one sequence to the next. Shapes: B rows, T tokens, C channels, N heads, D numbers of a head, W window.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.benchmarks.bare_gpt import turn
from textforge.architectures.gpt import compute_rotations, make_band

FIRST_STEPS = 2
"""Steps before the clock starts, as in textforge's loop."""


class LSTMNetwork(nn.Module):
    """Embedding, LSTM, dropout, output."""

    def __init__(self, architecture: Any, vocabulary_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, architecture.embedding_size)
        self.lstm = nn.LSTM(architecture.embedding_size, architecture.hidden_size, batch_first=True)
        self.dropout = nn.Dropout(architecture.dropout)
        self.output = nn.Linear(architecture.hidden_size, vocabulary_size)

    def forward(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        hidden, state = self.lstm(self.embedding(ids), state)
        return self.output(self.dropout(hidden)), tuple(part.detach() for part in state)


class ConvNetwork(nn.Module):
    """Embedding, gated convolutions that each add to what is carried upward, output.

    A layer is one product of the positions that it reads, side by side: on a CPU that is faster than `nn.Conv1d`.
    """

    def __init__(self, architecture: Any, vocabulary_size: int) -> None:
        super().__init__()
        channels, self.kernel, self.look_backs = (
            architecture.channels, architecture.kernel_size, architecture.look_backs,
        )  # fmt: skip
        self.embedding = nn.Embedding(vocabulary_size, architecture.embedding_size)
        self.input = nn.Linear(architecture.embedding_size, channels)
        self.layers = nn.ModuleList(nn.Linear(self.kernel * channels, 2 * channels) for _ in self.look_backs)
        self.dropout = nn.Dropout(architecture.dropout)
        self.output = nn.Linear(channels, vocabulary_size)

    def forward(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        rows, length = ids.shape
        values = self.input(self.embedding(ids))  # (B, T, C)
        after = []
        for number, (layer, look_back) in enumerate(zip(self.layers, self.look_backs, strict=True)):
            before = values.new_zeros(rows, look_back, values.shape[-1]) if state is None else state[number]
            read = torch.cat([before, values], 1)  # (B, look-back + T, C)
            after.append(read[:, length:].detach())
            places = range(0, look_back + 1, look_back // (self.kernel - 1))
            added = layer(torch.cat([read[:, place : place + length] for place in places], -1))
            values = values + self.dropout(functional.glu(added, -1))
        return self.output(values), after


class GPTNetwork(nn.Module):
    """Embedding, layers of attention to a window and of gated feed-forward parts, and the embedding as the output.

    Keys are carried as they were rotated, by their positions in all that was read, of which there may be `positions`.
    """

    def __init__(self, architecture: Any, vocabulary_size: int, positions: int = 1 << 14) -> None:
        super().__init__()
        size, inner_size = architecture.hidden_size, architecture.inner_size
        self.heads, self.window = (architecture.num_heads, architecture.head_size), architecture.window
        self.embedding = nn.Embedding(vocabulary_size, size)
        self.norm = nn.LayerNorm(size, elementwise_affine=False)
        sizes = [(size, 3 * size), (size, size), (size, 2 * inner_size), (inner_size, size)]
        layers = range(architecture.num_layers)
        self.layers = nn.ModuleList(
            nn.ModuleList(nn.Linear(inputs, outputs, bias=False) for inputs, outputs in sizes) for _ in layers
        )
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.02)
        self.dropout = nn.Dropout(architecture.dropout)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        rotations = compute_rotations(positions, self.heads[1])
        # A pair as a complex number, (positions, D / 2)
        self.turns = torch.complex(*(torch.tensor(part[:, 1::2], dtype=torch.float32) for part in rotations))
        self.masks: dict[tuple[int, int], Tensor] = {}

    def forward(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        length = ids.shape[1]
        at, carried = state or (0, [None] * len(self.layers))
        mask, turns = self._find_mask(length, min(at, self.window)), self.turns[at : at + length]
        values, after = self.embedding(ids), []
        layers: Any = zip(self.layers, carried, strict=True)
        for (reading, adding, inner, outer), before in layers:
            split = reading(self.norm(values)).chunk(3, -1)
            queries, keys, read = (part.unflatten(-1, self.heads).transpose(1, 2) for part in split)  # (B, N, T, D)
            queries, keys = turn(queries, turns), turn(keys, turns)
            if before is not None:
                keys, read = (torch.cat(parts, 2) for parts in zip(before, (keys, read), strict=True))
            after.append([part[:, :, -self.window :].detach() for part in (keys, read)])
            sums = functional.scaled_dot_product_attention(queries, keys, read, attn_mask=mask)
            values = values + self.dropout(adding(sums.transpose(1, 2).flatten(2)))
            numbers, gates = inner(self.norm(values)).chunk(2, -1)
            values = values + self.dropout(outer(numbers * functional.silu(gates)))
        return functional.linear(self.norm(values), self.embedding.weight, self.bias), (at + length, after)

    def _find_mask(self, length: int, carried: int) -> Tensor:
        """Return which keys each query looks at, those carried first, (T, carried + T)."""
        if (length, carried) not in self.masks:
            band = torch.from_numpy(make_band(length, self.window))[:, self.window - carried :]
            self.masks[length, carried] = torch.zeros(band.shape).masked_fill(~band, -torch.inf)
        return self.masks[length, carried]


NETWORKS: Mapping[str, Any] = {"lstm": LSTMNetwork, "conv": ConvNetwork, "gpt": GPTNetwork}
"""The bare networks, by the architecture whose maths they are."""


def tokens_per_second(
    architecture: Any, vocabulary_size: int, tokens: Any, rows: int, length: int, steps: int
) -> float:
    """The speed of `steps` steps over B streams of ids, clipped and with Adam, as fast as plain PyTorch does it.

    The first two steps are not counted.
    """
    network = NETWORKS[architecture.name](architecture, vocabulary_size)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001, fused=True)
    stream = (len(tokens) - 1) // rows
    data = torch.from_numpy(tokens.astype(np.int64))
    inputs, targets = data[: rows * stream].view(rows, stream), data[1 : rows * stream + 1].view(rows, stream)
    state, began = None, 0.0
    for step in range(steps):
        if step == FIRST_STEPS:
            began = time.perf_counter()
        at = step % (stream // length) * length
        logits, state = network(inputs[:, at : at + length], state)
        loss = functional.cross_entropy(logits.reshape(rows * length, -1), targets[:, at : at + length].reshape(-1))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return (steps - FIRST_STEPS) * rows * length / (time.perf_counter() - began)
