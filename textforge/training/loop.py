"""The training loop, written once for every backend that learns by gradients."""

from __future__ import annotations

import contextlib
import math

import attrs
import numpy as np

from textforge.errors import StopTraining, TrainingError
from textforge.model import GradientModel, SavedModel, State
from textforge.plugins.blame import blame_model
from textforge.training.batches import make_batches
from textforge.training.checkpoint import Checkpoint, Position, Turn
from textforge.training.clock import Clock
from textforge.training.data import TrainingData
from textforge.training.describing import describe_early_end, describe_run
from textforge.training.divergence import Judge
from textforge.training.events import EpochResult, Progress
from textforge.training.interruption import Interruption
from textforge.training.losses import Losses
from textforge.training.pacing import Pacer
from textforge.training.plan import SECONDS_BETWEEN_CHECKPOINTS
from textforge.training.report import Report
from textforge.training.resuming import refuse_finished, resume, take_up
from textforge.training.schedule import find_fall, find_pace, find_progress, learning_rate
from textforge.training.settings import TrainingSettings
from textforge.training.validating import HeldOut

SECONDS_BETWEEN_REPORTS = 0.1


def fit(
    model: GradientModel,
    data: TrainingData,
    settings: TrainingSettings,
    report: Report,
    checkpoint: Checkpoint | None = None,
) -> SavedModel:
    """Train a model, from the beginning or from a checkpoint that its weights are of, and return its best weights.

    Raises `TrainingError` where the loss is no longer finite, where no weights were ever better than guessing because
    training diverged, and where a checkpoint has nothing left to learn; `KeyboardInterrupt` after Ctrl-C. In each case
    `report` has had the last sound checkpoint.
    """
    try:
        run = TrainingRun(model, data, settings, report, checkpoint)
        with Interruption() as interruption:
            return run.train(interruption)
    finally:
        report.finish()


class TrainingRun:
    """A run of training: its position, and the step from one position to the next."""

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
        self.batches = make_batches(data.train, settings, data.encoder.token_name, data.encoder.end_of_text)
        before = checkpoint.position if checkpoint else Position()
        self.clock = Clock(before.seconds, trained_before=before.training_seconds)
        self.losses = Losses()
        self.state: State = None
        self.position = Position()
        self.best: SavedModel | None = None
        self.history: list[EpochResult] = []
        self.turn: Turn | None = None
        self.may_turn = False
        """True where the learning rate of the last step was not falling yet."""
        self.saved_step: int | None = None
        self.pacer = Pacer(settings, self.batches, self.clock)
        self.judge = Judge(model.vocabulary_size, data.encoder.token_name, settings)
        self._begin(checkpoint)
        self.held_out = HeldOut(data, settings, self.batches.length, self.position.validation_tokens)

    def _begin(self, checkpoint: Checkpoint | None) -> None:
        if self.settings.sequences == "windows":
            self.model.window = self.settings.window
        self.model.begin(self.settings.make_optimizer(), self.settings.seed)
        if checkpoint is None:
            self.state = self.model.start(self.batches.rows)
        else:
            self.position = resume(checkpoint.position, self.batches)
            self.state = self.model.restore(checkpoint.arrays)
            self.best = checkpoint.best
            self.history = list(checkpoint.history)
            # of a run that goes back, what it had come to is still what is saved
            went_on = checkpoint.goes_back and bool(self.history)
            self.saved_step = self.history[-1].step if went_on else checkpoint.position.step
            self.losses = Losses(self.position.loss_sum, self.position.loss_count, self.position.first_loss)
            refuse_finished(self.position, self.settings, self.epoch)
        back_to = self.epoch if checkpoint is not None and checkpoint.goes_back else None
        self.position, self.note = take_up(self.position, self.settings, self.pacer.plan, back_to=back_to)
        self._go_to(rows=self.batches.rows, length=self.batches.length)
        if checkpoint is not None and checkpoint.turn is not None and checkpoint.turn.is_of(self.position):
            self.turn = checkpoint.turn

    def _go_to(self, **changes: object) -> None:
        self.position = attrs.evolve(self.position, **changes)  # type: ignore[arg-type]

    @property
    def epoch(self) -> float:
        """Epochs done, the present one by its share."""
        return self.position.epoch + self.position.step_in_epoch / self.batches.steps_per_epoch

    def train(self, interruption: Interruption) -> SavedModel:
        """Train until the plan is done, patience is over or a report stops the run, and return the best weights."""
        self.clock.start()
        try:
            self.report.start(describe_run(self.model, self.data, self.settings, self.batches, self.epoch))
            if self.note is not None:
                self.report.message(self.note)
            self._go_on(interruption)
        except StopTraining as stop:
            self._stop(stop)
        return self._finish()

    def _go_on(self, interruption: Interruption) -> None:
        """Train step after step."""
        while True:
            if self.pacer.plan.evaluation_is_due(self.position):
                self._evaluate()
            if self._is_finished():
                break
            if interruption.requested:
                self._save()
                raise KeyboardInterrupt
            self._note_turn()
            self._step()
            if self.clock.is_due("report", SECONDS_BETWEEN_REPORTS):
                self._report_progress()
            if self.pacer.correction_is_due(self.position):
                self._correct_plan()
            if self.clock.is_due("checkpoint", SECONDS_BETWEEN_CHECKPOINTS):
                self._save()

    def _stop(self, stop: StopTraining) -> None:
        """End the run as a report asked for, with what was learnt since the last validation judged too."""
        with contextlib.suppress(StopTraining):
            self.report.message(f"training stops, as a report asked for{f': {stop}' if str(stop) else ''}")
        with contextlib.suppress(StopTraining):
            if self.position.step > self.position.evaluated_step:
                self._evaluate()

    def _finish(self) -> SavedModel:
        """Save the end of the run and return its best weights; raises `TrainingError` where none were ever sound."""
        if not self.judge.sound and self.best is None:
            raise self.judge.never_sound(self.history[-1].judged_loss, self.saved_step)
        self._go_to(finished=True)
        with contextlib.suppress(StopTraining):
            self._save()
            if worth := self.judge.describe_worth(self.position.best_loss):
                self.report.message(worth)
        return self.best if self.best is not None else self._copy_model()

    def _is_finished(self) -> bool:
        total = self.position.total_steps
        return self.judge.hopeless or self._is_out_of_patience() or (total is not None and self.position.step >= total)

    def _is_out_of_patience(self) -> bool:
        # of a round, or of a run that went back, the best is its own, though an older one may be kept
        stale = min(self.position.stale_epochs, self.position.trend.stale)
        return bool(self.settings.patience) and stale >= (self.settings.patience or 0)

    def _step(self) -> None:
        epoch_ends = self.position.step_in_epoch == self.batches.steps_per_epoch
        if epoch_ends:
            self._go_to(epoch=self.position.epoch + 1, step_in_epoch=0)
        if epoch_ends or not self.batches.carries_state:
            self.state = self.model.start(self.batches.rows)
        at = self.position
        inputs, targets = self.batches.batch(at.epoch, at.step_in_epoch)
        rate = learning_rate(self.settings, at)
        try:
            loss, self.state = self.model.train_step(inputs, targets, self.state, learning_rate=rate, step=at.step)
        except Exception as error:
            raise blame_model(self.model, error, "in a step of training") from error
        self.losses.add(loss)
        self.clock.count_step()
        self._go_to(step=at.step + 1, step_in_epoch=at.step_in_epoch + 1)

    def _note_turn(self) -> None:
        """Keep the moment at which the learning rate begins to fall, for the day that more is asked for."""
        if self.turn is not None or not self.position.course.hold:
            return
        progress, fall = find_progress(self.settings, self.position), find_fall(self.settings, self.position.course)
        begins = self.may_turn or progress - find_pace(self.settings, self.position) < fall
        self.may_turn = progress < fall
        if self.may_turn or not begins:
            return
        with self.clock.pause():
            self._read_losses()
            if self.judge.may_save(self.losses):
                self._record()
                # a backend may give arrays that it goes on changing
                arrays = {name: array.copy() for name, array in self.model.training_arrays(self.state).items()}
                self.turn = Turn(self.position, self._copy_model(), arrays)

    def _correct_plan(self) -> None:
        """Count the steps of a run limited by time again, and validate it first where that is due, to know the cost."""
        self._read_losses()  # a device may be steps behind
        self.position = self.pacer.correct(self.position)
        if self.pacer.first_evaluation_is_due(self.position):
            if self.position.validation_tokens is None:
                self._bound_validation(self.pacer.validation_tokens(self.position))
            self._evaluate()
            self.position = self.pacer.correct(self.position)

    def _bound_validation(self, size: int) -> None:
        tokens = self.held_out.bound(size)
        if tokens is not None:
            self._go_to(validation_tokens=tokens)  # so that a resumed run measures the same part
        if note := self.held_out.describe():
            self.report.message(note)

    def _report_progress(self) -> None:
        position = self.position
        loss = self._read_losses()
        self.report.step(
            Progress(
                step=position.step,
                total_steps=self.pacer.plan.known_total(position),
                epoch=self.epoch,
                loss=loss,
                learning_rate=learning_rate(self.settings, position),
                tokens_per_second=self.clock.steps_per_second * self.batches.tokens_per_step,
                seconds=self.clock.seconds,
                seconds_left=self.pacer.seconds_left(position),
            )
        )

    def _read_losses(self) -> float:
        """Return the mean loss since the last reading; raises `TrainingError` where it is not finite."""
        loss = self.losses.read()
        if not math.isfinite(loss):
            raise self._not_finite("training", loss)
        return loss

    def _not_finite(self, kind: str, loss: float) -> TrainingError:
        return self.judge.not_finite(kind, loss, self.position.step, self.saved_step)

    def _evaluate(self) -> None:
        """Validate, keep the weights if they are the best, tell, and note what that cost."""
        self._read_losses()
        train_loss = self.losses.mean
        with self.clock.pause():
            began = self.clock.seconds
            validation_loss = self._validation_loss()
            validated = self.clock.seconds
            judged = train_loss if validation_loss is None else validation_loss
            if not math.isfinite(judged):
                raise self._not_finite("validation", judged)
            self.judge.judge(self.losses, judged)
            if not self.judge.sound:
                self.report.message(self.judge.describe(judged))
            improved = self._keep_if_best(judged, unvalidated=validation_loss is None)
            self._end_early(validation_loss)
            result = self._result(train_loss, validation_loss, improved)
            self.losses = Losses(first=self.losses.first)
            self.history.append(result)
            self._save()  # first: whatever fails in telling, the epoch is kept
            self.report.epoch(result, self.model)
            telling = self.clock.seconds - validated
            validation = validated - began
            if self.pacer.is_to_be_timed_again(validation, self.held_out.tokens, self.position):
                began = self.clock.seconds
                self._validation_loss()
                validation = self.clock.seconds - began
            self._go_to(costs=self.position.costs.measure_evaluation(validation, telling))

    def _end_early(self, validation_loss: float | None) -> None:
        """Bring the run to an early end where it has stopped getting better, unless its patience is given."""
        position = self.position
        if validation_loss is None:
            return
        trend = position.trend.judge(validation_loss, position.step)
        self._go_to(trend=trend)
        is_last = position.course.ends_early or position.step >= (position.total_steps or position.step)
        if self.settings.patience == 0 and not is_last and trend.has_stopped(position.step):
            self.position = self.pacer.end_early(self.position)
            self.report.message(describe_early_end(self.position, self.batches))

    def _keep_if_best(self, judged: float, *, unvalidated: bool) -> bool:
        """Keep the weights where they are sound and the best so far; unvalidated, the latest are the best there are."""
        improved = self.judge.sound and (
            self.position.best_loss is None or unvalidated or judged < self.position.best_loss
        )
        if improved:
            self.best = self._copy_model()
            self._go_to(best_loss=judged, best_epoch=self.epoch)
        self._go_to(stale_epochs=0 if improved else self.position.stale_epochs + 1, evaluated_step=self.position.step)
        return improved

    def _validation_loss(self) -> float | None:
        return self.held_out.loss(self.model)

    def _copy_model(self) -> SavedModel:
        """Copy the model as it stands, with the window that the run gave it."""
        return attrs.evolve(self.model.save(), window=self.model.window)

    def _result(self, train_loss: float, validation_loss: float | None, improved: bool) -> EpochResult:
        return EpochResult(
            epoch=self.epoch,
            step=self.position.step,
            train_loss=train_loss,
            validation_loss=validation_loss,
            replay_loss=self.held_out.replay_loss(self.model),
            learning_rate=learning_rate(self.settings, self.position),
            tokens_per_second=self.clock.take_rate() * self.batches.tokens_per_step,
            seconds=self.clock.seconds,
            best=improved,
        )

    def _record(self) -> None:
        """Record the losses and times so far in the position."""
        losses = {"loss_sum": self.losses.total, "loss_count": self.losses.count, "first_loss": self.losses.first}
        times = {"seconds": self.clock.seconds, "training_seconds": self.clock.training_seconds}
        self._go_to(**times, **losses)

    def _save(self) -> None:
        """Give the report a checkpoint, of sound weights only."""
        self._read_losses()
        if not self.judge.may_save(self.losses):
            return
        model = self._copy_model()
        for name, array in model.arrays.items():
            if not np.isfinite(array).all():
                raise self._not_finite(f"weights ({name}), and so the", math.nan)
        self._record()
        arrays = self.model.training_arrays(self.state)
        checkpoint = Checkpoint(self.position, model, self.best or model, arrays, tuple(self.history), self.turn)
        with self.clock.pause():
            began = self.clock.seconds
            self.report.checkpoint(checkpoint)
            self._go_to(costs=self.position.costs.measure_saving(self.clock.seconds - began))
        self.saved_step = self.position.step
