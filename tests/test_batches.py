from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textforge.errors import TrainingError
from textforge.training import documents as documents_module
from textforge.training.batches import StreamBatches, WindowBatches, make_batches
from textforge.training.documents import ShuffledDocuments, find_document_ends
from textforge.training.permutation import Permutation
from textforge.training.settings import TrainingSettings


@given(
    count=st.integers(2, 300),
    rows=st.integers(1, 9),
    length=st.integers(1, 20),
    seed=st.integers(0, 2**70),
    epoch=st.integers(0, 5),
)
def test_streams_are_contiguous_and_disjoint(count: int, rows: int, length: int, seed: int, epoch: int) -> None:
    if count <= length:
        return
    tokens = np.arange(count)
    batches = StreamBatches(tokens, rows, length, seed)
    seen = []
    last = None
    for step in range(batches.steps_per_epoch):
        inputs, targets = batches.batch(epoch, step)
        assert inputs.shape == targets.shape == (batches.rows, length)
        np.testing.assert_array_equal(targets, inputs + 1)
        if last is not None:
            np.testing.assert_array_equal(inputs[:, 0], last + 1)
        last = inputs[:, -1]
        seen += targets.ravel().tolist()
    assert len(set(seen)) == len(seen) == batches.sequences * length
    # Less than a step of each stream is left out.
    assert count - 1 - len(seen) < batches.rows * (length + 1)


def test_an_epoch_starts_elsewhere() -> None:
    batches = StreamBatches(np.arange(1000), 3, 30, seed=5)
    assert len({int(batches.batch(epoch, 0)[0][0, 0]) for epoch in range(20)}) > 3


def test_windows_are_the_notebooks() -> None:
    text = "the quick brown fox jumps over the lazy dog"
    tokens = np.array([ord(c) for c in text])
    window, stride = 7, 3
    expected = {(text[i : i + window], text[i + window]) for i in range(0, len(text) - window, stride)}
    batches = WindowBatches(tokens, 1, window, stride, seed=1)
    got = set()
    for step in range(batches.steps_per_epoch):
        inputs, targets = batches.batch(0, step)
        got.add(("".join(map(chr, inputs[0])), chr(targets[0])))
    assert got == expected
    assert batches.steps_per_epoch == len(range(0, len(text) - window, stride))


def test_the_notebooks_number_of_sequences() -> None:
    assert WindowBatches(np.zeros(600_901, dtype=np.uint8), 128, 60, 3, seed=0).sequences == 200_281


@given(size=st.integers(1, 3000), seed=st.integers(0, 2**64), epoch=st.integers(0, 100))
def test_permutation_is_one(size: int, seed: int, epoch: int) -> None:
    order = Permutation(size, seed, epoch)(np.arange(size, dtype=np.uint64))
    np.testing.assert_array_equal(np.sort(order), np.arange(size))


def test_permutation_looks_shuffled_and_changes_with_the_epoch() -> None:
    size = 20_000
    first, second = (Permutation(size, 3, epoch)(np.arange(size, dtype=np.uint64)).astype(float) for epoch in (0, 1))
    for order in (first, second):
        assert abs(np.corrcoef(order, np.arange(size))[0, 1]) < 0.03
        assert abs(np.corrcoef(order[1:], order[:-1])[0, 1]) < 0.03
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03


def test_short_corpora_have_fewer_rows() -> None:
    batches = make_batches(np.arange(200), TrainingSettings(seed=0, batch_size=16, sequence_length=64))
    assert (batches.rows, batches.steps_per_epoch) == (3, 1)


@pytest.mark.parametrize(("sequences", "option"), [("stream", "sequence_length"), ("windows", "window")])
def test_too_short_a_corpus_is_refused(sequences: str, option: str) -> None:
    settings = TrainingSettings(seed=0, sequences=sequences, sequence_length=60, window=60)
    make_batches(np.arange(61), settings)
    with pytest.raises(TrainingError, match=rf"60 letters.*needs 61.*{option}"):
        make_batches(np.arange(60), settings, "letters")


@given(
    lengths=st.lists(st.integers(1, 9), min_size=2, max_size=300),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 3),
    open_end=st.booleans(),
)
def test_shuffled_documents_stay_whole_and_come_once(lengths: list[int], seed: int, epoch: int, open_end: bool) -> None:
    tokens = np.concatenate([[*[number % 250 + 1] * (length - 1), 0] for number, length in enumerate(lengths)])
    tokens = np.append(tokens, 251).astype(np.uint8) if open_end else tokens.astype(np.uint8)
    documents = ShuffledDocuments(tokens, 0, seed)
    places = documents.find(np.arange(len(tokens)), epoch)
    assert sorted(places.tolist()) == list(range(len(tokens)))
    cuts = np.flatnonzero(np.diff(places) != 1) + 1
    ends = set(find_document_ends(tokens, 0).tolist())
    assert {int(run[-1]) + 1 for run in np.split(places, cuts)} <= ends, "a document was cut"
    some = np.random.default_rng(seed).integers(0, len(tokens), (4, 7))
    np.testing.assert_array_equal(documents.find(some, epoch), places[some])


def test_many_documents_are_arranged_in_pieces_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = (np.random.default_rng(1).random(5_000) < 0.7).astype(np.uint8)
    places = np.arange(len(tokens))
    whole = ShuffledDocuments(tokens, 0, 3).find(places, 2)
    monkeypatch.setattr(documents_module, "_BLOCKS_TOGETHER", 3)
    np.testing.assert_array_equal(ShuffledDocuments(tokens, 0, 3).find(places, 2), whole)
    assert not np.array_equal(ShuffledDocuments(tokens, 0, 3).find(places, 1), whole)
