"""The Transformer as PyTorch modules.

Shapes: B rows, T tokens, H hidden size, N heads, D numbers of a head, L layers, W window, V the vocabulary's size. Time
comes first, (T, B, …), but where attention needs rows first.
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
        values: Tensor = self.embedding(ids)
        attention = _Attention(self.architecture, self._places, len(ids), state)
        read: list[Tensor] = []
        for number, (attention_in, attention_out, inner, outer) in enumerate(self.layers):
            # (T, B, 3H) -> (B, T, 3, N, D)
            split = attention_in(_norm(values)).unflatten(-1, attention.shape).transpose(0, 1)
            read.append(split[:, :, 1:])
            if last_only and number == len(self.layers) - 1:  # layers above need the whole of those below
                values = values[-1:]
            values = _add(values, attention_out(attention(number, split, len(values))), dropout)
            values = _add(values, outer(_gate(inner(_norm(values)))), dropout)
        logits = functional.linear(_norm(values), self.embedding.weight, self.bias)
        return logits, attention.find_state_after(read)


def _norm(values: Tensor) -> Tensor:
    return functional.layer_norm(values, values.shape[-1:], eps=EPSILON)


def _gate(inner: Tensor) -> Tensor:
    """Return values times x * sigmoid(x) of their gates x, (…, 2I) -> (…, I)."""
    values, gates = inner.chunk(2, -1)
    return values * functional.silu(gates)


def _add(values: Tensor, added: Tensor, dropout: Dropout | None) -> Tensor:
    # What layers add to is kept in all its bits where they themselves compute in fewer.
    return values + (added if dropout is None else dropout(added))


class _Places:
    """Rotations and masks, made once for a length, a type and a device."""

    def __init__(self, architecture: GPT) -> None:
        self._architecture = architecture
        self._rotations: tuple[Tensor, Tensor] | None = None
        self._bands: dict[int, Tensor] = {}

    def find_rotations(self, length: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines and sines of at least `length` positions, (positions, 1, D)."""
        found = self._rotations
        if found is None or len(found[0]) < length or not _is_alike(found[0], like):
            made = compute_rotations(2 * length, self._architecture.head_size)
            cosines, sines = (torch.from_numpy(array).to(like).unsqueeze(1) for array in made)
            self._rotations = found = cosines, sines
        return found

    def find_band(self, queries: int, like: Tensor) -> Tensor:
        """Return what is added to the products of a piece's queries and keys, (queries, W + queries): 0 or -inf."""
        found = self._bands.get(queries)
        if found is None or not _is_alike(found, like):
            looked_at = torch.from_numpy(make_band(queries, self._architecture.window))
            found = torch.zeros(looked_at.shape).masked_fill(~looked_at, -torch.inf).to(like)
            self._bands[queries] = found
        return found


def _is_alike(made: Tensor, like: Tensor) -> bool:
    return made.dtype == like.dtype and made.device == like.device


class _Attention:
    """The attention of one call: what its layers have in common."""

    def __init__(self, architecture: GPT, places: _Places, length: int, state: State) -> None:
        heads, self._window = architecture.num_heads, architecture.window
        self.shape = (3, heads, architecture.head_size)
        self._length, self._state, self._places = length, state, places
        self._cosines, self._sines = places.find_rotations(self._window + length, state["keys"])
        keys = state["keys"].unflatten(-1, self.shape[1:])  # type: ignore[no-untyped-call]  # (L, B, W, N, D)
        self._keys = self._rotate(keys, 0, self._window)
        self._values = state["values"].unflatten(-1, self.shape[1:])  # type: ignore[no-untyped-call]
        self._masks: dict[tuple[int, int], Tensor] = {}

    def __call__(self, layer: int, split: Tensor, needed: int) -> Tensor:
        """Return the heads' sums, (needed, B, H), at the last positions, of queries, keys, values, (B, T, 3, N, D)."""
        window, end = self._window, self._window + self._length
        first = self._length - needed
        # (B, ·, N, D) -> (B, N, ·, D)
        queries = self._rotate(split[:, first:, 0], window + first, end).transpose(1, 2)
        keys = torch.cat([self._keys[layer], self._rotate(split[:, :, 1], window, end)], 1).transpose(1, 2)
        values = torch.cat([self._values[layer], split[:, :, 2].to(keys.dtype)], 1).transpose(1, 2)
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
        return whole.permute(2, 0, 1, 3).flatten(2)  # (B, N, ·, D) -> (·, B, H)

    def find_state_after(self, read: list[Tensor]) -> State:
        """Return the state after this call, from each layer's new keys and values, (B, T, 2, N, D)."""
        window, seen = self._window, self._state["seen"]
        kept = torch.stack(read)[:, :, -window:].flatten(4)  # (L, B, min(T, W), 2, H)
        after = {"seen": (seen + self._length).clamp(max=window)}
        for number, name in enumerate(("keys", "values")):
            before = self._state[name][:, :, min(self._length, window) :]
            after[name] = torch.cat([before, kept[..., number, :].to(before.dtype)], 2)
        return after

    def _rotate(self, heads: Tensor, start: int, end: int) -> Tensor:
        """Return heads, (…, T, N, D), rotated by the positions from `start` to `end`."""
        exchanged = heads.roll(heads.shape[-1] // 2, -1)
        return heads * self._cosines[start:end] + exchanged * self._sines[start:end]

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
