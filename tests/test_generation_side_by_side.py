"""Texts after many prompts, against those that each prompt gives alone."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ModelMaker, PieceEncoder, ScriptedModel, constant_logits, hashed_logits, letters

import textforge
from textforge.corpora.base import END_OF_TEXT
from textforge.errors import EncodingError, GenerationError, PluginError
from textforge.generation import side_by_side
from textforge.generation.healing import Prompt
from textforge.generation.loop import Task, WritingProgress, write
from textforge.generation.side_by_side import write_each
from textforge.library.generator import TextGenerator
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.temperature import Temperature

ENCODER = PieceEncoder.of("a", "b", "c", "ab", "bca", END_OF_TEXT)
SIZE = ENCODER.vocabulary_size


class Attentive(Sampler):
    """Uses all that a context offers: tokens, the prompt's length, the step, state by row, random numbers."""

    name = "attentive"

    def __call__(self, logits: Logits, context: Context) -> Logits:
        rows, size = logits.shape
        table = context.shared.setdefault("table", np.linspace(-1, 1, size))
        seen = context.state.setdefault("seen", np.zeros((rows, size)))
        seen[np.arange(rows), context.tokens[:, -1]] += 1
        drawn = context.tokens[:, context.prompt_length :]
        assert drawn.shape == (rows, context.step)
        shift = (context.tokens[:, : context.prompt_length].sum(axis=1) + 2 * drawn.sum(axis=1)) % 5
        moved: Logits = (
            logits - 0.5 * seen + table * shift[:, None] + context.random(context.step % 3, size).sum(axis=1)
        )
        return moved


def make_task(model: Any = None, window: int | None = None, **changes: Any) -> Task:
    values: dict[str, Any] = {
        "model": model or ScriptedModel(SIZE, hashed_logits(SIZE), window=window),
        "encoder": ENCODER,
        "prompt": np.zeros(1, dtype=np.int64),
        "samplers": [Temperature(0.8), Attentive()],
        "max_tokens": 12,
        "stops": (),
        "seed": 1,
    }
    return Task(**(values | changes))


def facts(text: Any) -> tuple[Any, ...]:
    return text.number, text.text, text.finish_reason, text.tokens


def alone(task: Task, prompts: list[Any], count: int) -> list[tuple[Any, ...]]:
    return [
        (place, *facts(text))
        for place, prompt in enumerate(prompts)
        for text in write(attrs.evolve(task, prompt=prompt), count)
    ]


def together(task: Task, prompts: list[Any], count: int, **limits: int) -> list[tuple[Any, ...]]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in limits.items():
            patch.setattr(side_by_side, name, value)
        return [(place, *facts(text)) for place, text in write_each(task, list(map(Prompt, prompts)), count)]


prompt_lists = st.lists(
    st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=9).map(lambda ids: np.array(ids, dtype=np.int64)),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(
    prompts=prompt_lists,
    count=st.integers(1, 3),
    window=st.none() | st.integers(1, 6),
    rows=st.integers(1, 9),
    fewest=st.integers(1, 5),
    some=st.integers(1, 12),
    max_tokens=st.integers(0, 14),
    stops=st.sampled_from([(), ("ca",), ("b", "cc")]),
)
def test_each_prompt_gives_the_texts_that_it_gives_alone(
    prompts: list[Any],
    count: int,
    window: int | None,
    rows: int,
    fewest: int,
    some: int,
    max_tokens: int,
    stops: tuple[str, ...],
) -> None:
    task = make_task(window=window, max_tokens=max_tokens, stops=stops)
    expected = alone(task, prompts, count)
    task.model.calls.clear()  # type: ignore[attr-defined]
    assert together(task, prompts, count, ROWS=rows, FEWEST=min(fewest, rows), PROMPTS=some) == expected
    if rows > 1:
        assert all(read < 2 * rows for _, read, _ in task.model.calls)  # type: ignore[attr-defined]


def test_rows_of_any_length_are_read_together() -> None:
    task = make_task(logits_model(constant_logits([1, 0, 0, 0, 0, 0])), max_tokens=5, samplers=[])
    prompts = [np.zeros(length, dtype=np.int64) for length in (7, 3, 4)]
    assert len(together(task, prompts, 1)) == 3
    # the shortest is read at once with the beginnings of the others; it has ended before the longest begins
    assert task.model.calls == [  # type: ignore[attr-defined]
        ("forward", 3, 3),
        *[("step", 3, 1)] * 4,
        ("step", 2, 1),
        *[("step", 1, 1)] * 3,
    ]


def logits_model(logits: Any) -> ScriptedModel:
    return ScriptedModel(SIZE, logits)


def test_those_that_are_left_are_gathered_and_others_take_their_place() -> None:
    def logits(tokens: list[int]) -> list[float]:
        """A text whose prompt begins with 1 goes on for long; the end of any other is certain."""
        return [0.0 if (id == 5) != (tokens[0] == 1) else -np.inf for id in range(SIZE)]

    task = make_task(logits_model(logits), max_tokens=40, samplers=[])
    prompts = [np.array([int(place % 8 == 0), 2, 3]) for place in range(64)]
    expected = alone(task, prompts, 1)
    task.model.calls.clear()  # type: ignore[attr-defined]
    assert together(task, prompts, 1, ROWS=8, FEWEST=4) == expected
    steps = [rows for kind, rows, _ in task.model.calls if kind == "step"]  # type: ignore[attr-defined]
    assert sum(steps) <= 8 * 45
    assert len(steps) <= 45  # one after the other, the eight would have taken 8 * 39


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("lstm", {"hidden_size": 8}),
        ("conv", {"channels": 4}),
        ("gpt", {"hidden_size": 8, "num_heads": 2, "num_layers": 2, "window": 12}),
        ("ngram", {"order": 4}),
    ],
)
def test_models_of_every_architecture_write_the_same_text(architecture: str, options: dict[str, Any]) -> None:
    maker = ModelMaker("numpy", architecture, precision="float64", **options)
    model = maker.create(9)
    random = np.random.default_rng(1)
    if isinstance(model, textforge.CountingModel):
        model = model.count(random.integers(0, 9, 800).astype(np.uint8))
    writer = TextGenerator(model, letters())
    prompts = ["".join(random.choice(list("abcdefg \n"), length)) for length in random.integers(0, 40, 150)]
    options = {"seed": 3, "max_tokens": 20, "stop": "ab", "samplers": "top-k:7 | repetition-penalty:1.2"}
    found = list(writer.complete_each(prompts, **options))
    assert found == [text for prompt in prompts for text in writer.complete(prompt, **options)]
    assert [text.prompt for text in found] == prompts


def test_several_texts_of_each_prompt_come_in_order() -> None:
    writer = TextGenerator(ScriptedModel(9, hashed_logits(9)), letters())
    found = list(writer.complete_each(["abc", "", "a"], count=3, seed=2, max_tokens=6))
    assert [(text.prompt, text.number) for text in found] == [(each, n) for each in ("abc", "", "a") for n in range(3)]
    assert found[6:] == list(writer.complete("a", count=3, seed=2, max_tokens=6))
    assert len({text.seed for text in writer.complete_each(["a", "b"], max_tokens=1)}) == 1
    assert list(writer.complete_each([])) == []


def test_finished_texts_are_given_before_the_last_prompts_are_read() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side_by_side, "PROMPTS", 10)
        model = ScriptedModel(SIZE, hashed_logits(SIZE))
        texts = write_each(make_task(model), [Prompt(np.zeros(3, dtype=np.int64))] * 100, 1)
        for _ in range(10):
            next(texts)
        assert sum(rows for kind, rows, _ in model.calls if kind == "forward") == 10


def test_progress_counts_what_is_finished() -> None:
    told: list[WritingProgress] = []
    task = make_task(max_tokens=4, samplers=[])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side_by_side, "PROMPTS", 3)
        list(write_each(task, [Prompt(np.zeros(length, dtype=np.int64)) for length in (1, 3, 2, 5, 1)], 2, told.append))
    finished = [each.finished for each in told]
    assert finished == sorted(finished)
    assert finished[-1] == 10
    assert {each.count for each in told} == {10}
    assert all(0 <= each.tokens <= 4 for each in told)


# --- what goes wrong ---


def test_a_prompt_that_is_refused_is_named() -> None:
    writer = TextGenerator(ScriptedModel(9, hashed_logits(9)), letters())
    with pytest.raises(EncodingError, match=r"^prompts\[1\]: the vocabulary lacks 'é'"):
        writer.complete_each(["a", "é"])
    with pytest.raises(GenerationError, match=r"^prompts\[1\]: the prompt must be a text, got 3"):
        writer.complete_each(["a", 3])  # type: ignore[list-item]
    with pytest.raises(GenerationError, match="prompts must be a list of texts, got the text 'abc'"):
        writer.complete_each("abc")
    assert [text.prompt for text in writer.complete_each(["aé"], unknown="skip", max_tokens=1)] == ["aé"]


@pytest.mark.parametrize("window", [None, 3])
def test_a_model_that_fails_is_named(window: int | None) -> None:
    def logits(tokens: list[int]) -> list[float]:
        raise ValueError("no")

    model = ScriptedModel(SIZE, logits, window=window)
    with pytest.raises(PluginError, match=r"ScriptedModel failed to read a .*: ValueError: no"):
        list(write_each(make_task(model), [Prompt(np.zeros(3, dtype=np.int64))], 1))


def test_logits_that_nothing_can_be_drawn_from_are_refused() -> None:
    task = make_task(logits_model(constant_logits([0] * SIZE)), samplers=[])
    with pytest.raises(GenerationError, match="rule out every token, for text 0 at step 0"):
        list(write_each(task, [Prompt(np.zeros(3, dtype=np.int64))], 1))
