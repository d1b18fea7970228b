from __future__ import annotations

import numpy as np
import pytest
from support import letters

import textforge
from textforge.errors import EncodingError, GenerationError
from textforge.generation.chain import Chain, expand_presets
from textforge.generation.history import History
from textforge.samplers.base import Sampler
from textforge.samplers.greedy import Greedy
from textforge.samplers.temperature import Temperature
from textforge.samplers.top_k import TopK


class Preset(Sampler):
    name = "preset"
    k: int = textforge.option(default=3, help="How many tokens.")

    def __call__(self, logits, context):
        raise NotImplementedError

    def expand(self):
        return (TopK(self.k), Temperature(0.5))


class Twice(Preset):
    name = "twice"

    def expand(self):
        return (Preset(self.k), Greedy(), Preset(self.k + 1))


class Endless(Preset):
    name = "endless"

    def expand(self):
        return (Greedy(), Endless())


class Does(Sampler):
    """Calls a function kept outside, as options can't hold one."""

    name = "does"

    def __call__(self, logits, context):
        return self.action(logits, context)


def doing(action):
    class Doing(Does):
        name = "doing"

    Doing.action = staticmethod(action)
    return Doing()


def chain(*samplers, rows=2):
    return Chain(samplers, History(np.array([1]), rows), seed=1, texts=range(rows), encoder=letters())


def logits(rows=2):
    found = np.arange(rows * 9, dtype=np.float64).reshape(rows, 9)
    found.flags.writeable = False
    return found


def test_presets_become_their_chains():
    assert expand_presets([Greedy(), Twice(4)]) == [
        Greedy(), TopK(4), Temperature(0.5), Greedy(), TopK(5), Temperature(0.5),
    ]  # fmt: skip


def test_a_preset_that_contains_itself_is_refused():
    with pytest.raises(GenerationError, match=r"^the preset endless contains itself"):
        expand_presets([Endless()])


@pytest.mark.parametrize("parts", [None, ["greedy"], "greedy", Greedy()])
def test_a_preset_that_gives_no_samplers_is_refused(parts):
    class Odd(Preset):
        name = "odd"

        def expand(self):
            return parts

    with pytest.raises(GenerationError, match=r"^the preset odd must expand to a sequence of samplers, got"):
        expand_presets([Odd()])


def test_samplers_are_applied_in_order():
    assert (chain(TopK(2), Temperature(0.5))(logits(), 0) == Temperature(0.5)(TopK(2)(logits(), None), None)).all()
    assert chain()(logits(), 0) is not None
    assert str(chain(TopK(2), Temperature(0.5))) == "top-k:2 | temperature:0.5"


def test_contexts_say_the_step_and_are_each_position_s_own():
    seen = []

    def look(logits, context):
        context.state.setdefault("rows", [0, 0])
        context.shared["calls"] = context.shared.get("calls", 0) + 1
        seen.append((context.step, context.shared["calls"], context.random().tolist(), context.encoder))
        return logits

    both = chain(doing(look), doing(look))
    both(logits(), 0)
    both(logits(), 1)
    assert [entry[:2] for entry in seen] == [(0, 1), (0, 1), (1, 2), (1, 2)]
    assert len({tuple(entry[2]) for entry in seen}) == 4
    assert seen[0][3] == letters()


@pytest.mark.parametrize("place", [0, 1])
def test_what_a_sampler_is_given_is_read_only(place):
    def overwrite(logits, context):
        logits[0] = 0
        return logits

    samplers = [doing(overwrite)]
    if place:
        samplers.insert(0, Temperature(0.5))
    with pytest.raises(GenerationError, match=r"the sampler doing failed at step 3: ValueError: .*read-only"):
        chain(*samplers)(logits(), 3)


def test_a_sampler_may_keep_and_reuse_its_own_array():
    def reuse(logits, context):
        own = context.shared.setdefault("own", np.empty(logits.shape))
        own[...] = logits / 2
        return own

    both = chain(doing(reuse), Temperature(0.5))
    for step in range(3):
        assert (both(logits(), step) == logits()).all()


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda logits, context: logits[:, 1:], "must give logits of shape (2, 9), float64, got shape (2, 8), float64"),
        (lambda logits, context: logits[0], "must give logits of shape (2, 9), float64, got shape (9,), float64"),
        (lambda logits, context: logits.astype("f4"), "(2, 9), float64, got shape (2, 9), float32"),
        (lambda logits, context: logits.argmax(), "(2, 9), float64, got shape (), int64"),
        (lambda logits, context: logits.tolist(), "must give an array of logits, got list"),
        (lambda logits, context: None, "must give an array of logits, got NoneType"),
        (lambda logits, context: 1 / 0, "failed at step 7: ZeroDivisionError: division by zero"),
    ],
)
@pytest.mark.parametrize("later", [[], [Temperature(0.5)]])
def test_a_sampler_that_breaks_its_contract_is_named(action, message, later):
    with pytest.raises(GenerationError) as refused:
        chain(TopK(3), doing(action), *later)(logits(), 7)
    assert message in str(refused.value)
    assert "the sampler doing " in str(refused.value)
    assert "at step 7" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_textforge_errors_pass_as_they_are():
    def refuse(logits, context):
        raise EncodingError("no such word")

    with pytest.raises(EncodingError, match=r"^no such word$"):
        chain(doing(refuse))(logits(), 0)


def test_state_that_is_not_by_row_names_its_sampler():
    def count(logits, context):
        context.state["calls"] = 1
        return logits

    both = chain(doing(count))
    both(logits(), 0)
    with pytest.raises(GenerationError, match=r"the sampler doing: context\.state\['calls'\] must be"):
        both.keep([0])
