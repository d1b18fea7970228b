from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ScriptedModel, hashed_logits, letters

import textforge
from textforge.errors import GenerationError, PluginError, TextforgeError, UnknownComponent
from textforge.generation.loop import Task, write
from textforge.plugins.registry import Plugins
from textforge.samplers.base import Sampler
from textforge.samplers.greedy import Greedy
from textforge.samplers.temperature import Temperature
from textforge.samplers.top_k import TopK

LOGITS = np.array([[0.0, 1.0, 2.0, 3.0], [3.0, 2.0, 1.0, 0.0]])


class Noise(Sampler):
    """Depends on all that a context says but its state."""

    name = "noise"

    def __call__(self, logits, context):
        generated = context.tokens.shape[1] - context.prompt_length
        assert context.encoder is None or context.encoder == letters()
        last = context.tokens[:, -1:] if context.tokens.shape[1] else 0
        return logits + context.random(logits.shape[1]) * (1 + generated + context.step) + last


class Careful(Sampler):
    name = "careful"

    def __call__(self, logits, context):
        raise NotImplementedError

    def expand(self):
        return (TopK(2), Temperature(0.5))


class Picky(Sampler):
    name = "picky"

    def __call__(self, logits, context):
        return logits

    def check(self, encoder):
        if encoder is None:
            raise GenerationError("picky needs an encoder")


class Leaves(Sampler):
    name = "leaves"
    value: float = textforge.option(default=0.0, help="Every logit.")

    def __call__(self, logits, context):
        return np.full(logits.shape, {7.0: np.nan, 8.0: -np.inf}.get(self.value, self.value))


def test_a_chain_may_be_written_in_any_way():
    expected = [[-np.inf, -np.inf, 4.0, 6.0], [6.0, 4.0, -np.inf, -np.inf]]
    ways = ["top-k:2 | temperature:0.5", ["top-k:2", "temperature:0.5"], [TopK(2), "temperature:0.5"], Careful()]
    for way in ways:
        assert textforge.apply_samplers(way, LOGITS).tolist() == expected
    assert textforge.apply_samplers([], LOGITS).tolist() == LOGITS.tolist()


def test_samplers_are_looked_up_where_it_is_said():
    with pytest.raises(UnknownComponent):
        textforge.apply_samplers("greedy", LOGITS, plugins=Plugins(sources=()))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "uint8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_logits_of_any_kind_are_taken_and_left_alone(dtype, order):
    logits = np.array(LOGITS, dtype=dtype, order=order)
    before = logits.copy()
    for samplers in ([], "top-k:2"):
        result = textforge.apply_samplers(samplers, logits)
        assert result.dtype == np.float64
        assert result.flags.writeable
        result[:] = -1
        assert (logits == before).all()


def test_lists_and_other_libraries_arrays_are_taken():
    class Foreign:
        def __array__(self, dtype=None, copy=None):
            return LOGITS.astype(np.float32)

    for logits in (LOGITS.tolist(), Foreign()):
        assert (
            textforge.apply_samplers("greedy", logits).tolist() == textforge.apply_samplers("greedy", LOGITS).tolist()
        )


@given(st.integers(0, 1 << 40), st.integers(1, 9), st.integers(1, 4))
def test_it_is_what_a_run_does_at_that_step(seed, max_tokens, count):
    samplers = [Noise(), TopK(5), Noise(), Temperature(0.8)]
    model = ScriptedModel(9, hashed_logits(9))
    prompt = np.array([1, 0, 4])
    task = Task(
        model=model, encoder=letters(), prompt=prompt, samplers=samplers, max_tokens=max_tokens, stops=(), seed=seed
    )
    seen = []
    list(write(task, count, seen.append))
    last = sorted((drawn for drawn in seen if drawn.step == max_tokens - 1), key=lambda drawn: drawn.number)
    tokens = [[*prompt.tolist(), *(drawn.id for drawn in seen if drawn.number == n)][:-1] for n in range(count)]
    logits = np.array([model._logits(row) for row in tokens], dtype=np.float32)
    left = textforge.apply_samplers(samplers, logits, tokens, prompt_length=3, encoder=letters(), seed=seed)
    assert (left == np.array([drawn.stages[-1]._logits for drawn in last])).all()


def test_tokens_are_all_prompt_unless_it_is_said():
    seen = []

    class Look(Noise):
        name = "look"

        def __call__(self, logits, context):
            seen.append((context.tokens.tolist(), context.prompt_length, context.step, context.encoder))
            return logits

    tokens = [[0, 1, 2], [3, 3, 3]]
    textforge.apply_samplers(Look(), LOGITS, tokens)
    textforge.apply_samplers(Look(), LOGITS, np.array(tokens, dtype=np.uint8), prompt_length=1)
    textforge.apply_samplers(Look(), LOGITS, tokens, prompt_length=0, step=7)
    for empty in (None, [], [[], []], np.zeros((2, 0))):
        textforge.apply_samplers(Look(), LOGITS, empty)
    assert seen == [(tokens, 3, 0, None), (tokens, 1, 2, None), (tokens, 0, 7, None), *[([[], []], 0, 0, None)] * 4]


def test_a_seed_repeats_what_is_random_and_none_does_not():
    def noisy(**options):
        return textforge.apply_samplers(Noise(), LOGITS, **options).tolist()

    assert noisy(seed=3) == noisy(seed=3)
    assert noisy(seed=3) != noisy(seed=4)
    assert noisy(seed=3) != noisy(seed=3, step=1)
    assert noisy() != noisy()
    alone = textforge.apply_samplers(Noise(), LOGITS[:1], seed=3).tolist()
    assert noisy(seed=3)[:1] == alone


def test_a_chain_that_needs_an_encoder_says_so():
    with pytest.raises(GenerationError, match=r"^picky needs an encoder$"):
        textforge.apply_samplers(Picky(), LOGITS)
    assert textforge.apply_samplers(Picky(), np.zeros((1, 9)), encoder=letters()).shape == (1, 9)


@pytest.mark.parametrize("value", [1e300, -1e300, 5e-324, np.finfo(np.float32).max])
def test_huge_and_tiny_logits_raise_no_warning(value):
    logits = np.array([[value, 0.0, -np.inf]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert textforge.apply_samplers("top-k:2 | greedy", logits).max() == max(value, 0)


WRONG = [
    ((LOGITS[0],), {}, "logits must be (B, V), with a row and a token at least, got shape (4,); one row of them is"),
    ((np.zeros((0, 4)),), {}, "logits must be (B, V), with a row and a token at least, got shape (0, 4)"),
    ((np.zeros((2, 0)),), {}, "logits must be (B, V), with a row and a token at least, got shape (2, 0)"),
    ((np.zeros((1, 2, 3)),), {}, "logits must be (B, V), with a row and a token at least, got shape (1, 2, 3)"),
    ((None,), {}, "logits must be an array of numbers, got NoneType of object"),
    (("abc",), {}, "logits must be an array of numbers, got str of <U3"),
    ((LOGITS * 1j,), {}, "logits must be an array of numbers, got ndarray of complex128"),
    ((LOGITS > 1,), {}, "logits must be an array of numbers, got ndarray of bool"),
    (([[1.0], [2.0, 3.0]],), {}, "logits must be an array of numbers; NumPy can't read it: "),
    ((LOGITS * np.nan,), {}, "the samplers were given logits that hold NaN, in row 0; each row needs a finite one"),
    (([[0, 1], [np.inf, 0]],), {}, "the samplers were given logits that hold +inf, in row 1; "),
    (([[0, 1], [-np.inf, -np.inf]],), {}, "the samplers were given logits that rule out every token, in row 1; "),
    ((LOGITS, [0, 1]), {}, "tokens must be (B, t), as many rows as the logits, 2, got shape (2,)"),
    ((LOGITS, 3), {}, "tokens must be (B, t), as many rows as the logits, 2, got shape ()"),
    ((LOGITS, [[0, 1]]), {}, "tokens must be (B, t), as many rows as the logits, 2, got shape (1, 2)"),
    ((LOGITS, [[0], [4]]), {}, "tokens must be ids from 0 to 3, as the logits are of 4, got 4"),
    ((LOGITS, [[-1], [4]]), {}, "tokens must be ids from 0 to 3, as the logits are of 4, got -1"),
    ((LOGITS, [[0.5], [1]]), {}, "tokens must be an array of token ids, which are whole numbers, got list of float64"),
    ((LOGITS, [[0], [1]]), {"prompt_length": 2}, "prompt_length must be at most the number of tokens, 1, got 2"),
    ((LOGITS,), {"prompt_length": -1}, "prompt_length must be a whole number >= 0, got -1"),
    ((LOGITS,), {"step": 0.5}, "step must be a whole number >= 0, got 0.5"),
    ((LOGITS,), {"step": True}, "step must be a whole number >= 0, got True"),
    ((LOGITS,), {"seed": True}, "seed must be a whole number >= 0, got True"),
    ((LOGITS,), {"seed": -1}, "seed must be a whole number >= 0, got -1"),
    ((LOGITS,), {"encoder": letters()}, "the logits are of 4 tokens, but the encoder knows 9: "),
]


@pytest.mark.parametrize(("arguments", "options", "message"), WRONG, ids=[case[2][:60] for case in WRONG])
def test_what_can_t_be_done_is_one_line(arguments, options, message):
    with pytest.raises(GenerationError) as refused:
        textforge.apply_samplers(Greedy(), *arguments, **options)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("value", "problem"), [(7, "hold NaN"), (8, "rule out every token"), (np.inf, "hold +inf")])
def test_a_chain_that_leaves_nothing_to_draw_from_is_named(value, problem):
    sampler = Leaves(value)
    with pytest.raises(TextforgeError) as refused:
        textforge.apply_samplers([Greedy(), sampler], LOGITS)
    start = f"the samplers (greedy | {sampler.spec}) left logits that {problem}, in row 0; "
    assert str(refused.value).startswith(start)


def test_what_is_no_chain_is_refused():
    with pytest.raises(PluginError, match="a sampler is expected"):
        textforge.apply_samplers(3, LOGITS)
