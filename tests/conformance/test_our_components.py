"""Every component that textforge itself registers runs through its own kit."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import mix_samples
import pytest
from sampler_cases import BOOK
from support import corpus_path

from textforge.components.spec import parse_spec
from textforge.corpora.text import TextCorpus
from textforge.errors import CorpusError
from textforge.plugins.registry import Plugins
from textforge.testing import (
    ArchitectureTests,
    BackendTests,
    CorpusTests,
    EncoderTests,
    FormatTests,
    ImplementationTests,
    SamplerTests,
)


def ours(kind: str) -> list[Any]:
    """The classes that textforge itself registers of a kind."""
    return [found.cls for found in Plugins(disabled="all").components(kind)]


SPECS: Mapping[str, Sequence[str]] = {
    "sampler": (
        "top-k:1",
        "top-k:3",
        "temperature:0.0001",
        "temperature:5",
        "preset:hf",
        "preset:hf,temperature=1.5,top_p=0.8,repetition_penalty=1.3",
        "preset:llama.cpp",
        f"novel:corpus={BOOK}",
        f"novel:6,corpus={BOOK}",
    ),
    "encoder": (
        "word:min_count=1",
        "char:unit=grapheme",
        "char:max_vocabulary=20",
        "char:min_count=2",
        "char:unit=grapheme,max_vocabulary=20",
        "char:unit=grapheme,min_count=2",
    ),
    "architecture": (
        "lstm:hidden_size=8,num_layers=2,embedding_size=none",
        "conv:channels=8,num_layers=3,kernel_size=3,embedding_size=none",
        "gpt:hidden_size=12,num_heads=2,num_layers=2,window=9",
        "ngram:order=3",
    ),
    "backend": ("numpy:precision=float64",),
    "format": (),
}
"""More than the defaults, and the components that have none."""
WITHOUT_DEFAULTS = ("novel",)
"""The components that can't be made without options, though each option has a default."""


def made(kind: str) -> list[Any]:
    """Each of a kind with its defaults, where it has them, and as the specs say."""
    plain = [
        cls()
        for cls in ours(kind)
        if cls.name not in WITHOUT_DEFAULTS and not any(option.required for option in cls.options().values())
    ]
    plugins = Plugins(disabled="all")
    return plain + [
        getattr(plugins, kind)(spec) for spec in SPECS[kind] if parse_spec(spec).name in plugins.names(kind)
    ]


def some_files(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    (folder / "one.txt").write_bytes("First: été.\r\n".encode() * 1000)
    (folder / "two.txt").write_bytes("Second: 日本語.\r\n".encode() * 30_000)  # more than is read at once
    (folder / "three.txt.gz").write_bytes(gzip.compress("Third: Ünter.\n".encode() * 30_000))
    with zipfile.ZipFile(folder / "more.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("four.txt", "Fourth: été.\n" * 30_000)
    return Plugins(disabled="all").corpus(f"files:{folder}")


def some_lines(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    (folder / "names.txt").write_bytes("Zoë\r\n\r\nZoé\r\n".encode() * 30_000)  # more than is read at once
    return Plugins(disabled="all").corpus(f"lines:{folder / 'names.txt'}")


def some_paragraphs(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    (folder / "poems.txt").write_bytes("Été,\r\nété.\r\n\r\n".encode() * 30_000)
    return Plugins(disabled="all").corpus(f"paragraphs:{folder / 'poems.txt'}")


def some_json(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    (folder / "songs.jsonl").write_bytes('{"n": 1, "song": {"words": "Ünter \\ud83d\\ude00."}}\n'.encode() * 20_000)
    return Plugins(disabled="all").corpus(f"jsonl:{folder / 'songs.jsonl'},field=song.words")


def some_table(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    (folder / "reviews.csv").write_bytes(b"stars;text\n" + '5;"Gut, und\r\nschön."\n'.encode() * 20_000)
    return Plugins(disabled="all").corpus(f"csv:{folder / 'reviews.csv'}")


def some_database(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    with closing(sqlite3.connect(folder / "songs.db")) as database:
        database.execute("create table songs (words text)")
        database.executemany("insert into songs values (?)", [("Ünter 😀.",), (None,)] * 10_000)
        database.commit()
    return Plugins(disabled="all").corpus(f"sqlite:{folder / 'songs.db'},query=select words from songs")


def cached_nietzsche(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    """As it is once it has been downloaded."""
    shutil.copy(corpus_path("nietzsche.txt"), folder)
    patch.setenv("TEXTFORGE_CACHE", str(folder))
    return Plugins(disabled="all").corpus("nietzsche")


def cached_page(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    """As it is once it has been downloaded."""
    patch.setenv("TEXTFORGE_CACHE", str(folder))
    corpus = Plugins(disabled="all").corpus("url:http://127.0.0.1:9/book.txt")
    with pytest.raises(CorpusError) as unreachable:
        next(corpus.read())
    Path(str(unreachable.value).partition(" put it at '")[2].partition("'")[0]).write_bytes(b"It was so.\n" * 50_000)
    return corpus


NEEDS: Mapping[str, Callable[[Path, pytest.MonkeyPatch], Any]] = {
    "csv": some_table,
    "files": some_files,
    "jsonl": some_json,
    "lines": some_lines,
    "paragraphs": some_paragraphs,
    "sqlite": some_database,
    "url": cached_page,
    "nietzsche": cached_nietzsche,
}
"""The ways to make the corpora that need something beside them."""


MIX = mix_samples.describe((mix_samples.LSTM, mix_samples.NGRAM), (0.25, 0.75))
"""A model made of others, whose option says which; `tests/test_mix.py` has more of them."""


class TestSamplers(SamplerTests):
    components = made("sampler")


class TestEncoders(EncoderTests):
    components = made("encoder")


class TestArchitectures(ArchitectureTests):
    components = (*made("architecture"), MIX)


class TestBackends(BackendTests):
    components = made("backend")
    plugins = Plugins(disabled="all")


class TestOnNumPy(ImplementationTests):
    backend = "numpy"
    components = (*made("architecture"), MIX)


class TestOnNumPyInFloat64(ImplementationTests):
    backend = "numpy:precision=float64"
    components = SPECS["architecture"]


class TestFormats(FormatTests):
    components = made("format")


class TestCorpora(CorpusTests):
    @pytest.fixture(params=[each for each in ours("corpus") if each is not TextCorpus], ids=lambda cls: cls.name)
    def component(self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        make = NEEDS.get(request.param.name)
        return make(tmp_path, monkeypatch) if make else request.param()


class TestTextCorpus(CorpusTests):
    components = (TextCorpus.of("It is so.\nAnd that is that."),)
    expected_failures: ClassVar = {"check_spec_round_trip": "its spec says how long the text is, not what it says"}


TESTED: Mapping[str, set[type]] = {
    "sampler": {type(sampler) for sampler in TestSamplers.components},
    "encoder": {type(encoder) for encoder in TestEncoders.components},
    "architecture": {type(architecture) for architecture in TestArchitectures.components},
    "backend": {type(backend) for backend in TestBackends.components},
    "format": {type(format) for format in TestFormats.components},
    "corpus": set(ours("corpus")),
}


@pytest.mark.parametrize("kind", sorted(TESTED))
def test_none_of_ours_is_left_out(kind: str) -> None:
    assert set(ours(kind)) == TESTED.get(kind, set()), "name the ones that need options in this file, each with a spec"


def test_no_implementation_of_ours_is_left_out() -> None:
    plugins = Plugins(disabled="all")
    found = {(each.backend, each.architecture) for each in plugins.implementations() if each.backend == "numpy"}
    assert found == {("numpy", component.name) for component in TestOnNumPy.components}
