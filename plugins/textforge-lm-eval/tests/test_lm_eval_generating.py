"""The generation options of tasks, and requests that are written together."""

from __future__ import annotations

import pytest

from textforge.components.spec import write_chain
from textforge.errors import OptionError
from textforge_lm_eval._generating import gather_requests, read_options


def chain(given):
    sampler = read_options(given, 256).sampler
    return write_chain(sampler.expand())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "greedy"),
        ({"do_sample": False}, "greedy"),
        ({"do_sample": False, "temperature": 0.0}, "greedy"),
        ({"do_sample": False, "temperature": 0.7, "top_p": 0.9}, "greedy"),
        ({"temperature": 0.0, "top_p": 0.95}, "greedy"),
        ({"do_sample": True, "temperature": 0.0}, "greedy"),
        ({"temperature": 0.5}, "temperature:0.5"),
        ({"do_sample": True}, ""),
        ({"do_sample": True, "temperature": 0.8, "top_k": 20}, "temperature:0.8 | top-k-ties:20"),
        ({"do_sample": True, "top_p": 0.95, "min_p": 0.1, "top_k": None}, "top-p:0.95 | min-p:0.1"),
        ({"repetition_penalty": 1.2}, "repetition-penalty:penalty=1.2,last_n=none | greedy"),
        ({"num_beams": 1, "num_return_sequences": 1}, "greedy"),
    ],
)
def test_options_are_what_transformers_makes_of_them(given, expected):
    assert chain(given) == expected


@pytest.mark.parametrize(
    ("given", "stops", "most"),
    [
        ({}, (), 256),
        ({"until": "\n"}, ("\n",), 256),
        ({"until": ["\n", "", "\n", "."], "max_gen_toks": 3}, ("\n", "."), 3),
        ({"until": ["."], "stop": ["!"], "max_new_tokens": 7}, (".", "!"), 7),
        ({"until": None, "max_tokens": 0}, (), 0),
    ],
)
def test_stops_and_lengths(given, stops, most):
    found = read_options(given, 256)
    assert (found.stops, found.max_tokens) == (stops, most)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_beams": 4}, r"no generation option 'num_beams' \(got 4\); there are until, stop, max_gen_toks, .*top_k"),
        ({"topk": 4}, r"no generation option 'topk' .*; did you mean 'top_k'\?"),
        ({"max_length": 40}, r"max_length=40 counts the prompt too: give max_gen_toks"),
        ({"do_sample": True, "top_p": 1.5}, r"top_p must be .*1\.5"),
        ("until", r"must be a mapping, got 'until'"),
    ],
)
def test_what_there_is_not_is_refused(given, message):
    with pytest.raises(OptionError, match=message):
        read_options(given, 256)


def test_requests_are_gathered_by_options_and_by_how_often_a_context_comes():
    drawn, plain = {"do_sample": True}, {"until": ["."]}
    requests = [("a", drawn), ("b", plain), ("a", drawn), ("c", drawn), ("b", plain), ("d", plain)]
    batches = list(gather_requests(requests, 9))
    assert [(list(batch.contexts), [*map(list, batch.places)], batch.count) for batch in batches] == [
        (["c"], [[3]], 1),
        (["a"], [[0, 2]], 2),
        (["d"], [[5]], 1),
        (["b"], [[1, 4]], 1),
    ]
    assert [[*batch.find_places(number)] for batch in batches for number in range(batch.count)] == [
        [3],
        [0],
        [2],
        [5],
        [1, 4],
    ]
