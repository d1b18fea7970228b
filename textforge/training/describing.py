"""The description of a run that is about to begin."""

from __future__ import annotations

from textforge.model import Model
from textforge.training.batches import Batches
from textforge.training.data import TrainingData
from textforge.training.events import RunStart
from textforge.training.settings import TrainingSettings


def describe_run(
    model: Model, data: TrainingData, settings: TrainingSettings, batches: Batches, epoch: float
) -> RunStart:
    """Return the description that a report is given at the start of a run, which has done so many epochs."""
    return RunStart(
        parameters=sum(array.size for array in model.save().arrays.values()),
        vocabulary_size=model.vocabulary_size,
        train_tokens=len(data.train),
        validation_tokens=len(data.validation),
        unit=data.encoder.token_name,
        epochs=settings.epoch_limit,
        minutes=settings.minutes,
        steps_per_epoch=batches.steps_per_epoch,
        batch_size=batches.rows,
        sequence_length=batches.length,
        epoch=epoch,
        sequences=batches.sequences,
    )
