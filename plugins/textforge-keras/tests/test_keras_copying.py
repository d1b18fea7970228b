"""Generators are pickled and copied, and used in other processes, before and after they have written."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from gradient_backends.framework import each
from gradient_backends.small import ROWS, batch, train
from support import ModelMaker

import textforge
from textforge.encoders.char import CharEncoder
from textforge.model import Optimizer

LETTERS = "\n abcdef"


def make_generator(architecture):
    model = ModelMaker("keras", architecture, device="cpu", num_layers=2).create(len(LETTERS), seed=3)
    return textforge.TextGenerator(model, CharEncoder().fit([LETTERS]))


def pickled(made):
    return pickle.loads(pickle.dumps(made))


def write(generator):
    return generator.generate("a", max_tokens=20, seed=1)


@each
@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
def test_a_copy_writes_the_same_before_and_after_its_original_has(architecture, duplicate):
    generator = make_generator(architecture)
    early = duplicate(generator)
    text = write(generator)
    late = duplicate(generator)
    assert write(early) == write(late) == text
    changed = {name: array + 1 for name, array in late.model.save().arrays.items()}
    late.model.network.load(changed)
    assert write(generator) == text


def test_it_is_used_in_a_process_pool():
    generator = make_generator("lstm")
    text = write(generator)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(write, generator).result() == text


def test_what_is_copied_while_training_can_be_trained_anew():
    model = ModelMaker("keras", "lstm", device="cpu", dropout=0.2).create(7)
    model.begin(Optimizer(), seed=0)
    train(model, range(2))
    copied = copy.deepcopy(model)
    for name, array in model.save().arrays.items():
        np.testing.assert_array_equal(copied.save().arrays[name], array)
    copied.begin(Optimizer(), seed=0)
    copied.train_step(*batch(0), copied.start(ROWS), learning_rate=0.1, step=0)
