from __future__ import annotations

from typing import Any

import bigram_plugin
import pytest

from textforge.backends.choose import choose_runner, choose_trained, load_model
from textforge.errors import BackendError, BundleError, OptionError, UnknownComponent
from textforge.model import SavedModel
from textforge.plugins.registry import Plugins


@pytest.fixture
def registry() -> Plugins:
    return Plugins([bigram_plugin], disabled="all")


def saved(scale: float = 0.5) -> SavedModel:
    return bigram_plugin.Bigram(scale=scale).create(4, 0)


def chosen(registry: Plugins, architecture: str | None = None, backend: str | None = None) -> tuple[str, str]:
    found, computing = choose_trained(registry, architecture, backend)
    return found.spec, computing.spec


def test_without_frameworks_n_grams_are_counted(registry: Plugins) -> None:
    assert chosen(registry) == ("ngram", "numpy:float32")


def test_what_a_backend_alone_trains_is_what_it_trains_by_default(registry: Plugins) -> None:
    assert chosen(registry, None, "bigram:speed=2") == ("bigram:0.1", "bigram:2")
    assert chosen(registry, None, "numpy:float64") == ("ngram", "numpy:float64")
    assert chosen(registry, "bigram:0.3") == ("bigram:0.3", "bigram:1")


def test_numpy_is_refused_for_training_and_those_that_can_are_named(registry: Plugins) -> None:
    message = r"^the backend numpy has no implementation of the architecture 'bigram'; train with backend='bigram'$"
    with pytest.raises(BackendError, match=message):
        chosen(registry, "bigram", "numpy")
    message = r"^the backend numpy only runs trained models of the architecture 'lstm'; no installed backend trains it$"
    with pytest.raises(BackendError, match=message):
        chosen(registry, "lstm", "numpy")


def test_options_at_the_wrong_door_are_shown_the_right_one(registry: Plugins) -> None:
    with pytest.raises(OptionError, match=r"^scale belongs to the architecture: architecture='bigram:scale=2'$"):
        chosen(registry, None, "bigram:scale=2")
    with pytest.raises(OptionError, match=r"^hidden_size belongs to the architecture: architecture='lstm:"):
        chosen(registry, None, "numpy:hidden_size=9")
    with pytest.raises(OptionError, match=r"^speed belongs to the backend: backend='bigram:speed=2'$"):
        chosen(registry, "bigram:speed=2")
    with pytest.raises(OptionError, match=r"^bigram: there is no option 'sped'"):
        chosen(registry, "bigram:sped=2")
    with pytest.raises(UnknownComponent, match=r"^ngram is an architecture, not a backend: architecture='ngram'$"):
        chosen(registry, None, "ngram")


def test_the_only_backend_of_an_architecture_runs_it(registry: Plugins) -> None:
    assert choose_runner(registry, saved(), None) == bigram_plugin.BigramBackend()
    assert choose_runner(registry, saved(), bigram_plugin.BigramBackend(speed=3)).spec == "bigram:3"


def test_run_time_options_are_taken_and_the_models_own_refused(registry: Plugins) -> None:
    assert choose_runner(registry, saved(), "bigram:speed=3").spec == "bigram:3"
    with pytest.raises(OptionError, match=r"scale is part of the trained model.*speed"):
        choose_runner(registry, saved(), "bigram:scale=1")
    with pytest.raises(OptionError, match=r"no option 'sped'.*did you mean 'speed'"):
        choose_runner(registry, saved(), "bigram:sped=1")


def test_another_architecture_is_refused_and_those_that_can_are_named(registry: Plugins) -> None:
    with pytest.raises(BackendError, match=r"numpy doesn't implement .*'bigram'; installed backends that do: bigram"):
        choose_runner(registry, saved(), "numpy")
    with pytest.raises(UnknownComponent, match="tensorfloh"):
        choose_runner(registry, saved(), "tensorfloh")


def test_a_model_that_nothing_installed_runs(registry: Plugins) -> None:
    foreign = SavedModel("attention", {}, 3, {})
    message = r"^no installed backend runs a model of the architecture 'attention' of the plugin 'textforge-attention'"
    with pytest.raises(BackendError, match=message):
        choose_runner(registry, foreign, None, "textforge-attention")


class Careless(bigram_plugin.BigramBackend):
    def load(self, saved: SavedModel, architecture: Any, implementation: Any) -> Any:
        return saved.arrays["lats"]


def test_what_fails_to_load_a_sound_model_is_named(registry: Plugins) -> None:
    message = (
        r"^the implementation of bigram on bigram \(bigram_plugin:BigramModel\), of bigram_plugin, can't load the "
        r"model \(KeyError: 'lats'\): if it is damaged, copy it again, or train it again$"
    )
    with pytest.raises(BundleError, match=message):
        load_model(registry, Careless(), saved())


def test_an_architecture_that_fails_to_read_its_weights_is_named(
    registry: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bigram_plugin.Bigram, "check", lambda self, saved: saved.arrays["lats"])
    message = r"^the architecture bigram \(bigram_plugin:Bigram\) can't load the model \(KeyError: 'lats'\): "
    with pytest.raises(BundleError, match=message):
        load_model(registry, bigram_plugin.BigramBackend(), saved())
