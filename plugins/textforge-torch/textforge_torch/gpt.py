"""The Transformer as PyTorch modules.

Shapes: B rows, T tokens, H hidden size, N heads, D numbers of a head, L layers, W window, V the vocabulary's size.
Between ids and logits rows come first, (B, T, …), as attention needs them.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from textforge.architectures.gpt import EPSILON, GPT, QUERIES_AT_ONCE, compute_rotations, make_band
from textforge_torch.network import Dropout, Network, State

PARTS = ("attention", "feed_forward")
SIDES = ("input", "output")


class GPTNetwork(Network):
    """Embedding, layers of attention and gated feed-forward parts, and the embedding once more as the output."""

    architecture: GPT

    def __init__(self, architecture: GPT, vocabulary_size: int) -> None:
        super().__init__(architecture, vocabulary_size)
        size, inner_size = architecture.hidden_size, architecture.inner_size
        self.embedding = nn.Embedding(vocabulary_size, size)
        sizes = [(size, 3 * size), (size, size), (size, 2 * inner_size), (inner_size, size)]
        self.layers = [
            [nn.Linear(inputs, outputs, bias=False) for inputs, outputs in sizes]
            for _ in range(architecture.num_layers)
        ]
        self._registered = nn.ModuleList(part for layer in self.layers for part in layer)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        self._places = _Places(architecture)

    def canonical_parameters(self) -> dict[str, nn.Parameter]:
        found = {"embedding.weight": self.embedding.get_parameter("weight")}
        names = [f"{part}.{{}}.{side}.weight" for part in PARTS for side in SIDES]
        for number, layer in enumerate(self.layers):
            found |= {n.format(number): p.get_parameter("weight") for n, p in zip(names, layer, strict=True)}
        return found | {"output.bias": self.bias}

    def forward(
        self, ids: Tensor, state: State, last_only: bool = False, dropout: Dropout | None = None
    ) -> tuple[Tensor, State]:
        values: Tensor = self.embedding(ids.t())
        attention = _Attention(self.architecture, self._places, len(ids), state)
        for number, (attention_in, attention_out, inner, outer) in enumerate(self.layers):
            split = _multiply_parts(attention_in, _norm(values), 3)
            if last_only and number == len(self.layers) - 1:  # layers above need the whole of those below
                values = values[:, -1:]
            values = _add(values, attention_out(attention(number, split, values.shape[1])), dropout)
            numbers, gates = _multiply_parts(inner, _norm(values), 2)
            values = _add(values, outer(numbers * functional.silu(gates)), dropout)
        time_first = values.transpose(0, 1).contiguous()
        logits = functional.linear(_norm(time_first), self.embedding.weight, self.bias)
        return logits, attention.find_state_after()


def _multiply_parts(layer: nn.Linear, values: Tensor, count: int) -> list[Tensor]:
    """Return the products with each part of a layer's rows.

    Their gradients need not be joined, as those of the parts of one product must: so much for the lost size.
    """
    return [functional.linear(values, part) for part in layer.weight.chunk(count)]


def _norm(values: Tensor) -> Tensor:
    return functional.layer_norm(values, values.shape[-1:], eps=EPSILON)


def _add(values: Tensor, added: Tensor, dropout: Dropout | None) -> Tensor:
    # What layers add to is kept in all its bits where they themselves compute in fewer.
    if dropout is not None:
        added = dropout(added.transpose(0, 1)).transpose(0, 1)
    return values + added


class _Places:
    """Rotations and masks, made once for a length, a type and a device."""

    def __init__(self, architecture: GPT) -> None:
        self._architecture = architecture
        self._turns: Tensor | None = None
        self._bands: dict[int, Tensor] = {}

    def find_turns(self, length: int, like: Tensor) -> Tensor:
        """Return complex numbers that the pairs of a head turn by, (at least `length` positions, 1, D / 2)."""
        found = self._turns
        if found is None or len(found) < length or found.real.dtype != like.dtype or found.device != like.device:
            made = compute_rotations(2 * length, self._architecture.head_size)
            cosines, sines = (torch.from_numpy(array[:, 1::2].copy()).to(like).unsqueeze(1) for array in made)
            self._turns = found = torch.complex(cosines, sines)
        return found

    def find_band(self, queries: int, like: Tensor) -> Tensor:
        """Return what is added to the products of a piece's queries and keys, (queries, W + queries): 0 or -inf."""
        found = self._bands.get(queries)
        if found is None or found.dtype != like.dtype or found.device != like.device:
            looked_at = torch.from_numpy(make_band(queries, self._architecture.window))
            found = torch.zeros(looked_at.shape).masked_fill(~looked_at, -torch.inf).to(like)
            self._bands[queries] = found
        return found


class _Attention:
    """The attention of one call: what its layers have in common, and the keys and values that they have read."""

    def __init__(self, architecture: GPT, places: _Places, length: int, state: State) -> None:
        self._heads, self._window = (architecture.num_heads, architecture.head_size), architecture.window
        self._length, self._state, self._places = length, state, places
        turns = places.find_turns(self._window + length, state["keys"])
        self._turns = turns[self._window :][:length]
        self._keys = _rotate(_split(state["keys"], self._heads), turns[: self._window])  # (L, B, W, N, D)
        self._values = _split(state["values"], self._heads)
        self._masks: dict[tuple[int, int], Tensor] = {}
        self._read: tuple[list[Tensor], list[Tensor]] = [], []

    def __call__(self, layer: int, split: list[Tensor], needed: int) -> Tensor:
        """Return the heads' sums, (B, needed, H), at the last positions, from queries, keys, values, (B, T, H)."""
        window, first = self._window, self._length - needed
        for read, part in zip(self._read, split[1:], strict=True):
            read.append(part.detach())
        queries, keys, values = (_split(part, self._heads) for part in split)  # (B, T, N, D)
        # (B, ·, N, D) -> (B, N, ·, D)
        queries = _rotate(queries[:, first:], self._turns[first:]).transpose(1, 2)
        keys = torch.cat([self._keys[layer], _rotate(keys, self._turns)], 1).transpose(1, 2)
        values = torch.cat([self._values[layer], values.to(keys.dtype)], 1).transpose(1, 2)
        sums = [
            functional.scaled_dot_product_attention(
                queries[:, :, start - first : stop - first],
                keys[:, :, start : window + stop],
                values[:, :, start : window + stop],
                attn_mask=self._find_mask(start, stop),
            )
            for start, stop in pairwise([*range(first, self._length, QUERIES_AT_ONCE), self._length])
        ]
        whole = sums[0] if len(sums) == 1 else torch.cat(sums, 2)
        return whole.transpose(1, 2).flatten(2)

    def find_state_after(self) -> State:
        """Return the state after this call."""
        window, kept = self._window, min(self._length, self._window)
        after = {"seen": (self._state["seen"] + self._length).clamp(max=window)}
        for name, read in zip(("keys", "values"), self._read, strict=True):
            before = self._state[name]
            after[name] = torch.empty_like(before)
            after[name][:, :, : window - kept] = before[:, :, kept:]
            for own, part in zip(after[name], read, strict=True):
                own[:, window - kept :] = part[:, self._length - kept :]
        return after

    def _find_mask(self, start: int, stop: int) -> Tensor:
        """Return what is added to the products of a piece: -inf outside the window and at places still empty.

        Of shape (B, 1, queries, W + queries), or without rows where no place is empty for any.
        """
        if (start, stop) not in self._masks:
            band = self._places.find_band(stop - start, self._state["seen"])
            if start < self._window:
                numbers = torch.arange(start, self._window + stop, device=band.device)
                empty = numbers < self._window - self._state["seen"][:, None, None, None]
                band = band.masked_fill(empty, -torch.inf)
            self._masks[start, stop] = band
        return self._masks[start, stop]


def _rotate(heads: Tensor, turns: Tensor) -> Tensor:
    """Return heads, (…, T, N, D), rotated by positions whose pairs turn by `turns`, (T, 1, D / 2)."""
    # Mixed precision has no complex numbers of its own.
    pairs = torch.view_as_complex(_split(heads.to(turns.real.dtype), (-1, 2)))
    return torch.view_as_real(pairs * turns).flatten(-2)


def _split(values: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return values whose last axis is cut into two of this shape."""
    split: Tensor = values.unflatten(-1, shape)  # type: ignore[no-untyped-call]
    return split
