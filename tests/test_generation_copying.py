"""Generators and models that are pickled, copied, and sent to other processes."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import bigram_plugin
import numpy as np
import pytest

import textforge
from textforge.library.generator import TextGenerator
from textforge.plugins.registry import Plugins

BUNDLES = Path(__file__).parent / "bundles" / "0.1.0"
KINDS = ("lstm", "conv", "ngram", "windows")
WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "deepcopy": copy.deepcopy,
}
REQUEST = textforge.Request("th", max_tokens=40, seed=5, count=3)


def load(kind: str) -> TextGenerator:
    return textforge.load(BUNDLES / kind, backend=None if kind == "ngram" else "numpy")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_copied_generator_writes_the_same(kind: str, used: bool, way: str) -> None:
    generator = load(kind)
    if used:
        generator.generate("t", seed=1, max_tokens=5)
    copied = WAYS[way](generator)
    assert copied.generate(REQUEST) == generator.generate(REQUEST)
    assert (repr(copied), copied.encoder) == (repr(generator), generator.encoder)
    assert copied.model is not generator.model


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_copied_model_goes_on_from_a_copied_state_as_the_first_does(kind: str, rows: int, way: str) -> None:
    model = load(kind).model
    state = model.start(rows)
    ids = np.random.Generator(np.random.PCG64(1)).integers(model.vocabulary_size, size=(rows, 12))
    model.forward(ids, state)
    other, copied = WAYS[way](model), WAYS[way](state)
    following = np.arange(rows) % model.vocabulary_size
    for _ in range(3):
        np.testing.assert_array_equal(other.step(following, copied).copy(), model.step(following, state))
    np.testing.assert_array_equal(other.forward(ids, copied), model.forward(ids, state))
    assert other.window == model.window


def test_generators_write_in_other_processes() -> None:
    """Processes that begin anew, as they do everywhere but on Linux."""
    generators = [load(kind) for kind in KINDS]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        texts = [pool.submit(generator.generate, REQUEST) for generator in generators]
        assert [text.result(timeout=600) for text in texts] == [generator.generate(REQUEST) for generator in generators]


def test_a_registry_names_its_modules_for_another_process() -> None:
    plugins = Plugins([bigram_plugin], sources=())
    assert plugins.names("architecture") == ("bigram",)
    copied = pickle.loads(pickle.dumps(plugins))
    assert copied.names("architecture") == ("bigram",)
    assert copy.deepcopy(plugins) is plugins


def test_a_generator_shows_what_it_is() -> None:
    generator = load("lstm")
    assert repr(generator).startswith("<TextGenerator: lstm hidden_size=")
    assert repr(generator).endswith(f"{generator.encoder.vocabulary_size} characters (char), run by NumpyLSTM>")
    assert repr(generator.model) == f"<NumpyLSTM: {generator.encoder.vocabulary_size} tokens>"
    windowed = load("windows").model
    assert repr(windowed) == f"<NumpyLSTM: {windowed.vocabulary_size} tokens, window of {windowed.window}>"
