"""Checks of an implementation's models in running. Each is given an `ImplementationCase`, and raises `CheckFailure`."""

from __future__ import annotations

import json

import attrs
import numpy as np

from textforge.bundle.parts import read_arrays, write_arrays
from textforge.model import Array, CountingModel, Model, State
from textforge.testing import training
from textforge.testing.failures import NotApplicable, described, fail
from textforge.testing.isolation import silenced
from textforge.testing.model_cases import ImplementationCase
from textforge.testing.training import copied

ROWS, LENGTH = 3, 9
MANY_ROWS = 6
WINDOW = 7


def check_logits(case: ImplementationCase) -> None:
    """A step gives an array of finite logits, (B, V)."""
    model = case.load()
    ids = case.ids(ROWS, 1)
    found = model.step(ids[:, 0], model.start(ROWS))
    if not isinstance(found, np.ndarray) or not np.issubdtype(found.dtype, np.floating):
        got = found.dtype if isinstance(found, np.ndarray) else type(found).__name__
        fail(
            "step to give a NumPy array of floating-point numbers",
            str(got),
            "convert the framework's own with .numpy()",
        )
    if found.dtype not in (np.float32, np.float64):
        fail(
            "logits in float32 or float64",
            str(found.dtype),
            "convert them: what is rounded so far gives other texts",
        )
    if found.shape != (ROWS, model.vocabulary_size):
        fail(f"logits of shape {(ROWS, model.vocabulary_size)}", str(found.shape), "give a row for each row of ids")
    if not np.isfinite(found).all():
        fail("finite logits", "NaN or infinity", "look for a division by zero, or the logarithm of zero, in the model")


def check_ids_untouched(case: ImplementationCase) -> None:
    """The ids that a model is given, which are read-only, are left as they are."""
    model, ids = case.load(), case.ids(ROWS, LENGTH)
    ids.flags.writeable = False
    state = model.start(ROWS)
    try:
        with silenced():
            model.step(ids[:, 0], state)
            model.forward(ids[:, 1:], state)
    except Exception as error:
        fail("read-only ids to be read", described(error), "work on a copy, such as np.array(ids)")


def check_window(case: ImplementationCase) -> None:
    """A model keeps the window it was trained with, and saves it: without, it is run and evaluated as a stream."""
    model = case.make(attrs.evolve(case.ready, window=WINDOW))
    if isinstance(model, CountingModel):
        raise NotApplicable("it counts, and so is never trained on windows")
    for where, found in (("the model's", model.window), ("the saved model's", model.save().window)):
        if found != WINDOW:
            mend = "let load set `self.window = saved.window`, and save give it back: SavedModel(…, window=self.window)"
            fail(f"{where} window to be {WINDOW}, as in the model that was loaded", repr(found), mend)


def check_one_pass(case: ImplementationCase) -> None:
    """Reading tokens in one pass gives the logits, and leaves the state, that reading one by one does."""
    model, ids = case.load(), case.ids(ROWS, LENGTH)
    expected = read_stepwise(model, ids)
    state = model.start(ROWS)
    found = [np.array(model.forward(part, state)) for part in np.split(ids, [4, LENGTH - 1], axis=1)]
    mend = "read the tokens in order, and advance the state in place"
    compare_logits(case, np.concatenate(found, axis=1), expected, "forward", mend)


def check_last_only(case: ImplementationCase) -> None:
    """With ``last_only``, one pass gives the logits after the last token alone, and leaves the same state."""
    model, ids = case.load(), case.ids(ROWS, LENGTH)
    state, whole_state = model.start(ROWS), model.start(ROWS)
    for part in np.split(ids, [5], axis=1):
        whole = np.array(model.forward(part, whole_state))
        last = np.array(model.forward(part, state, last_only=True))
        compare_logits(
            case, last, whole[:, -1:], "forward with last_only", "give (B, 1, V), the logits after the last token"
        )


def check_select(case: ImplementationCase) -> None:
    """A selection of rows goes on as those rows do, in the order asked for, and is a copy."""
    model, ids = case.load(), case.ids(ROWS, LENGTH)
    expected, rows = read_stepwise(model, ids), np.array([2, 0, 0])
    state = model.start(ROWS)
    for t in range(5):
        model.step(ids[:, t], state)
    selected = model.select(state, rows)
    mend = "copy the state's rows in the order of `rows`, repeated where they repeat: state[rows]"
    found = np.array(model.step(ids[rows, 5], selected))
    compare_logits(case, found, expected[rows, 5], "the rows [2, 0, 0] that select gave", mend)
    found = np.array(model.step(ids[:, 5], state))
    compare_logits(
        case, found, expected[:, 5], "the state that was selected from, after its copy went on", "let select copy"
    )


def check_rows_independent(case: ImplementationCase) -> None:
    """What a model says of a row doesn't depend on those beside it, or on how many they are."""
    model, ids = case.load(), case.ids(MANY_ROWS, LENGTH)
    together = read_stepwise(model, ids)
    for row in range(MANY_ROWS):
        alone = read_stepwise(model, ids[row : row + 1])
        mend = "compute by row: no mean, padding or buffer may reach from one to another"
        compare_logits(case, together[row : row + 1], alone, f"row {row} beside {MANY_ROWS - 1} others", mend)


def check_save_and_load(case: ImplementationCase) -> None:
    """What was saved, written to a file's form and read back, loads as the same model."""
    model = case.load()
    saved = model.save()
    if saved.architecture != case.ready.architecture:
        fail(
            f"a model of the architecture {case.ready.architecture!r}",
            repr(saved.architecture),
            "save it under that name",
        )
    try:
        options = json.loads(json.dumps(dict(saved.options)))
        arrays = read_arrays(write_arrays(saved.arrays))
    except (TypeError, ValueError) as error:
        fail(
            "options that are JSON and arrays that safetensors holds", described(error), "save plain values and arrays"
        )
    again = case.make(attrs.evolve(saved, options=options, arrays=arrays))
    ids = case.ids(ROWS, LENGTH)
    mend = "save all that the logits depend on, as arrays and options, and load all of it"
    compare_logits(case, read_stepwise(again, ids), read_stepwise(model, ids), "the model that was loaded", mend)


def check_save_is_a_copy(case: ImplementationCase) -> None:
    """A model and what is saved of it share no array: neither what it was loaded from nor what it saves."""
    given = attrs.evolve(case.ready, arrays=copied(case.ready.arrays))
    model, ids = case.make(given), case.ids(ROWS, LENGTH)
    before = read_stepwise(model, ids)
    for array in model.save().arrays.values():
        array.fill(0)
    mend = "let save copy its arrays"
    compare_logits(case, read_stepwise(model, ids), before, "the model after what it saved was written to", mend)
    training.exercise(model, case.make_settings())
    changed = [name for name, array in given.arrays.items() if not np.array_equal(array, case.ready.arrays[name])]
    if changed:
        fail(
            "the arrays that a model was loaded from to stay as they are",
            f"changes in {', '.join(changed)} once the model had learnt",
            "copy what is written to: np.array(saved.arrays[name])",
        )


def read_stepwise(model: Model, ids: Array, state: State = None) -> Array:
    """Return the logits after each token, read one by one, (B, T, V), from a state, or from the first."""
    state = model.start(len(ids)) if state is None else state
    return np.stack([np.array(model.step(ids[:, t], state)) for t in range(ids.shape[1])], axis=1)


def compare_logits(case: ImplementationCase, found: Array, expected: Array, what: str, mend: str) -> None:
    """Fail unless logits, (B, T, V), agree as far as the case tolerates."""
    if found.shape != expected.shape:
        fail(f"{what} to give logits of shape {expected.shape}", f"shape {found.shape}", mend)
    distance = float(np.abs(found - expected).max())
    allowed = case.tolerance * max(1.0, float(np.abs(expected).max()))
    if not distance <= allowed:
        fail(f"{what} to give logits that agree to {allowed:.1g}", f"a distance of {distance:.3g}", mend)


CHECKS = (
    check_logits,
    check_ids_untouched,
    check_one_pass,
    check_last_only,
    check_select,
    check_rows_independent,
    check_save_and_load,
    check_save_is_a_copy,
    check_window,
)
