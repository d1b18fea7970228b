"""Every component that textforge itself registers runs through its own kit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from support import corpus_path

from textforge.components.spec import parse_spec
from textforge.corpora.text import TextCorpus
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
    ),
    "encoder": (
        "char:unit=grapheme",
        "char:max_vocabulary=20",
        "char:min_count=2",
        "char:unit=grapheme,max_vocabulary=20",
        "char:unit=grapheme,min_count=2",
    ),
    "architecture": (
        "lstm:hidden_size=8,num_layers=2,embedding_size=none",
        "conv:channels=8,num_layers=3,kernel_size=3,embedding_size=none",
        "ngram:order=3",
    ),
    "backend": ("numpy:precision=float64",),
    "format": (),
}
"""More than the defaults, and the components that have none."""


def made(kind: str) -> list[Any]:
    """Each of a kind with its defaults, where it has them, and as the specs say."""
    plain = [cls() for cls in ours(kind) if not any(option.required for option in cls.options().values())]
    plugins = Plugins(disabled="all")
    return plain + [
        getattr(plugins, kind)(spec) for spec in SPECS[kind] if parse_spec(spec).name in plugins.names(kind)
    ]


def some_files(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    (folder / "one.txt").write_bytes("First: été.\r\n".encode() * 1000)
    (folder / "two.txt").write_bytes("Second: 日本語.\r\n".encode() * 30_000)  # more than is read at once
    return Plugins(disabled="all").corpus(f"files:{folder}")


def cached_nietzsche(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    """As it is once it has been downloaded."""
    shutil.copy(corpus_path("nietzsche.txt"), folder)
    patch.setenv("TEXTFORGE_CACHE", str(folder))
    return Plugins(disabled="all").corpus("nietzsche")


NEEDS: Mapping[str, Callable[[Path, pytest.MonkeyPatch], Any]] = {
    "files": some_files,
    "nietzsche": cached_nietzsche,
}
"""The ways to make the corpora that need something beside them."""


class TestSamplers(SamplerTests):
    components = made("sampler")


class TestEncoders(EncoderTests):
    components = made("encoder")


class TestArchitectures(ArchitectureTests):
    components = made("architecture")


class TestBackends(BackendTests):
    components = made("backend")
    plugins = Plugins(disabled="all")


class TestOnNumPy(ImplementationTests):
    backend = "numpy"
    components = made("architecture")


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
