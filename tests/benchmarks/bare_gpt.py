"""A bare Transformer in PyTorch, as nanoGPT trains it and as a cache of keys and values generates from it.

Learned positions, layer norms with a weight, GELU, the embedding tied to the output, PyTorch's own attention; batches
of random blocks that each begin anew; AdamW with betas 0.9 and 0.99 and a weight decay of 0.1, a hundred steps of
warm-up and a cosine down to a tenth: the settings of nanoGPT's example for a CPU (``train_shakespeare_char.py`` with 4
layers, 4 heads, 128 wide, blocks of 64, batches of 12, 2,000 iterations, no dropout), at the speed of the fused
optimizer.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from textforge.architectures.gpt import compute_rotations
from textforge.model import SavedModel

PEAK, FLOOR, WARM_UP = 1e-3, 1e-4, 100


class Block(nn.Module):
    """Attention over all that is before, and a feed-forward part."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(size, bias=False), nn.LayerNorm(size, bias=False)
        self.reading, self.adding = nn.Linear(size, 3 * size, bias=False), nn.Linear(size, size, bias=False)
        self.inner, self.outer = nn.Linear(size, 4 * size, bias=False), nn.Linear(4 * size, size, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        split = self.reading(self.first(values)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        sums = functional.scaled_dot_product_attention(*split, is_causal=True)  # (B, N, T, D)
        values = values + self.adding(sums.transpose(1, 2).flatten(2))
        added: Tensor = self.outer(functional.gelu(self.inner(self.second(values))))
        return values + added


class Transformer(nn.Module):
    """Embedding and positions, blocks, and the embedding as the output."""

    def __init__(self, vocabulary_size: int, length: int, size: int = 128, heads: int = 4, layers: int = 4) -> None:
        super().__init__()
        self.embedding, self.places = nn.Embedding(vocabulary_size, size), nn.Embedding(length, size)
        self.blocks = nn.Sequential(*(Block(size, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(size, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                adds = name.endswith(("adding.weight", "outer.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * layers) if adds else 0.02)

    def forward(self, ids: Tensor) -> Tensor:
        values = self.embedding(ids) + self.places.weight[: ids.shape[1]]
        return functional.linear(self.norm(self.blocks(values)), self.embedding.weight)


class Run:
    """A bare training run on random blocks of some tokens."""

    def __init__(self, tokens: Any, rows: int = 12, length: int = 64, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self._tokens = torch.from_numpy(np.asarray(tokens, np.int64))
        self._rows, self._length = rows, length
        self.network = Transformer(int(tokens.max()) + 1, length)
        matrices = [parameter for parameter in self.network.parameters() if parameter.ndim == 2]
        others = [parameter for parameter in self.network.parameters() if parameter.ndim < 2]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        self._optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.99), fused=True)

    def steps(self, count: int, total: int = 2000, begin: int = 0) -> float:
        """Take steps; return tokens a second."""
        began = time.perf_counter()
        for step in range(begin, begin + count):
            for group in self._optimizer.param_groups:
                group["lr"] = rate_of(step, total)
            inputs, targets = draw_blocks(self._tokens, self._rows, self._length)
            loss = functional.cross_entropy(self.network(inputs).flatten(0, 1), targets.flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)
        return count * self._rows * self._length / (time.perf_counter() - began)

    @torch.no_grad()
    def loss(self, tokens: Any, batches: int = 200) -> float:
        """Return the mean loss of random blocks of other tokens."""
        held_out = torch.from_numpy(np.asarray(tokens, np.int64))
        losses = []
        for _ in range(batches):
            inputs, targets = draw_blocks(held_out, self._rows, self._length)
            losses.append(functional.cross_entropy(self.network(inputs).flatten(0, 1), targets.flatten()).item())
        return float(np.mean(losses))


def rate_of(step: int, total: int) -> float:
    """Return the learning rate of a step: warm-up, then a cosine down to a tenth."""
    if step < WARM_UP:
        return PEAK * (step + 1) / (WARM_UP + 1)
    return FLOOR + (PEAK - FLOOR) * (1 + math.cos(math.pi * (step - WARM_UP) / (total - WARM_UP))) / 2


def draw_blocks(tokens: Tensor, rows: int, length: int) -> tuple[Tensor, Tensor]:
    """Return random blocks, (B, T), and the tokens that follow each of theirs."""
    places = torch.randint(len(tokens) - length, (rows,))
    whole = torch.stack([tokens[place : place + length + 1] for place in places.tolist()])
    return whole[:, :-1], whole[:, 1:]


class Stepper:
    """Generation by one token at a time from a saved `gpt`, its keys and values kept in place: no call too many.

    Keys are rotated by their place in a buffer of two windows; where it is full, the window is moved back.
    """

    def __init__(self, saved: SavedModel) -> None:
        options = saved.options
        self.heads, self.window = options["num_heads"], options["window"]
        self.size = options["hidden_size"]
        head_size = self.size // self.heads
        arrays = {name: torch.from_numpy(array) for name, array in saved.arrays.items()}
        self.embedding, self.bias = arrays["embedding.weight"], arrays["output.bias"]
        names = ("attention.{}.input", "attention.{}.output", "feed_forward.{}.input", "feed_forward.{}.output")
        layers = range(options["num_layers"])
        self.layers = [[arrays[f"{name}.weight".format(layer)] for name in names] for layer in layers]
        shape = (1, self.heads, 2 * self.window, head_size)
        self.caches = [(torch.zeros(shape), torch.zeros(shape)) for _ in layers]
        rotations = compute_rotations(2 * self.window, head_size)
        # A pair as a complex number, (2W, D / 2)
        self.turns = torch.complex(*(torch.tensor(part[:, 1::2], dtype=torch.float32) for part in rotations))
        self.at = 0

    @torch.inference_mode()
    def step(self, id: int) -> Any:
        """Return the logits after a token, (V,)."""
        if self.at == 2 * self.window:
            self._move_back()
        at, start = self.at, max(0, self.at + 1 - self.window)
        values = self.embedding[id].unsqueeze(0)
        for (reading, adding, inner, outer), (keys, stored) in zip(self.layers, self.caches, strict=True):
            split = functional.linear(functional.layer_norm(values, (self.size,)), reading).view(3, self.heads, -1)
            turned = turn(split[:2], self.turns[at])
            keys[0, :, at], stored[0, :, at] = turned[1], split[2]
            sums = functional.scaled_dot_product_attention(
                turned[0].view(1, self.heads, 1, -1), keys[:, :, start : at + 1], stored[:, :, start : at + 1]
            )
            values = values + functional.linear(sums.view(1, -1), adding)
            gated, gates = functional.linear(functional.layer_norm(values, (self.size,)), inner).chunk(2, -1)
            values = values + functional.linear(gated * functional.silu(gates), outer)
        self.at += 1
        return functional.linear(functional.layer_norm(values, (self.size,)), self.embedding, self.bias)[0].numpy()

    def _move_back(self) -> None:
        window = self.window
        for keys, stored in self.caches:
            keys[:, :, :window] = turn(keys[:, :, window:], self.turns[window].conj())
            stored[:, :, :window] = stored[:, :, window:].clone()
        self.at = window


def turn(heads: Tensor, by: Tensor) -> Tensor:
    """Return heads, (…, D), whose pairs are multiplied by complex numbers, (…, D / 2)."""
    return torch.view_as_real(torch.view_as_complex(heads.unflatten(-1, (-1, 2))) * by).flatten(-2)
