"""Checks of an implementation's models in training.

Each is given an `ImplementationCase`, and raises `CheckFailure`, or `NotApplicable` where models are only run, or count
instead of learning step by step.
"""

from __future__ import annotations

import attrs
import numpy as np

from textforge.model import Array, Arrays, GradientModel, State
from textforge.samplers.rows import log_softmax
from textforge.testing import training
from textforge.testing.failures import NotApplicable, fail
from textforge.testing.isolation import undisturbed
from textforge.testing.model_cases import ImplementationCase

ROWS, LENGTH = 4, 16
STEPS = 3
FALLEN = 0.95
"""The share of its first loss that a model must come below."""


def check_loss_falls(case: ImplementationCase) -> None:
    """Training on a tiny corpus makes the model predict it better."""
    model = case.make(case.fresh)
    before = training.tiny_loss(model)
    after = training.tiny_loss(case.trained(model))
    if not after < FALLEN * before:
        fail(
            f"a loss of less than {FALLEN * before:.3f} after training on a tiny corpus",
            f"{after:.3f}, from {before:.3f}",
            "look whether train_step changes the weights; a model that needs a gentler pace says so by `settings`",
        )


def check_same_training(case: ImplementationCase) -> None:
    """Training twice from the same weights, with the same seed, gives the same weights, bit for bit."""
    models = [case.trained(case.make(case.fresh)).save() for _ in range(2)]
    different = _different(models[0].arrays, models[1].arrays)
    if different:
        fail(
            "the same weights from the same training",
            f"others in {different}",
            "seed dropout and all that is random from begin's seed and the step",
        )


def check_loss(case: ImplementationCase) -> None:
    """`loss` is the mean of what the model's own logits say of the targets, and learns nothing."""
    model = _trainable(case)
    inputs, targets = _batch(0)
    state = model.start(ROWS)
    logits = np.stack([np.array(model.step(inputs[:, t], state), np.float64) for t in range(LENGTH)], axis=1)
    for wanted, seen in ((targets, logits), (targets[:, -1], logits[:, -1:])):
        loss, _ = model.loss(inputs, wanted, model.start(ROWS))
        expected = _mean_loss(seen, wanted.reshape(ROWS, -1))
        if not abs(float(loss) - expected) <= 1e-4 * max(1.0, expected):
            fail(
                f"a mean loss of {expected:.5f} nats for targets of shape {wanted.shape}",
                f"{float(loss):.5f}",
                "give the mean over rows and tokens of the targets' negative log-probabilities, without dropout",
            )
    different = _different(case.fresh.arrays, model.save().arrays)
    if different:
        fail("loss to leave the weights alone", f"changes in {different}", "let only train_step learn")


def check_exact_resume(case: ImplementationCase) -> None:
    """Training that was saved and taken up again ends with the same weights, bit for bit, as one that never stopped."""
    with undisturbed():
        whole = _trainable(case)
        _trained(case, whole, whole.start(ROWS), range(2 * STEPS))
    with undisturbed():
        first = _trainable(case)
        state = _trained(case, first, first.start(ROWS), range(STEPS))
        saved = attrs.evolve(first.save(), arrays=training.copied(first.save().arrays))
        arrays = training.copied(first.training_arrays(state))
        second = case.make(saved)
        if not isinstance(second, GradientModel):
            fail("load to give a model that can be trained on", type(second).__name__, "load what create makes")
        second.begin(case.make_settings().make_optimizer(), training.SEED)
        _steps(case, second, second.restore(arrays), range(STEPS, 2 * STEPS))
    different = _different(whole.save().arrays, second.save().arrays)
    if different:
        fail(
            "the same weights from resumed training as from training that never stopped",
            f"others in {different}",
            "give all moments and the carried state by training_arrays, take them up in restore, and seed by the step",
        )


CHECKS = (check_loss_falls, check_same_training, check_loss, check_exact_resume)


def _trainable(case: ImplementationCase) -> GradientModel:
    model = case.make(case.fresh)
    if not isinstance(model, GradientModel):
        raise NotApplicable("it doesn't learn step by step")
    return model


def _trained(case: ImplementationCase, model: GradientModel, state: State, steps: range) -> State:
    model.begin(case.make_settings().make_optimizer(), training.SEED)
    return _steps(case, model, state, steps)


def _steps(case: ImplementationCase, model: GradientModel, state: State, steps: range) -> State:
    rate = case.make_settings().peak_learning_rate
    for step in steps:
        inputs, targets = _batch(step)
        loss, state = model.train_step(inputs, targets, state, learning_rate=rate, step=step)
        float(loss)
    return state


def _batch(step: int) -> tuple[Array, Array]:
    return training.make_batch(step, ROWS, LENGTH)


def _mean_loss(logits: Array, targets: Array) -> float:
    """The mean negative log-probability of targets, (B, T), by logits, (B, T, V)."""
    logs = log_softmax(logits.astype(np.float64))
    return float(-np.take_along_axis(logs, targets[..., np.newaxis].astype(np.int64), axis=-1).mean())


def _different(first: Arrays, second: Arrays) -> str:
    """The names of the arrays that differ, or nothing."""
    common = first.keys() & second.keys()
    changed = {name for name in common if not np.array_equal(first[name], second[name])}
    return ", ".join(sorted((first.keys() ^ second.keys()) | changed))
