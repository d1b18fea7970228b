"""The resumption of a run: the position that it goes on from, its schedule, and the refusal of a run that is done."""

from __future__ import annotations

import attrs

from textforge.errors import TrainingError, advise
from textforge.training.batches import Batches
from textforge.training.checkpoint import Course, Position
from textforge.training.costs import Costs
from textforge.training.plan import FIRST_STEPS, Plan
from textforge.training.schedule import HOLD, find_progress
from textforge.training.settings import TrainingSettings
from textforge.training.trend import Trend


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
    stale = 0 if position.finished else position.stale_epochs
    return attrs.evolve(position, finished=False, stale_epochs=stale)


def refuse_finished(position: Position, settings: TrainingSettings, epoch: float) -> None:
    """Raise `NothingLeft` where a resumed run has had all that is asked for, counted from its beginning.

    `epoch` is the number that it has done.
    """
    limit = settings.epoch_limit
    is_judged = position.step == position.evaluated_step
    if limit is not None:
        if epoch >= limit and is_judged:
            raise _finished_error("epochs", epoch, limit)
        if settings.minutes is None:
            return
    minutes, total = settings.minutes or 0.0, position.total_steps
    at_end = total is not None and position.step >= total and is_judged and not position.course.ends_early
    if at_end or (position.seconds >= 60 * minutes and (total is None or is_judged)):
        raise _finished_error("minutes", position.seconds / 60, minutes)


def forget_plan(position: Position, settings: TrainingSettings) -> Position:
    """Return the position of a run whose limit has changed: its steps are unknown, its progress stays.

    `settings` are those that the run had.
    """
    progress = find_progress(settings, position)
    course = attrs.evolve(
        position.course, step=position.step, progress=progress, seconds=position.training_seconds, ends_early=False
    )
    return attrs.evolve(position, course=course, total_steps=None)


def take_up(position: Position, settings: TrainingSettings, plan: Plan) -> tuple[Position, str | None]:
    """Return the position of a run that begins or goes on, with its plan, and what that does to the learning rate.

    An interrupted run goes on with its schedule, or, with another limit, from its progress to the new end. A run whose
    schedule is at its end gets another round of it over the steps that are new: the rate rises to its highest, stays
    there for half of them and falls. Raises `TrainingError` where the time left is too short for a step.
    """
    if position.step == 0:
        return attrs.evolve(position, total_steps=plan.steps_of_epochs), None
    position = _know_speed(position, plan)
    at_end = find_progress(settings, position) >= 1.0
    if _keeps_plan(position, plan, at_end):
        return position, None
    if at_end:
        position = _begin_round(position)
    position = plan.begin_course(position, position.training_seconds)
    total = plan.find_total(position)
    if total <= position.step:
        raise _finished_error("minutes", position.seconds / 60, settings.minutes or 0.0)
    position = attrs.evolve(position, total_steps=total)
    return position, _describe(position, settings, at_end)


def _begin_round(position: Position) -> Position:
    """Return the position at the beginning of another round of the schedule."""
    trend = Trend(began=position.step, best_step=position.step)
    return attrs.evolve(position, course=Course(step=position.step, hold=HOLD), trend=trend, total_steps=None)


def _keeps_plan(position: Position, plan: Plan, at_end: bool) -> bool:
    """Return whether a run that is resumed is to end where it was to end before."""
    total, wanted = position.total_steps, None if plan.limit else plan.steps_of_epochs
    if total is None:
        return position.costs.step is None and wanted is None and not at_end  # it hasn't been planned yet
    unchanged = wanted is None or wanted == total or position.course.ends_early
    done = position.step >= total and position.step == position.evaluated_step
    return unchanged and not done


def _know_speed(position: Position, plan: Plan) -> Position:
    """Return the position with the speed that its seconds tell, where a run that had no use for it measured none."""
    if not plan.limit or position.costs.step is not None or position.step <= FIRST_STEPS:
        return position
    speed = Costs(step=max(1e-6, position.seconds / position.step))
    return plan.begin_course(attrs.evolve(position, costs=speed), position.training_seconds)


def _describe(position: Position, settings: TrainingSettings, at_end: bool) -> str | None:
    """Return a message on the learning rate of a run with a new plan; None where it is constant."""
    if settings.schedule == "constant":
        return None
    end = f"{settings.minutes:g} minutes" if settings.minutes else f"epoch {settings.epoch_limit}"
    if not at_end:
        return f"the learning rate goes on from where it is, and falls until {end}"
    return (
        f"the learning rate had come to its end: it rises to {settings.peak_learning_rate:g} again, stays there for "
        f"half of the new steps, and falls until {end}"
    )


def _finished_error(name: str, done: float, asked: float) -> NothingLeft:
    total = round(done + asked) if name == "epochs" else float(f"{done + asked:.3g}")
    so_far = f"1 {name.removesuffix('s')} is" if done == 1 else f"{done:.4g} {name} are"
    return NothingLeft(
        f"nothing is left to learn: {so_far} done, and {name}, now {asked:.4g}, is the run's total; "
        f"for {asked:.4g} more ask for ",
        advise(name, total),
    )
