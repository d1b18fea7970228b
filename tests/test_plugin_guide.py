"""The author's guide, plugins/README.md: every block of it is run, and nothing of the interface is missing from it."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from pathlib import Path
from typing import Any

import attrs
import pytest
from environments import Environment
from followed import Block, blocks, follow, parameters

import textforge
import textforge.testing
from textforge.components.component import Declared
from textforge.plugins import hookspecs
from textforge.plugins.scaffolding import KINDS
from textforge.testing.checks import CHECKS, title_of

GUIDE = Path(__file__).parents[1] / "plugins" / "README.md"
TEXT = GUIDE.read_text(encoding="utf-8")
BASES = [
    Declared,
    textforge.Component,
    textforge.Corpus,
    textforge.Encoder,
    textforge.IncrementalDecoder,
    textforge.Sampler,
    textforge.Context,
    textforge.Architecture,
    textforge.Weight,
    textforge.Backend,
    textforge.Model,
    textforge.NumpyModel,
    textforge.CountingModel,
    textforge.GradientModel,
    textforge.Format,
    textforge.Report,
    textforge.Metric,
    textforge.SavedModel,
    textforge.Optimizer,
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment") / "venv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the guide is followed: with a text of one's own."""
    made = tmp_path_factory.mktemp("guide")
    made.joinpath("book.txt").write_text("It is so, and that is that.\n\nIs it? It is.\n\n" * 60, encoding="utf-8")
    return made


@pytest.mark.parametrize("block", parameters(GUIDE))
def test_block(block: Block, folder: Path, environment: Environment) -> None:
    follow(block, folder, functools.partial(environment.run, folder=folder))
    if block.file_name in ("fatigue.py", "gaps.py"):
        environment.run(["python", block.file_name], folder)


def test_a_lipogram_has_no_e(folder: Path, environment: Environment) -> None:
    """Follows what the blocks above have installed and trained."""
    if not (folder / "model").is_dir():
        pytest.skip("the blocks were not run")
    command = "textforge generate model/ --sampler lipogram:it --seed 1 --max-tokens 30"
    assert not set(environment.run(command, folder)) & set("itIT")


def test_it_shows_more_than_it_tells() -> None:
    found = blocks(GUIDE)
    assert sum(len(block.commands) for block in found) > 20
    assert sum(block.language == "python" for block in found) > 6


def is_named(name: str) -> bool:
    """Return whether the guide has it as code, by itself or as the beginning of a signature."""
    return re.search(rf"`(?:\w+\.)*{name}(?:\(|`|:)", TEXT) is not None


def members(base: type) -> list[str]:
    fields = [field.name for field in attrs.fields(base)] if attrs.has(base) else []
    own = [name for name, value in vars(base).items() if inspect.isroutine(value) or isinstance(value, property)]
    declared = inspect.get_annotations(base)
    return sorted(
        name
        for name in {*fields, *own, *declared, *(["__call__"] if "__call__" in own else [])}
        if not name.startswith("_") or name == "__call__"
    )


@pytest.mark.parametrize("name", [name for name in vars(hookspecs) if name.startswith("register_")])
def test_every_hook_is_in_the_guide(name: str) -> None:
    assert is_named(name)


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.__name__)
def test_every_base_class_is_in_the_guide_with_all_its_methods(base: type) -> None:
    assert base is Declared or is_named(base.__name__)
    assert [name for name in members(base) if not is_named(name)] == []


def test_no_exported_base_class_is_missing() -> None:
    exported = [value for name in textforge.__all__ if isinstance(value := getattr(textforge, name), type)]
    others = {
        textforge.Framework,
        textforge.GeneratedText,
        textforge.Plugins,
        textforge.Request,
        textforge.Score,
        textforge.TextGenerator,
    }
    errors = {value for value in exported if issubclass(value, Exception)}
    assert set(exported) - others - errors - {textforge.TrainingSettings} == set(BASES) - {Declared}
    for value in (textforge.Plugins, textforge.TextforgeError, textforge.TrainingSettings):
        assert is_named(value.__name__) or f"textforge.{value.__name__}" in TEXT


@pytest.mark.parametrize("name", textforge.testing.__all__)
def test_every_name_of_the_kit_is_in_the_guide(name: str) -> None:
    assert is_named(name)


def test_every_check_is_in_the_guide() -> None:
    table = TEXT[TEXT.index("| kind | checks |") : TEXT.index("Each is a function")]
    named = {name.strip() for row in table.splitlines()[2:] for name in row.split("|")[2:3] for name in name.split(",")}
    assert named - {""} == {title_of(check) for checks in CHECKS.values() for check in checks}


EXAMPLE = GUIDE.parents[1] / "examples" / "textforge_gru"


@pytest.mark.parametrize("path", [*sorted(EXAMPLE.glob("textforge_gru/*.py")), EXAMPLE / "tests" / "test_gru.py"])
def test_the_architecture_that_the_guide_builds_is_the_example(path: Path) -> None:
    assert f"{path.parent.name}/{path.name}\n{path.read_text(encoding='utf-8').rstrip()}\n```\n" in TEXT


def test_every_distribution_here_is_in_the_table() -> None:
    for project in GUIDE.parent.glob("*/pyproject.toml"):
        assert f"[`{project.parent.name}`]({project.parent.name})" in TEXT


def test_there_is_a_way_to_begin_for_each_kind() -> None:
    assert all(f"textforge plugins new {kind} " in TEXT for kind in KINDS)


def test_what_the_guide_says_of_versions(environment: Environment) -> None:
    assert f"now {textforge.PLUGIN_API}." in TEXT
    value: Any = textforge.PLUGIN_API
    assert isinstance(value, int)


def imported_from_the_core(path: Path) -> set[str]:
    """The modules of the core that a plugin's file imports from, but for the top of the package."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module} - {"textforge"}


@pytest.mark.parametrize("path", sorted(GUIDE.parent.glob("*/textforge_*/**/*.py")), ids=lambda path: path.stem)
def test_what_the_plugins_import_of_the_core_is_named(path: Path) -> None:
    modules = {module for module in imported_from_the_core(path) if module.startswith("textforge.")}
    assert [module for module in modules if f"`{module}`" not in TEXT] == []
