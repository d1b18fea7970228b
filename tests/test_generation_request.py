"""The request, and the keyword arguments that stand for it."""

from __future__ import annotations

import subprocess
import sys
import typing
from pathlib import Path

import attrs
import pytest
from support import ScriptedModel, hashed_logits, letters

import textforge
from textforge.errors import GenerationError
from textforge.generation import request as module
from textforge.generation.defaults import DEFAULT_CHAIN, DEFAULT_MAX_TOKENS
from textforge.generation.request import Request, RequestOptions
from textforge.library.arguments import SettingsArguments
from textforge.library.generator import TextGenerator
from textforge.plugins.registry import Plugins
from textforge.samplers.temperature import Temperature
from textforge.training.settings import TrainingSettings

SNIPPET = """
import textforge

def check(generator: textforge.TextGenerator) -> None:
    reveal_type(generator.generate("x", max_tokens=3))
    reveal_type(generator.generate("x", count=2, stop="y", seed=None, unknown="skip"))
    reveal_type(generator.generate(textforge.Request("x", samplers=lambda logits, context: logits / 2)))
    textforge.train("b", epochs=3, learning_rate=0.01, sample=["temperature:0.5"])
    generator.generate("x", max_token=3)  # wrong
    generator.generate("x", unknown="maybe")  # wrong
    generator.complete("x", max_tokens="3")  # wrong
    generator.stream("x", count=3)  # wrong
    textforge.train("b", epoch=3)  # wrong
    textforge.train("b", epochs="3")  # wrong
    textforge.Request("x", max_tokens="3")  # wrong
    textforge.Request("x", max_token=3)  # wrong
"""


@pytest.fixture
def writer() -> TextGenerator:
    encoder = letters()
    model = ScriptedModel(encoder.vocabulary_size, hashed_logits(encoder.vocabulary_size))
    return TextGenerator(model, encoder, plugins=Plugins(disabled="all"))


def test_a_type_checker_sees_every_option_of_train_and_generate(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    (tmp_path / "snippet.py").write_text(SNIPPET, encoding="utf-8")
    root = Path(textforge.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", root / "pyproject.toml", "--no-error-summary", "snippet.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    revealed = [line.split("Revealed type is ")[1].strip('"') for line in run.stdout.splitlines() if "Revealed" in line]
    assert [kind.replace("builtins.", "") for kind in revealed] == ["str", "list[str]", "str | list[str]"], run.stdout
    wrong = {number for number, line in enumerate(SNIPPET.splitlines(), 1) if line.endswith("# wrong")}
    found = {int(line.split(":")[1]) for line in run.stdout.splitlines() if ": error:" in line}
    assert found == wrong, run.stdout + run.stderr


def test_the_keyword_arguments_are_the_request_s() -> None:
    """All but the prompt, which comes first, and the count, which decides what is returned."""
    arguments = typing.get_type_hints(RequestOptions)
    assert set(arguments) == {field.name for field in attrs.fields(Request)} - {"prompt", "count"}
    taken = {name: typing.get_type_hints(Request.__init__, vars(module))[name] for name in arguments}
    assert taken == arguments


def test_the_settings_arguments_are_the_training_settings_options() -> None:
    arguments = typing.get_type_hints(SettingsArguments)
    options = TrainingSettings.options()
    assert list(arguments) == list(options)
    given = ("sample", "validation_corpus", "mix")  # as objects too, and alone
    loose = {"seed": int | None} | {name: arguments[name] for name in given}
    assert arguments == {name: option.kind for name, option in options.items()} | loose


def test_the_defaults_are_stated_once(writer: TextGenerator) -> None:
    request = Request("a", seed=1)
    assert (request.samplers, request.max_tokens) == (DEFAULT_CHAIN, DEFAULT_MAX_TOKENS)
    package = Path(textforge.__file__).parent
    texts = {file.name: file.read_text(encoding="utf-8") for file in package.rglob("*.py")}
    assert [name for name, text in texts.items() if f'"{DEFAULT_CHAIN}"' in text] == ["defaults.py"]
    text = writer.generate("a", seed=1)
    assert text == writer.generate(request) == writer.generate("a", seed=1, samplers=Temperature(0.7), max_tokens=400)


def test_a_request_may_be_given_in_place_of_its_arguments(writer: TextGenerator) -> None:
    request = Request("ab", samplers=["top-k:3", Temperature(0.5)], max_tokens=9, stop="c", seed=4)
    arguments = {"samplers": "top-k:3 | temperature:0.5", "max_tokens": 9, "stop": ["c"], "seed": 4}
    assert writer.generate(request) == writer.generate("ab", **arguments)
    assert writer.generate(request.replace(count=3)) == writer.generate("ab", count=3, **arguments)
    assert list(writer.stream(request)) == list(writer.stream("ab", **arguments))
    (text,) = writer.complete(request)
    assert (text,) == tuple(writer.complete("ab", **arguments))


def test_a_request_is_a_value() -> None:
    chain = ["top-k:3", Temperature(0.5)]
    request = Request("a", samplers=chain, stop=["b"])
    chain.clear()
    assert request == Request("a", samplers=("top-k:3", Temperature(0.5)), stop=("b",))
    assert hash(request) == hash(request.replace())
    with pytest.raises(AttributeError):
        request.seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": True}, "max_tokens must be a whole number >= 0, got True"),
        ({"max_tokens": 1.0}, "max_tokens must be a whole number >= 0, got 1.0"),
        ({"seed": True}, "seed must be a whole number >= 0, got True"),
        ({"count": True}, "count must be a whole number >= 1, got True"),
        ({"count": 0}, "count must be a whole number >= 1, got 0"),
        ({"unknown": "maybe"}, "unknown must be one of error, skip, got 'maybe'"),
        ({"stop": [""]}, "a stop text must be a text of one character or more, got ''"),
    ],
)
def test_a_request_is_checked_as_it_is_made(options: dict[str, object], message: str) -> None:
    for make in (lambda: Request("a", **options), lambda: Request("a").replace(**options)):  # type: ignore[arg-type]
        with pytest.raises(GenerationError) as refused:
            make()
        assert str(refused.value) == message


def test_a_misspelled_option_is_a_type_error_that_proposes_the_nearest(writer: TextGenerator) -> None:
    for call in (writer.generate, writer.complete, writer.stream):
        with pytest.raises(
            TypeError, match=r"^there is no option 'max_token'; there are .*did you mean 'max_tokens'\?$"
        ):
            call("a", max_token=3)


def test_nothing_is_given_beside_a_request(writer: TextGenerator) -> None:
    for beside in ({"seed": 1}, {"count": 2}):
        with pytest.raises(GenerationError, match=r"was given beside a request.*request\.replace\("):
            writer.generate(Request("a"), **beside)
    with pytest.raises(GenerationError, match="stream writes one text, but the request's count is 2: use complete"):
        writer.stream(Request("a", count=2))


def test_a_chain_can_be_parsed_once(writer: TextGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = writer.parse_chain("top-k:3 | temperature:0.5")
    text = writer.generate("a", samplers="top-k:3 | temperature:0.5", seed=1)

    def refuse(text: str) -> None:
        raise RuntimeError(f"parsed again: {text}")

    monkeypatch.setattr("textforge.plugins.registry.parse_chain", refuse)
    assert writer.generate("a", samplers=chain, seed=1) == text
