"""The house: a file imports only from its own room and the floors below, and no files import each other in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "textforge"
FLOORS = (
    ("names",),
    ("errors", "terminal"),
    ("model",),
    ("components",),
    ("plugins",),
    ("encoders", "architectures"),
    ("corpora", "formats"),
    ("samplers",),
    ("backends", "generation"),
    ("evaluation",),
    ("training",),
    ("bundle",),
    ("library",),
    ("testing",),
    ("cli",),
    ("__main__",),
)
"""The rooms, ground floor first; `textforge/__init__.py` stands beside them, for all its imports are lazy."""
HEIGHT = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
OWN_PLUGINS = re.compile(r"\b(torch|keras|tensorflow)\b", re.IGNORECASE)


def modules() -> dict[str, Path]:
    """Every module of the core, by name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(path: Path) -> Iterator[str]:
    """The core's modules that a file names in its imports, those for type checkers and lazy ones too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module


def room_of(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"textforge"}))
def test_a_file_imports_from_its_room_and_the_floors_below(module: str) -> None:
    own = room_of(module)
    for imported in imports(MODULES[module]):
        if imported in MODULES and imported != "textforge":
            other = room_of(imported)
            assert other == own or HEIGHT[other] < HEIGHT[own], f"{module} reaches up to {imported}"


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {
        module: {name for name in imports(path) if name in MODULES and name not in ("textforge", module)}
        for module, path in MODULES.items()
        if module != "textforge"
    }
    for module, wanted in graph.items():  # a package's own file stands for nothing but itself
        graph[module] = {name for name in wanted if not module.startswith(f"{name}.")}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_core_names_none_of_its_plugins(module: str) -> None:
    """In no table, default or message: neither in a string that is no docstring."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    documentation = {
        id(node.value)
        for holder in ast.walk(tree)
        if isinstance(holder, (ast.Module, ast.ClassDef, ast.FunctionDef))
        for node in holder.body
        if isinstance(node, ast.Expr)
    }
    named = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
    ]
    assert not [text for text in named if OWN_PLUGINS.search(text.replace("as PyTorch defines it", ""))]


def test_plugins_import_no_private_module_of_the_core() -> None:
    for path in (ROOT / "plugins").glob("*/textforge_*/*.py"):
        for imported in imports(path):
            private = [part for part in imported.split(".") if part.startswith("_")]
            assert not (imported.startswith("textforge.") and private), (path, imported)
