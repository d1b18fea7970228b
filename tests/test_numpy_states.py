"""States of the NumPy models as arrays under canonical names: what they hold, and going on from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from export_samples import SAVED, some_ids
from gradient_backends.textbook import TEXTBOOKS, TextbookGPT
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ModelMaker

from textforge.errors import BackendError
from textforge.model import Array, Arrays, Model, SavedModel

MODELS = pytest.mark.parametrize("saved", [make() for make in SAVED.values()], ids=SAVED)


def run(saved: SavedModel, precision: str = "float32") -> Any:
    return ModelMaker("numpy", saved.architecture, precision=precision).load(saved)


def textbook_state(saved: SavedModel, ids: Array, look_backs: list[int]) -> Arrays:
    """Return the state of each row of tokens, as textbooks write it; zeros are for what lies before the first."""
    rows = []
    for row in ids:
        model = TEXTBOOKS[saved.architecture](saved)
        for id in row:
            model.logits(id)
        if saved.architecture == "lstm":
            rows.append({"hidden": np.array(model.hidden)[:, np.newaxis], "cell": np.array(model.cell)[:, np.newaxis]})
        elif saved.architecture == "gpt":
            rows.append(textbook_cache(model))
        else:
            parts = {}
            for number, (read, length) in enumerate(zip(model.read, look_backs, strict=True)):
                before = np.zeros((length, saved.options["channels"]))
                parts[f"conv.{number}"] = np.array([*before, *read])[np.newaxis, -length:]
            rows.append(parts)
    axes = {name: 0 if name.startswith("conv.") or name == "seen" else 1 for name in rows[0]}
    return {name: np.concatenate([row[name] for row in rows], axis=axes[name]) for name in rows[0]}


def textbook_cache(model: TextbookGPT) -> Arrays:
    """Return the last keys and values of each layer, of one row."""
    window, size = model.options["window"], model.options["hidden_size"]
    before = [np.zeros(size)] * window
    keys, values = (
        np.array([[*before, *layer][-window:] for layer in part])[:, np.newaxis] for part in (model.keys, model.values)
    )
    return {"keys": keys, "values": values, "seen": np.array([min(window, len(model.keys[0]))])}


@pytest.mark.parametrize("length", [0, 1, 7, 40])
@pytest.mark.parametrize("rows", [1, 3])
@MODELS
def test_they_are_the_textbook_s(saved: SavedModel, rows: int, length: int) -> None:
    model = run(saved, "float64")
    ids, state = some_ids(rows, length), model.start(rows)
    model.forward(ids[:, : length // 2], state)
    for t in range(length // 2, length):
        model.step(ids[:, t], state)
    found = model.state_arrays(state)
    expected = textbook_state(saved, ids, getattr(model.architecture, "look_backs", []))
    assert found.keys() == expected.keys() == model.architecture.state().keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-12)


@MODELS
@given(data=st.data())
@settings(max_examples=20)
def test_a_state_taken_up_goes_on_as_the_one_it_was(saved: SavedModel, data: st.DataObject) -> None:
    """Also of some rows in any order, and in another precision."""
    rows, length = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 40))
    chosen = np.array(data.draw(st.lists(st.integers(0, rows - 1), min_size=1, max_size=4)))
    model, other = run(saved), run(saved, data.draw(st.sampled_from(["float32", "float64"])))
    state = model.start(rows)
    model.forward(some_ids(rows, length), state)
    selected = model.select(state, chosen)
    taken_up = other.make_state(model.state_arrays(selected))
    ids = some_ids(len(chosen), 10, seed=6)
    expected = model.forward(ids, selected)
    np.testing.assert_allclose(other.forward(ids, taken_up), expected, rtol=0, atol=2e-6)
    for name, array in model.state_arrays(selected).items():
        np.testing.assert_allclose(other.state_arrays(taken_up)[name], array, rtol=0, atol=2e-6)


@MODELS
def test_they_are_copies(saved: SavedModel) -> None:
    model = run(saved)
    ids, state = some_ids(2, 5), model.start(2)
    model.forward(ids, state)
    arrays = model.state_arrays(state)
    kept = {name: array.copy() for name, array in arrays.items()}
    taken_up = model.make_state(arrays)
    logits = model.step(ids[:, 0], taken_up).copy()
    model.step(ids[:, 1], state)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, kept[name])
        array[:] = 9
    np.testing.assert_array_equal(model.step(ids[:, 0], model.make_state(kept)), logits)


def lstm() -> Model:
    model: Model = run(SAVED["default"]())
    return model


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": None}, "the state has the arrays hidden, but cell, hidden are needed"),
        ({"more": np.zeros(1)}, "the state has the arrays cell, hidden, more, but cell, hidden are needed"),
        ({"cell": np.zeros((1, 3, 128))}, r"cell has shape \(1, 3, 128\), but \(1, 2, 128\) is needed"),
        ({"hidden": np.zeros((1, 2, 127))}, r"hidden has shape \(1, 2, 127\), but \(1, 2, 128\) is needed"),
        ({"hidden": np.zeros(2)}, r"hidden has shape \(2,\), but \(1, rows, 128\) is needed"),
    ],
)
def test_what_is_no_state_of_the_model_is_refused(change: dict[str, Any], message: str) -> None:
    arrays = dict.fromkeys(("hidden", "cell"), np.zeros((1, 2, 128))) | change
    with pytest.raises(BackendError, match=message):
        lstm().make_state({name: array for name, array in arrays.items() if array is not None})


def test_a_text_is_forgotten_where_no_layer_looks_back_to_it():
    model = ModelMaker("numpy", "conv", channels=12, num_layers=3, kernel_size=3, precision="float64").create(11, 3)
    ids = some_ids(1, 40)
    other = np.c_[(ids[:, :1] + 1) % 11, ids[:, 1:]]
    apart = np.abs(model.forward(ids, model.start(1)) - model.forward(other, model.start(1)))[0].max(axis=1)
    assert apart[:15].min() > 0, "2 + 4 + 8 positions and the token itself"
    assert not apart[15:].any()
