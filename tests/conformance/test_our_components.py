"""Every component that textforge itself registers runs through its own kit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from textforge.errors import TextforgeError
from textforge.plugins import KINDS, Plugins
from textforge.testing import BackendTests, CorpusTests, EncoderTests, SamplerTests


def ours(kind: str) -> list[Any]:
    """The classes that textforge itself registers of a kind."""
    return [found.cls for found in Plugins(disabled="all").components(kind)]


def made(kind: str, *others: str) -> list[Any]:
    """Each of a kind with its defaults, where it has them, and those of other specs."""
    plain = [cls() for cls in ours(kind) if not any(option.required for option in cls.options().values())]
    plugins = Plugins(disabled="all")
    return plain + [getattr(plugins, kind)(spec) for spec in others]


def some_files(folder: Path) -> Any:
    (folder / "one.txt").write_bytes("First: été.\r\n".encode() * 1000)
    (folder / "two.txt").write_bytes("Second: 日本語.\r\n".encode() * 30_000)  # more than is read at once
    return Plugins(disabled="all").corpus(f"files:{folder}")


NEEDS: Mapping[str, Callable[[Path], Any]] = {"files": some_files}
"""How to make the corpora that need something beside them."""


class TestSamplers(SamplerTests):
    components = made("sampler", "top-k:1", "top-k:3", "temperature:0.0001", "temperature:5")


class TestEncoders(EncoderTests):
    components = made("encoder")


class TestBackends(BackendTests):
    components = made("backend", "ngram:order=3", "numpy:precision=float64")


class TestCorpora(CorpusTests):
    @pytest.fixture(params=ours("corpus"), ids=lambda cls: cls.name)
    def component(self, request: pytest.FixtureRequest, tmp_path: Path) -> Any:
        make = NEEDS.get(request.param.name)
        corpus = make(tmp_path) if make else request.param()
        try:
            next(iter(corpus.read()))
        except TextforgeError as error:  # what has to be downloaded, where nothing can be
            if "download" not in str(error):
                raise
            pytest.skip(str(error))
        return corpus


@pytest.mark.parametrize("kind", KINDS)
def test_none_of_ours_is_left_out(kind: str) -> None:
    tested = {
        "sampler": {type(sampler) for sampler in TestSamplers.components},
        "encoder": {type(encoder) for encoder in TestEncoders.components},
        "backend": {type(backend) for backend in TestBackends.components},
        "corpus": set(ours("corpus")),
    }
    assert set(ours(kind)) == tested[kind], "name the ones that need options in this file, each with a spec"
