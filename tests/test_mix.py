"""The architecture ``mix`` and its model: logits of other models, joined."""

from __future__ import annotations

import copy
import json
import math
import pickle

import attrs
import mix_samples as samples
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_samples import LSTM, NGRAM, OTHER, SIZE, TOKENS, WINDOWED
from support import ScriptedModel, constant_logits

from textforge.architectures.composite import describe_part
from textforge.architectures.mix import Mix, find_fault
from textforge.backends.choose import choose_runner, choose_trained, load_model, restore_architecture
from textforge.backends.numpy.mix import MixModel
from textforge.errors import BackendError, BundleError, OptionError, PluginError
from textforge.model import Model, SavedModel
from textforge.testing import ArchitectureTests, ImplementationTests

IDS = np.array([[0, 4, 2, 6, 1, 1, 3], [5, 5, 0, 2, 3, 6, 4]])
EVEN = samples.describe((LSTM, NGRAM), (0.5, 0.5))
UNEVEN = samples.describe((LSTM, OTHER, NGRAM), (1.25, 0.5, -0.25), "geometric")
NESTED = samples.describe((samples.join((LSTM, NGRAM), (0.5, 0.5)), OTHER), (0.25, 0.75))
WITH_WINDOW = samples.describe((LSTM, WINDOWED), (0.25, 0.75))


class TestArchitecture(ArchitectureTests):
    components = (EVEN, UNEVEN, NESTED, samples.describe((LSTM, OTHER), (0.5, 0.5)))

    @staticmethod
    def title_of(component):
        return " and ".join(component.part_names)


class TestLinear(ImplementationTests):
    backend = "numpy"
    components = (EVEN,)
    saved = samples.join((LSTM, NGRAM), (0.5, 0.5))


class TestGeometric(TestLinear):
    saved = samples.join((LSTM, OTHER, NGRAM), (1.25, 0.5, -0.25), "geometric")


class TestInFloat64(TestLinear):
    backend = "numpy:precision=float64"
    saved = samples.join((samples.join((LSTM, NGRAM), (0.5, 0.5)), OTHER), (0.25, 0.75))


class TestWithAWindow(TestLinear):
    saved = samples.join((LSTM, WINDOWED), (0.25, 0.75))


def of_scripted(kind: str, coefficients: tuple[float, ...], *parts: Model) -> MixModel:
    """A mixture of models that no architecture describes."""
    size = parts[0].vocabulary_size
    described = tuple(describe_part(SavedModel("scripted", {}, size, {}), None) for _ in parts)
    return MixModel(SavedModel("mix", {}, size, {}), Mix(described, coefficients, kind), list(parts))


@pytest.mark.parametrize("kind", ["linear", "geometric"])
def test_a_part_mixed_with_itself_is_the_part(kind: str) -> None:
    mixed = samples.load(samples.join((LSTM, LSTM), (0.3, 0.7), kind))
    np.testing.assert_allclose(samples.read(mixed, IDS), samples.read(samples.load(LSTM), IDS), atol=1e-12)


@settings(max_examples=25)
@given(share=st.floats(0, 1))
def test_linear_probabilities_are_the_weighted_sum(share: float) -> None:
    mixed = samples.load(samples.join((LSTM, NGRAM), (share, 1 - share)))
    found = np.exp(samples.read(mixed, IDS))
    first, second = (np.exp(samples.read(samples.load(part), IDS)) for part in (LSTM, NGRAM))
    np.testing.assert_allclose(found, share * first + (1 - share) * second, atol=1e-12)


def test_linear_logits_are_log_probabilities() -> None:
    mixed = samples.load(samples.join((LSTM, NGRAM), (0.4, 0.6)))
    logits = mixed.forward(IDS, mixed.start(2))
    np.testing.assert_allclose(np.exp(logits).sum(axis=-1), 1)


@settings(max_examples=25)
@given(weights=st.tuples(st.floats(-2, 2), st.floats(0.1, 2)))
def test_geometric_logits_are_the_weighted_sum(weights: tuple[float, float]) -> None:
    mixed = samples.load(samples.join((LSTM, NGRAM), weights, "geometric"))
    first, second = (samples.read(samples.load(part), IDS) for part in (LSTM, NGRAM))
    wanted = weights[0] * first + weights[1] * second
    wanted -= np.log(np.exp(wanted).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(samples.read(mixed, IDS), wanted, atol=1e-10)


@pytest.mark.parametrize("kind", ["linear", "geometric"])
def test_all_weight_on_one_part_gives_that_part(kind: str) -> None:
    mixed = samples.load(samples.join((LSTM, NGRAM), (1, 0), kind))
    np.testing.assert_allclose(samples.read(mixed, IDS), samples.read(samples.load(LSTM), IDS), atol=1e-12)


def test_one_geometric_part_keeps_its_logits_to_the_last_bit() -> None:
    mixed, alone = samples.load(samples.join((LSTM, NGRAM), (1, 0), "geometric")), samples.load(LSTM)
    np.testing.assert_array_equal(mixed.forward(IDS, mixed.start(2)), alone.forward(IDS, alone.start(2)))


def test_a_row_is_the_same_alone_and_among_others() -> None:
    mixed = samples.load(samples.join((LSTM, NGRAM), (0.4, 0.6)))
    both = samples.read(mixed, IDS)
    for row in range(2):
        np.testing.assert_allclose(samples.read(mixed, IDS[row : row + 1])[0], both[row], atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "coefficients", "possible"),
    [
        ("linear", (0.5, 0.5), [True, True, True, False]),
        ("geometric", (0.5, 0.5), [True, False, False, False]),
        ("geometric", (1.0, 0.0), [True, True, False, False]),
        ("geometric", (0.0, 1.0), [True, False, True, False]),
        ("geometric", (1.5, -0.5), [True, True, False, False]),
        ("linear", (1.0, 0.0), [True, True, False, False]),
    ],
)
def test_what_parts_rule_out_never_gives_nan(kind: str, coefficients: tuple[float, ...], possible: list[bool]) -> None:
    parts = (
        ScriptedModel(4, constant_logits([0.75, 0.25, 0, 0])),
        ScriptedModel(4, constant_logits([0.5, 0, 0.5, 0])),
    )
    model = of_scripted(kind, coefficients, *parts)
    logits = model.step(np.array([0]), model.start(1))
    assert (logits > -np.inf).tolist() == [possible]
    assert not np.isnan(logits).any()
    assert (logits < np.inf).all()


def test_a_contrast_takes_what_is_ruled_out_for_the_least_likely() -> None:
    parts = (
        ScriptedModel(3, constant_logits([0.5, 0.25, 0.25])),
        ScriptedModel(3, constant_logits([0.9, 0.1, 0])),
    )
    model = of_scripted("geometric", (1.0, -1.0), *parts)
    logits = model.step(np.array([0]), model.start(1))[0]
    assert logits[1] == pytest.approx(logits[2])
    assert logits[1] > logits[0]


def test_a_probability_too_small_for_a_number_is_not_ruled_out() -> None:
    parts = [ScriptedModel(2, lambda tokens: [0.0, -2000.0]) for _ in range(2)]
    model = of_scripted("linear", (0.5, 0.5), *parts)
    np.testing.assert_allclose(model.step(np.array([0]), model.start(1)), [[0.0, -2000.0]])


def test_opinions_are_the_parts_own() -> None:
    mixed = samples.load(samples.join((LSTM, NGRAM), (0.4, 0.6)))
    state = mixed.start(2)
    mixed.forward(IDS, state)
    for opinion, part, weight in zip(mixed.opinions(state), (LSTM, NGRAM), (0.4, 0.6), strict=True):
        assert (opinion.part, opinion.weight) == (part.architecture, weight)
        wanted = samples.read(samples.load(part), IDS)[:, -1]
        probabilities = np.exp(opinion.logits - opinion.logits.max(axis=-1, keepdims=True))
        probabilities /= probabilities.sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(probabilities, np.exp(wanted), atol=1e-12)
    assert samples.load(LSTM).opinions(None) == ()


def test_opinions_follow_their_rows() -> None:
    mixed = samples.load(samples.join((LSTM, NGRAM), (0.4, 0.6)))
    state = mixed.start(2)
    mixed.forward(IDS, state, last_only=True)
    selected = mixed.select(state, np.array([1, 1, 0]))
    for before, after in zip(mixed.opinions(state), mixed.opinions(selected), strict=True):
        np.testing.assert_array_equal(after.logits, before.logits[[1, 1, 0]])


def test_a_part_with_a_window_reads_no_further() -> None:
    mixed = samples.load(samples.join((WINDOWED, NGRAM), (1, 0), "geometric"))
    found = samples.read(mixed, IDS)
    part = samples.load(WINDOWED)
    for end in range(1, IDS.shape[1] + 1):
        wanted = samples.read(part, IDS[:, max(0, end - 4) : end])[:, -1]
        np.testing.assert_allclose(found[:, end - 1], wanted, atol=1e-12)
    assert mixed.window is None


def test_nothing_read_gives_no_logits() -> None:
    for parts in ((LSTM, NGRAM), (WINDOWED, NGRAM)):
        mixed = samples.load(samples.join(parts, (0.5, 0.5)))
        for last_only in (False, True):
            assert mixed.forward(np.zeros((2, 0), np.int64), mixed.start(2), last_only).shape == (2, 0, SIZE)


def test_a_mixture_of_mixtures_is_the_mixture_of_all() -> None:
    inner = samples.join((LSTM, NGRAM), (0.5, 0.5))
    nested = samples.load(samples.join((inner, OTHER), (0.6, 0.4)))
    flat = samples.load(samples.join((LSTM, NGRAM, OTHER), (0.3, 0.3, 0.4)))
    np.testing.assert_allclose(samples.read(nested, IDS), samples.read(flat, IDS), atol=1e-12)


def test_a_copied_and_a_pickled_model_reads_alike() -> None:
    mixed = samples.load(samples.join((LSTM, WINDOWED), (0.5, 0.5)))
    for again in (copy.deepcopy(mixed), pickle.loads(pickle.dumps(mixed))):
        np.testing.assert_array_equal(samples.read(again, IDS), samples.read(mixed, IDS))


def test_a_vocabulary_grows_in_every_part() -> None:
    grown = EVEN.grow(EVEN.join((LSTM, NGRAM)), SIZE + 2, seed=1)
    assert grown.vocabulary_size == SIZE + 2
    assert samples.load(grown).forward(IDS + 2, samples.load(grown).start(2)).shape == (2, 7, SIZE + 2)


def test_parameters_are_those_of_all_parts() -> None:
    counts = [restore_architecture(samples.PLUGINS, part).count_parameters(part) for part in (LSTM, NGRAM)]
    assert EVEN.count_parameters(EVEN.join((LSTM, NGRAM))) == sum(counts)


def edit(saved: SavedModel, **changes: object) -> SavedModel:
    return attrs.evolve(saved, options={**saved.options, **changes})


SAVED = samples.join((LSTM, NGRAM), (0.5, 0.5))
ENTRY = json.loads(SAVED.options["parts"][0])


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (edit(SAVED, coefficients=(0.5,)), "coefficients must be one for each of 2 models, got 1"),
        (edit(SAVED, coefficients=(0.5, 0.6)), r"coefficients must sum to 1 .* as shares they are 0.454545,0.545455"),
        (edit(SAVED, coefficients=(1.5, -0.5)), "must be >= 0 in a linear mixture, got -0.5"),
        (edit(SAVED, kind="cubic"), "kind must be one of linear, geometric, got 'cubic'"),
        (edit(SAVED, parts=SAVED.options["parts"][:1], coefficients=(1.0,)), "parts must be 2 models or more, got 1"),
        (edit(SAVED, parts=("{", "[]")), "parts must be models, each as JSON .*, got '{'"),
        (edit(SAVED, parts=("[" * 100_000, "[]")), "parts must be models, each as JSON"),
        (edit(SAVED, parts=(json.dumps({**ENTRY, "window": 1 << 40}),) * 2), "a window must be none or between 1 and"),
        (edit(SAVED, parts=(json.dumps({**ENTRY, "window": 0}),) * 2), "a window must be none or between 1 and"),
        (
            edit(SAVED, parts=(json.dumps({**ENTRY, "options": {}}),) * 2),
            r"part 1 of the model \(lstm\): .*lacks hidden",
        ),
        (
            edit(SAVED, parts=(json.dumps({**ENTRY, "architecture": "nothing"}),) * 2),
            "needs the architecture 'nothing'",
        ),
        (attrs.evolve(SAVED, options={}), "the model's configuration lacks parts"),
        (attrs.evolve(SAVED, arrays={**SAVED.arrays, "2/a": TOKENS}), "weights its options don't speak of: '2/a'"),
        (attrs.evolve(SAVED, arrays={**SAVED.arrays, "a": TOKENS}), "weights its options don't speak of: 'a'"),
        (attrs.evolve(SAVED, arrays={**SAVED.arrays, "²/a": TOKENS}), "weights its options don't speak of: '²/a'"),
        (
            attrs.evolve(SAVED, arrays={k: v for k, v in SAVED.arrays.items() if k != "0/output.bias"}),
            r"part 1 of the model \(lstm\): the model lacks the weights output.bias",
        ),
        (
            attrs.evolve(SAVED, arrays={**SAVED.arrays, "0/output.bias": np.full(SIZE, np.nan, np.float32)}),
            r"part 1 of the model \(lstm\): the weights output.bias have numbers that are not finite",
        ),
    ],
)
def test_a_damaged_or_edited_mixture_is_refused(damaged: SavedModel, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        samples.load(damaged)


@pytest.mark.parametrize(
    ("coefficients", "kind", "fault"),
    [
        ((0.5, 0.5), "linear", ""),
        ((1.5, -0.5), "geometric", ""),
        ((0.0, 0.0), "geometric", "must not all be 0"),
        ((1.0,), "geometric", "must be one for each of 2 models, got 1"),
    ],
)
def test_faults_of_coefficients(coefficients: tuple[float, ...], kind: str, fault: str) -> None:
    assert find_fault(coefficients, kind, 2) == fault


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_coefficients_are_finite(value: float) -> None:
    with pytest.raises(OptionError, match="coefficients must be"):
        Mix(parts=EVEN.parts, coefficients=(value, 1.0))


def test_what_follows_from_parts_needs_them_looked_up() -> None:
    alone = Mix(parts=EVEN.parts, coefficients=(0.5, 0.5))
    assert alone == EVEN
    with pytest.raises(PluginError, match="architectures of its parts are not looked up yet"):
        alone.state()
    assert EVEN.replace(kind="geometric").state() == EVEN.state()
    with pytest.raises(PluginError):
        EVEN.replace(parts=EVEN.parts[::-1]).state()


def test_a_mixture_is_not_trained() -> None:
    for architecture in ("mix", EVEN):
        with pytest.raises(BackendError, match="'mix' is made of trained ones: train each of those by itself"):
            choose_trained(samples.PLUGINS, architecture, None)


def test_a_backend_of_a_part_runs_the_mixture() -> None:
    from textforge.plugins.registry import Plugins

    plugins = Plugins()
    assert choose_runner(plugins, SAVED, "torch").spec.startswith("torch")
    with pytest.raises(OptionError, match="kind is part of the trained model"):
        choose_runner(plugins, SAVED, "torch:kind=linear")
    counted = samples.join((NGRAM, NGRAM), (0.5, 0.5))
    with pytest.raises(BackendError, match=r"torch doesn't implement the architecture 'mix'; .* that do: numpy$"):
        choose_runner(plugins, counted, "torch")


def test_the_backend_runs_the_parts_that_it_can() -> None:
    import bigram_plugin

    from textforge.plugins.registry import Plugins

    plugins = Plugins([bigram_plugin], disabled="all")
    bigram = bigram_plugin.make_bigram(SIZE, seed=1).save()
    described = [describe_part(part, None) for part in (bigram, NGRAM)]
    saved = Mix(parts=described, coefficients=(0.5, 0.5)).join([bigram, NGRAM])
    for backend in ("numpy", "bigram"):
        model = load_model(plugins, choose_runner(plugins, saved, backend), saved)
        first, second = (samples.read(each, IDS) for each in model._models)  # type: ignore[attr-defined]
        np.testing.assert_allclose(np.exp(samples.read(model, IDS)), (np.exp(first) + np.exp(second)) / 2, atol=1e-6)
