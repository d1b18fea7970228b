"""What samplers share: rows of logits, (B, V), turned into probabilities, put in order, and cut.

Wherever tokens are put in order, the likeliest comes first, and among equals the one with the lowest id.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from textforge.samplers.base import Logits

Mask = npt.NDArray[np.bool_]
"""One truth value a logit, (B, V)."""
Order = npt.NDArray[np.intp]
"""The ids of each row in some order, (B, V)."""

_LARGEST = float(np.finfo(np.float64).max)
_SMALL = 512
"""Vocabularies up to this size are sorted whole: a partition would save nothing."""
_BINS = 1024
_RANGE = 40.0
"""How far below the best a logit may be to have a bin among its like: beyond, tokens share almost no probability."""


def best_of(logits: Logits) -> Logits:
    """The largest logit of each row, (B, 1)."""
    best: Logits = np.maximum.reduce(logits, axis=-1, keepdims=True)  # two thirds of what the method costs
    return best


def weights(logits: Logits) -> Logits:
    """Probabilities up to a factor for each row, (B, V): the likeliest token has 1, what is ruled out 0."""
    with np.errstate(over="ignore"):
        shifted: Logits = logits - best_of(logits)
    np.exp(shifted, shifted)
    return shifted


def probabilities(logits: Logits) -> Logits:
    """The softmax of each row, (B, V)."""
    rows = weights(logits)
    rows /= rows.sum(axis=-1, keepdims=True)
    return rows


def log_probabilities(logits: Logits) -> Logits:
    """The logarithm of the softmax of each row, (B, V)."""
    with np.errstate(over="ignore"):
        shifted: Logits = logits - best_of(logits)
        shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def entropies(logs: Logits) -> Logits:
    """The entropy in nats, (B, 1), of rows of log-probabilities; what has no probability adds nothing."""
    surprises = np.where(logs > -np.inf, logs, 0.0)
    found: Logits = -(np.exp(logs) * surprises).sum(axis=-1, keepdims=True)
    return found


def likeliest_first(logits: Logits) -> Order:
    """The ids of each row, from the likeliest, (B, V); equals by id."""
    return (-logits).argsort(axis=-1, kind="stable")


def without(logits: Logits, outside: Mask) -> Logits:
    """The logits with some tokens ruled out; the best of each row must not be among them."""
    kept: Logits = logits.copy()
    np.putmask(kept, outside, -np.inf)
    return kept


def without_unless_all(logits: Logits, outside: Mask) -> Logits:
    """The logits with some tokens ruled out; where nothing would be left, the row's likeliest token is."""
    kept = without(logits, outside)
    empty = np.flatnonzero(kept.max(axis=-1) == -np.inf)
    if len(empty):
        best = logits[empty].argmax(axis=-1)
        kept[empty, best] = logits[empty, best]
    return kept


def scattered(inside: Mask, order: Order) -> Mask:
    """A mask over places in `order`, (B, V), as a mask over ids."""
    by_id: Mask = np.empty(inside.shape, dtype=np.bool_)
    np.put_along_axis(by_id, order, inside, axis=-1)
    return by_id


def keep_first(logits: Logits, edge: Logits | float, counts: npt.NDArray[np.intp] | int) -> Logits:
    """Keep the likeliest tokens of each row, exactly `counts`, (B, 1), the last with the logit `edge`, (B, 1).

    For a single row both may be plain numbers.
    """
    outside = logits < edge
    kept = counts if isinstance(counts, int) else counts.sum()
    if np.count_nonzero(outside) != logits.size - kept:
        above, equal = logits > edge, logits == edge
        places = counts - above.sum(axis=-1, keepdims=True)
        outside = ~(above | (equal & (equal.cumsum(axis=-1) <= places)))
    return without(logits, outside)


def share_edge(row: Logits, share: float) -> tuple[float, int]:
    """The least of the likeliest logits of a row, (V,), that have a share of its probability, and their number."""
    return _edge_by_bins(row, share) if len(row) > _SMALL else _edge_by_sorting(row, share)


def _edge_by_sorting(row: Logits, share: float) -> tuple[float, int]:
    ordered = row.copy()
    ordered.sort()
    ordered = ordered[::-1]
    with np.errstate(over="ignore"):
        sums = np.exp(ordered - ordered[0])
    np.add.accumulate(sums, 0, None, sums)
    place = int(sums.searchsorted(share * sums.item(-1)))
    return ordered.item(place), place + 1


def _edge_by_bins(row: Logits, share: float) -> tuple[float, int]:
    """The same by a partition into bins, likelier logits in the earlier ones, of which one has to be sorted."""
    best = row.max()
    with np.errstate(over="ignore"):
        below = best - row
        shares = np.exp(-below)
        width = min(below.max(), _RANGE) / _BINS or 1.0
        bins = np.minimum(below / width, _BINS).astype(np.intp)
    needed = share * shares.sum()
    sums = np.bincount(bins, shares).cumsum()
    bin = min(int(sums.searchsorted(needed)), len(sums) - 1)  # the sum may round to less
    inside = row[bins == bin]
    order = inside.argsort()[::-1]
    missing = needed - (sums[bin - 1] if bin else 0.0)
    place = min(int(shares[bins == bin][order].cumsum().searchsorted(missing)), len(inside) - 1)
    return inside.item(order[place]), int(np.count_nonzero(bins < bin)) + place + 1


def finite(changed: Logits, before: Logits) -> Logits:
    """What finite logits became, kept finite where it would overflow; minus infinity stays."""
    if changed.size and not np.abs(changed).max() < np.inf:  # NaN is no less either
        changed = np.where(before == -np.inf, before, changed.clip(-_LARGEST, _LARGEST))
    return changed
