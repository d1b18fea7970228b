"""Checks of models in running, of a backend's or an implementation's.

Each is given a `ModelCase`, and raises `CheckFailure`.
"""

from __future__ import annotations

import json

import attrs
import numpy as np

from textforge.bundle.parts import read_arrays, write_arrays
from textforge.errors import TextforgeError
from textforge.model import Array, Model, SavedModel, State
from textforge.testing import backend_training_checks, component_checks
from textforge.testing.failures import NotApplicable, described, fail
from textforge.testing.isolation import silenced
from textforge.testing.model_cases import ModelCase
from textforge.testing.training import copied

ROWS, LENGTH = 3, 9
MANY_ROWS = 6
WINDOW = 7


def check_logits(case: ModelCase) -> None:
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


def check_ids_untouched(case: ModelCase) -> None:
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


def check_window(case: ModelCase) -> None:
    """A model keeps the window it was trained with, and saves it: without, it is run and evaluated as a stream."""
    model = case.make(attrs.evolve(case.ready, window=WINDOW))
    if case.counts(model):
        raise NotApplicable("it counts, and so is never trained on windows")
    for where, found in (("the model's", model.window), ("the saved model's", model.save().window)):
        if found != WINDOW:
            mend = "let load set `self.window = saved.window`, and save give it back: SavedModel(…, window=self.window)"
            fail(f"{where} window to be {WINDOW}, as in the model that was loaded", repr(found), mend)


def check_one_pass(case: ModelCase) -> None:
    """Reading tokens in one pass gives the logits, and leaves the state, that reading one by one does."""
    model, ids = case.load(), case.ids(ROWS, LENGTH)
    expected = read_stepwise(model, ids)
    state = model.start(ROWS)
    found = [np.array(model.forward(part, state)) for part in np.split(ids, [4, LENGTH - 1], axis=1)]
    mend = "read the tokens in order, and advance the state in place"
    compare_logits(case, np.concatenate(found, axis=1), expected, "forward", mend)


def check_last_only(case: ModelCase) -> None:
    """With ``last_only``, one pass gives the logits after the last token alone, and leaves the same state."""
    model, ids = case.load(), case.ids(ROWS, LENGTH)
    state, whole_state = model.start(ROWS), model.start(ROWS)
    for part in np.split(ids, [5], axis=1):
        whole = np.array(model.forward(part, whole_state))
        last = np.array(model.forward(part, state, last_only=True))
        compare_logits(
            case, last, whole[:, -1:], "forward with last_only", "give (B, 1, V), the logits after the last token"
        )


def check_select(case: ModelCase) -> None:
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


def check_rows_independent(case: ModelCase) -> None:
    """What a model says of a row doesn't depend on those beside it, or on how many they are."""
    model, ids = case.load(), case.ids(MANY_ROWS, LENGTH)
    together = read_stepwise(model, ids)
    for row in range(MANY_ROWS):
        alone = read_stepwise(model, ids[row : row + 1])
        mend = "compute by row: no mean, padding or buffer may reach from one to another"
        compare_logits(case, together[row : row + 1], alone, f"row {row} beside {MANY_ROWS - 1} others", mend)


def check_save_and_load(case: ModelCase) -> None:
    """What was saved, written to a file's form and read back, loads as the same model."""
    model = case.made()
    saved = model.save()
    if not case.is_own(saved):
        name = getattr(case.component, "architecture", case.component.name)
        fail(f"a model of the architecture {name!r}", repr(saved.architecture), "save it under that name")
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


def check_save_is_a_copy(case: ModelCase) -> None:
    """What was saved is a copy, and so is what is loaded: writing to either changes no model."""
    given = attrs.evolve(case.ready, arrays=copied(case.ready.arrays))
    model, ids = case.make(given), case.ids(ROWS, LENGTH)
    before = read_stepwise(model, ids)
    for array in model.save().arrays.values():
        array.fill(0)
    compare_logits(
        case,
        read_stepwise(model, ids),
        before,
        "the model after what it saved was written to",
        "let save copy its arrays",
    )


def check_damage_refused(case: ModelCase) -> None:
    """A model that lacks an array, or has one of another shape, is refused with a `BundleError`."""
    for name, array in case.ready.arrays.items():
        for what, arrays in (
            (f"without {name}", {other: kept for other, kept in case.ready.arrays.items() if other != name}),
            (f"with {name} of another shape", {**case.ready.arrays, name: array[..., np.newaxis]}),
        ):
            _expect_refusal(case, attrs.evolve(case.ready, arrays=arrays), what)


def _expect_refusal(case: ModelCase, saved: SavedModel, what: str) -> None:
    try:
        case.make(saved)
    except TextforgeError:
        return
    except Exception as error:
        got = described(error)
    else:
        got = "no error"
    fail(
        f"a model {what} to be refused with a BundleError",
        got,
        "check names and shapes in load: textforge.architectures.checks.check_names_and_shapes does",
    )


def read_stepwise(model: Model, ids: Array, state: State = None) -> Array:
    """Return the logits after each token, read one by one, (B, T, V), from a state, or from the first."""
    state = model.start(len(ids)) if state is None else state
    return np.stack([np.array(model.step(ids[:, t], state)) for t in range(ids.shape[1])], axis=1)


def compare_logits(case: ModelCase, found: Array, expected: Array, what: str, mend: str) -> None:
    """Fail unless logits, (B, T, V), agree as far as the case tolerates."""
    if found.shape != expected.shape:
        fail(f"{what} to give logits of shape {expected.shape}", f"shape {found.shape}", mend)
    distance = float(np.abs(found - expected).max())
    allowed = case.tolerance * max(1.0, float(np.abs(expected).max()))
    if not distance <= allowed:
        fail(f"{what} to give logits that agree to {allowed:.1g}", f"a distance of {distance:.3g}", mend)


RUNNING_CHECKS = (
    component_checks.check_use,
    check_logits,
    check_ids_untouched,
    check_one_pass,
    check_last_only,
    check_select,
    check_rows_independent,
    check_save_and_load,
    check_save_is_a_copy,
    check_window,
    check_damage_refused,
)
CHECKS = (*RUNNING_CHECKS, *backend_training_checks.CHECKS, *component_checks.CHECKS)
