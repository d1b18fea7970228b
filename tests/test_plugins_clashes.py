"""Several plugins that bring one name: textforge's own wins, strangers are refused, and ``@`` reaches each."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from plugin_texts import HALVE, implementing, other, source, table_architecture

import textforge
from textforge.backends.choose import choose_trained, load_model
from textforge.components.spec import parse_spec, write_chain
from textforge.corpora.resolve import resolve_corpora
from textforge.errors import AmbiguousComponent, PluginWarning, SpecError, UnknownComponent
from textforge.names import CORE
from textforge.plugins.registry import Plugins, Source
from textforge.plugins.sources import find_installed_sources
from textforge.samplers.top_k import TopK

HIDDEN = (
    "the sampler 'top-k' of textforge-better (better) is hidden by textforge's own: "
    "write top-k@textforge-better to use it"
)


@pytest.fixture
def better(install: Any) -> None:
    """A stranger's sampler of the name of one of ours."""
    install("textforge-better", {"better": "fake_better"}, fake_better=other("top-k"))


@pytest.fixture
def lazily_better(install: Any) -> None:
    """The same, named by an entry point."""
    install("textforge-better", "[textforge.samplers]\ntop-k = fake_better:Halve\n", fake_better=other("top-k"))


def test_strangers_of_one_name_are_refused_when_it_is_asked_for(install: Any) -> None:
    install("textforge-one", {"uno": "fake_one"}, fake_one=HALVE)
    install("textforge-two", {"due": "fake_two"}, fake_two=HALVE)
    plugins = Plugins()
    assert plugins.sampler("top-k:3") == TopK(3)
    assert "halve" in plugins.names("sampler")
    with pytest.raises(AmbiguousComponent) as caught:
        plugins.sampler("halve")
    assert str(caught.value) == (
        "there is more than one sampler 'halve', by textforge-one (uno) and textforge-two (due): write "
        "halve@textforge-one or halve@textforge-two, uninstall one, or name one in TEXTFORGE_DISABLE_PLUGINS"
    )
    assert Plugins(disabled="textforge-one").sampler("halve:3").spec == "halve:3.0"


@pytest.mark.parametrize("how", ["better", "lazily_better"])
def test_ours_wins_with_a_warning_that_names_the_other(request: pytest.FixtureRequest, how: str) -> None:
    request.getfixturevalue(how)
    told: list[str] = []
    plugins = Plugins(warn=told.append)
    assert plugins.sampler("top-k:7") == TopK(7)
    assert plugins.sampler("top-k") == TopK()
    assert told == [HIDDEN.replace("(better)", "(top-k)") if how == "lazily_better" else HIDDEN]  # once
    with pytest.warns(PluginWarning, match="is hidden by textforge's own"):
        Plugins().sampler("top-k")
    assert Plugins(disabled="textforge-better").sampler("top-k") == TopK()  # a warning would be an error


def test_what_ours_hides_by_an_entry_point_is_not_imported(lazily_better: None) -> None:
    import sys

    Plugins(warn=lambda _: None).sampler("top-k")
    assert "fake_better" not in sys.modules


@pytest.mark.parametrize("how", ["better", "lazily_better"])
def test_a_distribution_behind_the_name_reaches_either(request: pytest.FixtureRequest, how: str) -> None:
    request.getfixturevalue(how)
    plugins = Plugins()
    halve = plugins.sampler("top-k@textforge-better:4")
    assert type(halve).__name__ == "Halve"
    assert halve.by == 4
    assert plugins.sampler("top-k@Textforge_Better:4") == halve  # as package indexes compare names
    assert plugins.sampler("top-k@textforge:4") == TopK(4)
    assert plugins.find("sampler", "top-k@textforge-better") is type(halve)
    chain = plugins.chain("top-k@textforge:4 | top-k@textforge-better | greedy")
    assert [type(sampler).__name__ for sampler in chain] == ["TopK", "Halve", "Greedy"]
    with pytest.raises(UnknownComponent) as caught:
        plugins.sampler("top-k@textforge-worse")
    assert str(caught.value) == (
        "textforge-worse brings no sampler 'top-k'; it is brought by: textforge-better, textforge-lm"
    )


def test_what_is_written_with_a_distribution_reads_back_equal(better: None) -> None:
    plugins = Plugins(warn=lambda _: None)
    halve = plugins.sampler("top-k@textforge-better:4")
    assert halve.spec == "top-k@textforge-better:4.0"
    assert halve.replace(by=5).spec == "top-k@textforge-better:5.0"
    assert plugins.chain(write_chain([halve, TopK(3)])) == [halve, TopK(3)]
    ours = plugins.sampler("top-k@textforge:4")
    assert ours == TopK(4)
    assert pickle.loads(pickle.dumps(ours)).spec == "top-k@textforge:4"


def test_a_file_named_by_hand_is_reached_by_its_name(tmp_path: Path, modules_undone: None) -> None:
    file = tmp_path / "mine.py"
    file.write_text(other("top-k"))
    told: list[str] = []
    plugins = Plugins(file, warn=told.append)
    assert plugins.sampler("top-k") == TopK()
    assert told == [f"the sampler 'top-k' of {file} is hidden by textforge's own: write top-k@mine.py to use it"]
    for handle in ("mine.py", "mine"):
        assert type(plugins.sampler(f"top-k@{handle}")).__name__ == "Halve"


def test_the_same_class_twice_hides_nothing(install: Any) -> None:
    text = (
        "import textforge\nfrom textforge.samplers.top_k import TopK\n"
        "@textforge.hookimpl\ndef register_samplers(register):\n    register(TopK)\n"
    )
    install("textforge-again", {"again": "fake_again"}, fake_again=text)
    assert Plugins().sampler("top-k") == TopK()  # a warning would be an error
    assert Plugins().sampler("top-k@textforge-again:2") == TopK(2)


WORDS = """
import textforge
from textforge.encoders.char import CharEncoder

class Words(CharEncoder):
    "Characters in capitals."
    name = "char"

@textforge.hookimpl
def register_encoders(register):
    register(Words)
"""


def test_a_saved_model_finds_the_encoder_that_it_was_trained_with(install: Any, tmp_path: Path) -> None:
    install("textforge-words", {"words": "fake_words"}, fake_words=WORDS)
    book = tmp_path / "book.txt"
    book.write_text("It is so, and that is that. " * 60)
    plugins = Plugins(warn=lambda _: None)
    for name, class_name in {"char@textforge-words": "Words", "char": "CharEncoder"}.items():
        folder = tmp_path / class_name
        textforge.train(book, encoder=name, architecture="ngram", output=folder, plugins=plugins)
        assert type(textforge.load(folder, plugins=plugins).encoder).__name__ == class_name


def test_a_corpus_of_a_distribution(install: Any, tmp_path: Path) -> None:
    text = """
import textforge

class Mine(textforge.Corpus):
    name = "files"
    path: str = textforge.option(help="A path.")

    def read(self):
        yield self.path

@textforge.hookimpl
def register_corpora(register):
    register(Mine)
"""
    install("textforge-mine", {"mine": "fake_mine"}, fake_mine=text)
    (corpus,) = resolve_corpora("files@textforge-mine:absent.txt", Plugins())
    assert list(corpus.read()) == ["absent.txt"]


def test_whose_a_component_is(install: Any) -> None:
    install("textforge-one", {"uno": "fake_one"}, fake_one=other("top-k"))
    install("textforge-two", "[textforge.samplers]\nhalve = fake_two:Halve\n", fake_two=HALVE)
    plugins = Plugins()
    for spec, title in {"top-k@textforge-one": "textforge-one (uno)", "halve": "textforge-two (halve)"}.items():
        found = plugins.find_source("sampler", plugins.sampler(spec))
        assert found is not None
        assert found.title == title
    assert plugins.find_source("encoder", TopK()) is None
    assert plugins.find("sampler", "top-k", "textforge-one") is type(plugins.sampler("top-k@textforge-one"))
    for core in (CORE, "textforge"):  # its name today, and as bundles have it that version 0.1 wrote
        assert plugins.find("sampler", "top-k", core) is TopK
        assert plugins.find("sampler", f"top-k@{core}") is TopK
    assert plugins.find("sampler", "greedy", "gone").name == "greedy"


@pytest.mark.parametrize("spec", ["top-k@", "top-k@:3", "top-k@ x", "top-k@-x", "top-k@a/b", "top-k@@a"])
def test_what_is_no_distribution(spec: str) -> None:
    with pytest.raises(SpecError, match=r"can't read .*: (a distribution's name|':', '\|' or the end) is expected"):
        parse_spec(spec)


def test_a_spec_keeps_the_distribution() -> None:
    for text, distribution in {"ab@c": "c", "ab@c.d_e-f:1,b=2": "c.d_e-f", "ab": None, "ab:c@d": None}.items():
        assert parse_spec(text).distribution == distribution


def implementing_from(distribution: str, by: str) -> Source:
    return source(implementing(f"register(backend='numpy', architecture='gru', by={by!r})"), "it", distribution)


def test_our_implementation_wins_and_strangers_of_one_are_refused() -> None:
    told: list[str] = []
    both = [implementing_from("textforge-gru", "b:B"), implementing_from(CORE, "a:A")]
    assert Plugins(sources=both, warn=told.append).implementation("numpy", "gru").by == "a:A"
    assert told == ["the implementation of 'gru' on 'numpy' of textforge-gru (it) is hidden by textforge's own"]
    with pytest.raises(AmbiguousComponent, match=r"textforge-gru \(it\) and textforge-gru2 \(it\)"):
        Plugins(sources=[both[0], implementing_from("textforge-gru2", "c:C")]).implementation("numpy", "gru")


def test_each_architecture_of_a_name_keeps_its_own_implementations(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(table_architecture("lstm"), encoding="utf-8")
    told: list[str] = []
    registry = Plugins([file], warn=told.append)
    ours, theirs = registry.find("architecture", "lstm"), registry.find("architecture", "lstm@mine.py")
    assert registry.implementation("numpy", ours).by == "textforge.backends.numpy.lstm:NumpyLSTM"
    assert registry.implementation("numpy", theirs).by.endswith(":TableModel")
    assert {each.backend for each in registry.implementations(of=theirs)} == {"numpy"}
    assert {"numpy", "torch"} <= {each.backend for each in registry.implementations(of=ours)}
    assert choose_trained(registry, "lstm", None)[0] == ours()
    made = load_model(registry, registry.backend("numpy"), ours(hidden_size=3).create(5, 0))
    assert type(made).__name__ == "NumpyLSTM"
    model = load_model(registry, registry.backend("numpy"), theirs().create(5, 0), theirs())
    assert type(model).__name__ == "TableModel"
    assert any("the architecture 'lstm' of " in line for line in told)


def test_a_stranger_s_implementation_of_ours_takes_none_away() -> None:
    told: list[str] = []
    text = implementing("register(backend='torch', architecture='lstm', by='b:B')")
    both = [*find_installed_sources(), source(text, "it", "textforge-faster")]
    registry = Plugins(sources=both, warn=told.append)
    assert registry.implementation("torch", "lstm").source.distribution == "textforge-torch"
    assert told == [
        "the implementation of 'lstm' on 'torch' of textforge-faster (it) is hidden by that of textforge-torch (torch)"
    ]
