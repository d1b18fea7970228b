"""States as arrays: what one backend carries on, as another takes it up."""

from __future__ import annotations

from collections.abc import Mapping

from textforge.errors import BackendError, list_names
from textforge.model import Arrays, StateShape


def count_rows(arrays: Arrays, shapes: Mapping[str, StateShape]) -> int:
    """Return the number of rows of a state, whose arrays must be just these, of these shapes.

    Raises `BackendError` otherwise.

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
            raise BackendError(
                f"the state's {name} has shape {found}, but "
                f"({', '.join('rows' if size is None else str(size) for size in wanted)}) is needed"
            )
    return rows or 0
