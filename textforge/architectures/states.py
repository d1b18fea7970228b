"""States as arrays, by which one backend takes up the state of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textforge.errors import BackendError, list_names
from textforge.model import Arrays, StateShape


def has_shape(found: Sequence[int | None], declared: StateShape) -> bool:
    """Return whether a shape is one that is declared; None in either, rows or a size not yet known, is as good as any.

    >>> has_shape((1, 4, 8), (1, None, 8)), has_shape((1, 8), (1, None, 8))
    (True, False)
    """
    return len(found) == len(declared) and all(
        None in pair or pair[0] == pair[1] for pair in zip(found, declared, strict=True)
    )


def write_shape(shape: Sequence[int | None]) -> str:
    """Return a state's shape as messages have it.

    >>> write_shape((1, None, 8))
    '(1, rows, 8)'
    """
    return f"({', '.join('rows' if size is None else str(size) for size in shape)})"


def count_rows(arrays: Arrays, shapes: Mapping[str, StateShape]) -> int:
    """Return the number of rows of a state.

    Raises `BackendError` unless its arrays are just those of `shapes`, of these shapes, all with as many rows.

    >>> import numpy as np
    >>> count_rows({"hidden": np.zeros((1, 4, 8))}, {"hidden": (1, None, 8)})
    4
    """
    if arrays.keys() != shapes.keys():
        raise BackendError(f"the state has the arrays {list_names(arrays)}, but {list_names(shapes)} are needed")
    rows = None
    for name, shape in shapes.items():
        found = arrays[name].shape
        if rows is None and len(found) == len(shape):
            rows = found[shape.index(None)]
        wanted = tuple(rows if size is None else size for size in shape)
        if found != wanted:
            raise BackendError(f"the state's {name} has shape {found}, but {write_shape(wanted)} is needed")
    return rows or 0
