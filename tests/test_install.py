"""The install: the README's ways, in empty environments; and no hint that brings another's package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from followed import Block, blocks

import textforge
from textforge.names import CORE

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PROJECTS = {path.parent.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))}
EXAMPLES = sorted(ROOT.glob("examples/**/pyproject.toml"))
NOT_COPIED = shutil.ignore_patterns(".venv*", ".git", ".*_cache", ".hypothesis", "__pycache__", "demo-model")


def project(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    return found


# --- names ---


def test_the_core_is_called_as_its_project_says() -> None:
    assert project(ROOT / "pyproject.toml")["name"] == CORE


@pytest.mark.parametrize("path", [*PROJECTS.values(), *EXAMPLES], ids=lambda path: path.parent.name)
def test_whatever_depends_on_the_core_asks_for_this_version(path: Path) -> None:
    oldest = ".".join(textforge.__version__.split(".")[:2])
    assert f"{CORE}>={oldest}" in project(path)["dependencies"]


@pytest.mark.parametrize("path", PROJECTS.values(), ids=PROJECTS)
def test_our_plugins_have_the_core_s_version_and_its_authors(path: Path) -> None:
    core = project(ROOT / "pyproject.toml")
    assert project(path)["version"] == textforge.__version__
    assert project(path)["authors"] == core["authors"]
    (author,) = core["authors"]
    assert f"Copyright (c) 2026 {author['name']}\n" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def install_commands() -> Iterator[tuple[Path, str]]:
    """Every ``pip install …`` that a text or a message of the project proposes."""
    for folder in ("textforge", "plugins", "examples"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".md", ".py", ".toml", ".template") and "tests" not in path.parts:
                yield from find_commands(path)
    for path in ROOT.glob("*.md"):
        yield from find_commands(path)


def find_commands(path: Path) -> Iterator[tuple[Path, str]]:
    for command in re.findall(r"pip install ([^`\n]+)", path.read_text(encoding="utf-8")):
        yield path, command


def test_nothing_proposes_to_install_a_name_that_is_a_stranger_s_or_nobody_s() -> None:
    """Ours are installed by their folders; the core's name will do where it is installed already, to add an extra."""
    ours = {"textforge", *(project(path)["name"] for path in PROJECTS.values())}
    proposed = [(path, word.strip("'\"")) for path, command in install_commands() for word in command.split()]
    assert len(proposed) > 10
    assert [(path, word) for path, word in proposed if re.split(r"[\[<>=]", word)[0] in ours] == []


# --- the README's way ---


def install_blocks() -> list[Block]:
    lines = README.read_text(encoding="utf-8").splitlines()
    first = lines.index("## Install") + 1
    last = next(number for number, line in enumerate(lines[first:], first) if line.startswith("## "))
    return [block for block in blocks(README) if first < block.line <= last]


def test_the_readme_has_two_ways() -> None:
    by_make, by_pip = (block.commands for block in install_blocks())
    assert by_make == ["make install", ". .venv/bin/activate"]
    paths = [command.removeprefix("pip install ").strip("'").partition("[")[0] for command in by_pip]
    assert (paths[0], paths[-1]) == (".", ".")
    assert sorted(paths[1:-1]) == [f"./{each}" for each in PROJECTS]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The repository without anything that was built in it, and a text."""
    shutil.copytree(ROOT, tmp_path / "clone", ignore=NOT_COPIED)
    (tmp_path / "clone" / "book.txt").write_text("It is so, and that is that.\n\nIs it?\n" * 100, encoding="utf-8")
    return tmp_path / "clone"


def follow_in_one_shell(commands: list[str], folder: Path, **variables: str) -> str:
    """Return what the commands print, each of which must succeed, in an environment without this one."""
    here = str(Path(sys.executable).parent)
    paths = [path for path in os.environ["PATH"].split(os.pathsep) if path != here]
    hidden = {"VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "TEXTFORGE_DISABLE_PLUGINS"}
    plain = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        ["sh", "-ec", "\n".join(commands)],
        cwd=folder,
        env={**plain, "PATH": os.pathsep.join([variables.pop("first", ""), *paths]).lstrip(os.pathsep), **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
    return done.stdout


TOUR = [
    "textforge train book.txt --backend keras:device=cpu --architecture lstm:hidden_size=8 --epochs 1 -o model",
    "textforge train -o model --resume --backend torch:device=cpu --epochs 2",
    "textforge export model --format onnx model.onnx",
    "textforge generate model --seed 1 --max-tokens 20",
]


@pytest.mark.slow
def test_make_install_puts_the_command_on_the_path_with_both_frameworks(clone: Path) -> None:
    by_make, _ = (block.commands for block in install_blocks())
    base = Path(sys.base_prefix) / "bin" / "python3"
    printed = follow_in_one_shell([*by_make, "command -v textforge", *TOUR], clone, PYTHON=str(base))
    assert f"\n{clone}/.venv/bin/textforge\n" in printed
    assert (clone / "model.onnx").stat().st_size > 1000


@pytest.mark.slow
def test_pip_installs_one_thing_after_the_other(clone: Path, tmp_path: Path) -> None:
    _, by_pip = (block.commands for block in install_blocks())
    venv.create(tmp_path / "own", with_pip=True)
    seen = [f"{command}\ntextforge plugins --json > plugins{n}.json" for n, command in enumerate(by_pip)]
    variables = {"first": str(tmp_path / "own" / "bin"), "PIP_CONSTRAINT": str(clone / "constraints.txt")}
    follow_in_one_shell([*seen, *TOUR], clone, **variables)
    found = [json.loads((clone / f"plugins{n}.json").read_text(encoding="utf-8")) for n in range(len(by_pip))]
    backends = [{name for each in plugins for name in each["components"].get("backend", [])} for plugins in found]
    assert backends == [{"numpy"}, *[{"numpy", "torch"}] * 2, *[{"numpy", "torch", "keras"}] * 5]
    assert ["bpe" in {name for each in plugins for name in each["components"]["encoder"]} for plugins in found] == [
        *[False] * 2,
        *[True] * 6,
    ]
    assert {each["distribution"] for each in found[0]} == {CORE}
