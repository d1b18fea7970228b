"""The n-gram model, against a slow implementation straight from the formulas."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import attrs
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from support import LettersEncoder, ModelMaker

import textforge
from textforge.architectures.ngram import Ngram, count_token_bits, find_longest_order
from textforge.backends.numpy.ngram import counts as ngram_counts
from textforge.backends.numpy.ngram import model as ngram_model
from textforge.backends.numpy.ngram.beginning import count_occurrences, take_ending
from textforge.backends.numpy.ngram.counts import count_tables, estimate_discounts
from textforge.backends.numpy.ngram.model import NgramModel
from textforge.errors import BundleError, OptionError, TrainingError
from textforge.training.checkpoint import Checkpoint, Position
from textforge.training.data import TrainingData
from textforge.training.events import EpochResult, RunStart
from textforge.training.settings import TrainingSettings


class Recorder(textforge.Report):
    def __init__(self) -> None:
        self.told: list[Any] = []

    def message(self, text: str) -> None:
        self.told.append(text)

    def start(self, run: RunStart) -> None:
        self.told.append(run)

    def epoch(self, result: EpochResult, model: Any) -> None:
        self.told += [result, model]

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        self.told.append(checkpoint)

    def finish(self) -> None:
        self.told.append("finish")

    def only(self, kind: type) -> Any:
        (found,) = [item for item in self.told if isinstance(item, kind)]
        return found


SETTINGS = TrainingSettings(seed=0)
FULL = [
    0.8347551734949833,
    0.8064618062813544,
    0.8830215301003345,
    0.38497496615703136,
    0.15685567923169824,
    0.6151625209030099,
    0.7347277382943143,
    0.14392290950545025,
]
"""Recorded before short contexts were scored by counts of their own."""


def ngram(**options: Any) -> ModelMaker:
    return ModelMaker("numpy", "ngram", **options)


def train(tokens: Any, vocabulary_size: int, order: int | None, precision: str = "float64", **keywords: Any) -> Any:
    backend = ngram(order=order, precision=precision)
    data = TrainingData(np.asarray(tokens), np.asarray(tokens)[:0], LettersEncoder())
    model = backend.create(vocabulary_size, 0)
    return backend.fit(model, data, SETTINGS, keywords.get("report", textforge.Report()))


class Reference:
    """Interpolated, modified Kneser-Ney, from Chen and Goodman's formulas, with dictionaries."""

    def __init__(self, tokens: list[int], vocabulary_size: int, order: int) -> None:
        self.size, self.order = vocabulary_size, order
        occurrences: list[dict[tuple[int, ...], int]] = [defaultdict(int) for _ in range(order + 1)]
        for length in range(1, order + 1):
            for start in range(len(tokens) - length + 1):
                occurrences[length][tuple(tokens[start : start + length])] += 1
        self.occurrences = [dict(found) for found in occurrences]
        self.counts = [dict(occurrences[order])]
        for length in range(order - 1, 0, -1):
            before: dict[tuple[int, ...], int] = defaultdict(int)
            for longer in occurrences[length + 1]:
                before[longer[1:]] += 1
            self.counts.insert(0, dict(before))

    def longest(self, length: int) -> dict[tuple[int, ...], int]:
        """Count n-grams where none longer fit: how often each comes."""
        return self.occurrences[length]

    def backed_off_to(self, length: int) -> dict[tuple[int, ...], int]:
        """Count n-grams where a longer context was tried: how many different tokens come before."""
        return self.counts[length - 1]

    @staticmethod
    def discounts(counts: dict[tuple[int, ...], int]) -> list[float]:
        n = [0] + [list(counts.values()).count(r) for r in (1, 2, 3, 4)]
        if n[1] == 0 or n[2] == 0:
            return [0.0, 0.5, 0.5, 0.5]
        y = n[1] / (n[1] + 2 * n[2])
        if n[3] == 0:
            return [0.0, y, y, y]
        d = [0.0, 1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
        return d if min(d[1:]) > 0 else [0.0, y, y, y]

    def probability(self, token: int, context: tuple[int, ...], shortened: bool = False) -> float:
        context = context[max(0, len(context) - self.order + 1) :]
        length = len(context) + 1
        shorter = self.probability(token, context[1:], True) if context else 1 / self.size
        counts = self.backed_off_to(length) if shortened else self.longest(length)
        after = [counts.get((*context, w), 0) for w in range(self.size)]
        if not sum(after):
            return shorter
        d = self.discounts(counts)
        numbers = [sum(1 for c in after if c == 1), sum(1 for c in after if c == 2), sum(1 for c in after if c >= 3)]
        gamma = sum(d[i + 1] * numbers[i] for i in range(3)) / sum(after)
        count = after[token]
        return max(count - d[min(count, 3)], 0) / sum(after) + gamma * shorter


cases = st.integers(1, 5).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.lists(st.integers(0, size - 1), min_size=2, max_size=70),
        st.integers(1, 6),
        st.lists(st.integers(0, size - 1), max_size=9),
    )
)


@settings(max_examples=80, deadline=None)
@given(case=cases)
def test_probabilities_are_those_of_the_formula(case: Any) -> None:
    size, tokens, order, prompt = case
    reference, model = Reference(tokens, size, order), train(tokens, size, order)
    state = model.start(1)
    text = [*tokens[:12], *prompt]
    for place, token in enumerate(text):
        logits = model.step(np.array([token]), state)
        context = tuple(text[: place + 1])
        expected = [reference.probability(w, context) for w in range(size)]
        assert np.exp(logits[0]) == pytest.approx(expected, rel=1e-9)


def test_a_longer_text_with_three_discounts_agrees_with_the_formula() -> None:
    random = np.random.default_rng(3)
    tokens = [0]
    for _ in range(4000):
        tokens.append(int(tokens[-1] * 2 + random.geometric(0.4)) % 9)
    reference, model = Reference(tokens, 9, 4), train(np.array(tokens, np.uint8), 9, 4)
    assert len(set(reference.discounts(reference.longest(4))[1:])) == 3
    logits = model.forward(np.array([tokens[:40]]), model.start(1))
    for place in range(40):
        expected = [reference.probability(w, tuple(tokens[: place + 1])) for w in range(9)]
        assert np.exp(logits[0, place]) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(case=cases)
def test_a_text_that_begins_is_read_by_a_model_of_that_order(case: Any) -> None:
    size, tokens, order, prompt = case
    model = train(tokens, size, order)
    state = model.start(1)
    for place, token in enumerate([*prompt, *tokens][: order - 1], start=1):
        shorter = train(tokens, size, place + 1)
        expected = shorter.forward(np.array([[*prompt, *tokens][:place]]), shorter.start(1))[:, -1]
        assert model.step(np.array([token]), state) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(case=cases)
def test_occurrences_follow_from_the_longest_ngrams_and_the_ending(case: Any) -> None:
    size, tokens, order, _ = case
    bits, reference = count_token_bits(size), Reference(tokens, size, order)
    longest = count_tables(np.array(tokens), size, order)[-1]
    found = count_occurrences(longest, order, take_ending(np.array(tokens), order), bits)
    for length, table in enumerate(found, start=2):
        expected = {
            sum(token << bits * (length - 1 - place) for place, token in enumerate(ngram)): count
            for ngram, count in reference.occurrences[length].items()
        }
        assert table.keys.tolist() == sorted(expected)
        assert table.counts.tolist() == [expected[key] for key in sorted(expected)]


@settings(max_examples=40, deadline=None)
@given(case=cases)
def test_full_contexts_do_not_depend_on_how_a_text_begins(case: Any) -> None:
    size, tokens, order, prompt = case
    model = train(tokens, size, order)
    text = np.array([*tokens[:9], *prompt])[None]
    smoothed = ngram_counts.KneserNey(model.tables, size)
    logits, state = model.forward(text, model.start(1)), model.start(1)
    for place in range(text.shape[1]):
        model.step(text[:, place], state)
        if place >= order - 2:
            expected = np.log(smoothed.compute_probabilities(state.histories, order - 1))
            assert (logits[:, place] == expected).all()


def test_full_contexts_are_as_likely_as_they_ever_were() -> None:
    ids = np.array(list(b"to be or not to be, that is the question: to bet or to be beaten"), np.uint8) % 32
    model = train(ids, 32, 3)
    probabilities = np.exp(model.forward(ids[None, :9], model.start(1)))[0]
    assert [probabilities[place, ids[place + 1]] for place in range(1, 9)] == pytest.approx(FULL, rel=1e-12)


def test_a_short_prompt_goes_on_as_the_text_does() -> None:
    line = "The quick brown fox jumps over the lazy dog.\n"
    letters = sorted(set(line))
    ids = np.array([letters.index(letter) for letter in line * 200], np.uint8)
    model = train(ids, len(letters), None)
    for length in (1, 2, 4, 9):
        state, written = model.start(1), line[:length]
        token = int(model.forward(ids[None, :length], state, last_only=True)[0, -1].argmax())
        for _ in range(60):
            written += letters[token]
            token = int(model.step(np.array([token]), state)[0].argmax())
        assert written == (line * 3)[: length + 60]


@settings(max_examples=40, deadline=None)
@given(case=cases, chunk=st.integers(1, 20))
def test_counting_in_chunks_changes_nothing(case: Any, chunk: int) -> None:
    size, tokens, order, _ = case
    whole = count_tables(np.array(tokens), size, order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngram_counts, "CHUNK", chunk)
        cut = count_tables(np.array(tokens), size, order)
    for one, other in zip(whole, cut, strict=True):
        assert one.keys.tolist() == other.keys.tolist()
        assert one.counts.tolist() == other.counts.tolist()


def test_tables_are_no_larger_than_what_is_different(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram_counts, "CHUNK", 100)
    sizes = []
    merge = ngram_counts._merge

    def measured(first: Any, second: Any) -> Any:
        sizes.append(len(first[0]) + len(second[0]))
        return merge(first, second)

    monkeypatch.setattr(ngram_counts, "_merge", measured)
    (*_, longest) = count_tables(np.arange(10_000) % 7, 7, 3)
    assert len(longest.keys) == 7
    assert longest.counts.sum() == 9_998
    assert max(sizes) <= 14


@given(size=st.integers(2, 5), order=st.integers(1, 4), data=st.data())
@settings(max_examples=60, deadline=None)
def test_counting_on_is_counting_both_texts_behind_one_another(size: int, order: int, data: Any) -> None:
    texts = [np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=12))) for _ in range(3)]
    first = np.tile(texts[0], 2 + 8 // len(texts[0]))  # it comes again within the text as it stands at its beginning
    parts = [first, texts[1], texts[2]]
    architecture = Ngram(order=order)
    model = NgramModel(architecture.create(size, seed=0), architecture)
    for part in parts:
        model = model.count(part)
    whole = NgramModel(architecture.create(size, seed=0), architecture).count(np.concatenate(parts))
    for name, array in whole.save().arrays.items():
        np.testing.assert_array_equal(model.save().arrays[name], array, err_msg=name)


@given(size=st.integers(2, 5), larger=st.integers(5, 70), order=st.integers(1, 4), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_larger_vocabulary_changes_no_count(size: int, larger: int, order: int, data: Any) -> None:
    tokens = np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=40)))
    architecture = Ngram(order=order)
    saved = NgramModel(architecture.create(size, seed=0), architecture).count(tokens).save()
    grown = architecture.grow(saved, larger, seed=3)
    architecture.check(grown)
    expected = NgramModel(architecture.create(larger, seed=0), architecture).count(tokens).save()
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(grown.arrays[name], array, err_msg=name)


def test_a_vocabulary_too_large_for_the_order() -> None:
    architecture = Ngram(order=8)
    saved = architecture.create(200, seed=0)
    with pytest.raises(
        OptionError, match=r"order must be <= 7 for a vocabulary of 300 tokens, got 8 from the model; count both"
    ):
        architecture.grow(saved, 300, seed=0)


@pytest.mark.parametrize(("precision", "near"), [("float32", 1e-5), ("float64", 1e-12)])
def test_logits_are_log_probabilities(precision: str, near: float) -> None:
    tokens = np.random.default_rng(1).integers(0, 60, 3000) ** 2 // 60
    model = train(tokens, 65, None, precision)
    logits = model.forward(tokens[:200].reshape(2, 100), model.start(2))
    assert logits.dtype == np.dtype(precision)
    assert np.isfinite(logits).all()
    assert np.exp(logits.astype(np.float64)).sum(axis=-1) == pytest.approx(np.ones((2, 100)), abs=near)


@pytest.mark.parametrize(("size", "order"), [(2, 64), (256, 8), (2**16, 4), (2**32, 2), (3, 32)])
def test_keys_of_all_64_bits(size: int, order: int) -> None:
    assert count_token_bits(size) * order == 64
    last = size - 1
    tokens = np.array([last] * (order + 3) + [0] + [last] * order + [1, last])
    tables = count_tables(tokens, size, order)
    assert all((table.keys[1:] > table.keys[:-1]).all() for table in tables)
    top = dict(zip(tables[-1].keys.tolist(), tables[-1].counts.tolist(), strict=True))
    all_last = sum(last << (i * count_token_bits(size)) for i in range(order))
    same = tokens == last
    assert top[all_last] == sum(same[i : i + order].all() for i in range(len(tokens) - order + 1)) >= 5
    if size > 2**16:
        return
    model = train(tokens, size, order)
    reference = Reference(tokens.tolist(), size, order) if size < 300 else None
    logits = model.forward(np.array([[last] * order]), model.start(1))[0, -1]
    assert np.exp(logits).sum() == pytest.approx(1, abs=1e-10)
    assert logits.argmax() == last
    if reference:
        expected = [reference.probability(w, (last,) * order) for w in (0, 1, last)]
        assert np.exp(logits[[0, 1, last]]) == pytest.approx(expected, rel=1e-9)


def test_the_order_is_limited_by_the_vocabulary() -> None:
    assert [find_longest_order(size) for size in (1, 2, 3, 65, 256, 257, 50_000)] == [64, 64, 32, 9, 8, 7, 4]
    assert [ngram().create(size, 0).order for size in (65, 512, 513, 50_000)] == [7, 7, 6, 4]
    with pytest.raises(OptionError, match="ngram: order must be <= 4 for a vocabulary of 50000 tokens, got 5"):
        ngram(order=5).create(50_000, 0)
    with pytest.raises(OptionError, match="ngram: order must be >= 1, got 0"):
        Ngram(order=0)


def test_discounts() -> None:
    assert estimate_discounts(np.zeros(0, np.int64)).tolist() == [0.5] * 3
    assert estimate_discounts(np.array([5, 6, 7])).tolist() == [0.5] * 3
    assert estimate_discounts(np.array([1, 1, 2])).tolist() == [0.5] * 3
    assert estimate_discounts(np.array([1, 2, 2, 3, 3, 3, 3])) == pytest.approx([0.2, 0.8, 3.0])
    assert estimate_discounts(np.array([1] * 4 + [2] + [3] * 5)) == pytest.approx([2 / 3] * 3)


def test_an_untrained_model_is_uniform() -> None:
    model = ngram(order=4).create(8, 0)
    logits = model.step(np.array([1, 7]), model.start(2))
    assert logits.shape == (2, 8)
    assert logits == pytest.approx(np.full((2, 8), -math.log(8)))


def test_a_text_shorter_than_the_order_is_learnt_from() -> None:
    reference, model = Reference([0, 1, 0], 3, 6), train([0, 1, 0], 3, 6)
    logits = model.step(np.array([0]), model.start(1))
    assert np.exp(logits[0]) == pytest.approx([reference.probability(w, (0,)) for w in range(3)])
    assert logits[0].argmin() == 2


@settings(max_examples=40, deadline=None)
@given(case=cases, rows=st.integers(1, 3), cut=st.integers(0, 8), last_only=st.booleans(), piece=st.integers(1, 40))
def test_reading_many_tokens_is_reading_each(case: Any, rows: int, cut: int, last_only: bool, piece: int) -> None:
    size, tokens, order, _ = case
    model = train(tokens, size, order)
    ids = np.random.default_rng(len(tokens)).integers(0, size, (rows, 9))
    stepped, state = model.start(rows), model.start(rows)
    expected = np.stack([model.step(ids[:, t], stepped).copy() for t in range(9)], axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngram_model, "PIECE", piece)
        parts = [model.forward(part, state, last_only) for part in (ids[:, :cut], ids[:, cut:]) if part.size]
    assert parts[-1].shape == (rows, 1 if last_only else 9 - cut, size)
    got = parts[-1] if last_only else np.concatenate(parts, axis=1)
    assert got == pytest.approx(expected[:, -1:] if last_only else expected, abs=1e-12)
    assert (state.histories == stepped.histories).all()
    assert state.length == stepped.length


@settings(max_examples=40, deadline=None)
@given(case=cases, rows=st.integers(1, 3), cut=st.integers(1, 8), piece=st.integers(1, 40))
def test_its_own_loss_is_that_of_its_logits(case: Any, rows: int, cut: int, piece: int) -> None:
    size, tokens, order, _ = case
    model = train(tokens, size, order)
    ids = np.random.default_rng(len(tokens)).integers(0, size, (rows, 10))
    logits = model.forward(ids[:, :-1], model.start(rows))
    expected = -np.take_along_axis(logits, ids[:, 1:, None], axis=2)[..., 0]
    state = model.start(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngram_model, "PIECE", piece)
        first, state = model.loss(ids[:, :cut], ids[:, 1 : cut + 1], state)
        assert float(first) == pytest.approx(expected[:, :cut].mean(), abs=1e-12)
        last, state = model.loss(ids[:, cut:-1], ids[:, -1], state) if cut < 9 else (expected[:, -1].mean(), state)
        assert float(last) == pytest.approx(expected[:, -1].mean(), abs=1e-12)


def test_nothing_to_read() -> None:
    model = ngram().create(5, 0)
    for last_only in (False, True):
        assert model.forward(np.zeros((2, 0), np.int64), model.start(2), last_only).shape == (2, 0, 5)


def test_the_state_is_advanced_in_place_and_selected_as_a_copy() -> None:
    model = train([0, 1, 2, 0, 1, 3, 0, 1, 2], 4, 3)
    state = model.start(3)
    model.step(np.array([0, 1, 2]), state)
    chosen = model.select(state, np.array([2, 0, 0, 1]))
    before = state.histories.copy()
    expected = model.step(np.array([3, 1, 1, 2]), chosen)
    assert (state.histories == before).all()
    assert model.step(np.array([1, 2, 3]), state) == pytest.approx(expected[[1, 3, 0]])
    assert expected[1] == pytest.approx(expected[2])


def test_a_saved_model_is_a_copy_that_loads_alike() -> None:
    tokens = np.random.default_rng(5).integers(0, 40, 2000)
    model = train(tokens, 40, None)
    saved = model.save()
    assert (saved.architecture, saved.options, saved.window) == ("ngram", {"order": 7}, None)
    arrays = safetensors.numpy.load(safetensors.numpy.save(saved.arrays))
    again = ngram(precision="float64").load(attrs.evolve(saved, arrays=arrays))
    ids = tokens[:60].reshape(3, 20)
    expected = model.forward(ids, model.start(3))
    assert (again.forward(ids, again.start(3)) == expected).all()
    for array in saved.arrays.values():
        array[:] = 1
    assert (model.forward(ids, model.start(3)) == expected).all()


def broken(name: str, value: Any) -> Any:
    def change(saved: textforge.SavedModel) -> textforge.SavedModel:
        arrays = dict(saved.arrays)
        if value is None:
            del arrays[name]
        else:
            arrays[name] = value(arrays.get(name))
        return attrs.evolve(saved, arrays=arrays)

    return change


KEYS, COUNTS, DISCOUNTS, ENDING = "ngram.2.keys", "ngram.2.counts", "ngram.2.discounts", "ngram.ending"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (broken(KEYS, None), "lacks the arrays ngram.2.keys"),
        (broken("ngram.4.keys", lambda _: np.zeros(1)), "arrays its order doesn't speak of: ngram.4.keys"),
        (broken(KEYS, lambda a: a.astype(np.int64)), "ngram.2.keys must be one row of uint64, got int64"),
        (broken(KEYS, lambda a: a[None]), "ngram.2.keys must be one row"),
        (broken(KEYS, lambda a: a[::-1]), "ngram.2.keys must be sorted"),
        (broken(KEYS, lambda a: np.sort(np.append(a[1:], a[-1]))), "each key once"),
        (broken(KEYS, lambda a: np.append(a[:-1], a[-1] + np.uint64(1 << 60))), "more than 2 tokens"),
        (broken(KEYS, lambda a: np.append(a[:-1], a[-1] | np.uint64(7))), "tokens beyond the vocabulary of 5"),
        (broken(KEYS, lambda a: np.append(a[:-1], a[-1] | np.uint64(7 << 3))), "tokens beyond the vocabulary of 5"),
        (broken(KEYS, lambda a: a[:-1]), "ngram.2.counts must be uint32 or uint64, one for each"),
        (broken(COUNTS, lambda a: a.astype(np.float32)), "ngram.2.counts must be uint32"),
        (broken(COUNTS, lambda a: a * np.uint32(0)), "ngram.2.counts must not be 0"),
        (broken(DISCOUNTS, lambda a: a[:2]), "ngram.2.discounts must be 3 numbers in float64"),
        (broken(DISCOUNTS, lambda a: a * np.nan), "ngram.2.discounts must be greater than 0"),
        (broken(DISCOUNTS, lambda a: a * 0), "ngram.2.discounts must be greater than 0"),
        (broken(DISCOUNTS, lambda a: a + 9), "at most 1, 2 and 3"),
        (broken(ENDING, None), "lacks the arrays ngram.ending"),
        (broken(ENDING, lambda a: a.astype(np.int64)), "ngram.ending must be at most 2 tokens in uint64, got int64"),
        (broken(ENDING, lambda a: a[None]), "ngram.ending must be at most 2 tokens in uint64"),
        (broken(ENDING, lambda a: np.append(a, a)), r"ngram.ending must be at most 2 .* shape \(4,\)"),
        (broken(ENDING, lambda a: a + np.uint64(4)), "ngram.ending has tokens beyond the vocabulary of 5"),
        (lambda saved: attrs.evolve(saved, options={}), "configuration lacks order"),
        (lambda saved: attrs.evolve(saved, options={"order": None}), "order must be a whole number from 1 to 21"),
        (lambda saved: attrs.evolve(saved, options={"order": 22}), "order must be .*, got 22"),
        (lambda saved: attrs.evolve(saved, options={"order": "3"}), "order must be a whole number or none, got '3'"),
        (lambda saved: attrs.evolve(saved, options={"order": 4}), "lacks the arrays ngram.4"),
    ],
)
def test_a_damaged_model_is_refused(change: Any, message: str) -> None:
    saved = train([4, 0, 1, 2, 3, 4, 4, 0, 2, 3, 1] * 3, 5, 3).save()
    with pytest.raises(BundleError, match=message) as caught:
        ngram().load(change(saved))
    assert "\n" not in str(caught.value)


def data(validation: float) -> TrainingData:
    random = np.random.default_rng(0)
    tokens = [0]
    for _ in range(1999):
        tokens.append((tokens[-1] + int(random.choice([1, 2, 3], p=[0.7, 0.2, 0.1]))) % 5)
    return TrainingData.split(np.array(tokens, np.uint8), LettersEncoder(), validation)


def test_fit_tells_the_report() -> None:
    split, report, backend = data(0.1), Recorder(), ngram(order=3)
    model = backend.fit(backend.create(5, 0), split, SETTINGS, report)
    run, result, checkpoint = (report.only(kind) for kind in (RunStart, EpochResult, Checkpoint))
    assert isinstance(model, NgramModel)
    assert report.only(NgramModel).parameters == model.parameters
    assert report.told[-1] == "finish"
    assert (run.train_tokens, run.validation_tokens, run.parameters) == (1800, 200, model.parameters)
    assert (result.epoch, result.step, result.best) == (1.0, 1, True)
    entropy = -sum(p * math.log(p) for p in (0.7, 0.2, 0.1))
    assert result.train_loss == pytest.approx(entropy, abs=0.1)
    assert result.validation_loss == pytest.approx(entropy, abs=0.1)
    assert checkpoint.history == (result,)
    assert checkpoint.position.finished
    assert Position.from_json(checkpoint.position.to_json()) == checkpoint.position
    assert checkpoint.best.arrays.keys() == model.save().arrays.keys()


def test_a_failing_report_does_not_lose_the_model() -> None:
    class Failing(Recorder):
        def epoch(self, result: EpochResult, model: Any) -> None:
            raise RuntimeError("no room on the screen")

    split, report, backend = data(0.1), Failing(), ngram(order=3)
    with pytest.raises(RuntimeError, match="no room"):
        backend.fit(backend.create(5, 0), split, SETTINGS, report)
    saved = report.only(Checkpoint).best
    assert backend.load(saved).parameters > 0
    assert report.told[-1] == "finish"


@pytest.mark.parametrize(
    ("given_settings", "told"),
    [
        ({"epochs": 3}, "ngram reads the text once: epochs is ignored"),
        (
            {"learning_rate": 0.1, "epochs": 3, "clip_norm": None},
            "ngram reads the text once: epochs, learning_rate, clip_norm are ignored",
        ),
        ({"validation": 0.5, "sample": ("greedy",)}, None),
        ({"epochs": None, "batch_size": 16, "schedule": "wsd"}, None),
    ],
)
def test_settings_that_mean_nothing_are_named(given_settings: dict[str, Any], told: str | None) -> None:
    report, backend = Recorder(), ngram(order=3)
    backend.fit(backend.create(5, 0), data(0.1), TrainingSettings(seed=7, **given_settings), report)
    messages = [item for item in report.told if isinstance(item, str) and "ignored" in item]
    assert messages == ([told] if told else [])


def test_the_validation_loss_is_the_references() -> None:
    split, report, backend = data(0.1), Recorder(), ngram(order=3)
    backend.fit(backend.create(5, 0), split, SETTINGS, report)
    reference = Reference(split.train.tolist(), 5, 3)
    tokens = split.validation.tolist()
    losses = [-math.log(reference.probability(tokens[t], tuple(tokens[max(0, t - 2) : t]))) for t in range(1, 200)]
    assert report.only(EpochResult).validation_loss == pytest.approx(np.mean(losses), abs=1e-5)


def test_without_validation() -> None:
    report, backend = Recorder(), ngram(order=2)
    backend.fit(backend.create(5, 0), data(0.0), SETTINGS, report)
    result = report.only(EpochResult)
    assert result.validation_loss is None
    assert report.only(Checkpoint).position.best_loss == result.train_loss


def test_a_finished_run_has_nothing_left_to_learn() -> None:
    split, report, backend = data(0.1), Recorder(), ngram(order=3)
    model = backend.fit(backend.create(5, 0), split, SETTINGS, report)
    again = Recorder()
    checkpoint = report.only(Checkpoint)
    resumed = backend.fit(backend.load(checkpoint.model), split, SETTINGS, again, checkpoint)
    ids = np.array([[0, 1, 2, 3]])
    assert (resumed.forward(ids, resumed.start(1)) == model.forward(ids, model.start(1))).all()
    assert again.told == ["nothing is left to learn: ngram reads the text once", checkpoint, "finish"]


@pytest.mark.parametrize("count", [0, 1])
def test_a_text_too_short(count: int) -> None:
    with pytest.raises(TrainingError, match=f"the corpus is too short: 2 tokens to train on are needed, got {count}"):
        train(np.zeros(count, np.uint8), 5, 2)


def test_an_interruption_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(ngram_model, "count_tables", interrupted)
    report = Recorder()
    with pytest.raises(KeyboardInterrupt):
        train(np.zeros(10, np.uint8), 5, 2, report=report)
    assert report.told[-1] == "finish"


def test_more_context_predicts_better() -> None:
    text = ("to be or not to be, that is the question: " * 3 + "whether tis nobler in the mind to suffer ") * 20
    ids = np.array(list(text.encode()), np.uint8)
    losses = []
    for order in (1, 2, 3, 5):
        report, backend = Recorder(), ngram(order=order)
        backend.fit(backend.create(128, 0), TrainingData.split(ids, LettersEncoder(), 0.1), SETTINGS, report)
        losses.append(report.only(EpochResult).validation_loss)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.2
