"""The resumption of a run: the position that it goes on from, its schedule, and the refusal of a run that is done."""

from __future__ import annotations

import attrs

from textforge.errors import TrainingError, advise
from textforge.training.batches import Batches
from textforge.training.checkpoint import Checkpoint, Course, Position, Turn
from textforge.training.costs import Costs
from textforge.training.plan import FIRST_STEPS, Plan
from textforge.training.schedule import HOLD, begin_course, find_fall, find_progress
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
        if epoch > limit or (epoch == limit and is_judged):
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


def change_limit(checkpoint: Checkpoint, before: TrainingSettings, now: TrainingSettings) -> Checkpoint:
    """Return the checkpoint of a run whose limit has changed.

    One that is asked for more after its rate has begun to fall goes back to where it began to, so that it ends as if
    all had been asked for at once; unless the time that is new is too short to come as far again, or a mixture is to
    be counted in it, which takes nobody knows how much of it yet.
    """
    turn, position = checkpoint.turn, checkpoint.position
    is_current = turn is not None and turn.is_of(position)
    if turn is None or not is_current or not _asks_for_more(position, before, now) or not _pays(turn, position, now):
        return attrs.evolve(checkpoint, position=forget_plan(position, before), turn=turn if is_current else None)
    known = ("seconds", "training_seconds", "best_loss", "best_epoch", "costs", "validation_tokens")
    there = attrs.evolve(turn.position, **{name: getattr(position, name) for name in known})
    if now.minutes is not None and there.costs.step is None:
        there = attrs.evolve(there, costs=attrs.evolve(there.costs, step=_seconds_a_step(position)))
    if position.course.ends_early:  # whoever asks for more wants more
        there = attrs.evolve(there, trend=attrs.evolve(there.trend, stale=0, best_step=there.step))
    there = forget_plan(there, before)
    return attrs.evolve(checkpoint, position=there, model=turn.model, arrays=turn.arrays, turn=None, goes_back=True)


def change_schedule(checkpoint: Checkpoint, now: TrainingSettings) -> Checkpoint:
    """Return the checkpoint of a run whose schedule has changed: from its progress on it follows the new one."""
    position = checkpoint.position
    if position.trend.began == 0:  # further rounds stay at the highest rate for a while in any schedule
        course = attrs.evolve(position.course, hold=begin_course(now).hold)
        position = attrs.evolve(position, course=course)
    return attrs.evolve(checkpoint, position=position, turn=None)


def _asks_for_more(position: Position, before: TrainingSettings, now: TrainingSettings) -> bool:
    """Return whether what limits a run now is beyond all that it was to do before."""
    limits: list[tuple[float, float]] = []
    if now.epoch_limit is not None:
        done = position.epoch + 1
        limits.append((now.epoch_limit, done if position.finished else before.epoch_limit or done))
    if now.minutes is not None:
        planned = position.seconds / 60 if position.finished else before.minutes or _planned_seconds(position) / 60
        limits.append((now.minutes, planned))
    if position.finished:
        return all(new > old for new, old in limits)
    return all(new >= old for new, old in limits) and any(new > old for new, old in limits)


def _planned_seconds(position: Position) -> float:
    """Return the seconds that a run that was limited by epochs would have taken."""
    return position.seconds * (position.total_steps or position.step) / max(1, position.step)


def _pays(turn: Turn, position: Position, now: TrainingSettings) -> bool:
    """Return whether the minutes of a run, if it has any, suffice to do again what is taken back, and more."""
    if now.minutes is None:
        return True
    return not now.mix and 60 * now.minutes - position.seconds > position.seconds - turn.position.seconds


def _seconds_a_step(position: Position) -> float:
    return position.costs.step or max(1e-6, position.seconds / max(1, position.step))


def take_up(
    position: Position, settings: TrainingSettings, plan: Plan, *, back_to: float | None = None
) -> tuple[Position, str | None]:
    """Return the position of a run that begins or goes on, with its plan, and what that does to the learning rate.

    An interrupted run goes on with its schedule, or, with another limit, from its progress to the new end; one whose
    rate is still the highest, as that of a run that goes back is, as if the new limit had been its first. A run whose
    schedule is at its end gets another round of it over the steps that are new: the rate rises to its highest, stays
    there for most of them and falls. `back_to` is the epoch that a run goes back to, if it does. Raises `TrainingError`
    where the time left is too short for a step.
    """
    if position.step == 0:
        return attrs.evolve(position, total_steps=plan.steps_of_epochs, course=begin_course(settings)), None
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
    if back_to is not None or _is_highest(position.course, settings):
        position = _fit_hold(position, settings)
    return position, _describe(position, settings, at_end, back_to)


def _is_highest(course: Course, settings: TrainingSettings) -> bool:
    return course.hold > 0 and settings.warm_up <= course.progress <= find_fall(settings, course)


def _fit_hold(position: Position, settings: TrainingSettings) -> Position:
    """Return the position with the progress that its steps are of all, warm-up and fall left out."""
    began, total = position.trend.began, position.total_steps or position.step
    share = (position.step - began) / max(1, total - began)
    progress = min(max(settings.warm_up, share), find_fall(settings, position.course))
    return attrs.evolve(position, course=attrs.evolve(position.course, progress=progress))


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
    speed = Costs(step=_seconds_a_step(position))
    return plan.begin_course(attrs.evolve(position, costs=speed), position.training_seconds)


def _describe(position: Position, settings: TrainingSettings, at_end: bool, back_to: float | None) -> str | None:
    """Return a message on the learning rate of a run with a new plan; None where it is constant."""
    if settings.schedule == "constant":
        return None if back_to is None else f"training goes back to epoch {back_to:.3g}, where the rate began to fall"
    end = f"{settings.minutes:g} minutes" if settings.minutes else f"epoch {settings.epoch_limit}"
    if back_to is not None:
        return (
            f"the learning rate had begun to fall: training goes back to epoch {back_to:.3g}, where it was still "
            f"{settings.peak_learning_rate:g}; it stays so for {HOLD:.0%} of all steps, and falls until {end}"
        )
    if not at_end:
        return f"the learning rate goes on from where it is, and falls until {end}"
    return (
        f"the learning rate had come to its end: it rises to {settings.peak_learning_rate:g} again, stays there for "
        f"{HOLD:.0%} of the new steps, and falls until {end}"
    )


def _finished_error(name: str, done: float, asked: float) -> NothingLeft:
    total = round(done + asked) if name == "epochs" else float(f"{done + asked:.3g}")
    so_far = f"1 {name.removesuffix('s')} is" if done == 1 else f"{done:.4g} {name} are"
    return NothingLeft(
        f"nothing is left to learn: {so_far} done, and {name}, now {asked:.4g}, is the run's total; "
        f"for {asked:.4g} more ask for ",
        advise(name, total),
    )
