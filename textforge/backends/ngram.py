"""The backend ``ngram``: interpolated Kneser-Ney counts. It needs NumPy alone and learns in seconds."""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np

from textforge.backends.base import Backend
from textforge.backends.numpy.ngram.beginning import ending_of
from textforge.backends.numpy.ngram.counts import Keys, Table, count_tables, empty_tables, longest_order
from textforge.backends.numpy.ngram.model import ARCHITECTURE, NgramModel
from textforge.backends.numpy.ngram.saved import checked_tables
from textforge.components.component import option
from textforge.errors import BackendError, OptionError, TrainingError
from textforge.evaluation.loss import token_loss
from textforge.model import Model, SavedModel
from textforge.training.checkpoint import Checkpoint, Position
from textforge.training.data import TrainingData
from textforge.training.report import EpochResult, Report, RunStart
from textforge.training.settings import TrainingSettings

USUAL_ORDER = 7
"""Measured: of the orders 3 to 9 the best on Nietzsche (1.968 bits a character) and Tiny Shakespeare (2.188)."""
TRAIN_LOSS_TOKENS = 100_000
"""The training loss is measured on the text's beginning."""

IGNORED = (
    "epochs",
    "minutes",
    "batch_size",
    "sequence_length",
    "sequences",
    "window",
    "stride",
    "optimizer",
    "learning_rate",
    "schedule",
    "clip_norm",
    "patience",
    "sample_every",
)
"""The training settings of models that learn step by step."""


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
        return self._model(empty_tables(self._order_for(vocabulary_size)), np.zeros(0, np.uint64), vocabulary_size)

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

    def _model(self, tables: tuple[Table, ...], ending: Keys, vocabulary_size: int) -> NgramModel:
        return NgramModel(tables, ending, vocabulary_size, np.float64 if self.precision == "float64" else np.float32)

    def load(self, saved: SavedModel) -> NgramModel:
        return self._model(*checked_tables(saved), saved.vocabulary_size)

    def fit(
        self,
        model: Model,
        data: TrainingData,
        settings: TrainingSettings,
        report: Report,
        checkpoint: Checkpoint | None = None,
    ) -> Model:
        """Count the n-grams of the training tokens in one pass, and say which settings given mean nothing to that.

        With a checkpoint there is nothing left to learn. Raises `TrainingError` for a text of a single token.
        """
        if not isinstance(model, NgramModel):
            raise BackendError(f"{self.name} can't train {type(model).__name__}; make the model with its own create()")
        if len(data.train) < 2:
            raise TrainingError(
                f"the corpus is too short: 2 {data.encoder.unit} to train on are needed, got {len(data.train)}"
            )
        try:
            if checkpoint:
                return self._resumed(report, checkpoint)
            self._tell_ignored(settings, report)
            return self._counted(model, data, report)
        finally:
            report.finish()

    def _resumed(self, report: Report, checkpoint: Checkpoint) -> Model:
        report.message("nothing is left to learn: n-grams are counted once")
        report.checkpoint(checkpoint)
        return self.load(checkpoint.best)

    def _tell_ignored(self, settings: TrainingSettings, report: Report) -> None:
        options = settings.options()
        if names := [name for name in IGNORED if getattr(settings, name) != options[name].default]:
            verb = "is" if len(names) == 1 else "are"
            report.message(f"the backend {self.name} counts the corpus once: {', '.join(names)} {verb} ignored")

    def _counted(self, model: NgramModel, data: TrainingData, report: Report) -> Model:
        report.message(f"counting n-grams of up to {model.order} {data.encoder.unit}")
        began = time.perf_counter()
        tables = count_tables(data.train, model.vocabulary_size, model.order)
        trained = self._model(tables, ending_of(data.train, model.order), model.vocabulary_size)
        seconds = time.perf_counter() - began
        report.start(_run_start(trained, data))
        result = _result(trained, data, seconds)
        report.checkpoint(_checkpoint(trained.save(), result))  # first, so that no failing report loses the model
        report.epoch(result, trained)
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
