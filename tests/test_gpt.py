"""The architecture ``gpt``: what it declares, and what its state promises."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from numpy_models import some_ids, steps
from support import ModelMaker

from textforge.architectures.gpt import GPT, compute_rotations, make_band
from textforge.components.spec import parse_spec
from textforge.model import Arrays, Model
from textforge.plugins.registry import Plugins

WINDOW, LAYERS = 6, 3


def make_model(**options: int) -> Model:
    """Return a model in float64 whose weights are large enough for attention to choose."""
    given = {"hidden_size": 12, "num_heads": 2, "num_layers": LAYERS, "window": WINDOW, **options}
    maker = ModelMaker("numpy", "gpt", precision="float64", **given)
    saved = maker.initial(11, seed=3)
    made: Model = maker.load(attrs.evolve(saved, arrays={name: array * 3 for name, array in saved.arrays.items()}))
    return made


def test_names_and_shapes() -> None:
    declared = GPT(num_layers=2, hidden_size=8, num_heads=2).weights(9)
    assert {name: weight.shape for name, weight in declared.items()} == {
        "embedding.weight": (9, 8),
        "attention.0.input.weight": (24, 8),
        "attention.0.output.weight": (8, 8),
        "feed_forward.0.input.weight": (32, 8),
        "feed_forward.0.output.weight": (8, 16),
        "attention.1.input.weight": (24, 8),
        "attention.1.output.weight": (8, 8),
        "feed_forward.1.input.weight": (32, 8),
        "feed_forward.1.output.weight": (8, 16),
        "output.bias": (9,),
    }


def test_first_values_are_normal_and_layers_share_what_they_add() -> None:
    arrays = GPT(num_layers=8, hidden_size=144, num_heads=6).create(300, seed=1).arrays
    for name in ("embedding.weight", "attention.0.input.weight", "feed_forward.7.input.weight"):
        assert arrays[name].mean() == pytest.approx(0, abs=0.001)
        assert arrays[name].std() == pytest.approx(0.6 / 12, rel=0.02)
        assert (np.abs(arrays[name]) < 0.05).mean() == pytest.approx(0.6827, abs=0.01)
    for name in ("attention.0.output.weight", "feed_forward.7.output.weight"):
        assert arrays[name].std() == pytest.approx(0.6 / 12 / 4, rel=0.02)
    assert not arrays["output.bias"].any()


def test_its_window_is_an_option_and_not_that_of_a_model_that_begins_anew() -> None:
    made: GPT = Plugins().architecture("gpt:window=40")
    assert (made.window, made.model_window) == (40, None)
    assert parse_spec(made.spec).name == "gpt"
    saved = made.create(9, seed=1)
    assert (saved.window, saved.options["window"]) == (None, 40)
    assert GPT.of(saved) == made


def test_rotations_turn_pairs_and_keep_their_length() -> None:
    cosines, sines = compute_rotations(50, head_size=6)
    np.testing.assert_allclose(cosines**2 + sines**2, 1, rtol=1e-15)
    np.testing.assert_array_equal(cosines[:, ::2], cosines[:, 1::2])
    np.testing.assert_array_equal(sines[:, ::2], -sines[:, 1::2])
    np.testing.assert_allclose(sines[1, 1::2], np.sin([1, 10000 ** (-1 / 3), 10000 ** (-2 / 3)]), rtol=1e-15)


def test_a_product_of_two_heads_depends_on_how_far_apart_they_are() -> None:
    cosines, sines = compute_rotations(60, head_size=8)
    query, key = np.random.default_rng(1).normal(size=(2, 8))

    def rotate(head: np.ndarray, position: int) -> np.ndarray:
        return head * cosines[position] + head.reshape(4, 2)[:, ::-1].ravel() * sines[position]

    near = rotate(query, 9) @ rotate(key, 2)
    assert rotate(query, 59) @ rotate(key, 52) == pytest.approx(near, rel=1e-12)
    assert abs(rotate(query, 59) @ rotate(key, 51) - near) > 1e-3


def test_a_query_looks_at_its_own_position_and_the_ones_before_it() -> None:
    band = make_band(5, window=3)
    assert band.shape == (5, 8)
    for query in range(5):
        assert np.flatnonzero(band[query]).tolist() == [query + 1, query + 2, query + 3]


# --- what the state promises ---


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("lengths", [(1, WINDOW - 1, 1, 90), (WINDOW, 2 * WINDOW, 79), (97,), (30, 1, 66)], ids=str)
def test_one_pass_is_token_by_token_across_the_edges_of_window_and_buffer(rows: int, lengths: tuple[int, ...]) -> None:
    model, ids = make_model(), some_ids(rows, sum(lengths))
    expected = steps(model, ids)
    state, found = model.start(rows), []
    for end, length in zip(np.cumsum(lengths), lengths, strict=True):
        found.append(model.forward(ids[:, end - length : end], state))
    np.testing.assert_allclose(np.concatenate(found, axis=1), expected, rtol=0, atol=1e-12)


def test_a_layer_reaches_as_far_back_as_its_window_and_each_layer_below_adds_to_that() -> None:
    reach = LAYERS * (WINDOW - 1)
    model, ids = make_model(), some_ids(1, 60)
    other = np.c_[(ids[:, :1] + 1) % 11, ids[:, 1:]]
    apart = np.abs(model.forward(ids, model.start(1)) - model.forward(other, model.start(1)))[0].max(axis=1)
    assert apart[: reach + 1].min() > 1e-9
    assert not apart[reach + 1 :].any()


def test_a_stream_beyond_all_that_is_looked_back_on_is_a_fresh_reading_of_that() -> None:
    model, ids = make_model(), some_ids(2, 300)
    whole = model.forward(ids, model.start(2))
    reach = LAYERS * (WINDOW - 1)
    for end in (100, 237, 300):
        fresh = model.forward(ids[:, end - reach - 1 : end], model.start(2), last_only=True)
        np.testing.assert_allclose(fresh[:, 0], whole[:, end - 1], rtol=0, atol=1e-12)


def test_empty_places_are_never_looked_at() -> None:
    """Whatever they hold."""
    model, ids = make_model(), some_ids(2, 12)
    state = model.start(2)
    model.forward(ids[:, :3], state)
    arrays = model.state_arrays(state)
    for name in ("keys", "values"):
        assert not arrays[name][:, :, : WINDOW - 3].any()
        arrays[name][:, :, : WINDOW - 3] = 1e3
    expected = steps(model, ids[:, 3:], state)
    np.testing.assert_allclose(steps(model, ids[:, 3:], model.make_state(arrays)), expected, rtol=0, atol=1e-12)
    taken_up = model.make_state(arrays)
    np.testing.assert_allclose(model.forward(ids[:, 3:], taken_up), expected, rtol=0, atol=1e-12)


def test_rows_that_have_seen_unequally_much_go_on_together() -> None:
    model, ids = make_model(), some_ids(4, 30)
    states: list[Arrays] = []
    for row, read in enumerate((0, 2, WINDOW, 20)):
        state = model.start(1)
        model.forward(ids[row : row + 1, :read], state)
        states.append(model.state_arrays(state))
    axes = {name: shape.index(None) for name, shape in GPT().state().items()}
    joined = {name: np.concatenate([arrays[name] for arrays in states], axis=axis) for name, axis in axes.items()}
    assert joined["seen"].tolist() == [0, 2, WINDOW, WINDOW]
    following = some_ids(4, 20, seed=8)
    alone = [model.forward(following[n : n + 1], model.make_state(arrays)) for n, arrays in enumerate(states)]
    for way in (steps(model, following, model.make_state(joined)), model.forward(following, model.make_state(joined))):
        np.testing.assert_allclose(way, np.concatenate(alone), rtol=0, atol=1e-12)


def test_the_state_says_nothing_of_where_in_the_stream_it_is() -> None:
    """The same last tokens give the same arrays, however many came before."""
    model, ids = make_model(num_layers=1), some_ids(1, 500)
    found = []
    for begin in (0, 70, 500 - WINDOW):
        state = model.start(1)
        model.forward(ids[:, begin:], state)
        found.append(model.state_arrays(state))
    for arrays in found[1:]:
        for name, array in arrays.items():
            np.testing.assert_allclose(array, found[0][name], rtol=0, atol=1e-12)
