"""Counting n-grams on disk, and pruning them, against slow implementations with dictionaries."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from support import LettersEncoder
from test_ngram import Recorder, Reference, ngram, train

import textforge
from textforge.architectures.ngram import USUAL_MOST, Ngram, count_token_bits
from textforge.backends.numpy.ngram import counts as ngram_counts
from textforge.backends.numpy.ngram import stored
from textforge.backends.numpy.ngram.counts import Runs, count_tables
from textforge.backends.numpy.ngram.model import NgramModel
from textforge.cli import main
from textforge.errors import BundleError, CorpusError
from textforge.training.data import TrainingData
from textforge.training.settings import TrainingSettings

cases = st.tuples(
    st.integers(2, 5),
    st.lists(st.integers(0, 1), min_size=2, max_size=60),
    st.integers(1, 5),
    st.integers(1, 60),
)
"""Vocabulary size, tokens, order, n-grams kept at most."""


class PrunedReference(Reference):
    """Kneser-Ney in which the rarest n-grams pass on to shorter contexts all that they would have had."""

    def __init__(self, tokens: list[int], vocabulary_size: int, order: int, most: int) -> None:
        super().__init__(tokens, vocabulary_size, order)
        self.kept = [set(counts) for counts in self.counts]
        highest = max(itertools.chain(*(counts.values() for counts in self.counts)))
        for count, length in itertools.product(range(1, highest + 1), range(order, 1, -1)):
            if sum(map(len, self.kept)) > most:
                self.kept[length - 1] -= {g for g in self.kept[length - 1] if self.counts[length - 1][g] == count}

    def probability(self, token: int, context: tuple[int, ...], shortened: bool = False) -> float:
        context = context[max(0, len(context) - self.order + 1) :]
        shorter = self.probability(token, context[1:]) if context else 1 / self.size
        counts, kept = self.counts[len(context)], self.kept[len(context)]
        total = sum(count for found, count in counts.items() if found[:-1] == context)
        d = self.discounts(counts)
        shares = {
            found[-1]: (counts[found] - d[min(counts[found], 3)]) / total for found in kept if found[:-1] == context
        }
        return shares.get(token, 0.0) + (1 - sum(shares.values())) * shorter


def pack(found: tuple[int, ...], size: int) -> int:
    bits = count_token_bits(size)
    return sum(token << bits * place for place, token in enumerate(reversed(found)))


def make(size: int, order: int, most: int | None = USUAL_MOST) -> NgramModel:
    architecture = Ngram(order=order, max_ngrams=most)
    return NgramModel(architecture.create(size, seed=0), architecture, "float64")


def assert_sound(model: NgramModel) -> None:
    """The model passes its architecture's check, and its probabilities are some."""
    saved = model.save()
    Ngram.of(saved).check(saved)
    texts = np.random.default_rng(1).integers(0, model.vocabulary_size, (7, 9))
    sums = np.exp(model.forward(texts, model.start(7))).sum(axis=-1)
    np.testing.assert_allclose(sums, 1, atol=1e-12)


@pytest.fixture
def cramped(monkeypatch: pytest.MonkeyPatch) -> None:
    cramp(monkeypatch)


def cramp(patch: pytest.MonkeyPatch, scale: int = 1) -> None:
    for module, name, size in (
        (ngram_counts, "CHUNK", 4 * scale),
        (ngram_counts, "HELD", 6 * scale),
        (ngram_counts, "KEPT", scale),
        (ngram_counts, "FAN", 2),
        (stored, "BLOCK", 3 * scale),
    ):
        patch.setattr(module, name, size)


@given(case=cases)
@settings(max_examples=60, deadline=None)
def test_counting_on_disk_counts_the_same(case: Any) -> None:
    size, tokens, order, _ = case
    reference = Reference(tokens, size, order)
    with pytest.MonkeyPatch.context() as patch:
        cramp(patch)
        tables = count_tables(np.array(tokens), size, order)
    assert [table.rest for table in tables] == [None] * order
    for table, counts in zip(tables, reference.counts, strict=True):
        expected = sorted((pack(found, size), count) for found, count in counts.items())
        assert list(zip(table.keys.tolist(), table.counts.tolist(), strict=True)) == expected
        assert table.discounts == pytest.approx(reference.discounts(counts)[1:])


@given(lists=st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=12))
@settings(max_examples=60, deadline=None)
def test_runs_are_merged_however_they_come(lists: list[list[int]]) -> None:
    expected = np.unique(np.array([*itertools.chain(*lists)], np.uint64), return_counts=True)
    with pytest.MonkeyPatch.context() as patch:
        cramp(patch)
        with Runs() as runs:
            for keys in lists:
                runs.count(np.array(keys, np.uint64))
            runs.finish()
            for _ in range(2):
                blocks = [*runs, (np.zeros(0, np.uint64), np.zeros(0, np.int64))]
                for found, wanted in zip(zip(*blocks, strict=True), expected, strict=True):
                    assert np.concatenate(found).tolist() == wanted.tolist()


@given(case=cases)
@settings(max_examples=80, deadline=None)
def test_pruned_probabilities_are_those_of_the_formula(case: Any) -> None:
    size, tokens, order, most = case
    reference = PrunedReference(tokens, size, order, most)
    model = make(size, order, most).count(np.array(tokens))
    for table, kept in zip(model.tables, reference.kept, strict=True):
        assert table.keys.tolist() == sorted(pack(found, size) for found in kept)
    assert model.parameters <= max(most, len(reference.kept[0]))
    assert_sound(model)
    text = (tokens * 2)[:12]
    logits = model.forward(np.array([text]), model.start(1))[0]
    for place in range(max(0, order - 2), len(text)):
        expected = [reference.probability(w, tuple(text[: place + 1])) for w in range(size)]
        assert np.exp(logits[place]) == pytest.approx(expected, rel=1e-9)
    inputs, targets = np.array([text[:-1]]), np.array([text[1:]])
    chosen = -np.take_along_axis(logits[:-1], targets.T, axis=1).mean()
    assert float(model.loss(inputs, targets, model.start(1))[0]) == pytest.approx(chosen, abs=1e-12)


@given(case=cases)
@settings(max_examples=40, deadline=None)
def test_pruning_on_disk_is_pruning_in_memory(case: Any) -> None:
    size, tokens, order, most = case
    expected = make(size, order, most).count(np.array(tokens)).count(np.array(tokens[::-1])).save()
    with pytest.MonkeyPatch.context() as patch:
        cramp(patch)
        saved = make(size, order, most).count(np.array(tokens)).count(np.array(tokens[::-1])).save()
    assert saved.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(saved.arrays[name], array, err_msg=name)


@given(case=cases, more=st.lists(st.integers(0, 1), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_a_pruned_model_counts_on(case: Any, more: list[int]) -> None:
    size, tokens, order, most = case
    before = make(size, order, most).count(np.array(tokens))
    architecture = Ngram.of(before.save())
    grown = architecture.grow(before.save(), size + 9, seed=0)
    after = NgramModel(grown, architecture, "float64").count(np.array(more))
    assert_sound(after)
    assert after.parameters <= max(most, len(after.tables[0].keys))
    assert after.save().options == before.save().options
    if not before.notes:
        return  # then the shorter n-grams are counted anew, from the longest of both texts
    for length, (old, new) in enumerate(zip(before.tables, after.tables, strict=True), start=1):
        assert old.pruned is None or (new.pruned >= old.pruned).all()
        keys = [pack(unpack(key, length, size), size + 9) for key in old.keys]
        counted = dict(zip(new.keys.tolist(), new.counts.tolist(), strict=True))
        assert all(counted[key] >= count for key, count in zip(keys, old.counts, strict=True) if key in counted)
        assert length > 1 or set(keys) <= counted.keys()


def unpack(key: Any, length: int, size: int) -> tuple[int, ...]:
    bits = count_token_bits(size)
    return tuple(int(key) >> bits * place & (1 << bits) - 1 for place in reversed(range(length)))


def test_one_that_was_not_pruned_counts_on_as_if_there_were_no_bound() -> None:
    tokens = np.random.default_rng(2).integers(0, 4, 200)
    free = make(5, 3, None).count(tokens).count(tokens[::-1])
    bound = make(5, 3, free.parameters).count(tokens).count(tokens[::-1])
    assert free.save().arrays.keys() == bound.save().arrays.keys()
    assert bound.notes == ()
    assert make(5, 3, free.parameters - 1).count(tokens).count(tokens[::-1]).notes != ()


def test_memory_is_bounded_whatever_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    cramp(monkeypatch, 1 << 10)
    monkeypatch.setattr(ngram_counts, "FAN", 8)
    peaks = {}
    for size, most in ((100_000, None), (100_000, 1000), (200_000, 1000)):
        tokens = np.random.default_rng(0).integers(0, 64, size).astype(np.uint8)
        tracemalloc.start()
        tables = count_tables(tokens, 64, 7, (), np.zeros(0, np.uint64), most)
        peaks[size, most] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert sum(len(table.keys) for table in tables) <= 1000
    assert peaks[200_000, 1000] < 1.1 * peaks[100_000, 1000]
    assert peaks[100_000, None] > 1.8 * peaks[100_000, 1000], "the tables alone take more"


def test_temporary_files_are_closed_when_counting_is_interrupted(
    cramped: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    class Watched(stored.Scratch):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self._file)

        def write(self, data: bytes) -> None:
            if len(made) == 7:
                raise KeyboardInterrupt
            super().write(data)

    monkeypatch.setattr(stored, "Scratch", Watched)
    with pytest.raises(KeyboardInterrupt):
        count_tables(np.arange(300) % 31, 31, 3)
    assert len(made) == 7
    assert all(file.closed for file in made)


def test_a_folder_for_them_that_is_missing_is_told(cramped: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/no/such/folder")
    with pytest.raises(CorpusError, match=r"^can't write n-grams into '/no/such/folder': No such .*; .* set TMPDIR to"):
        count_tables(np.arange(300) % 31, 31, 3)


def test_the_run_is_told_what_was_pruned() -> None:
    tokens, report = np.random.default_rng(0).integers(0, 5, 500), Recorder()
    backend = ngram(order=3, max_ngrams=60)
    data = TrainingData.split(tokens, LettersEncoder(), 0.1)
    model = backend.fit(backend.create(5, 0), data, TrainingSettings(seed=0), report)
    whole = train(tokens[:450], 5, 3).parameters
    [told] = [text for text in report.told if isinstance(text, str) and "pruned" in text]
    assert told == f"pruned {whole - model.parameters} of {whole} n-grams, the rarest: max_ngrams is 60"


def test_the_usual_bound_is_not_part_of_what_is_saved() -> None:
    assert make(5, 3).save().options == {"order": 3}
    assert Ngram.of(make(5, 3).save()).max_ngrams == USUAL_MOST
    assert make(5, 3, None).save().options == {"order": 3, "max_ngrams": None}
    assert Ngram.of(make(5, 3, 7).save()) == Ngram(order=3, max_ngrams=7)


def test_counts_take_as_few_bytes_as_they_can_and_may_take_more() -> None:
    model = make(3, 2).count(np.array([0] * 300 + [1, 2, 1]))
    saved = model.save()
    assert [saved.arrays[f"ngram.{length}.counts"].dtype.name for length in (1, 2)] == ["uint8", "uint16"]
    wide = {name: a.astype(np.uint32) if name.endswith(".counts") else a for name, a in saved.arrays.items()}
    old = ngram(precision="float64").load(attrs.evolve(saved, arrays=wide))
    ids = np.array([[0, 0, 1, 2, 0]])
    assert (old.forward(ids, old.start(1)) == model.forward(ids, model.start(1))).all()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ngram.3.rest", None, "lacks the arrays ngram.3.rest"),
        ("ngram.3.pruned", None, "lacks the arrays ngram.3.pruned"),
        ("ngram.3.rest", np.zeros(2, np.uint8), r"ngram.3.rest must be \d+ unsigned numbers, got uint8 of shape"),
        ("ngram.3.pruned", np.zeros(5), "ngram.3.pruned must be 5 unsigned numbers, got float64"),
        ("ngram.4.rest", np.zeros(5), "arrays its order doesn't speak of: ngram.4.rest"),
    ],
)
def test_damage_is_refused(name: str, value: Any, message: str) -> None:
    saved = make(5, 3, 60).count(np.random.default_rng(0).integers(0, 5, 500)).save()
    arrays = {key: array for key, array in saved.arrays.items() if key != name}
    with pytest.raises(BundleError, match=message):
        ngram().load(attrs.evolve(saved, arrays=arrays if value is None else {**arrays, name: value}))


def test_it_goes_from_training_to_text_and_on(tmp_path: Path) -> None:
    text, model = tmp_path / "book.txt", tmp_path / "model"
    text.write_text("It is a truth that the text is short. Is it? It is so.\n" * 20, encoding="utf-8")
    told = CliRunner().invoke(main, ["train", str(text), "--architecture", "ngram:max_ngrams=90", "-o", str(model)])
    assert told.exit_code == 0, told.output
    assert "n-grams, the rarest: max_ngrams is 90" in told.stderr
    generator = textforge.load(model)
    assert generator.generate("It ", max_tokens=20, seed=1)
    again = textforge.train(text, from_model=model, seed=1)
    assert again.model.save().options["max_ngrams"] == 90
    assert again.evaluate(text).loss == pytest.approx(generator.evaluate(text).loss, abs=0.3)
    refused = CliRunner().invoke(
        main, ["train", str(text), "--architecture", "ngram:max_ngrams=0", "-o", str(tmp_path)]
    )
    assert "max_ngrams must be >= 1, got 0" in refused.stderr
