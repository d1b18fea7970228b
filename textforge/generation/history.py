"""The tokens of the texts being written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from textforge.encoders.base import Ids

_ROOM = 1024


class History:
    """The ids of the prompt and of the tokens generated so far, a row a text, in a buffer that grows.

    The buffer has time first, (t, B), so that the ids of a step lie together.

    >>> history = History(np.array([5, 6]), rows=2)
    >>> history.append(np.array([1, 2]))
    >>> history.tokens
    array([[5, 6, 1], [5, 6, 2]])
    """

    def __init__(self, prompt: Ids, rows: int, room: int = _ROOM) -> None:
        """Repeat the prompt, (T,), for each row; `room` is the number of tokens to come before the buffer grows."""
        self.prompt_length = self._length = len(prompt)
        self._tokens = np.empty((self._length + room, rows), dtype=np.int64)
        self._tokens[: self._length] = prompt[:, np.newaxis]
        self.newest: Ids = self._view_newest()  # an attribute, as it is asked for at each step
        """The last token of each row, (B,), in a place that is never written to again."""

    @classmethod
    def of(cls, tokens: npt.NDArray[np.int64], prompt_length: int) -> History:
        """Return the history of texts of these ids, (B, t), the first `prompt_length` of which are the prompt."""
        history = cls(np.zeros(tokens.shape[1], dtype=np.int64), rows=len(tokens), room=0)
        history._tokens[: history._length] = tokens.T
        history.newest = history._view_newest()
        history.prompt_length = prompt_length
        return history

    @property
    def tokens(self) -> npt.NDArray[np.int64]:
        """All tokens, (B, t): a read-only view."""
        view = self._tokens[: self._length].T
        view.flags.writeable = False
        return view

    @property
    def length(self) -> int:
        """The number of tokens, t."""
        return self._length

    def append(self, ids: Ids) -> None:
        """Add a token a row, (B,)."""
        if self._length == len(self._tokens):
            self._grow()
        self.newest = self._tokens[self._length]
        self.newest[...] = ids
        self._length += 1

    def last(self, count: int) -> npt.NDArray[np.int64]:
        """Return a copy of the last `count` tokens, (B, count), or of all where there are fewer."""
        return self._tokens[max(0, self._length - count) : self._length].T.copy()

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all texts but those of these rows."""
        self._tokens = self._tokens[:, rows]
        self.newest = self._view_newest()

    def _view_newest(self) -> Ids:
        return self._tokens[self._length - 1 : self._length].ravel()  # of no tokens: an empty array

    def _grow(self) -> None:
        larger = np.empty((2 * self._length or _ROOM, self._tokens.shape[1]), dtype=np.int64)
        larger[: self._length] = self._tokens
        self._tokens = larger
