"""Samplers beside the best plain NumPy that does the same, on a large vocabulary."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from textforge.plugins import Plugins

SIZE = 50_000
K, P = 40, 0.9
ROUNDS = 40


def milliseconds(side: Callable[[], Any], times: int = 5) -> float:
    """How long a call takes, from a few in a row."""
    began = time.perf_counter()
    for _ in range(times):
        side()
    return (time.perf_counter() - began) * 1000 / times


def logits() -> Any:
    """A row as a language model has it: few tokens share most of the probability, as Zipf has it."""
    random = np.random.default_rng(0)
    row = -1.6 * np.log(np.arange(1.0, SIZE + 1)) + random.normal(size=SIZE) * 0.3
    return random.permutation(row)[np.newaxis]


def bare_top_k(row: Any) -> Any:
    """Top-k in plain NumPy: a partition, and a copy with minus infinity below the edge."""
    edge = np.partition(row, SIZE - K)[SIZE - K]
    return np.where(row < edge, -np.inf, row)


def bare_top_p(row: Any, candidates: int = 256) -> Any:
    """Top-p in plain NumPy: of as many candidates as are enough on this row, by a partition, sorted and summed."""
    best = row.max()
    total = np.exp(row - best).sum()
    ordered = np.sort(np.partition(row, SIZE - candidates)[SIZE - candidates :])[::-1]
    sums = np.exp(ordered - best).cumsum()
    edge = ordered[sums.searchsorted(P * total)]
    return np.where(row < edge, -np.inf, row)


def sides() -> Iterator[tuple[str, Callable[[], Any], Callable[[], Any]]]:
    """What is measured: the sampler's name, the sampler and the bare way, both found to keep the same."""
    rows, plugins = logits(), Plugins()
    row = rows[0]
    rows.flags.writeable = False
    for spec, bare in ((f"top-k:{K}", bare_top_k), (f"top-p:{P}", bare_top_p)):
        sampler: Any = plugins.sampler(spec)
        if not np.array_equal(sampler(rows, None)[0], bare(row)):
            raise RuntimeError(f"{spec} and its bare side differ")
        yield spec, lambda sampler=sampler: sampler(rows, None), lambda bare=bare: bare(row)
