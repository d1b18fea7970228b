"""Groups of texts that are read side by side, whatever their prompts' lengths.

All rows read their first tokens together. A row whose prompt ends goes on with what it draws, while longer prompts are
still being read: so rows have equally many tokens at any time, and the model reads all of them at once. Rows whose
prompts are equally long form a group, which is a batch of its own to its samplers.

Shapes: B rows read at once, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from textforge.generation.healing import Prompt
from textforge.generation.history import History
from textforge.generation.loop import Batch
from textforge.generation.reader import PIECE, ModelLogits, Reader
from textforge.generation.task import Task
from textforge.generation.text import Text
from textforge.model import Model
from textforge.plugins.blame import blame_model

Key = tuple[int, int]
"""A text: the place of its prompt, and its number among those of that prompt."""


class Group:
    """Texts after prompts of one length, drawn from logits that are given."""

    def __init__(self, task: Task, prompts: Sequence[Prompt], keys: Sequence[Key]) -> None:
        """Make a group of texts that are not begun, each after a prompt of the same length."""
        ids = np.stack([prompt.ids for prompt in prompts])  # (B, T)
        self.history = History.of(ids, ids.shape[1])
        self._ends = [prompt.end if task.max_tokens else "" for prompt in prompts]
        self._max_steps = task.max_tokens + max(map(len, self._ends))
        self.texts: dict[Key, Text] = {}
        """The texts, once they are begun."""
        self._task = task
        self._keys = keys
        self._reader = _GivenLogits(task.model, len(keys))
        self._run: Iterator[list[str]] | None = None

    @property
    def rows(self) -> int:
        """The number of rows, one an unfinished text."""
        return len(self._reader.kept)

    @property
    def length(self) -> int:
        """The number of tokens of each row, those of the prompt among them."""
        return self.history.length

    @property
    def steps(self) -> int:
        """The number of tokens that were drawn for each row."""
        return self.history.length - self.history.prompt_length

    @property
    def finished(self) -> int:
        """The number of finished texts."""
        return len(self._keys) - self.rows

    def advance(self, logits: ModelLogits) -> list[int]:
        """Draw the next token of each row by its logits, (B, V); return the rows that are left, of those there were."""
        self._reader.give(logits)
        if self._run is None:
            self._run = self._begin()
        next(self._run)
        if self.steps == self._max_steps:
            next(self._run, None)  # ends the texts without another token
        if all(text.finish_reason for text in self.texts.values()):
            self._reader.kept = []  # a batch keeps its last rows
        return self._reader.kept

    def _begin(self) -> Iterator[list[str]]:
        batch = Batch(self._task, self._reader, [number for _, number in self._keys], self.history, self._ends)
        self.texts = dict(zip(self._keys, batch.texts, strict=True))
        return batch.run()


class _GivenLogits(Reader):
    """A reader that is given the logits of its rows, and notes the rows that its batch keeps."""

    def __init__(self, model: Model, rows: int) -> None:
        super().__init__(model, np.empty((rows, 0)))
        self.kept = list(range(rows))
        """The rows that are left of those for which logits were given."""

    def give(self, logits: ModelLogits) -> None:
        """Take the logits of the next token of each row, (B, V)."""
        self.logits, self.kept = logits, list(range(len(logits)))

    def repeat(self, count: int) -> _GivenLogits:
        return self

    def read(self, history: History) -> ModelLogits:
        return self.logits

    def keep(self, rows: Sequence[int]) -> None:
        self.logits = self.logits[list(rows)]
        self.kept = [self.kept[row] for row in rows]


def write_groups(model: Model, groups: Sequence[Group], fewest: int) -> Iterator[None]:
    """Write the texts of groups, the shortest first, until fewer than `fewest` are unfinished; yield at each token."""
    waiting, active = list(groups), list[Group]()
    rows = (_StateRows if model.window is None else _WindowRows)(model, sum(group.rows for group in groups))
    read = 0
    while sum(group.rows for group in groups) >= fewest:
        before, read = read, read + 1 if active else waiting[0].length
        logits = rows.read(active, waiting, before, read)
        while waiting and waiting[0].length == read:
            active.append(waiting.pop(0))
        kept, place = list[int](), 0
        for group in active:
            given = group.rows
            kept += [place + row for row in group.advance(logits[place : place + given])]
            place += given
        kept += range(place, place + sum(group.rows for group in waiting))
        rows.keep(kept)
        active = [group for group in active if group.rows]
        yield


class _StateRows:
    """The rows of a model that carries its state on, those of active groups first."""

    def __init__(self, model: Model, rows: int) -> None:
        self._model = model
        self._count = rows
        self._state = model.start(rows)

    def read(self, active: Sequence[Group], waiting: Sequence[Group], before: int, now: int) -> ModelLogits:
        """Read the tokens of each row from place `before` to `now`; return the logits of the next, (B, V)."""
        blocks = [group.history.newest[:, np.newaxis] for group in active]
        ids = np.concatenate([*blocks, *(group.history.tokens[:, before:now] for group in waiting)])  # (B, T)
        try:
            if active:
                return self._model.step(ids[:, 0], self._state)
            for start in range(0, now - before, PIECE):
                logits = self._model.forward(ids[:, start : start + PIECE], self._state, last_only=True)
            return logits[:, -1]
        except Exception as error:
            raise blame_model(self._model, error, "to read a token") from error

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these."""
        if 0 < len(rows) < self._count:
            self._state = self._model.select(self._state, np.array(rows, dtype=np.int64))
        self._count = len(rows)


class _WindowRows:
    """The rows of a model that reads its window afresh for every token."""

    def __init__(self, model: Model, rows: int) -> None:
        self._model = model
        self._window = model.window or 1

    def read(self, active: Sequence[Group], waiting: Sequence[Group], before: int, now: int) -> ModelLogits:
        """Return the logits after the last tokens of each row that has `now` tokens, none left to wait for, (B, V)."""
        groups = [*active, *(group for group in waiting if group.length == now)]
        ids = np.concatenate([group.history.last(self._window) for group in groups])  # (B, T)
        try:
            return self._model.forward(ids, self._model.start(len(ids)), last_only=True)[:, -1]
        except Exception as error:
            raise blame_model(self._model, error, "to read a window") from error

    def keep(self, rows: Sequence[int]) -> None:
        """Do nothing, as no state is carried on."""
