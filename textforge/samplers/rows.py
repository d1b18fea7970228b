"""Functions on rows of logits, for samplers of any origin: softmax, entropy, order, and cuts.

Shapes: B rows, V tokens. Wherever tokens are put in order, the likeliest comes first, and among equals the one with the
lowest id. No function changes its arguments.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from textforge.samplers.base import Logits

Mask = npt.NDArray[np.bool_]
"""One truth value a token, (B, V)."""
Order = npt.NDArray[np.intp]
"""The ids of each row in some order, (B, V)."""

_LARGEST = float(np.finfo(np.float64).max)
_SMALL = 512
"""Vocabularies up to this size are sorted whole: a partition would save nothing."""
_BINS = 1024
_RANGE = 40.0
"""How far below the best a logit may be to have a bin among its like: beyond, tokens share almost no probability."""


def find_best(logits: Logits) -> Logits:
    """Return the largest logit of each row, (B, 1)."""
    best: Logits = np.maximum.reduce(logits, axis=-1, keepdims=True)  # two thirds of what the method costs
    return best


def softmax(logits: Logits) -> Logits:
    """Return the probabilities of each row, of the shape of `logits`: (B, V), or (V,) for a single row.

    They sum to 1; what is ruled out has 0. No logit is too large; each row needs a finite one.

    >>> softmax(np.array([[0.0, 0.0, -np.inf], [1e300, -1e300, 0.0]]))
    array([[0.5, 0.5, 0. ],
           [1. , 0. , 0. ]])
    """
    with np.errstate(over="ignore"):  # a logit too far below the best for a number is as good as ruled out
        shifted: Logits = logits - find_best(logits)
    np.exp(shifted, shifted)
    shifted /= shifted.sum(axis=-1, keepdims=True)
    return shifted


def log_softmax(logits: Logits) -> Logits:
    """Return the natural logarithms of `softmax`, of the shape of `logits`: (B, V), or (V,) for a single row.

    They are exact where a probability would round to 0 or 1; what is ruled out has minus infinity.

    >>> log_softmax(np.array([[0.0, -1000.0, -np.inf]]))
    array([[    0., -1000.,   -inf]])
    """
    with np.errstate(over="ignore"):
        shifted: Logits = logits - find_best(logits)
        shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def entropy(log_probabilities: Logits) -> Logits:
    """Return the entropy of each row in nats, (B, 1), from its log-probabilities, (B, V).

    What has no probability adds nothing.

    >>> entropy(np.log([[0.5, 0.5]])).round(3)
    array([[0.693]])
    """
    surprises = np.where(log_probabilities > -np.inf, log_probabilities, 0.0)
    found: Logits = -(np.exp(log_probabilities) * surprises).sum(axis=-1, keepdims=True)
    return found


def sort_likeliest_first(logits: Logits) -> Order:
    """Return the ids of each row from the likeliest, (B, V); equals by id.

    >>> sort_likeliest_first(np.array([[1.0, 3.0, 1.0, -np.inf]]))
    array([[1, 0, 2, 3]])
    """
    return (-logits).argsort(axis=-1, kind="stable")


def sort_likeliest(logits: Logits, count: int) -> Order:
    """Return the ids of the `count` likeliest tokens of each row, in order, (B, count), or of all; equals by id.

    A large vocabulary isn't sorted.

    >>> sort_likeliest(np.array([[1.0, 3.0, 1.0, -np.inf]]), 2)
    array([[1, 0]])
    """
    size = logits.shape[1]
    if size <= max(count, _SMALL):
        return sort_likeliest_first(logits)[:, :count]
    edges = np.partition(logits, size - count)[:, size - count]  # (B,), the least logit among them
    found = np.empty((len(logits), count), dtype=np.intp)
    for row, edge, ids in zip(logits, edges, found, strict=True):
        likely = np.flatnonzero(row >= edge)
        ids[:] = likely[(-row[likely]).argsort(kind="stable")[:count]]
    return found


def scatter_by_id(inside: Mask, order: Order) -> Mask:
    """Return a mask over places in `order`, (B, V), as a mask over ids."""
    by_id: Mask = np.empty(inside.shape, dtype=np.bool_)
    np.put_along_axis(by_id, order, inside, axis=-1)
    return by_id


def rule_out(logits: Logits, outside: Mask) -> Logits:
    """Return the logits, (B, V), with those of `outside` at minus infinity; each row must keep a finite one.

    >>> rule_out(np.array([[1.0, 2.0]]), np.array([[True, False]]))
    array([[-inf,   2.]])
    """
    kept: Logits = logits.copy()
    np.putmask(kept, outside, -np.inf)
    return kept


def rule_out_unless_all(logits: Logits, outside: Mask) -> Logits:
    """Return the logits, (B, V), with those of `outside` at minus infinity, but for the best of a row with no other.

    >>> rule_out_unless_all(np.array([[1.0, 2.0]]), np.array([[True, True]]))
    array([[-inf,   2.]])
    """
    kept = rule_out(logits, outside)
    empty = np.flatnonzero(kept.max(axis=-1) == -np.inf)
    if len(empty):
        best = logits[empty].argmax(axis=-1)
        kept[empty, best] = logits[empty, best]
    return kept


def keep_likeliest(logits: Logits, edge: Logits | float, counts: npt.NDArray[np.intp] | int) -> Logits:
    """Return the logits, (B, V), with all but the likeliest of each row at minus infinity.

    Exactly `counts` are kept, (B, 1), the last of which has the logit `edge`, (B, 1): of equals those with the lowest
    ids. For a single row both may be plain numbers.

    >>> keep_likeliest(np.array([[1.0, 3.0, 1.0]]), edge=1.0, counts=2)
    array([[  1.,   3., -inf]])
    """
    outside = logits < edge
    kept = counts if isinstance(counts, int) else counts.sum()
    if np.count_nonzero(outside) != logits.size - kept:
        above, equal = logits > edge, logits == edge
        places = counts - above.sum(axis=-1, keepdims=True)
        outside = ~(above | (equal & (equal.cumsum(axis=-1) <= places)))
    return rule_out(logits, outside)


def lower_logits(logits: Logits, by: Logits) -> Logits:
    """Return the logits less `by`, both (B, V), kept finite where the difference would overflow.

    >>> lower_logits(np.array([[1.0, -np.inf, -1e308]]), np.array([[0.5, 1.0, 1.7e308]]))
    array([[ 5.00000000e-001,             -inf, -1.79769313e+308]])
    """
    with np.errstate(over="ignore", invalid="ignore"):
        changed = logits - by
    return clip_to_finite(changed, logits)


def clip_to_finite(changed: Logits, before: Logits) -> Logits:
    """Return `changed` with what overflowed at the largest number; what `before` had ruled out stays so.

    >>> clip_to_finite(np.array([[np.inf, np.nan]]), before=np.array([[1e300, -np.inf]]))
    array([[1.79769313e+308,            -inf]])
    """
    if changed.size and not np.abs(changed).max() < np.inf:  # NaN is no less either
        changed = np.where(before == -np.inf, before, changed.clip(-_LARGEST, _LARGEST))
    return changed


def find_share_edge(row: Logits, share: float) -> tuple[float, int]:
    """Return the least logit, and the number, of the likeliest tokens of a row, (V,), that have `share` of all.

    They are as few as possible, one at least. A large vocabulary isn't sorted, but counted into bins.

    >>> find_share_edge(np.log([0.2, 0.5, 0.3]), 0.6)[1]
    2
    """
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
    """Find the same by a partition into bins, likelier logits in the earlier ones, of which one has to be sorted."""
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
