from __future__ import annotations

import bigram_plugin
import pytest

from textforge.backends.choose import choose_runner, choose_trainer
from textforge.errors import BackendError, OptionError, UnknownComponent
from textforge.plugins.registry import Plugins


@pytest.fixture
def registry() -> Plugins:
    return Plugins([bigram_plugin], disabled="all")


def saved(scale: float = 0.5) -> object:
    return bigram_plugin.BigramBackend(scale=scale).create(4, 0).save()


def test_without_frameworks_the_ngram_trains(registry: Plugins) -> None:
    assert choose_trainer(registry, None).name == "ngram"


def test_numpy_is_refused_for_training_and_those_that_can_are_named(registry: Plugins) -> None:
    with pytest.raises(BackendError, match=r"numpy runs trained models but can't train; .*bigram or ngram"):
        choose_trainer(registry, "numpy")


def test_what_trained_a_model_runs_it_where_numpy_does_not(registry: Plugins) -> None:
    backend = choose_runner(registry, saved(), None, "bigram")
    assert backend == bigram_plugin.BigramBackend(scale=0.5)


def test_run_time_options_are_taken_and_the_models_own_refused(registry: Plugins) -> None:
    assert choose_runner(registry, saved(), "bigram:speed=3", "bigram").spec == "bigram:scale=0.5,speed=3"
    for spec in ("bigram:scale=1", "bigram:1"):
        with pytest.raises(OptionError, match=r"scale is part of the trained model.*speed"):
            choose_runner(registry, saved(), spec, "bigram")
    with pytest.raises(OptionError, match=r"no option 'sped'.*did you mean 'speed'"):
        choose_runner(registry, saved(), "bigram:sped=1", "bigram")


def test_an_object_takes_the_models_options(registry: Plugins) -> None:
    given = bigram_plugin.BigramBackend(scale=9, speed=2)
    assert choose_runner(registry, saved(), given, "bigram").spec == "bigram:scale=0.5,speed=2"


def test_another_architecture_is_refused_and_those_that_can_are_named(registry: Plugins) -> None:
    with pytest.raises(BackendError, match=r"numpy can't run .*'bigram'; installed backends that can: bigram"):
        choose_runner(registry, saved(), "numpy", "bigram")
    with pytest.raises(UnknownComponent, match="tensorfloh"):
        choose_runner(registry, saved(), "tensorfloh", "bigram")
