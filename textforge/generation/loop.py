"""The token loop: the one place where tokens are generated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs
import numpy as np

from textforge.encoders.base import Ids
from textforge.errors import GenerationError
from textforge.generation.chain import Chain
from textforge.generation.drawing import Draw, UndrawableRow
from textforge.generation.healing import PromptEnds
from textforge.generation.history import History
from textforge.generation.randomness import DrawNumbers
from textforge.generation.reader import ModelLogits, Reader, read_prompt
from textforge.generation.task import Task
from textforge.generation.text import Text
from textforge.generation.watching import DrawnToken, PartOpinion, WatchedChain, Watcher

BATCH = 64
"""Texts written side by side."""


@attrs.frozen
class WritingProgress:
    """The progress of a batch of texts."""

    finished: int
    """Texts that are finished, of all batches."""
    count: int
    """Texts that were asked for."""
    tokens: int
    """Tokens that each unfinished text of this batch has."""


WritingWatcher = Callable[[WritingProgress], None]
"""A function called with the progress after each token of a batch."""


def write(
    task: Task, count: int, watch: Watcher | None = None, progress: WritingWatcher | None = None
) -> Iterator[Text]:
    """Write `count` texts, in batches, and yield each, in order, as soon as it and those before it are finished.

    On Ctrl-C, the finished texts that wait for an earlier one are yielded before `KeyboardInterrupt` is raised.
    """
    if task.max_tokens == 0:
        yield from _write_nothing(task, count)
        return
    reader = read_prompt(task.model, task.prompt)
    for start in range(0, count, BATCH):
        batch = _make_batch(task, reader, range(start, min(start + BATCH, count)), watch)
        given = 0
        try:
            for step, _ in enumerate(batch.run(), 1):
                if progress is not None:
                    progress(WritingProgress(start + batch.finished, count, step))
                while given < len(batch.texts) and batch.texts[given].finish_reason:
                    given += 1
                    yield batch.texts[given - 1]
        except KeyboardInterrupt:
            yield from (text for text in batch.texts[given:] if text.finish_reason)
            raise


def write_one(task: Task, watch: Watcher | None = None) -> Iterator[str]:
    """Write one text, number 0, and yield its pieces as they come."""
    if task.max_tokens == 0:
        return
    for pieces in _make_batch(task, read_prompt(task.model, task.prompt), range(1), watch).run():
        if pieces[0]:
            yield pieces[0]


def write_text(task: Task) -> str:
    """Write one text, number 0, and return it whole."""
    return "".join(write_one(task))


def _make_batch(task: Task, prompt: Reader, numbers: range, watch: Watcher | None) -> Batch:
    return WatchedBatch(task, prompt, numbers, watch) if watch else Batch(task, prompt, numbers)


def _write_nothing(task: Task, count: int) -> Iterator[Text]:
    for number in range(count):
        text = Text(number, task.encoder)
        text.finish("length")
        yield text


class Batch:
    """Texts written side by side, a row each; a row leaves when its text is finished."""

    chain_class: type[Chain | WatchedChain] = Chain

    def __init__(
        self,
        task: Task,
        prompt: Reader,
        numbers: Sequence[int],
        history: History | None = None,
        ends: Sequence[str] | None = None,
    ) -> None:
        """Begin texts of these numbers, each after the task's prompt.

        Or after those of one length that a `history` has, with their `ends`, which were taken back.
        """
        self._ended: list[Text] = []
        ends = [task.prompt_end] * len(numbers) if ends is None else ends
        self.texts = tuple(
            Text(number, task.encoder, task.stops, self._ended.append, len(end))
            for number, end in zip(numbers, ends, strict=True)
        )
        self._rows = list(self.texts)
        self._max_tokens = task.max_tokens
        self._prompt_ends = PromptEnds(ends, task.encoder) if any(ends) else None
        self.max_steps = task.max_tokens + max(map(len, ends), default=0)  # no row hides more tokens than characters
        self._vocabulary_size = task.model.vocabulary_size
        self._never = list(task.encoder.never_generated)
        self._history = history or History(task.prompt, len(numbers))
        self._chain = self.chain_class(
            task.samplers, self._history, seed=task.seed, texts=numbers, encoder=task.encoder
        )
        self._apply_chain = self._chain.__call__  # a method, as it is called for each token: faster than an object
        self._numbers = DrawNumbers(task.seed, numbers)
        self._reader = prompt.repeat(len(numbers))
        self._make_buffers()
        self._take(self._reader.logits)

    @property
    def finished(self) -> int:
        """The number of finished texts."""
        return sum(text.finish_reason is not None for text in self.texts)

    def run(self) -> Iterator[list[str]]:
        """Write all texts to their end; after each token, yield the piece that it shows of each unfinished row."""
        for step in range(self.max_steps):
            if step:
                self._take(self._reader.read(self._history))
            ids = self._draw_ids(step)
            self._history.append(ids)
            only = self._only_push  # of a single row, for which it costs least so
            pieces = [only(ids.item())] if only is not None else self._push(ids)
            if self._prompt_ends is not None:
                self._prompt_ends.advance(ids)
                self._end_full(pieces)
            if self._ended:
                self._keep([row for row, text in enumerate(self._rows) if text.finish_reason is None])
            yield pieces
            if not self._rows:
                return
        yield [text.finish("length") for text in self._rows]

    def _push(self, ids: Ids) -> list[str]:
        """Give each text its next token, (B,), and return the pieces that can be shown now."""
        return [push(id) for push, id in zip(self._pushes, ids.tolist())]  # noqa: B905 -- it would cost time

    def _end_full(self, pieces: list[str]) -> None:
        """End the rows that have as many tokens as asked for, where some tokens have not shown."""
        for row, text in enumerate(self._rows):
            if text.finish_reason is None and text.tokens >= self._max_tokens:
                pieces[row] += text.finish("length")

    def _draw_ids(self, step: int) -> Ids:
        """Draw the next token of each row, (B,)."""
        logits = self._apply_chain(self._logits, step)
        if self._prompt_ends is not None:
            logits = self._prompt_ends.restrict(logits, self._kept)
        try:
            return self._draw(logits, self._numbers.at(step))
        except UndrawableRow as error:
            raise GenerationError(self._explain(error, step)) from None

    def _take(self, logits: ModelLogits) -> None:
        """Copy logits, (B, V), to float64: the model's own are valid only until its next call."""
        if logits.shape != self._shape:
            raise GenerationError(f"the model must give logits of shape {self._shape}, got {logits.shape}")
        self._kept[...] = logits
        if self._never:
            self._kept[:, self._never] = -np.inf
        if self._prompt_ends is not None:
            self._prompt_ends.rule_out(self._kept)

    def _keep(self, rows: list[int]) -> None:
        """Drop all rows but these."""
        self._ended.clear()
        self._rows = [self._rows[row] for row in rows]
        if not rows:
            return
        for part in (self._history, self._chain, self._numbers, self._reader, self._prompt_ends):
            if part is not None:
                part.keep(rows)
        self._make_buffers()

    def _make_buffers(self) -> None:
        self._pushes = [text.push for text in self._rows]
        self._only_push = self._pushes[0] if len(self._pushes) == 1 else None
        self._shape = (len(self._rows), self._vocabulary_size)
        self._kept = np.empty(self._shape)
        self._logits = self._kept.view()
        self._logits.flags.writeable = False
        self._draw = Draw(len(self._rows), self._vocabulary_size).draw

    def _explain(self, error: UndrawableRow, step: int) -> str:
        row = self._kept[error.row]
        sound = np.isfinite(row.max())
        source = f"the samplers ({self._chain}) left" if sound else "the model gave"
        number = self._rows[error.row].number
        return (
            f"{source} logits that {error.problem}, for text {number} at step {step} (chain: {self._chain}); "
            f"each text needs a finite one, and none may be NaN or +inf"
        )


class WatchedBatch(Batch):
    """A batch that writes the same texts, and calls a watcher with each token drawn."""

    chain_class = WatchedChain
    _chain: WatchedChain

    def __init__(self, task: Task, prompt: Reader, numbers: range, watch: Watcher) -> None:
        super().__init__(task, prompt, numbers)
        self._watch = watch

    def _draw_ids(self, step: int) -> Ids:
        ids = super()._draw_ids(step)
        model_logits = self._kept.copy()  # the next step writes over them
        uniform = self._numbers.at(step).tolist()
        said = [(each, each.logits.astype(np.float64)) for each in self._reader.collect_opinions()]
        for row, (text, id) in enumerate(zip(self._rows, ids.tolist(), strict=True)):
            stages = self._chain.collect_stages(row)
            opinions = tuple(PartOpinion(each.part, each.weight, logits[row]) for each, logits in said)
            self._watch(DrawnToken(text.number, step, id, uniform[row], model_logits[row], stages, opinions))
        return ids
