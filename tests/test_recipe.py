"""Recipes: what a user leaves open, chosen from the corpus and the budget."""

from __future__ import annotations

import copy
import pickle

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import textforge
from textforge.architectures.lstm import LSTM
from textforge.architectures.recipe import Budget, CorpusSize, Recipe, fit_streams
from textforge.backends.numpy.backend import NumpyBackend
from textforge.errors import PluginError
from textforge.library.beginning import begin_run
from textforge.library.choosing import apply_recipe
from textforge.training.data import TrainingData
from textforge.training.settings import RECIPE_SETTINGS, TrainingSettings

sizes = st.builds(CorpusSize, st.integers(2, 10**9), st.integers(2, 50_000))
budgets = st.one_of(
    st.just(Budget()),
    st.builds(Budget, epochs=st.integers(1, 1000)),
    st.builds(Budget, minutes=st.floats(0.01, 10_000), speed=st.sampled_from([0.4, 1.0, 30.0])),
)
TEXT = "It is so, and that is that. Is it? It is.\n" * 40


class Messages(textforge.Report):
    def __init__(self):
        self.lines = []

    def message(self, text):
        self.lines.append(text)


def test_what_the_constructor_is_given_is_known_and_stays_known() -> None:
    made = LSTM(256, dropout=0.2)
    assert made.given == {"hidden_size", "dropout"}
    assert LSTM().given == set()
    assert LSTM(hidden_size=128) == LSTM()  # though one of them was given its size
    assert textforge.Plugins().architecture("lstm:hidden_size=128").given == {"hidden_size"}
    assert copy.copy(made).given == pickle.loads(pickle.dumps(made)).given == made.given
    assert made.replace(num_layers=2).given == {"hidden_size", "dropout", "num_layers"}


@given(size=sizes, budget=budgets)
def test_any_corpus_and_budget_has_a_recipe_that_can_be_trained(size: CorpusSize, budget: Budget) -> None:
    recipe = LSTM().sized(size, budget)
    assert recipe == LSTM().sized(size, budget)
    assert recipe.settings.keys() <= set(RECIPE_SETTINGS)
    settings = TrainingSettings(seed=1, **recipe.settings)
    assert settings.batch_size * settings.sequence_length <= max(size.tokens, 64)
    assert recipe.reason


@given(size=sizes, budget=budgets)
def test_what_is_given_stays(size: CorpusSize, budget: Budget) -> None:
    made = LSTM(hidden_size=40, embedding_size=None).sized(size, budget).architecture
    assert (made.hidden_size, made.embedding_size) == (40, None)
    assert LSTM(dropout=0.05).sized(size, budget).architecture.dropout == 0.05


def test_more_time_makes_no_smaller_network_and_a_longer_text_no_more_dropout() -> None:
    minutes = [0.05, 0.2, 1, 1.5, 5, 20, 100]
    found = [LSTM().sized(CorpusSize(10**6, 65), Budget(minutes=each)).architecture for each in minutes]
    parameters = [sum(weight.size for weight in each.weights(65).values()) for each in found]
    assert parameters == sorted(parameters)
    assert parameters[0] < parameters[-1]
    tokens = [10**4, 10**5, 10**6, 10**7, 10**8]
    dropped = [LSTM().sized(CorpusSize(each, 65), Budget(minutes=5)).architecture.dropout for each in tokens]
    assert dropped == sorted(dropped, reverse=True)


def test_few_epochs_have_the_network_of_more_so_that_more_can_be_asked_for() -> None:
    first, all_of_them = (LSTM().sized(CorpusSize(270_000, 62), Budget(epochs=each)) for each in (1, 6))
    assert first.architecture == all_of_them.architecture
    assert {**first.settings, "warm_up": all_of_them.settings["warm_up"]} == all_of_them.settings
    assert 1 > first.settings["warm_up"] * 270_000 / 512 / 31 > 0.9  # steps enough to warm up in


def test_minutes_far_beyond_what_a_short_text_needs_become_epochs_and_are_told() -> None:
    report = Messages()
    generator = textforge.train(text=TEXT, minutes=60, seed=1, report=report)
    settings = generator.contents.settings
    assert settings["minutes"] == 60
    assert 1 < settings["epochs"] < 100
    [line] = [line for line in report.lines if line.startswith("chosen for")]
    assert line.startswith("chosen for 1,512 tokens of 14 kinds, which need less than 60 minutes: ")
    assert f"epochs={settings['epochs']}" in line
    long = LSTM().sized(CorpusSize(10**6, 65), Budget(minutes=5))
    assert "epochs" not in long.settings


@given(tokens=st.integers(2, 10**7), rows=st.integers(2, 64), length=st.integers(1, 256))
def test_streams_are_no_more_than_asked_for_and_fit(tokens: int, rows: int, length: int) -> None:
    streams, each = fit_streams(tokens, rows, length)
    assert 1 <= streams <= rows
    assert 1 <= each <= length
    assert streams * each < tokens


def test_a_run_says_what_was_chosen_and_saves_it_in_full(tmp_path) -> None:
    report = Messages()
    generator = textforge.train(
        text=TEXT, backend="torch:precision=float32", epochs=1, seed=1, batch_size=3, report=report
    )
    [line] = [line for line in report.lines if line.startswith("chosen for")]
    assert line.startswith("chosen for 1,512 tokens of 14 kinds: hidden_size=")
    assert "batch_size" not in line
    contents = generator.contents
    assert contents.settings["batch_size"] == 3
    for part in line.partition(": ")[2].split(", "):
        name, _, value = part.partition("=")
        assert str({**contents.model.options, **contents.settings}[name]) == value


class Mixing(NumpyBackend):
    """A backend that is faster in mixed precision, or takes what was given for its own."""

    name = "mixing"
    stubborn: bool = textforge.option(default=False, help="Change what was given.")

    def mix_precision(self):
        return self if "precision" in self.given and not self.stubborn else self.replace(precision="float64")


def _apply(architecture, backend):
    run = begin_run(textforge.Plugins(), ["python-docs"], "char", "lstm", None, {"seed": 1})
    encoder = textforge.Plugins().encoder("char").fit([TEXT])
    data = TrainingData.split(encoder.encode(TEXT), encoder, 0.1)
    report = Messages()
    return apply_recipe(attrs.evolve(run, architecture=architecture, backend=backend), data, report), report


def test_mixed_precision_is_chosen_where_the_recipe_and_the_backend_agree_and_is_told() -> None:
    run, report = _apply(LSTM(), Mixing())
    assert run.backend.precision == "float64"
    assert report.lines[-1].endswith(", precision=float64")
    run, report = _apply(LSTM(), Mixing(precision="float32"))
    assert run.backend.precision == "float32"
    assert "precision" not in report.lines[-1]
    run, _ = _apply(textforge.Plugins().architecture("conv"), Mixing())
    assert run.backend.precision == "float32"


def test_a_backend_that_changes_what_was_given_is_refused() -> None:
    with pytest.raises(PluginError, match="though what is given must stay"):
        _apply(LSTM(), Mixing(precision="float32", stubborn=True))


def test_an_architecture_without_a_recipe_trains_by_its_declared_defaults_and_says_so() -> None:
    report = Messages()
    textforge.train(text=TEXT, architecture="conv:channels=4,num_layers=1", epochs=1, seed=1, report=report)
    assert "conv has no recipe: its declared defaults are taken for what isn't given" in report.lines


def test_ngrams_are_longer_in_a_mixture_unless_their_order_is_given() -> None:
    ngram, size = textforge.Plugins().architecture("ngram"), CorpusSize(10**6, 65)
    assert ngram.sized(size, Budget()) == Recipe(ngram)
    assert ngram.sized(size, Budget(mixed=True)).architecture.order == 9
    assert ngram.sized(CorpusSize(10**6, 50_000), Budget(mixed=True)).architecture.order == 4  # the longest there is
    given = textforge.Plugins().architecture("ngram:order=7")
    assert given.sized(size, Budget(mixed=True)) == Recipe(given)


def test_a_resumed_run_keeps_the_options_that_were_chosen_for_its_backend(tmp_path) -> None:
    model = tmp_path / "model"
    textforge.train(text=TEXT, backend="torch:precision=bfloat16", output=model, epochs=1, seed=1)
    again = textforge.train(text=TEXT, backend="torch:device=cpu", output=model, resume=True, epochs=2)
    assert again.contents.backend == "torch:device=cpu,precision=bfloat16"
    again = textforge.train(text=TEXT, backend="torch:precision=float32", output=model, resume=True, epochs=3)
    assert again.contents.backend == "torch:device=cpu"


def test_both_limits_given_once_more_to_a_resumed_run_both_stay(tmp_path) -> None:
    model = tmp_path / "model"
    textforge.train(text=TEXT, output=model, epochs=1, minutes=5.0, seed=1)
    settings = textforge.train(text=TEXT, output=model, resume=True, epochs=2, minutes=5.0).contents.settings
    assert (settings["epochs"], settings["minutes"]) == (2, 5.0)


def test_decay_and_streams_suit_what_is_given() -> None:
    size = CorpusSize(10**6, 65)
    usual, given = (LSTM().sized(size, Budget(minutes=1, settings=each)).settings for each in ({}, {"batch_size": 4}))
    assert given["weight_decay"] == pytest.approx(usual["weight_decay"] * 4 / usual["batch_size"], rel=0.05)
    assert "weight_decay" not in LSTM().sized(size, Budget(minutes=1, settings={"optimizer": "sgd"})).settings


@pytest.mark.parametrize("length", [4, 12, 20, 40])
def test_a_text_of_a_few_characters_trains(length: int) -> None:
    assert textforge.train(text=TEXT[:length], epochs=1, seed=1, validation=0.0).contents.history


class Wilful(LSTM):
    """An architecture whose recipe goes beyond what is its own."""

    name = "wilful"

    def sized(self, corpus, budget):
        return self.recipe

    recipe = None


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (Recipe(LSTM()), "not an architecture of its own kind"),
        (Recipe(Wilful(hidden_size=9)), "changed hidden_size, which was given: 8 to 9"),
        (Recipe(Wilful(hidden_size=8), {"validation": 0.5}), "chose validation; it may choose epochs, batch_size"),
        (Recipe(Wilful(hidden_size=8), {"learning_rate": -1}), "its training_defaults can't be: learning_rate"),
    ],
)
def test_a_recipe_that_goes_too_far_is_refused(recipe, message, monkeypatch) -> None:
    monkeypatch.setattr(Wilful, "recipe", recipe)
    with pytest.raises(PluginError, match=message):
        _apply(Wilful(hidden_size=8), Mixing())
