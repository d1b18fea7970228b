"""Checks of an implementation: one architecture on one backend.

Each is given an `ImplementationCase`, and raises `CheckFailure`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from textforge.backends.training_arrays import MOMENTS, STATE, STEP
from textforge.errors import BackendError, TextforgeError
from textforge.model import Arrays, GradientModel, StateShape
from textforge.testing import component_checks, model_checks, model_training_checks, training
from textforge.testing.failures import NotApplicable, described, fail
from textforge.testing.model_cases import ImplementationCase
from textforge.testing.model_checks import LENGTH, ROWS, compare_logits, read_stepwise

READ = 5
"""Tokens that are read before the state is looked at."""


def check_canonical_weights(case: ImplementationCase) -> None:
    """A model saves the weights that its architecture declares, under their names, and the options."""
    saved = case.load().save()
    mend = "save each parameter under the architecture's name for it, in the architecture's layout"
    try:
        case.component.check(saved)
    except TextforgeError as error:
        fail(f"a saved model with the weights of {case.component.spec}", described(error), mend)
    if dict(saved.options) != dict(case.ready.options):
        fail(
            f"the options {dict(case.ready.options)} in what is saved",
            repr(dict(saved.options)),
            "save the options that the model was loaded with, all of them",
        )


def check_state_arrays(case: ImplementationCase) -> None:
    """The carried state is given under the architecture's names and shapes, as a copy, and taken up again."""
    model, ids = case.load(), case.ids(ROWS, LENGTH)
    state = model.start(ROWS)
    model.forward(ids[:, :READ], state)
    try:
        arrays = model.state_arrays(state)
    except BackendError as error:
        raise NotApplicable(str(error)) from None
    _check_shapes(arrays, case.component.state(), ROWS, "state_arrays")
    kept = training.copied(arrays)
    expected = read_stepwise(model, ids[:, READ:], state)
    if any(not np.array_equal(kept[name], arrays[name]) for name in kept):
        fail("state_arrays to give a copy", "arrays that change as the model reads on", "copy each: np.array(…)")
    found = read_stepwise(model, ids[:, READ:], model.make_state(kept))
    mend = "let make_state take up all that state_arrays gives, and that all the logits depend on"
    compare_logits(case, found, expected, "the model that took its state up by make_state", mend)


def check_checkpoint_names(case: ImplementationCase) -> None:
    """A checkpoint has the moments and the state under the names that every backend shares, and nothing else."""
    model = case.make(case.fresh)
    if not isinstance(model, GradientModel):
        raise NotApplicable("it doesn't learn step by step")
    settings = case.make_settings()
    model.begin(settings.make_optimizer(), training.SEED)
    inputs, targets = training.make_batch(0, ROWS, LENGTH)
    loss, state = model.train_step(
        inputs, targets, model.start(ROWS), learning_rate=settings.peak_learning_rate, step=0
    )
    float(loss)
    shapes: dict[str, StateShape] = {STEP: (1,)}
    for moment in MOMENTS[settings.optimizer]:
        shapes |= {f"{moment}/{name}": array.shape for name, array in case.fresh.arrays.items()}
    shapes |= {f"{STATE}{name}": shape for name, shape in case.component.state().items()}
    _check_shapes(model.training_arrays(state), shapes, ROWS, "training_arrays")


def _check_shapes(arrays: Arrays, shapes: Mapping[str, StateShape], rows: int, method: str) -> None:
    """Compare names and shapes, None standing for the rows."""
    wanted = {name: tuple(rows if size is None else size for size in shape) for name, shape in shapes.items()}
    if arrays.keys() != wanted.keys():
        missing, own = sorted(wanted.keys() - arrays.keys()), sorted(arrays.keys() - wanted.keys())
        fail(
            f"{method} to use the names {', '.join(sorted(wanted)) or 'of nothing'}",
            "; ".join([*(["none of " + ", ".join(missing)] if missing else []), *([", ".join(own)] if own else [])]),
            "use the architecture's names, so that another backend can go on from them",
        )
    for name, shape in wanted.items():
        if arrays[name].shape != shape:
            fail(f"{method} to give {name} in shape {shape}", str(arrays[name].shape), "use the architecture's layout")


CHECKS = (
    component_checks.check_use,
    *model_checks.CHECKS,
    check_canonical_weights,
    check_state_arrays,
    check_checkpoint_names,
    *model_training_checks.CHECKS,
    component_checks.check_silent,
    component_checks.check_global_generators,
)
