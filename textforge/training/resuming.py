"""The resumption of a run: the position that it goes on from, and the refusal of a run that is done."""

from __future__ import annotations

import attrs

from textforge.errors import TrainingError, advise
from textforge.training.batches import Batches
from textforge.training.checkpoint import Position
from textforge.training.settings import TrainingSettings


class NothingLeft(TrainingError):
    """The error that a resumed run has had all that is asked for."""


def resume(position: Position, batches: Batches) -> Position:
    """Return the position to go on from. A finished run that is resumed is asked for more: its patience begins anew.

    Raises `TrainingError` for a position that isn't one of this run's batches.
    """
    shape = (batches.rows, batches.length)
    if (position.rows, position.length) != shape or position.step_in_epoch > batches.steps_per_epoch:
        raise TrainingError(
            f"the checkpoint is of batches of {position.rows} x {position.length}, but the settings make them "
            f"{shape[0]} x {shape[1]}: its config.json was edited; copy the model again, or train it anew"
        )
    patience = {"stale_epochs": 0} if position.finished else {}
    return attrs.evolve(position, finished=False, **patience)


def refuse_finished(position: Position, settings: TrainingSettings, epoch: float) -> None:
    """Raise `NothingLeft` where a resumed run has had all that is asked for, counted from its beginning.

    `epoch` is the number that it has done.
    """
    limit = settings.epoch_limit
    is_judged = position.step == position.evaluated_step
    if limit is not None:
        if epoch >= limit and is_judged:
            raise _finished_error("epochs", epoch, limit)
        return
    minutes, total = settings.minutes or 0.0, position.total_steps
    if position.seconds >= 60 * minutes if total is None else position.step >= total and is_judged:
        raise _finished_error("minutes", position.seconds / 60, minutes)


def _finished_error(name: str, done: float, asked: float) -> NothingLeft:
    total = round(done + asked) if name == "epochs" else float(f"{done + asked:.3g}")
    so_far = f"1 {name.removesuffix('s')} is" if done == 1 else f"{done:.4g} {name} are"
    return NothingLeft(
        f"nothing is left to learn: {so_far} done, and {name}, now {asked:.4g}, is the run's total; "
        f"for {asked:.4g} more ask for ",
        advise(name, total),
    )
