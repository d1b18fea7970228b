"""What a backend's models are checked for in running.

Each check is given a `BackendCase`, and raises `CheckFailure`.
"""

from __future__ import annotations

import json

import attrs
import numpy as np

from textforge.bundle.parts import read_arrays, write_arrays
from textforge.errors import TextforgeError
from textforge.model import Array, Model, SavedModel
from textforge.testing import backend_training_checks, component_checks
from textforge.testing.cases import BackendCase
from textforge.testing.failures import described, fail
from textforge.testing.training import copied

ROWS, LENGTH = 3, 9
MANY_ROWS = 6


def check_logits(case: BackendCase) -> None:
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
    if found.shape != (ROWS, model.vocabulary_size):
        fail(f"logits of shape {(ROWS, model.vocabulary_size)}", str(found.shape), "give a row for each row of ids")
    if not np.isfinite(found).all():
        fail("finite logits", "NaN or infinity", "look for a division by zero, or the logarithm of zero, in the model")


def check_one_pass(case: BackendCase) -> None:
    """Reading tokens in one pass gives the logits, and leaves the state, that reading one by one does."""
    model, ids = case.load(), case.ids(ROWS, LENGTH)
    expected = _stepwise(model, ids)
    state = model.start(ROWS)
    found = [np.array(model.forward(part, state)) for part in np.split(ids, [4, LENGTH - 1], axis=1)]
    mend = "read the tokens in order, and advance the state in place"
    _compare(case, np.concatenate(found, axis=1), expected, "forward", mend)


def check_last_only(case: BackendCase) -> None:
    """With ``last_only``, one pass gives the logits after the last token alone, and leaves the same state."""
    model, ids = case.load(), case.ids(ROWS, LENGTH)
    state, whole_state = model.start(ROWS), model.start(ROWS)
    for part in np.split(ids, [5], axis=1):
        whole = np.array(model.forward(part, whole_state))
        last = np.array(model.forward(part, state, last_only=True))
        _compare(case, last, whole[:, -1:], "forward with last_only", "give (B, 1, V), the logits after the last token")


def check_select(case: BackendCase) -> None:
    """A selection of rows goes on as those rows do, in the order asked for, and is a copy."""
    model, ids = case.load(), case.ids(ROWS, LENGTH)
    expected, rows = _stepwise(model, ids), np.array([2, 0, 0])
    state = model.start(ROWS)
    for t in range(5):
        model.step(ids[:, t], state)
    selected = model.select(state, rows)
    mend = "copy the state's rows in the order of `rows`, repeated where they repeat: state[rows]"
    found = np.array(model.step(ids[rows, 5], selected))
    _compare(case, found, expected[rows, 5], "the rows [2, 0, 0] that select gave", mend)
    found = np.array(model.step(ids[:, 5], state))
    _compare(case, found, expected[:, 5], "the state that was selected from, after its copy went on", "let select copy")


def check_rows_independent(case: BackendCase) -> None:
    """What a model says of a row doesn't depend on those beside it, or on how many they are."""
    model, ids = case.load(), case.ids(MANY_ROWS, LENGTH)
    together = _stepwise(model, ids)
    for row in range(MANY_ROWS):
        alone = _stepwise(model, ids[row : row + 1])
        mend = "compute by row: no mean, padding or buffer may reach from one to another"
        _compare(case, together[row : row + 1], alone, f"row {row} beside {MANY_ROWS - 1} others", mend)


def check_save_and_load(case: BackendCase) -> None:
    """What was saved, written to a file's form and read back, loads as the same model."""
    backend = case.component
    model = case.made()
    saved = model.save()
    if not backend.runs(saved.architecture):
        fail(
            f"a model of the architecture {backend.architecture!r}", repr(saved.architecture), "save it under that name"
        )
    try:
        options = json.loads(json.dumps(dict(saved.options)))
        arrays = read_arrays(write_arrays(saved.arrays))
    except (TypeError, ValueError) as error:
        fail(
            "options that are JSON and arrays that safetensors holds", described(error), "save plain values and arrays"
        )
    again = backend.load(attrs.evolve(saved, options=options, arrays=arrays))
    ids = case.ids(ROWS, LENGTH)
    mend = "save all that the logits depend on, as arrays and options, and load all of it"
    _compare(case, _stepwise(again, ids), _stepwise(model, ids), "the model that was loaded", mend)


def check_save_is_a_copy(case: BackendCase) -> None:
    """What was saved is a copy, and so is what is loaded: writing to either changes no model."""
    backend = case.component
    given = attrs.evolve(case.ready, arrays=copied(case.ready.arrays))
    model, ids = backend.load(given), case.ids(ROWS, LENGTH)
    before = _stepwise(model, ids)
    for array in model.save().arrays.values():
        array.fill(0)
    _compare(
        case, _stepwise(model, ids), before, "the model after what it saved was written to", "let save copy its arrays"
    )


def check_damage_refused(case: BackendCase) -> None:
    """A model that lacks an array, or has one of another shape, is refused with a `BundleError`."""
    for name, array in case.ready.arrays.items():
        for what, arrays in (
            (f"without {name}", {other: kept for other, kept in case.ready.arrays.items() if other != name}),
            (f"with {name} of another shape", {**case.ready.arrays, name: array[..., np.newaxis]}),
        ):
            _expect_refusal(case, attrs.evolve(case.ready, arrays=arrays), what)


def _expect_refusal(case: BackendCase, saved: SavedModel, what: str) -> None:
    try:
        case.component.load(saved)
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


def _stepwise(model: Model, ids: Array) -> Array:
    """The logits after each token, read one by one, (B, T, V)."""
    state = model.start(len(ids))
    return np.stack([np.array(model.step(ids[:, t], state)) for t in range(ids.shape[1])], axis=1)


def _compare(case: BackendCase, found: Array, expected: Array, what: str, mend: str) -> None:
    if found.shape != expected.shape:
        fail(f"{what} to give logits of shape {expected.shape}", f"shape {found.shape}", mend)
    distance = float(np.abs(found - expected).max())
    allowed = case.tolerance * max(1.0, float(np.abs(expected).max()))
    if not distance <= allowed:
        fail(f"{what} to give logits that agree to {allowed:.1g}", f"a distance of {distance:.3g}", mend)


CHECKS = (
    check_logits,
    check_one_pass,
    check_last_only,
    check_select,
    check_rows_independent,
    check_save_and_load,
    check_save_is_a_copy,
    check_damage_refused,
    *backend_training_checks.CHECKS,
    *component_checks.CHECKS,
)
