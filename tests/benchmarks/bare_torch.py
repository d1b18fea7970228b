"""A bare PyTorch loop for the same model on the same shapes: what training costs without a framework around it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import nn


class Network(nn.Module):
    """Embedding, LSTM, dropout, output."""

    def __init__(self, vocabulary_size: int, hidden_size: int, embedding_size: int = 64, dropout: float = 0.1) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.lstm = nn.LSTM(embedding_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, vocabulary_size)

    def forward(self, ids: Any, state: Any) -> Any:
        hidden, state = self.lstm(self.embedding(ids), state)
        return self.output(self.dropout(hidden)), state


def tokens_per_second(tokens: Any, hidden_size: int, rows: int, length: int, steps: int) -> float:
    """The speed of `steps` steps over B streams of ids, clipped and with Adam, as fast as plain PyTorch does it."""
    network = Network(int(tokens.max()) + 1, hidden_size)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, fused=True)
    stream = (len(tokens) - 1) // rows
    data = torch.from_numpy(tokens.astype(np.int64))
    inputs, targets = data[: rows * stream].view(rows, stream), data[1 : rows * stream + 1].view(rows, stream)
    state = None
    began = time.perf_counter()
    for step in range(steps):
        at = step % (stream // length) * length
        logits, state = network(inputs[:, at : at + length], state)
        loss = nn.functional.cross_entropy(logits.reshape(rows * length, -1), targets[:, at : at + length].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        state = (state[0].detach(), state[1].detach())
    return steps * rows * length / (time.perf_counter() - began)
