"""Plain functions as samplers."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from support import ScriptedModel, hashed_logits, letters

from textforge.errors import GenerationError, PluginError
from textforge.generation.applying import apply_samplers
from textforge.generation.function import FunctionSampler
from textforge.library.comparing import ComparedText
from textforge.library.generator import TextGenerator
from textforge.plugins.registry import Plugins
from textforge.samplers.temperature import Temperature


def halve(logits, context):
    return logits / 2


def raise_it(logits, context):
    raise KeyError("nothing")


@pytest.fixture
def writer():
    encoder = letters()
    model = ScriptedModel(encoder.vocabulary_size, hashed_logits(encoder.vocabulary_size))
    return TextGenerator(model, encoder, plugins=Plugins(disabled="all"))


def test_a_function_reshapes_logits_as_a_sampler_does(writer):
    expected = writer.generate("a", samplers=["top-k:4", Temperature(2.0)], seed=3, max_tokens=60)
    assert writer.generate("a", samplers=["top-k:4", halve], seed=3, max_tokens=60) == expected
    assert writer.generate("a", samplers=halve, seed=3) == writer.generate("a", samplers="temperature:2", seed=3)
    assert apply_samplers([halve], [[0.0, 2.0]]).tolist() == [[0.0, 1.0]]


def test_a_function_has_a_context_of_its_own(writer):
    seen = []

    def note(logits, context):
        context.shared["calls"] = context.shared.get("calls", 0) + 1
        seen.append((context.step, context.shared["calls"], context.tokens.shape, context.prompt_length))
        return logits

    writer.generate("ab", samplers=[note], max_tokens=3, seed=1)
    assert seen == [(0, 1, (1, 2), 2), (1, 2, (1, 3), 2), (2, 3, (1, 4), 2)]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raise_it, "the sampler raise_it() failed at step 0: KeyError: 'nothing'"),
        (lambda logits: logits, "the sampler <lambda>() must take two arguments, (logits, context)"),
        (lambda logits, context: logits.astype(np.float32), "the sampler <lambda>() must give logits of shape (1, 9)"),
        (lambda logits, context: None, "the sampler <lambda>() must give an array of logits, got NoneType, at step 0"),
    ],
)
def test_a_function_that_fails_is_named(writer, function, message):
    with pytest.raises(GenerationError) as failed:
        writer.generate("a", samplers=[function])
    assert str(failed.value).startswith(message)


def test_a_class_is_no_sampler(writer):
    with pytest.raises(PluginError, match=r"write Temperature\(…\)"):
        writer.generate("a", samplers=Temperature)


def test_a_function_shows_and_copies_as_itself(writer):
    sampler = FunctionSampler(function=halve)
    assert (sampler.spec, sampler) == ("halve()", FunctionSampler(function=halve))
    assert repr(sampler).startswith("FunctionSampler(<function halve")
    assert pickle.loads(pickle.dumps(FunctionSampler(function=np.sqrt))).function is np.sqrt
    assert copy.deepcopy(sampler) == sampler
    assert ComparedText(writer, [sampler], "a").chain == "halve()"
