"""Errors that plugins raise by accident name the plugin, in the library and on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from plugin_texts import HALVE, source

import textforge
from textforge.cli import main
from textforge.errors import BackendError, PluginError
from textforge.plugins.blame import blame, blame_error, describe, find_culprit
from textforge.plugins.implementations import Implementation
from textforge.plugins.registry import Plugins


class Words(textforge.Encoder):
    """An encoder that can do nothing."""

    name = "words"


class Anything:
    """Something that is no component."""


def test_an_error_names_the_component_its_class_and_what_it_did() -> None:
    with pytest.raises(PluginError) as caught, blame(Words, "to encode"):
        raise ValueError("two\nlines")
    assert str(caught.value) == (f"the encoder words ({__name__}:Words) failed to encode: ValueError: two lines")
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("error", [BackendError("install it"), MemoryError(), KeyboardInterrupt(), OSError("full")])
def test_what_is_nobodys_fault_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, blame(Words, passing=(OSError,)):
        raise error
    assert caught.value is error


def test_what_is_called_what() -> None:
    assert describe(Anything()) == f"{__name__}:Anything"
    gru = Implementation("torch", "gru", "textforge_gru.network:GRU", source("", "gru", "textforge-gru"))
    assert str(blame_error(gru, KeyError("h"), "to load")) == (
        "the implementation of gru on torch (textforge_gru.network:GRU), of textforge-gru (gru), failed to load: "
        "KeyError: 'h'"
    )

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert str(blame_error(Anything(), Mute())).endswith("Anything failed: Mute")


def test_a_component_that_fails_as_it_is_made_is_named() -> None:
    text = HALVE.replace("    def __call__", "    def __attrs_post_init__(self):\n        [][1]\n\n    def __call__")
    with pytest.raises(PluginError, match=r"^the sampler halve \(.*:Halve\) failed to be made from halve: IndexError"):
        Plugins(sources=[source(text)]).sampler("halve")


class TestCulprits:
    def raised(self, install: Any, text: str) -> Exception:
        install("textforge-words", {"words": "fake_words"}, fake_words=text)
        import fake_words

        try:
            fake_words.run()
        except Exception as error:
            return error
        raise AssertionError("nothing was raised")

    def test_the_last_frame_of_a_plugin_or_of_ours_decides(self, install: Any) -> None:
        packages = {"fake_words": "textforge-words (words)"}
        own = self.raised(install, "import json\ndef run():\n    json.loads('{')\n")  # a library's frames don't count
        assert find_culprit(own, packages) == "textforge-words (words)"
        assert find_culprit(own, {}) is None

    def test_an_error_of_ours_that_a_plugin_called_forth_is_ours(self, install: Any) -> None:
        text = "from textforge.components.values import describe\ndef run():\n    describe(None, 1, 2)\n"
        called = self.raised(install, text)  # raised by the call itself, in the plugin
        assert find_culprit(called, {"fake_words": "it"}) == "it"
        inner = self.raised_inside()
        assert find_culprit(inner, {__name__.partition(".")[0]: "it"}) is None

    def raised_inside(self) -> Exception:
        from textforge.errors import list_names

        try:
            list_names([3, "a"])  # type: ignore[list-item]
        except Exception as error:
            return error
        raise AssertionError("nothing was raised")

    def test_packages_are_known_without_an_import(self, install: Any) -> None:
        install("textforge-lazy", "[textforge.samplers]\nlazy = fake_lazy.inner:Lazy\n")
        install("textforge-halve", {"halve": "fake_halve"}, fake_halve=HALVE)
        packages = Plugins().packages()
        assert packages["fake_lazy"] == "textforge-lazy (lazy)"
        assert packages["fake_halve"] == "textforge-halve (halve)"
        assert "fake_lazy" not in sys.modules


ENCODER = """
import numpy as np
import textforge
from textforge.encoders.char import CharEncoder

class Words(CharEncoder):
    "Characters, wrongly."
    name = "words"

    def fit(self, chunks):
        return self.lost

@textforge.hookimpl
def register_encoders(register):
    register(Words)
"""


@pytest.mark.usefixtures("modules_undone")
def test_the_command_line_names_the_plugin_of_an_unforeseen_error(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text(ENCODER)
    (tmp_path / "book.txt").write_text("It is so. " * 400)
    arguments = ["train", tmp_path / "book.txt", "-o", tmp_path / "m", "--encoder", "words", "--plugin"]
    result = CliRunner().invoke(main, [*map(str, arguments), str(tmp_path / "words.py")])
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: the ")
    assert "words" in last
    assert "AttributeError: 'Words' object has no attribute 'lost'" in last
    assert "bug in textforge" not in last


BROKEN = """
import textforge
from textforge.encoders.char import CharEncoder

class Decoder:
    def push(self, ids):
        raise IndexError("no such token")

class Words(CharEncoder):
    "Characters, wrongly."
    name = "words"
    where: str = textforge.option(default="fit", help="Where it fails.")

    def fit(self, chunks):
        return super().fit([1 / 0] if self.where == "fit" else chunks)

    def encode(self, text, *, unknown="error"):
        if self.where == "encode" or (self.where == "prompt" and text == "th"):
            raise KeyError(text[:2])
        return super().encode(text, unknown=unknown)

    def decoder(self):
        return Decoder() if self.where == "decode" else super().decoder()

class Rows(textforge.Corpus):
    "A text, wrongly."
    name = "rows"
    error: str = textforge.option(default="", help="What it raises.")

    def read(self):
        yield "it is so. that is that. " * 60
        if self.error:
            raise {"OSError": OSError(5, "unreadable"), "ValueError": ValueError("bad line")}[self.error]

@textforge.hookimpl
def register_encoders(register):
    register(Words)

@textforge.hookimpl
def register_corpora(register):
    register(Rows)
"""


@pytest.fixture
def broken(tmp_path: Path, modules_undone: None) -> Plugins:
    (tmp_path / "words.py").write_text(BROKEN)
    return Plugins(tmp_path / "words.py")


@pytest.mark.parametrize(
    ("where", "failure"),
    [
        ("fit", "failed to learn its vocabulary: ZeroDivisionError: division by zero"),
        ("encode", "failed to encode the corpus: KeyError: 'it'"),
        ("prompt", "failed to encode the prompt: KeyError: 'th'"),
        ("decode", "failed to decode: IndexError: no such token"),
    ],
)
def test_an_encoder_that_fails_is_named_wherever_it_does(broken: Plugins, where: str, failure: str) -> None:
    def write() -> str:
        generator = textforge.train("rows", encoder=f"words:where={where}", architecture="ngram", plugins=broken)
        return generator.generate("th", max_tokens=3, seed=1)

    with pytest.raises(PluginError) as caught:
        write()
    assert str(caught.value).startswith("the encoder words (textforge_file_words_")
    assert str(caught.value).endswith(failure)


def test_a_corpus_that_fails_is_named_and_no_encoder(broken: Plugins) -> None:
    with pytest.raises(PluginError, match=r"^the corpus rows \(.*:Rows\) failed to be read: ValueError: bad line$"):
        textforge.train("rows:ValueError", architecture="ngram", plugins=broken)
    with pytest.raises(OSError, match="unreadable"):
        textforge.train("rows:OSError", architecture="ngram", plugins=broken)


class OutOfMemory(RuntimeError):
    """A framework's own."""


def test_memory_that_ran_out_is_nobodys_fault() -> None:
    error = OutOfMemory("CUDA out of memory. Tried to allocate 3 GiB")
    assert blame_error(Anything(), error) is error
