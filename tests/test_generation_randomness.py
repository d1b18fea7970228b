from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textforge.generation.randomness import DRAW, PAGE, DrawNumbers, RandomStreams, make_stream_key

WORD = (1 << 64) - 1


def philox(key, counter):
    """Philox4x64-10, by its definition."""
    k0, k1 = key
    c0, c1, c2, c3 = counter
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c0, 0xCA5A826395121157 * c2
        c0, c1, c2, c3 = (second >> 64) ^ c1 ^ k0, second & WORD, (first >> 64) ^ c3 ^ k1, first & WORD
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & WORD, (k1 + 0xBB67AE8584CAA73B) & WORD
    return [c0, c1, c2, c3]


@given(st.integers(0, 1 << 200), st.integers(0, 1 << 40), st.integers(0, 9), st.integers(0, 1 << 40))
def test_numbers_are_those_of_philox(seed, text, place, page):
    digest = hashlib.blake2b(f"{seed:x} {text:x} {place:x}".encode(), digest_size=16).digest()
    key = [int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")]
    raw = philox(key, (1, page, 0, 0)) + philox(key, (2, page, 0, 0))
    expected = [(word >> 11) / 2**53 for word in raw[:6]]
    assert RandomStreams(seed, [text], place).page(page, 6).tolist() == [expected]


def test_the_numbers_stay_what_they_are():
    assert RandomStreams(1, [0], DRAW).page(0, 2).tolist() == [[0.6317235885125374, 0.6510787628534374]]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=5), st.integers(0, 5), st.integers(0, 40))
def test_a_text_has_its_numbers_in_any_company_and_order(texts, page, count):
    streams = RandomStreams(3, texts, 2)
    streams.page(page + 1, 3)
    together = streams.page(page, count)
    assert together.shape == (len(texts), count)
    for row, text in enumerate(texts):
        assert together[row].tolist() == RandomStreams(3, [text], 2).page(page, count + 9)[0, :count].tolist()


def test_keys_differ():
    keys = {
        tuple(make_stream_key(seed, text, place).tolist())
        for seed in (0, 1, 2, 1 << 64, (1 << 64) + 1, 1 << 20000)
        for text in range(12)
        for place in range(12)
    }
    assert len(keys) == 6 * 12 * 12


def test_rows_that_leave_change_nothing():
    numbers, alone = DrawNumbers(5, range(4)), DrawNumbers(5, [2])
    for step in range(2 * PAGE + 3):
        if step == 7:
            numbers.keep([1, 2])
        if step == PAGE + 1:
            numbers.keep([1])
        row = 2 if step < 7 else 1 if step <= PAGE else 0
        assert numbers.at(step)[row] == alone.at(step)[0]


def test_draws_do_not_depend_on_the_steps_before():
    assert DrawNumbers(5, [0]).at(PAGE + 9) == RandomStreams(5, [0], DRAW).page(1, 10)[0, 9]


def test_numbers_are_uniform_and_neighbours_unrelated():
    numbers = np.stack([RandomStreams(1, range(20), place).page(step, 500) for place in (0, 1) for step in (0, 1)])
    assert 0 <= numbers.min() < numbers.max() < 1
    counts = np.bincount((numbers.ravel() * 16).astype(int), minlength=16)
    expected = numbers.size / 16
    assert ((counts - expected) ** 2 / expected).sum() < 44.3  # chi-squared, 15 degrees of freedom, p = 1e-4
    correlation = np.corrcoef(numbers.reshape(80, 500))
    assert np.abs(correlation - np.eye(80)).max() < 0.25  # 5.6 standard deviations of 1 / sqrt(500)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5])
def test_fewer_numbers_are_the_first_of_more(count):
    streams = RandomStreams(0, [0], 1)
    assert streams.page(3, count).tolist()[0] == streams.page(3, 8).tolist()[0][:count]
