"""The record of a corpus that was read, and the type of its tokens."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.unsignedinteger[Any]]
"""Token ids as they lie in the token file, (n,), in the smallest unsigned type that holds them."""


@attrs.frozen
class CorpusRecord:
    """A corpus that a model was trained on, to be recognised again."""

    spec: str
    sha256: str
    """The digest of the text as it was read, in UTF-8."""
    characters: int
    documents: int | None = attrs.field(default=None, eq=False)
    """Documents that ended with `END_OF_TEXT`; None where there was one, or a bundle doesn't say."""
    part: str = "training"
    """Its part in the run: ``training``, ``validation`` or ``replay``."""
