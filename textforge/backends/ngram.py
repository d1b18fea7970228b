"""The backend ``ngram``: interpolated Kneser-Ney counts. It needs NumPy alone and learns in seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, ClassVar

import attrs
import numpy as np
import numpy.typing as npt

from textforge.backends.base import Array, Backend, Loss, Model, SavedModel
from textforge.backends.ngram_counts import (
    KneserNey,
    Table,
    count_tables,
    empty_tables,
    longest_order,
    low_bits,
    token_bits,
)
from textforge.backends.ngram_saved import checked_tables, saved_arrays
from textforge.component import option
from textforge.errors import BackendError, OptionError, TrainingError
from textforge.evaluation import token_loss
from textforge.training.checkpoint import Checkpoint, Position
from textforge.training.data import TrainingData
from textforge.training.report import EpochResult, Report, RunStart
from textforge.training.settings import TrainingSettings

ARCHITECTURE = "ngram"
USUAL_ORDER = 7
"""Measured: of the orders 3 to 9 the best on Nietzsche (1.968 bits a character) and Tiny Shakespeare (2.188)."""
PIECE = 1 << 20
"""Probabilities computed at once."""
TRAIN_LOSS_TOKENS = 100_000
"""The training loss is measured on the text's beginning."""


@attrs.define(eq=False)
class NgramState:
    """The last tokens of each row."""

    histories: npt.NDArray[np.uint64]
    """(B,): up to order - 1 tokens, packed."""
    length: int = 0
    """How many tokens these are."""


class NgramModel(Model):
    """Predicts from the last `order` - 1 tokens, by counts; its logits are log-probabilities.

    At the start of a text the context is as long as what was read so far.
    """

    def __init__(
        self, tables: tuple[Table, ...], vocabulary_size: int, dtype: type[np.floating[Any]] = np.float32
    ) -> None:
        self.vocabulary_size = vocabulary_size
        self.tables = tables
        self._dtype = dtype
        self._bits = np.uint64(token_bits(vocabulary_size))
        self._mask = low_bits((self.order - 1) * int(self._bits))
        self._smoothed = KneserNey(tables, vocabulary_size)

    @property
    def order(self) -> int:
        """Tokens of the longest n-grams."""
        return len(self.tables)

    @property
    def parameters(self) -> int:
        """How many n-grams there are, of all lengths."""
        return sum(len(table.keys) for table in self.tables)

    def start(self, batch_size: int) -> NgramState:
        return NgramState(np.zeros(batch_size, dtype=np.uint64))

    def _advance(self, ids: Array, state: NgramState) -> None:
        state.histories = ((state.histories << self._bits) | ids.astype(np.uint64)) & self._mask
        state.length = min(state.length + 1, self.order - 1)

    def _logits(self, histories: npt.NDArray[np.uint64], length: int) -> npt.NDArray[np.floating[Any]]:
        probabilities = self._smoothed.probabilities(histories, length)
        return np.log(probabilities, out=probabilities).astype(self._dtype, copy=False)

    def step(self, ids: Array, state: NgramState) -> npt.NDArray[np.floating[Any]]:
        self._advance(ids, state)
        return self._logits(state.histories, state.length)

    def forward(self, ids: Array, state: NgramState, last_only: bool = False) -> npt.NDArray[np.floating[Any]]:
        rows, length = ids.shape
        kept = min(1, length) if last_only else length
        spans = self._spans(state.length, length, max(1, PIECE // (self.vocabulary_size * max(1, rows))))
        histories = self._read(ids, state)[:, length - kept :]
        logits = np.empty((rows, kept, self.vocabulary_size), dtype=self._dtype)
        for start, stop, context in [(0, kept, state.length)] if last_only else spans:
            span = histories[:, start:stop]
            logits[:, start:stop] = self._logits(span.ravel(), context).reshape(*span.shape, self.vocabulary_size)
        return logits

    def loss(self, inputs: Array, targets: Array, state: NgramState) -> tuple[Loss, NgramState]:
        """The mean loss of the targets, (B, T), or (B,) after the last input: much faster than by all the logits."""
        spans = self._spans(state.length, inputs.shape[1], PIECE)
        histories = self._read(inputs, state)
        if targets.ndim == 1:
            histories, targets, spans = histories[:, -1:], targets[:, None], iter([(0, 1, state.length)])
        losses = [
            -np.log(self._smoothed.chosen(histories[:, a:b].ravel(), targets[:, a:b].ravel(), context))
            for a, b, context in spans
        ]
        return float(np.concatenate(losses).mean()), state

    def _read(self, ids: Array, state: NgramState) -> npt.NDArray[np.uint64]:
        """The history after each token, (B, T); the state is that after the last."""
        histories = np.empty(ids.shape, dtype=np.uint64)
        for t in range(ids.shape[1]):
            self._advance(ids[:, t], state)
            histories[:, t] = state.histories
        return histories

    def _spans(self, before: int, count: int, most: int) -> Iterator[tuple[int, int, int]]:
        """Neighbouring places whose contexts are of one length: where they begin and end, and that length.

        `before` tokens were read already; no span has more than so many places.
        """
        longest = self.order - 1
        growing = min(count, max(0, longest - 1 - before))
        for place in range(growing):
            yield place, place + 1, before + place + 1
        for start in range(growing, count, most):
            yield start, min(start + most, count), longest

    def select(self, state: NgramState, rows: Array) -> NgramState:
        return NgramState(state.histories[rows].copy(), state.length)

    def save(self) -> SavedModel:
        return SavedModel(ARCHITECTURE, {"order": self.order}, self.vocabulary_size, saved_arrays(self.tables))


class NgramBackend(Backend):
    """Counts n-grams and smooths the counts: trained in seconds, and the baseline an LSTM must beat.

    Source: Chen and Goodman, 1998, interpolated Kneser-Ney with three discounts an order.

    >>> model = NgramBackend(order=3).create(vocabulary_size=4, seed=0)
    >>> np.exp(model.step(np.array([2]), model.start(1)))
    array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)
    """

    name = "ngram"
    architecture: ClassVar[str] = ARCHITECTURE

    order: int | None = option(
        default=None,
        ge=1,
        help=f"Tokens of the longest n-grams; none: {USUAL_ORDER}, or fewer where the vocabulary is too large for it.",
    )
    precision: str = option(
        default="float32", choices=("float32", "float64"), runtime=True, help="Precision of the logits."
    )

    def create(self, vocabulary_size: int, seed: int) -> NgramModel:
        """A model that has read nothing: every token is as likely as any other."""
        return self._model(empty_tables(self._order_for(vocabulary_size)), vocabulary_size)

    def _order_for(self, vocabulary_size: int) -> int:
        longest = longest_order(vocabulary_size)
        if self.order is None:
            return min(USUAL_ORDER, longest)
        if self.order > longest:
            raise OptionError(
                f"{self.title()}order must be <= {longest} for a vocabulary of {vocabulary_size} tokens, "
                f"got {self.order}"
            )
        return self.order

    def _model(self, tables: tuple[Table, ...], vocabulary_size: int) -> NgramModel:
        return NgramModel(tables, vocabulary_size, np.float64 if self.precision == "float64" else np.float32)

    def load(self, saved: SavedModel) -> NgramModel:
        return self._model(checked_tables(saved), saved.vocabulary_size)

    def fit(
        self,
        model: Model,
        data: TrainingData,
        settings: TrainingSettings,
        report: Report,
        checkpoint: Checkpoint | None = None,
    ) -> Model:
        """Count the n-grams of the training tokens: one pass, and the settings of other backends mean nothing.

        With a checkpoint there is nothing left to learn. Raises `TrainingError` for a text of a single token.
        """
        if not isinstance(model, NgramModel):
            raise BackendError(f"{self.name} can't train {type(model).__name__}; make the model with its own create()")
        if len(data.train) < 2:
            raise TrainingError(
                f"the corpus is too short: 2 {data.encoder.unit} to train on are needed, got {len(data.train)}"
            )
        try:
            return self._resumed(report, checkpoint) if checkpoint else self._counted(model, data, report)
        finally:
            report.finish()

    def _resumed(self, report: Report, checkpoint: Checkpoint) -> Model:
        report.message("nothing is left to learn: n-grams are counted once")
        report.checkpoint(checkpoint)
        return self.load(checkpoint.best)

    def _counted(self, model: NgramModel, data: TrainingData, report: Report) -> Model:
        report.message(f"counting n-grams of up to {model.order} {data.encoder.unit}")
        began = time.perf_counter()
        trained = self._model(count_tables(data.train, model.vocabulary_size, model.order), model.vocabulary_size)
        seconds = time.perf_counter() - began
        report.start(_run_start(trained, data))
        result = _result(trained, data, seconds)
        report.epoch(result, trained)
        report.checkpoint(_checkpoint(trained.save(), result))
        return trained


def _run_start(model: NgramModel, data: TrainingData) -> RunStart:
    return RunStart(
        parameters=model.parameters,
        vocabulary_size=model.vocabulary_size,
        train_tokens=len(data.train),
        validation_tokens=len(data.validation),
        unit=data.encoder.unit,
        epochs=None,
        minutes=None,
        steps_per_epoch=1,
        batch_size=max(1, len(data.train) - model.order + 1),
        sequence_length=model.order,
        epoch=0.0,
    )


def _result(model: NgramModel, data: TrainingData, seconds: float) -> EpochResult:
    return EpochResult(
        epoch=1.0,
        step=1,
        train_loss=token_loss(model, data.train[:TRAIN_LOSS_TOKENS]).mean,
        validation_loss=token_loss(model, data.validation).mean if len(data.validation) > 1 else None,
        learning_rate=0.0,
        tokens_per_second=len(data.train) / max(seconds, 1e-9),
        seconds=seconds,
        best=True,
    )


def _checkpoint(saved: SavedModel, result: EpochResult) -> Checkpoint:
    position = Position(
        step=1,
        step_in_epoch=1,
        evaluated_step=1,
        best_loss=result.train_loss if result.validation_loss is None else result.validation_loss,
        best_epoch=1.0,
        total_steps=1,
        seconds=result.seconds,
        finished=True,
    )
    return Checkpoint(position, saved, saved, {}, (result,))
