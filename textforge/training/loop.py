"""The training loop, written once for every backend that learns by gradients."""

from __future__ import annotations

import math

import attrs
import numpy as np

from textforge.errors import TrainingError, advise
from textforge.evaluation.evaluation import token_loss
from textforge.model import GradientModel, SavedModel, State
from textforge.training.batches import make_batches
from textforge.training.checkpoint import Checkpoint, Position
from textforge.training.clock import Clock
from textforge.training.data import TrainingData
from textforge.training.interruption import Interruption
from textforge.training.losses import Losses
from textforge.training.plan import Plan
from textforge.training.report import EpochResult, Progress, Report, RunStart
from textforge.training.schedule import learning_rate
from textforge.training.settings import TrainingSettings

SECONDS_BETWEEN_REPORTS = 0.1
SECONDS_BETWEEN_CHECKPOINTS = 60.0


def fit(
    model: GradientModel,
    data: TrainingData,
    settings: TrainingSettings,
    report: Report,
    checkpoint: Checkpoint | None = None,
) -> SavedModel:
    """Train a model, from the beginning or from a checkpoint that its weights are of, and give its best weights.

    Raises `TrainingError` where the loss is no longer finite, and `KeyboardInterrupt` after Ctrl-C; either way
    `report` has had the last good checkpoint.
    """
    run = TrainingRun(model, data, settings, report, checkpoint)
    try:
        with Interruption() as interruption:
            return run.train(interruption)
    finally:
        report.finish()


class TrainingRun:
    """One run: where it stands, and what the next step is."""

    def __init__(
        self,
        model: GradientModel,
        data: TrainingData,
        settings: TrainingSettings,
        report: Report,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.model = model
        self.data = data
        self.settings = settings
        self.report = report
        self.batches = make_batches(data.train, settings, data.encoder.unit)
        self.clock = Clock(checkpoint.position.seconds if checkpoint else 0.0)
        self.losses = Losses()
        self.state: State = None
        self.position = Position()
        self.best: SavedModel | None = None
        self.history: list[EpochResult] = []
        self.saved_step = checkpoint.position.step if checkpoint else None
        self.plan = Plan(settings, self.batches, len(data.validation))
        self._begin(checkpoint)

    def _begin(self, checkpoint: Checkpoint | None) -> None:
        if self.settings.sequences == "windows":
            self.model.window = self.settings.window
        self.model.begin(self.settings.make_optimizer(), self.settings.seed)
        if checkpoint is None:
            self.state = self.model.start(self.batches.rows)
        else:
            self.position = self._resumed(checkpoint.position)
            self.state = self.model.restore(checkpoint.arrays)
            self.best = checkpoint.best
            self.history = list(checkpoint.history)
            self.losses = Losses(self.position.loss_sum, self.position.loss_count)
        shape = {"rows": self.batches.rows, "length": self.batches.length}
        self._go_to(total_steps=self.plan.total_steps(self.position), **shape)

    def _resumed(self, position: Position) -> Position:
        """Where to go on. A finished run that is resumed is asked for more, so its patience begins anew.

        Raises `TrainingError` for a position that isn't one of this run's batches.
        """
        shape = (self.batches.rows, self.batches.length)
        if (position.rows, position.length) != shape or position.step_in_epoch > self.batches.steps_per_epoch:
            raise TrainingError(
                f"the checkpoint is of batches of {position.rows} x {position.length}, but the settings make them "
                f"{shape[0]} x {shape[1]}: its config.json was edited; copy the model again, or train it anew"
            )
        patience = {"stale_epochs": 0} if position.finished else {}
        return attrs.evolve(position, finished=False, **patience)

    def _go_to(self, **changes: object) -> None:
        self.position = attrs.evolve(self.position, **changes)  # type: ignore[arg-type]

    @property
    def epoch(self) -> float:
        """Epochs done, the present one by its share."""
        return self.position.epoch + self.position.step_in_epoch / self.batches.steps_per_epoch

    def train(self, interruption: Interruption) -> SavedModel:
        """Step after step, until the plan is done or patience is over."""
        self.report.start(self._run_start())
        self.clock.start()
        if 0 < self.position.step == self.position.evaluated_step and self._is_finished():
            self.report.message(f"nothing is left to learn: {self.epoch:.4g} epochs are done; ask for more")
            return self._best()
        while True:
            if self.plan.evaluation_is_due(self.position):
                self._evaluate()
            if self._is_finished():
                break
            if interruption.requested:
                self._save()
                raise KeyboardInterrupt
            self._step()
            if self.clock.is_due("report", SECONDS_BETWEEN_REPORTS):
                self._measure_plan()
                self._report_progress()
            if self.clock.is_due("checkpoint", SECONDS_BETWEEN_CHECKPOINTS):
                self._save()
        self._go_to(finished=True)
        self._save()
        return self._best()

    def _is_finished(self) -> bool:
        out_of_patience = self.settings.patience is not None and self.position.stale_epochs >= self.settings.patience
        total = self.position.total_steps
        return out_of_patience or (total is not None and self.position.step >= total)

    def _step(self) -> None:
        epoch_ends = self.position.step_in_epoch == self.batches.steps_per_epoch
        if epoch_ends:
            self._go_to(epoch=self.position.epoch + 1, step_in_epoch=0)
        if epoch_ends or not self.batches.carries_state:
            self.state = self.model.start(self.batches.rows)
        at = self.position
        inputs, targets = self.batches.batch(at.epoch, at.step_in_epoch)
        rate = learning_rate(self.settings, at.step, at.total_steps)
        loss, self.state = self.model.train_step(inputs, targets, self.state, learning_rate=rate, step=at.step)
        self.losses.add(loss)
        self.clock.count_step()
        self._go_to(step=at.step + 1, step_in_epoch=at.step_in_epoch + 1)

    def _measure_plan(self) -> None:
        """Fix the number of steps of a run limited by time, once it is known how many fit."""
        if self.position.total_steps is None:
            self._go_to(total_steps=self.plan.measured(self.position, self.clock.seconds, self.clock.steps_per_second))

    def _report_progress(self) -> None:
        loss = self._read_losses()
        total = self.position.total_steps
        left = None if total is None else (total - self.position.step) / max(self.clock.steps_per_second, 1e-9)
        self.report.step(
            Progress(
                step=self.position.step,
                total_steps=total,
                epoch=self.epoch,
                loss=loss,
                learning_rate=learning_rate(self.settings, self.position.step, total),
                tokens_per_second=self.clock.steps_per_second * self.batches.tokens_per_step,
                seconds=self.clock.seconds,
                seconds_left=left,
            )
        )

    def _read_losses(self) -> float:
        """The mean loss since the last reading; raises `TrainingError` where it is not finite."""
        loss = self.losses.read()
        if not math.isfinite(loss):
            raise self._diverged("training", loss)
        return loss

    def _diverged(self, kind: str, loss: float) -> TrainingError:
        clip = "none" if self.settings.clip_norm is None else f"{self.settings.clip_norm:g}"
        saved = "nothing was saved" if self.saved_step is None else f"what was saved at step {self.saved_step} is kept"
        return TrainingError(
            f"the {kind} loss became {loss} at step {self.position.step}, so training stopped; "
            "lower the learning rate (",
            advise("learning_rate"),
            f", now {self.settings.peak_learning_rate:g}) or clip gradients (",
            advise("clip_norm"),
            f", now {clip}); {saved}",
        )

    def _evaluate(self) -> None:
        """Validate, keep the weights if they are the best, and tell."""
        self._read_losses()
        train_loss = self.losses.mean
        with self.clock.paused():
            validation_loss = self._validation_loss()
            judged = train_loss if validation_loss is None else validation_loss
            if not math.isfinite(judged):
                raise self._diverged("validation", judged)
            # Without validation the latest weights are the best there are.
            improved = self.position.best_loss is None or validation_loss is None or judged < self.position.best_loss
            if improved:
                self.best = self._saved_model()
                self._go_to(best_loss=judged, best_epoch=self.epoch)
            self._go_to(
                stale_epochs=0 if improved else self.position.stale_epochs + 1, evaluated_step=self.position.step
            )
            result = self._result(train_loss, validation_loss, improved)
            self.losses = Losses()
            self.history.append(result)
            self._save()  # first: whatever fails in telling, the epoch is kept
            self.report.epoch(result, self.model)

    def _validation_loss(self) -> float | None:
        tokens = self.data.validation
        if len(tokens) <= (self.model.window or 0) + 1:
            return None
        stride = self.settings.stride if self.model.window else 1
        length = self.batches.length
        return token_loss(self.model, tokens, sequence_length=length, stride=stride).mean

    def _result(self, train_loss: float, validation_loss: float | None, improved: bool) -> EpochResult:
        return EpochResult(
            epoch=self.epoch,
            step=self.position.step,
            train_loss=train_loss,
            validation_loss=validation_loss,
            learning_rate=learning_rate(self.settings, self.position.step, self.position.total_steps),
            tokens_per_second=self.clock.take_rate() * self.batches.tokens_per_step,
            seconds=self.clock.seconds,
            best=improved,
        )

    def _save(self) -> None:
        """Give the report a checkpoint, of good weights only."""
        self._read_losses()
        model = self._saved_model()
        for name, array in model.arrays.items():
            if not np.isfinite(array).all():
                raise self._diverged(f"weights ({name}), and so the", math.nan)
        self._go_to(loss_sum=self.losses.total, loss_count=self.losses.count, seconds=self.clock.seconds)
        arrays = self.model.training_arrays(self.state)
        checkpoint = Checkpoint(self.position, model, self.best or model, arrays, tuple(self.history))
        with self.clock.paused():
            self.report.checkpoint(checkpoint)
        self.saved_step = self.position.step

    def _best(self) -> SavedModel:
        return self.best if self.best is not None else self._saved_model()

    def _saved_model(self) -> SavedModel:
        """Return the model as it stands, with the window that the run gave it."""
        return attrs.evolve(self.model.save(), window=self.model.window)

    def _run_start(self) -> RunStart:
        return RunStart(
            parameters=sum(array.size for array in self.model.save().arrays.values()),
            vocabulary_size=self.model.vocabulary_size,
            train_tokens=len(self.data.train),
            validation_tokens=len(self.data.validation),
            unit=self.data.encoder.unit,
            epochs=self.settings.epoch_limit,
            minutes=self.settings.minutes,
            steps_per_epoch=self.batches.steps_per_epoch,
            batch_size=self.batches.rows,
            sequence_length=self.batches.length,
            epoch=self.epoch,
            sequences=self.batches.sequences,
        )
