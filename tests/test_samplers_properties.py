"""Properties of every sampler that comes with textforge, and that draws follow what each leaves."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sampler_cases import adversarial, context, encoder, names, sampler, softmax, spec
from support import PieceEncoder

from textforge.errors import GenerationError, OptionError
from textforge.generation.chain import Chain, expand_presets
from textforge.generation.context import RowContext
from textforge.generation.drawing import Draw
from textforge.generation.history import History
from textforge.generation.randomness import RandomStreams

ALL = names()
LOGIT = st.one_of(st.integers(-3, 3).map(float), st.floats(-60, 60), st.floats(allow_nan=False, allow_infinity=False))


@st.composite
def rows(draw):
    """Rows of any finite logits, huge ones too, some ruled out, never all."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(3, 9)))
    found = draw(hnp.arrays(np.float64, shape, elements=LOGIT))
    gaps = draw(hnp.arrays(np.bool_, shape, elements=st.booleans()))
    gaps[np.arange(shape[0]), draw(st.integers(0, shape[1] - 1))] = False
    found[gaps] = -math.inf
    return found


def chain(name, history, texts, size):
    parts = expand_presets([sampler(spec(name))])
    return Chain(parts, history, seed=3, texts=texts, encoder=encoder(size))


def written(history, count, steps, size):
    """Tokens a step, that differ by row, so that histories repeat and differ."""
    for step in range(steps):
        yield step
        history.append(np.array([(row * (step + 1) + step // 3) % size for row in range(count)], dtype=np.int64))


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=25)
@given(logits=rows())
def test_what_every_sampler_promises(name, logits):
    """Shape, no mutation, minus infinity stays, one is finite, no NaN, rows alone as together, step after step."""
    count, size = logits.shape
    before = logits.copy()
    logits.flags.writeable = False
    together_history = History(np.array([0, 1, 0], dtype=np.int64), rows=count)
    together = chain(name, together_history, range(count), size)
    alone = []
    for row in range(count):
        history = History(np.array([0, 1, 0], dtype=np.int64), rows=1)
        alone.append((history, chain(name, history, [row], size)))
    for step in written(together_history, count, 4, size):
        found = together(logits, step)
        assert (logits == before).all()
        assert found.shape == logits.shape
        assert found.dtype == np.float64
        assert not np.isnan(found).any()
        assert (found[logits == -np.inf] == -np.inf).all()
        assert np.isfinite(found.max(axis=-1)).all()
        for row, (history, single) in enumerate(alone):
            np.testing.assert_array_equal(single(logits[row : row + 1], step)[0], found[row])
            history.append(np.array([(row * (step + 1) + step // 3) % size]))


@pytest.mark.parametrize("name", ALL)
def test_state_stays_with_its_row_when_others_leave(name):
    random = np.random.default_rng(2)
    logits = random.normal(size=(4, 9)) * 2
    histories = [History(np.array([0, 1], dtype=np.int64), rows=4) for _ in range(2)]
    whole, thinned = (chain(name, history, range(4), 9) for history in histories)
    for step in range(8):
        tokens = random.integers(0, 3, 4)
        all_rows = whole(logits, step)
        kept = [1, 3] if step >= 3 else [0, 1, 2, 3]
        np.testing.assert_array_equal(thinned(logits[kept], step), all_rows[kept])
        histories[0].append(tokens)
        histories[1].append(tokens[kept])
        if step == 2:
            histories[1].keep([1, 3])
            thinned.keep([1, 3])


@pytest.mark.parametrize("name", ALL)
def test_a_vocabulary_of_one_token(name):
    history = History(np.array([0, 0, 0], dtype=np.int64), rows=2)
    text = f"{name}" if name == "logit-bias" else spec(name)
    one = PieceEncoder.of("a")
    found = Chain(expand_presets([sampler(text)]), history, seed=1, texts=[0, 1], encoder=one)
    for step in range(3):
        assert np.isfinite(found(np.array([[2.5], [-1e300]]), step)).all()
        history.append(np.array([0, 0]))


@pytest.mark.parametrize("name", ALL)
def test_specs_read_back_and_options_are_described(name):
    made = sampler(spec(name))
    assert sampler(made.spec) == made
    assert all(option.help for option in made.options().values())


@pytest.mark.parametrize(
    "name", [name for name in ALL if name not in ("greedy", "logit-bias", "novel", "p-less", "preset")]
)
def test_docstrings_say_the_default_of_the_first_option(name):
    """The one that may be given bare; `eta`'s and `epsilon`'s as people write it."""
    made = sampler(name)
    default = next(iter(made.option_values().values()))
    assert re.search(rf"(?<![\d.]){re.escape(np.format_float_positional(default, trim='-'))}", type(made).__doc__)
    assert sampler(f"{name}:{default}") == made


@pytest.mark.parametrize("name", ALL)
def test_a_million_draws_follow_what_each_sampler_leaves(name):
    """Chi-squared: the draw's counts beside the probabilities of the logits that the sampler leaves."""
    count = 2_000
    logits = np.tile(np.log([0.3, 0.22, 0.18, 0.1, 0.08, 0.06, 0.04, 0.02]), (count, 1))
    history = History(np.array([0, 1, 2, 0, 1], dtype=np.int64), rows=count)
    found = chain(name, history, range(count), 8)
    uniform = RandomStreams(9, range(50), 0).page(0, 20_000).reshape(500, count)
    drawing, counts, expected = Draw(count, 8).draw, np.zeros(8), np.zeros(8)
    for step in range(5):  # what is left may differ by row and step: expect the sum
        left = found(logits, step)
        expected += softmax(left).sum(axis=0) * 100
        for numbers in uniform[100 * step : 100 * (step + 1)]:
            ids = drawing(left, numbers)
            counts += np.bincount(ids, minlength=8)
        history.append(ids)
    assert counts.sum() == 1_000_000
    possible = expected > 0
    assert counts[~possible].sum() == 0
    freedom = int(possible.sum()) - 1
    if not freedom:
        return
    statistic = float(((counts[possible] - expected[possible]) ** 2 / expected[possible]).sum())
    # Wilson and Hilferty: the cube root is nearly normal; 4 deviations are 1 in 30,000
    spread = 2 / (9 * freedom)
    assert ((statistic / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread) < 4


@pytest.mark.parametrize("name", [name for name in ALL if name != "preset"])
def test_adversarial_rows_leave_something_to_draw(name):
    for size in (2, 7, 600):
        logits = adversarial(size, np.random.default_rng(size), 200)
        made = sampler(spec(name)) if size > 2 or name != "logit-bias" else sampler('logit-bias:{"a": -2}')
        found = made(logits, context([0, 1, 0], rows=200, size=size))
        assert np.isfinite(found.max(axis=-1)).all()
        assert (found[logits == -np.inf] == -np.inf).all()


@pytest.mark.parametrize(
    ("text", "encoder", "message"),
    [
        ('logit-bias:{"a": 1}', None, "logit-bias: its texts need an encoder"),
        (
            'logit-bias:{"xyz": 1}',
            encoder(3),
            "logit-bias: 'xyz' can never come: the vocabulary lacks 'x'; leave it out",
        ),
        ("dry", None, "dry: its breakers are texts and need an encoder"),
        ("dry:breakers=zz", encoder(3), "dry: the breaker 'zz' can never come: the vocabulary lacks 'z'; leave it out"),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_token(text, encoder, message):
    with pytest.raises(GenerationError) as refused:
        sampler(text).check(encoder)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "top-p:1.1", "min-p:-1", "typical:0", "epsilon:1", "eta:-0.1", "top-a:2", "top-n-sigma:0", "tail-free:0",
        "xtc:2", "dry:-1", "dry:base=0.5", "dry:breakers=[\"\"]", "repetition-penalty:0", "no-repeat-ngram:0",
        "mirostat:0", "mirostat-2:eta=0", "dynamic-temperature:-1", "logit-bias:{\"\": 1}", "top-k-ties:0",
        "logit-bias:{\"a\": Infinity}", "logit-bias:{\"a\": 1e301}", "logit-bias:{\"a\": -1e301}",
        "frequency-penalty:last_n=0", "typical:boundary=nearly", "dry:allowed_length=0",
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(text):
    with pytest.raises(OptionError) as refused:
        sampler(text)
    assert str(refused.value).startswith(text.split(":")[0])


@pytest.mark.parametrize("name", ["repetition-penalty", "frequency-penalty", "presence-penalty"])
def test_penalties_count_in_a_window_that_moves_and_leave_the_prompt_out_if_asked(name):
    random = np.random.default_rng(1)
    for options in ("last_n=3", "last_n=none", "last_n=3,prompt=false", "last_n=none,prompt=false", "last_n=1"):
        moving = context([0, 1, 2, 0], size=6)
        moving.prompt_length = 4
        for _ in range(12):
            fresh = RowContext(moving._history, seed=1, texts=[0], position=0)
            fresh.prompt_length = 4
            made = sampler(f"{name}:{options}")
            logits = random.normal(size=(1, 6))
            found = made(logits, moving)
            np.testing.assert_array_equal(found, made(logits, fresh))
            tokens = moving.tokens[0].tolist()[4 if "prompt=false" in options else 0 :]
            window = tokens if "none" in options else tokens[-1:] if "last_n=1" in options else tokens[-3:]
            assert set(np.flatnonzero(found[0] != logits[0]).tolist()) == set(window)
            moving._history.append(random.integers(0, 6, 1))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", ["repetition-penalty", "frequency-penalty", "presence-penalty", "logit-bias"])
def test_nothing_overflows(name, sign):
    """Check that what is ruled out stays so and what isn't stays finite, whatever the penalty."""
    logits = np.array([[1.7e308, -1.7e308, -math.inf, 0.0, 5.0]])
    huge = f"{1e308**sign!r}" if name == "repetition-penalty" else f"{sign * 1e308!r}"
    text = f'logit-bias:{{"a": {sign}e300, "da": {sign}e300}}' if name == "logit-bias" else f"{name}:{huge}"
    found = sampler(text)(logits, context([0, 1, 1, 1, 2, 2, 2, 3], size=5))
    assert np.isfinite(found[0, [0, 1, 3, 4]]).all()
    assert found[0, 2] == -math.inf


def test_a_preset_must_be_expanded():
    with pytest.raises(GenerationError, match="it stands for the chain 'top-k-ties:50'"):
        sampler("preset:hf")(np.zeros((1, 3)), context())
