"""Fixtures for every test: plugins that no other test has seen, and distributions that look installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest
from one_framework import pytest_sessionfinish, pytest_terminal_summary  # noqa: F401

hypothesis.settings.register_profile("textforge", deadline=None)  # no test fails on a time
hypothesis.settings.load_profile("textforge")

Install = Callable[..., Path]


@pytest.fixture(autouse=True)
def nothing_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEXTFORGE_DISABLE_PLUGINS", raising=False)


@pytest.fixture(autouse=True)
def cache_apart(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what is worked out in a folder of the tests', not in the user's."""
    monkeypatch.setenv("TEXTFORGE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def plugins():
    """A registry of its own, of what is installed."""
    from textforge.plugins.registry import Plugins

    return Plugins()


@pytest.fixture
def modules_undone() -> Iterator[None]:
    """Afterwards, forget the modules that were imported from a temporary folder or as a file."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("fake_", "textforge_file_")):
            del sys.modules[name]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules_undone: None) -> Install:
    """Make a distribution look installed: its modules (names begin with ``fake_``), metadata and entry points."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def install(
        distribution: str,
        entry_points: Mapping[str, str] | str,
        *,
        version: str = "1.0",
        metadata: bool = True,
        **modules: str,
    ) -> Path:
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        if not isinstance(entry_points, str):
            lines = [f"{name} = {value}" for name, value in entry_points.items()]
            entry_points = "\n".join(["[textforge]", *lines, ""])
        (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")
        if metadata:
            text = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
            (info / "METADATA").write_text(text, encoding="utf-8")
        for name, source in modules.items():
            (site / f"{name}.py").write_text(source, encoding="utf-8")
        monkeypatch.syspath_prepend(site)  # once more, for what was cached of the folder
        return site

    return install
