"""CONTRIBUTING.md names every room and what the Makefile makes, and nothing that isn't there."""

from __future__ import annotations

import re
from pathlib import Path

import textforge

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_every_room_has_its_place() -> None:
    table = TEXT[TEXT.index("| room | has |") : TEXT.index("`plugins/` at the top")]
    package = Path(textforge.__file__).parent
    rooms = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    files = {path.name for path in package.glob("*.py") if not path.name.startswith("__")}
    assert set(re.findall(r"`(\w+(?:/|\.py))`", table)) - {"base.py"} == rooms | files


def test_every_target_is_one_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    named = set(re.findall(r"^\| `make ([\w-]+)`", TEXT, re.MULTILINE))
    assert named == set(phony.split()) - {"demo", "test-core", "test-plugins", "test-across"}


def test_every_path_is_there() -> None:
    paths = [path for path in re.findall(r"`((?:tests|plugins)/[\w./-]+)`", TEXT) if not path.endswith("/")]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
