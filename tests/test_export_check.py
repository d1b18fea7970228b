"""The check of exported files: right ones pass, and ones wrong in many ways don't, late ones too."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest
from export_samples import SAVED, saved_conv, saved_gpt, saved_lstm
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ModelMaker, ScriptedModel, hashed_logits

from textforge.errors import BackendError, ExportError, GenerationError
from textforge.formats.base import ReadBack
from textforge.library import export_check
from textforge.library.distances import FRACTION, allow, distances, measure_spread
from textforge.library.export_check import Reference, check_file, write_text
from textforge.library.exporting import make_reference
from textforge.model import Array, Arrays, SavedModel
from textforge.plugins.registry import Plugins

FIRST = np.array([3])


def chaotic(times: float = 8) -> SavedModel:
    """A model that magnifies rounding until its logits in float32 have nothing in common with those in float64."""
    saved = saved_lstm(embedding_size=None, num_layers=2, hidden_size=33)
    large = ("lstm.1.input_weight", "lstm.0.recurrent_weight", "lstm.1.recurrent_weight")
    arrays = {name: array * np.float32(times if name in large else 1) for name, array in saved.arrays.items()}
    return attrs.evolve(saved, arrays=arrays)


TRAINED = {
    "lstm": functools.partial(saved_lstm, scale=3),
    "conv": functools.partial(saved_conv, scale=1.5),
    "gpt": functools.partial(saved_gpt, scale=2, num_layers=2, hidden_size=24, num_heads=3, window=16),
}
"""Models with logits as large as trained ones have."""
Wrong = Callable[[ReadBack], ReadBack]


@functools.cache
def reference(make: Callable[[], SavedModel]) -> Reference:
    return make_reference(Plugins(), make())


def as_file(saved: SavedModel, precision: str = "float32") -> ReadBack:
    """Return what a right file computes: the model itself."""
    model = ModelMaker("numpy", saved.architecture, precision=precision).load(saved)

    def read(ids: Array, state: Arrays | None) -> tuple[Array, Arrays]:
        before = model.start(len(ids)) if state is None else model.make_state(state)
        return model.forward(ids, before), model.state_arrays(before)

    return read


def check(make: Callable[[], SavedModel], file: ReadBack) -> export_check.Agreement:
    return check_file(file, reference(make), FIRST, "the format fake")


# --- right files ---


@pytest.mark.parametrize("make", [*SAVED.values(), *TRAINED.values()], ids=[*SAVED, *(f"large-{n}" for n in TRAINED)])
def test_a_right_file_passes(make: Callable[[], SavedModel]) -> None:
    agreement = check(make, as_file(make()))
    assert agreement.tokens == 1024 + 1024 + 16  # the text whole, in pieces, and two pieces of all eleven tokens
    assert agreement.distance < 1e-4
    assert check(make, as_file(make(), "float64")).distance < 1e-6  # states are handed over in float32


def test_a_model_that_magnifies_rounding_passes() -> None:
    agreement = check(chaotic, as_file(chaotic()))
    assert 1024 + 16 < agreement.tokens < 1024 + 1024 + 16
    assert agreement.distance < FRACTION * measure_spread(exact_logits(chaotic))


def exact_logits(make: Callable[[], SavedModel]) -> Array:
    model = reference(make).exact
    text = write_text(model, FIRST)
    return model.forward(text, model.start(len(text)))


def without_states(file: ReadBack) -> ReadBack:
    def read(ids: Array, state: Arrays | None) -> tuple[Array, None]:
        assert state is None
        return file(ids, None)[0], None

    return read


@pytest.mark.parametrize("make", TRAINED.values(), ids=TRAINED)
def test_a_file_that_takes_no_state_up_is_compared_too(make: Callable[[], SavedModel]) -> None:
    assert check(make, without_states(as_file(make()))).tokens == 1024 + 1024 + 16


@pytest.mark.parametrize("make", TRAINED.values(), ids=TRAINED)
def test_so_is_a_model_whose_states_are_its_own_affair(make: Callable[[], SavedModel]) -> None:
    saved, (exact, rounded) = make(), (reference(make).exact, reference(make).rounded)
    assert rounded is not None

    def refuse(*_: Any) -> Any:
        raise BackendError("no arrays")

    closed = [attrs.evolve(reference(make))]
    for name in ("state_arrays", "make_state"):
        for model in (exact, rounded):
            setattr(model, name, refuse)
    try:
        assert check_file(as_file(saved), closed[0], FIRST, "it").tokens == 1024 + 1024 + 16
        with pytest.raises(ExportError, match="logits differ"):
            check_file(zeroed_from(100)(as_file(saved)), closed[0], FIRST, "it")
    finally:
        for name in ("state_arrays", "make_state"):
            for model in (exact, rounded):
                delattr(model, name)


def test_a_model_of_one_precision_is_compared_with_itself() -> None:
    model = ScriptedModel(9, hashed_logits(9))
    whole = Reference(model, None, {})

    def read(ids: Array, state: Arrays | None) -> tuple[Array, None]:
        return ScriptedModel(9, hashed_logits(9)).forward(ids, [[] for _ in ids]), None

    assert check_file(read, whole, FIRST, "it").distance == 0
    with pytest.raises(ExportError, match="after 1 tokens"):
        check_file(lambda ids, _: (read(ids, None)[0] + np.float32(1e-4), None), whole, FIRST, "it")


def test_infinite_logits_that_are_the_model_s_agree() -> None:
    def logits(tokens: list[int]) -> list[float]:
        return [-np.inf if id == tokens[-1] else float(id) for id in range(4)]

    def read(ids: Array, state: Arrays | None) -> tuple[Array, None]:
        return ScriptedModel(4, logits).forward(ids, [[] for _ in ids]), None

    whole = Reference(ScriptedModel(4, logits), None, {})
    assert check_file(read, whole, FIRST, "it").distance == 0
    with pytest.raises(ExportError, match=r"differ by inf"):
        check_file(lambda ids, _: (np.maximum(read(ids, None)[0], -9), None), whole, FIRST, "it")


# --- wrong files ---


def spoil(change: Callable[[Array], Any]) -> Wrong:
    """Change the logits, (B, T, V), of each call."""

    def wrong(file: ReadBack) -> ReadBack:
        def read(ids: Array, state: Arrays | None) -> tuple[Array, Arrays | None]:
            logits, after = file(ids, state)
            changed = change(logits)
            return logits if changed is None else changed, after

        return read

    return wrong


def zeroed_from(place: int) -> Wrong:
    def change(logits: Array) -> None:
        logits[:, place:] = 0

    return spoil(change)


def one_nan(logits: Array) -> None:
    if logits.shape[1] > 400:
        logits[1, 400, 2] = np.nan


def stepwise(change: Callable[[int, Arrays], Arrays | None]) -> Wrong:
    """Read token by token, and change the state after each; `change` is given how many the call has read."""

    def wrong(file: ReadBack) -> ReadBack:
        def read(ids: Array, state: Arrays | None) -> tuple[Array, Arrays | None]:
            steps = []
            for t in range(ids.shape[1]):
                logits, state = file(ids[:, t : t + 1], state)
                assert state is not None
                state = change(t + 1, state)
                steps.append(logits)
            return np.concatenate(steps, axis=1), state if state is not None else file(ids[:, :0], None)[1]

        return read

    return wrong


def leak(_: int, state: Arrays) -> Arrays:
    return {name: array * np.float32(0.999) for name, array in state.items()}


def forget(read: int, state: Arrays) -> Arrays | None:
    return None if read % 100 == 0 else state


def creep(read: int, state: Arrays) -> Arrays:
    """Too little for any one token to show, but it adds up over a long text."""
    return {name: array + np.float32(5e-6) for name, array in state.items()}


def start_anew(file: ReadBack) -> ReadBack:
    return lambda ids, state: file(ids, None)


def stand_still(file: ReadBack) -> ReadBack:
    def read(ids: Array, state: Arrays | None) -> tuple[Array, Arrays | None]:
        logits, after = file(ids, state)
        return logits, after if state is None else state

    return read


def change_state(change: Callable[[Arrays], Arrays]) -> Wrong:
    def wrong(file: ReadBack) -> ReadBack:
        def read(ids: Array, state: Arrays | None) -> tuple[Array, Arrays | None]:
            logits, after = file(ids, state)
            assert after is not None
            return logits, change(after)

        return read

    return wrong


def backwards(state: Arrays) -> Arrays:
    return dict(zip(state, reversed(state.values()), strict=True))


WRONG: dict[str, tuple[Wrong, str]] = {
    "shifted a little": (spoil(lambda logits: logits + np.float32(2e-3)), "logits differ by 2.0e-03 .* after 1 tokens"),
    "zeroed late": (zeroed_from(100), "logits differ by .* after 101 tokens"),
    "zeroed very late": (zeroed_from(500), "logits differ by .* after 501 tokens"),
    "zeroed at the end": (zeroed_from(511), "logits differ by .* after 512 tokens"),
    "one nan": (spoil(one_nan), "logits differ by nan .* after 401 tokens"),
    "rows swapped": (spoil(lambda logits: logits[::-1]), "logits differ"),
    "tokens swapped": (spoil(lambda logits: logits[..., ::-1]), "logits differ .* after 1 tokens"),
    "a token short": (
        spoil(lambda logits: logits[..., :-1]),
        r"gives logits of shape \(2, 512, 10\), where the model's is \(2, 512, 11\)",
    ),
    "half as sharp": (spoil(lambda logits: logits / 2), "logits differ .* after 1 tokens"),
    "a state that leaks": (stepwise(leak), "differ"),
    "a state forgotten late": (stepwise(forget), "logits differ by .* after 10[1-9] tokens"),
    "a state never taken up": (start_anew, "differ"),
    "a state never given": (stand_still, "state .* differ"),
    "a state the wrong way round": (change_state(backwards), "state"),
    "a state without a part": (
        change_state(lambda state: dict([*state.items()][1:])),
        "state has the arrays .*, where",
    ),
    "a state of one row": (
        change_state(lambda state: {name: array[:1] for name, array in state.items()}),
        "gives a state .* of shape",
    ),
}


@pytest.mark.parametrize("make", TRAINED.values(), ids=TRAINED)
@pytest.mark.parametrize(("wrong", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused(wrong: Wrong, message: str, make: Callable[[], SavedModel]) -> None:
    if make is TRAINED["lstm"] and wrong is WRONG["a state of one row"][0]:
        pytest.skip("the first axis of its state is the layers', of which it has one")
    with pytest.raises(ExportError, match=f"^the format fake wrote a file .*{message}.*; nothing was kept: report it"):
        check(make, wrong(as_file(make())))


WITHOUT = ("shifted a little", "zeroed late", "zeroed very late", "zeroed at the end", "one nan", "tokens swapped")


@pytest.mark.parametrize("make", TRAINED.values(), ids=TRAINED)
@pytest.mark.parametrize("name", WITHOUT)
def test_so_is_one_that_takes_no_state_up(name: str, make: Callable[[], SavedModel]) -> None:
    wrong, message = WRONG[name]
    with pytest.raises(ExportError, match=message):
        check(make, without_states(wrong(as_file(make()))))


def test_an_error_too_small_for_a_token_shows_where_it_adds_up() -> None:
    """In a model that remembers for long."""
    saved = saved_lstm(num_layers=1, hidden_size=16)
    arrays = dict(saved.arrays)
    bias = arrays["lstm.0.bias"].copy()
    bias[16:32] = 12  # the forget gate is open for 100,000 tokens
    make = functools.cache(lambda: attrs.evolve(saved, arrays=arrays | {"lstm.0.bias": bias}))
    check(make, as_file(make()))
    with pytest.raises(ExportError, match="differ"):
        check(make, stepwise(creep)(as_file(make())))


def edited(saved: SavedModel, name: str, change: Callable[[Array], None]) -> SavedModel:
    array = saved.arrays[name].copy()
    change(array)
    return attrs.evolve(saved, arrays=saved.arrays | {name: array})


def rarely_seven() -> SavedModel:
    def rule_out(bias: Array) -> None:
        bias[7] = -80

    return edited(saved_lstm(scale=3), "output.bias", rule_out)


def test_a_token_that_the_text_lacks_is_compared_too() -> None:
    assert 7 not in write_text(reference(rarely_seven).exact, FIRST)

    def change(embedding: Array) -> None:
        embedding[7] += 0.01

    with pytest.raises(ExportError, match="logits differ"):
        check(rarely_seven, as_file(edited(rarely_seven(), "embedding.weight", change)))


@pytest.mark.parametrize("make", TRAINED.values(), ids=TRAINED)
def test_weights_in_half_precision_are_noticed(make: Callable[[], SavedModel]) -> None:
    saved = make()
    halved = {name: array.astype(np.float16).astype(np.float32) for name, array in saved.arrays.items()}
    with pytest.raises(ExportError, match="differ"):
        check(make, as_file(attrs.evolve(saved, arrays=halved)))


@given(st.data())
@settings(max_examples=25)
def test_any_weight_that_is_off_by_a_hundredth_is_noticed(data: st.DataObject) -> None:
    """All numbers of its array are; a Transformer's norms hide one that is added to all."""
    make = TRAINED[data.draw(st.sampled_from(sorted(TRAINED)))]
    saved = make()
    name = data.draw(st.sampled_from(sorted(saved.arrays)))

    def change(array: Array) -> None:
        array *= np.float32(1.01)

    with pytest.raises(ExportError, match="differ"):
        check(make, as_file(edited(saved, name, change)))


@pytest.mark.parametrize("place", [0, 100, 500])
def test_a_wrong_file_of_a_model_that_magnifies_rounding_is_refused(place: int) -> None:
    """The spread of logits is compared where they can't be one by one."""
    with pytest.raises(ExportError, match="differ" if place < 200 else "logits spread by .* after 497 tokens and more"):
        check(chaotic, zeroed_from(place)(as_file(chaotic())))


def test_another_model_that_does_so_is_told_from_it() -> None:
    with pytest.raises(ExportError, match="differ"):
        check(chaotic, as_file(chaotic(8.001)))


def test_a_file_that_fails_is_named_with_what_wrote_it() -> None:
    def fail(ids: Array, state: Arrays | None) -> tuple[Array, Arrays | None]:
        raise RuntimeError("no such\nlayer")

    with pytest.raises(
        ExportError, match=r"^the format fake failed: RuntimeError: no such layer; nothing was kept: re"
    ):
        check(TRAINED["lstm"], fail)


# --- the text ---


def test_the_text_is_the_model_s_own_and_the_same_each_time() -> None:
    model = reference(TRAINED["lstm"]).exact
    text = write_text(model, FIRST)
    assert text.shape == (2, 512)
    assert (text[:, 0] == 3).all()
    np.testing.assert_array_equal(text, write_text(model, FIRST))
    assert not np.array_equal(text[0], text[1])
    logits = model.forward(text, model.start(2))[:, :-1]
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    chosen = np.take_along_axis(shares / shares.sum(axis=-1, keepdims=True), text[:, 1:, np.newaxis], axis=-1)
    expected = -(shares / shares.sum(-1, keepdims=True) * np.log(shares / shares.sum(-1, keepdims=True))).sum(-1).mean()
    assert -np.log(chosen).mean() == pytest.approx(expected, rel=0.15)  # its loss is the model's own entropy


@pytest.mark.parametrize(
    ("vocabulary_size", "window", "shape"),
    [
        (11, 60, (17, 60)),
        (11, 2000, (2, 512)),
        (50_000, None, (2, 167)),
        (20_000_000, None, (1, 1)),
        (1, None, (2, 512)),
    ],
)
def test_its_length_is_bounded(vocabulary_size: int, window: int | None, shape: tuple[int, int]) -> None:
    class Flat(ScriptedModel):
        def forward(self, ids: Array, state: Any, last_only: bool = False) -> Array:
            assert last_only or window is not None
            return np.zeros((len(ids), 1, vocabulary_size), np.float32)

        def step(self, ids: Array, state: Any) -> Array:
            return np.zeros((len(ids), vocabulary_size), np.float32)

    assert write_text(Flat(vocabulary_size, lambda _: [], window=window), np.array([0])).shape == shape


def test_a_model_of_windows_reads_no_more_than_one() -> None:
    make = functools.partial(saved_lstm, model_window=20)
    file = as_file(make())

    def read(ids: Array, state: Arrays | None) -> tuple[Array, Arrays | None]:
        assert ids.shape[1] <= 20
        return file(ids, state)

    assert check(make, read).tokens == 51 * (20 + 16) + 16


def test_a_model_without_sound_logits_is_not_exported() -> None:
    broken = ScriptedModel(4, lambda tokens: [np.nan] * 4)
    with pytest.raises(ExportError, match="for after 1 tokens the model's own logits hold NaN: train it again"):
        check_file(lambda ids, state: (np.zeros((*ids.shape, 4)), None), Reference(broken, None, {}), FIRST, "it")
    assert issubclass(export_check.UndrawableRow, GenerationError)


@pytest.mark.parametrize("vocabulary_size", [1, 2, 5000, 40_000])
def test_vocabularies_of_any_size(vocabulary_size: int) -> None:
    make = functools.partial(saved_lstm, vocabulary_size=vocabulary_size, hidden_size=4, embedding_size=2)
    saved = make()
    own = make_reference(Plugins(), saved)
    agreement = check_file(as_file(saved), own, np.array([0]), "it")
    assert agreement.distance < 1e-5
    if vocabulary_size > 1:
        with pytest.raises(ExportError, match="differ"):
            check_file(spoil(lambda logits: logits[..., ::-1])(as_file(saved)), own, np.array([0]), "it")


# --- what is allowed ---


@given(st.floats(1e-6, 1e4), st.floats(0, 10), st.integers(0, 9))
def test_never_more_is_allowed_than_a_fraction_of_the_spread(size: float, rounding: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    exact = random.normal(0, size, (2, 6, 8))
    rounded = exact + random.normal(0, rounding * size, exact.shape)
    allowed = allow(exact, rounded, measure_spread(exact))
    most = max(FRACTION * measure_spread(exact), 1e-5 * np.abs(exact).max())
    assert (allowed.most <= most * 1.0001).all()
    assert (allowed.most > 0).all()
    assert (allowed.comparable == (20 * np.maximum.accumulate(distances(rounded, exact), axis=1) <= most)).all()
