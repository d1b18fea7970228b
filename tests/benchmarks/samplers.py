"""Samplers beside the best plain NumPy that does the same, on a large vocabulary."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from textforge.generation.context import RowContext
from textforge.generation.history import History
from textforge.plugins.registry import Plugins

SIZE = 50_000
K, P, MIN_P, THRESHOLD = 40, 0.9, 0.05, 0.02
ROUNDS = 40


def milliseconds(side: Callable[[], Any], times: int = 5) -> float:
    """The processor's time of a call, from a few in a row: it varies less than the clock's on a busy machine."""
    began = time.process_time()
    for _ in range(times):
        side()
    return (time.process_time() - began) * 1000 / times


def logits(exponent: float) -> Any:
    """A row whose k-th likeliest token has a weight of about k ** -exponent, with noise, as words have it (Zipf)."""
    random = np.random.default_rng(0)
    row = -exponent * np.log(np.arange(1.0, SIZE + 1)) + random.normal(size=SIZE) * 0.3
    return random.permutation(row)[np.newaxis]


def bare_top_k(row: Any) -> Any:
    """Top-k in plain NumPy: a partition, and a copy with minus infinity below the edge."""
    edge = np.partition(row, SIZE - K)[SIZE - K]
    return np.where(row < edge, -np.inf, row)


def bare_top_p(row: Any, enough: int) -> Any:
    """Top-p in plain NumPy that is told how many of the likeliest tokens are enough: a partition, a sort of those."""
    best = row.max()
    total = np.exp(row - best).sum()
    ordered = np.sort(np.partition(row, SIZE - enough)[SIZE - enough :])[::-1]
    edge = ordered[np.exp(ordered - best).cumsum().searchsorted(P * total)]
    return np.where(row < edge, -np.inf, row)


def sorted_top_p(row: Any) -> Any:
    """Top-p as it is mostly written: a sort of everything."""
    ordered = np.sort(row)[::-1]
    sums = np.exp(ordered - ordered[0]).cumsum()
    return np.where(row < ordered[sums.searchsorted(P * sums[-1])], -np.inf, row)


def bare_min_p(row: Any) -> Any:
    """Min-p in plain NumPy: a comparison with the best logit."""
    return np.where(row < row.max() + math.log(MIN_P), -np.inf, row)


def bare_xtc(row: Any) -> Any:
    """XTC in plain NumPy, its chance taken: of the tokens above the threshold only the least likely stays."""
    likely = np.exp(row - row.max())
    obvious = np.flatnonzero(likely >= THRESHOLD * likely.sum())
    cut = row.copy()
    cut[obvious] = -np.inf
    least = obvious[row[obvious].argmin()]
    cut[least] = row[least]
    return cut


def sides() -> Iterator[tuple[str, Callable[[], Any], Callable[[], Any]]]:
    """Yield what is measured: its name, the sampler and the bare way, both found to keep the same.

    Rows from steep, where a few tokens are enough, over those of a language model, to nearly flat, where most are.
    """
    plugins = Plugins()
    for exponent in (1.6, 1.3, 1.1, 0.0):
        rows = logits(exponent)
        rows.flags.writeable = False
        kept = int(np.isfinite(sorted_top_p(rows[0])).sum())
        enough = 1 << kept.bit_length()
        bare = partial(bare_top_p, enough=enough) if enough < SIZE else sorted_top_p
        yield _pair(f"top-p:{P}", f"Zipf {exponent}, keeps {kept:,}", plugins, rows, bare)
        if exponent == 1.1:
            yield _pair(f"top-k:{K}", f"Zipf {exponent}", plugins, rows, bare_top_k)
            yield _pair(f"min-p:{MIN_P}", f"Zipf {exponent}", plugins, rows, bare_min_p)
            yield _pair(f"xtc:1,threshold={THRESHOLD}", f"Zipf {exponent}", plugins, rows, bare_xtc)


def _pair(
    spec: str, what: str, plugins: Plugins, rows: Any, bare: Callable[[Any], Any]
) -> tuple[str, Callable[[], Any], Callable[[], Any]]:
    sampler: Any = plugins.sampler(spec)
    context = RowContext(History(np.array([0]), rows=1), seed=1, texts=[0], position=0)
    if not np.array_equal(sampler(rows, context)[0], bare(rows[0])):
        raise RuntimeError(f"{spec} and its bare side differ on {what}")
    return f"`{spec}` ({what})", partial(sampler, rows, context), partial(bare, rows[0])
