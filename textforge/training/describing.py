"""The description of a run that is about to begin, or to end."""

from __future__ import annotations

from textforge.model import Model
from textforge.training.batches import Batches
from textforge.training.checkpoint import Position
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


def describe_early_end(position: Position, batches: Batches) -> str:
    """Return a message on a run that comes to its end because it has stopped getting better."""
    best, end = (step / batches.steps_per_epoch for step in (position.trend.best_step, position.total_steps or 0))
    return (
        f"validation has not got better since epoch {best:.3g}: the run comes to an early end at epoch {end:.3g}; "
        f"a patience of none would let it go on"
    )
