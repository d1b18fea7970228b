"""The model of the harness: its arguments, its answers, and what it refuses."""

from __future__ import annotations

import math

import lm_eval.api.model
import lm_eval.api.registry
import numpy as np
import pytest
from lm_eval.api.instance import Instance
from support import ScriptedModel, hashed_logits, letters

import textforge
from textforge.errors import BundleError, EncodingError, GenerationError, OptionError
from textforge_lm_eval import TextforgeLM


def ask(kind, *arguments, document=None):
    metadata = (None, None, None) if document is None else ("small", document, 1)
    return Instance(kind, {}, arguments, 0, metadata=metadata)


def read_slowly(generator, context, continuation):
    """Return the log-likelihood of a continuation, and whether it is greedy, by one token after another.

    White space at the context's end is the continuation's, as in the harness.
    """
    ids = generator.encoder.encode(context + continuation)
    first = len(generator.encoder.encode(context.rstrip(" ")))
    state, total, greedy = generator.model.start(1), 0.0, True
    for place in range(1, len(ids)):
        logits = generator.model.step(ids[place - 1 : place], state)[0].astype(np.float64)
        if place >= first:
            total += logits[ids[place]] - math.log(np.exp(logits).sum())
            greedy = greedy and int(logits.argmax()) == ids[place]
    return total, greedy


@pytest.fixture
def model(generator):
    return TextforgeLM(generator)


def test_continuations_have_the_likelihood_of_their_tokens(model):
    asked = [
        ("The cat", " sat on"),
        ("The cat", " dog"),
        ("The ", "bird"),
        ("The dog sang to", " the bird."),
        ("A", ""),
    ]
    found = model.loglikelihood([ask("loglikelihood", *pair) for pair in asked], disable_tqdm=True)
    expected = [read_slowly(model.generator, *pair) for pair in asked]
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
    assert {greedy for _, greedy in found} == {True, False}
    np.testing.assert_allclose([value for value, _ in found], [value for value, _ in expected], rtol=1e-6)


def test_an_empty_context_is_scored_as_a_text_is(model):
    text = "The cat sat on the mat."
    ((found, _),) = model.loglikelihood([ask("loglikelihood", "", text)], disable_tqdm=True)
    (rolling,) = model.loglikelihood_rolling([ask("loglikelihood_rolling", text)], disable_tqdm=True)
    expected, _ = read_slowly(model.generator, "\n", text)
    assert found == pytest.approx(expected)
    assert rolling == pytest.approx(expected)
    assert rolling == model.generator.score(text).log_likelihood


def test_what_is_greedy_is_what_is_generated(model):
    (written,) = model.generate_until([ask("generate_until", "The", {"max_gen_toks": 12})], disable_tqdm=True)
    assert len(written) == 12
    asked = [ask("loglikelihood", "The", text) for text in (written, written[:-1], f"{written[:-1]}A")]
    assert [greedy for _, greedy in model.loglikelihood(asked, disable_tqdm=True)] == [True, True, False]


def test_stops_end_texts_and_never_show(model):
    asked = [
        ask("generate_until", "The cat", {"until": ["."], "max_gen_toks": 60}),
        ask("generate_until", "The cat", {"until": ["o", "</s>"], "max_gen_toks": 60}),
        ask("generate_until", "", {"until": [], "max_gen_toks": 5}),
    ]
    first, second, third = model.generate_until(asked, disable_tqdm=True)
    whole = model.generator.generate("The cat", samplers="greedy", max_tokens=60)
    assert (first, second) == (whole.split(".")[0], whole.split("o")[0])
    assert third == model.generator.generate("", samplers="greedy", max_tokens=5)


def test_the_end_of_text_ends_a_text():
    generator = textforge.train(text=["Anna", "Hannah", "Joanna"] * 20, architecture="ngram:order=5")
    assert TextforgeLM(generator).generate_until([ask("generate_until", "Jo", {})], disable_tqdm=True) == ["anna"]


def test_drawn_texts_are_by_the_seed_and_those_of_a_context_differ(model):
    options = {"do_sample": True, "temperature": 3.0, "max_gen_toks": 30}
    asked = [ask("generate_until", "The ", options)] * 4

    def write(seed):
        np.random.seed(seed)
        return model.generate_until(asked, disable_tqdm=True)

    assert len(set(write(1))) == 4
    assert write(1) == write(1) != write(2)
    fixed = TextforgeLM(model.generator, seed=5)
    assert fixed.generate_until(asked, disable_tqdm=True) == fixed.generate_until(asked, disable_tqdm=True)


ASKED = {
    "loglikelihood": [("The cat", " sat"), ("A", " bird sang"), ("The cat", " bird sang"), ("A", " sat")],
    "loglikelihood_rolling": [("The dog",), ("A",), ("The bird sang",)],
    "generate_until": [(text, {"max_gen_toks": 4}) for text in ("The dog", "A", "The dog")],
}


@pytest.mark.parametrize("kind", ASKED)
def test_answers_come_in_order_and_are_cached_one_by_one(model, tmp_path, monkeypatch, kind):
    asked = [ask(kind, *arguments) for arguments in ASKED[kind]]
    alone = [getattr(model, kind)([request], disable_tqdm=True)[0] for request in asked]
    cached = lm_eval.api.model.CachingLM(model, str(tmp_path / "answers.db"))
    kept = []
    keep = model.cache_hook.add_partial
    monkeypatch.setattr(model.cache_hook, "add_partial", lambda *given: (kept.append(given), keep(*given)))
    answers = getattr(cached, kind)(asked)
    assert answers == [pytest.approx(answer) if kind != "generate_until" else answer for answer in alone]
    told = [(kind, request.args, answer) for request, answer in zip(asked, answers, strict=True)]
    assert sorted(kept, key=repr) == sorted(told, key=repr)
    kept.clear()
    assert getattr(cached, kind)(asked) == answers
    assert not kept  # the model wasn't asked again
    cached.dbdict.close()


def test_texts_longer_than_any_window_are_read_whole():
    generator = textforge.TextGenerator(ScriptedModel(9, hashed_logits(9), window=4), letters())
    text = "abcdefg" * 10
    model = TextforgeLM(generator)
    (rolling,) = model.loglikelihood_rolling([ask("loglikelihood_rolling", text)], disable_tqdm=True)
    ((found, _),) = model.loglikelihood([ask("loglikelihood", "", text)], disable_tqdm=True)
    assert rolling == pytest.approx(found)
    assert rolling == pytest.approx(generator.score(text).log_likelihood)


@pytest.mark.parametrize("kind", ["loglikelihood", "loglikelihood_rolling", "generate_until"])
def test_what_the_vocabulary_lacks_is_named_with_task_and_document(model, kind):
    rest = {"loglikelihood": ("é",), "loglikelihood_rolling": (), "generate_until": ({},)}[kind]
    request = ask(kind, "The é", *rest, document=7)
    with pytest.raises(
        EncodingError, match=r"^document 7 of the task small: the vocabulary of \d+ characters lacks 'é'"
    ):
        getattr(model, kind)([request], disable_tqdm=True)
    with pytest.raises(EncodingError, match=r"^requests\[1\]: "):
        getattr(model, kind)(
            [ask(kind, "The", *rest[1:], *(("",) if kind == "loglikelihood" else rest)), ask(kind, "é", *rest)]
        )


@pytest.mark.parametrize("kind", ["loglikelihood", "loglikelihood_rolling", "generate_until"])
def test_what_is_skipped_is_told(generator, caplog, kind):
    rest = {"loglikelihood": (" c",), "loglikelihood_rolling": (), "generate_until": ({"max_gen_toks": 3},)}[kind]
    model = TextforgeLM(generator, unknown="skip")
    (found,) = getattr(model, kind)([ask(kind, "Theéé", *rest)], disable_tqdm=True)
    (without,) = getattr(model, kind)([ask(kind, "The", *rest)], disable_tqdm=True)
    assert found == without
    assert caplog.messages == ["skipped 2 characters that the vocabulary lacks"]


def test_a_continuation_of_which_something_is_skipped_is_never_greedy(generator):
    model = TextforgeLM(generator, unknown="skip")
    asked = [ask("loglikelihood", "The c", "at"), ask("loglikelihood", "The c", "até")]
    plain, lacking = model.loglikelihood(asked, disable_tqdm=True)
    assert plain == (lacking[0], read_slowly(generator, "The c", "at")[1])
    assert not lacking[1]


def test_marks_count_for_nothing_and_are_never_greedy(caplog):
    generator = textforge.train(text="abab" * 50 + "c", encoder="char:min_count=2", architecture="ngram:order=2")
    model = TextforgeLM(generator)
    asked = [ask("loglikelihood", "ab", rest) for rest in ("ab", "abx")]
    (plain, greedy), (marked, marked_greedy) = model.loglikelihood(asked, disable_tqdm=True)
    assert (greedy, marked_greedy) == (True, False)
    assert marked == pytest.approx(plain)
    assert "left out 1 character that the vocabulary has only a mark for" in caplog.text


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_model_without_probabilities_is_told(bad):
    model = TextforgeLM(textforge.TextGenerator(ScriptedModel(9, lambda tokens: [bad] * 9), letters()))
    with pytest.raises(GenerationError, match=r"NaN or \+inf, or rule out every token, for requests\[0\]"):
        model.loglikelihood([ask("loglikelihood", "a", "b")], disable_tqdm=True)


def test_a_token_that_is_ruled_out_makes_a_continuation_impossible():
    generator = textforge.TextGenerator(ScriptedModel(9, lambda tokens: [0.0] * 8 + [-math.inf]), letters())
    ((found, greedy),) = TextforgeLM(generator).loglikelihood([ask("loglikelihood", "a", "bg")], disable_tqdm=True)
    assert (found, greedy) == (-math.inf, False)


# --- arguments ---


def test_the_harness_finds_it_by_name_beside_its_own(bundle):
    found = lm_eval.api.registry.get_model("textforge")
    assert found is TextforgeLM
    assert "hf" in lm_eval.api.registry.model_registry
    model = found.create_from_arg_string(
        f"model={bundle},backend=numpy:precision=float64,unknown=skip,max_gen_toks=7,seed=3",
        {"batch_size": "auto", "max_batch_size": None, "device": "cuda:0"},
    )
    assert (model.unknown, model.max_gen_toks, model.seed) == ("skip", 7, 3)
    assert model.generate_until([ask("generate_until", "The", {})], disable_tqdm=True)[0] == model.generator.generate(
        "The", samplers="greedy", max_tokens=7
    )
    again = found.create_from_arg_obj({"model": bundle, "trust_remote_code": True}, {"batch_size": 1})
    assert (again.rank, again.world_size) == (0, 1)
    info = again.get_model_info()
    assert (info["textforge_architecture"], info["textforge_encoder"]) == ("ngram", "char")


def test_a_folder_that_is_called_a_number_is_found(generator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator.save("2024")
    assert TextforgeLM.create_from_arg_string("model=2024").generator.encoder == generator.encoder


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": "nowhere"}, BundleError, "there is no folder nowhere"),
        ({"model": 1.5}, OptionError, "model must be the folder of a saved model, or a TextGenerator, got 1.5"),
        ({"model": True}, OptionError, "got True"),
        ({"pretrained": "x"}, OptionError, "has no argument 'pretrained'; there are model, backend, unknown"),
        ({"bakend": "x"}, OptionError, "did you mean 'backend'?"),
        ({"unknown": "drop"}, GenerationError, "unknown must be one of error, skip, got 'drop'"),
        ({"max_gen_toks": -1}, GenerationError, "max_gen_toks must be a whole number >= 0, got -1"),
        ({"seed": "x"}, GenerationError, "seed must be a whole number >= 0, got 'x'"),
        ({"device": "cuda:1"}, OptionError, "leave it out, and give backend='torch:device=cuda:1'"),
        ({"backend": "numpy"}, OptionError, "backend is for a model that is loaded: leave it out beside a generator"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(generator, arguments, error, message):
    with pytest.raises(error) as told:
        TextforgeLM(**{"model": generator, **arguments})
    assert message in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "use",
    [
        lambda model: model.tokenizer_name,
        lambda model: model.apply_chat_template([{"role": "user", "content": "Hello"}]),
        lambda model: model.chat_template(True),
        lambda model: model.chat_template("default"),
    ],
)
def test_a_chat_template_is_refused(model, use):
    with pytest.raises(GenerationError, match="has no chat template: leave out apply_chat_template"):
        use(model)
    assert model.chat_template(False) == ""
