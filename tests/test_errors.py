from __future__ import annotations

import re
from pathlib import Path

import pytest

from textforge import errors
from textforge.errors import TextforgeError, listed, nearest


def tree() -> list[type[TextforgeError]]:
    return [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, TextforgeError)]


def test_every_error_is_drawn_in_the_tree_under_its_base() -> None:
    drawn = re.findall(r"^ *[│ ]*([├└]── )?(\w+)", errors.__doc__ or "", re.MULTILINE)
    names = [name for _, name in drawn]
    for error in tree():
        assert error.__name__ in names, f"{error.__name__} is missing in the tree of errors.py"


@pytest.mark.parametrize("error", tree())
def test_every_error_says_when_it_is_raised(error: type[TextforgeError]) -> None:
    assert (error.__doc__ or "").strip()


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.SpecError, ValueError),
        (errors.OptionError, ValueError),
        (errors.UnknownComponent, LookupError),
        (errors.EncodingError, ValueError),
    ],
)
def test_some_are_what_python_would_raise(error: type[TextforgeError], builtin: type[Exception]) -> None:
    assert issubclass(error, builtin)
    assert str(error("it's gone")) == "it's gone"  # a LookupError, not a KeyError, which quotes its message


def test_listed_is_sorted_and_never_empty() -> None:
    assert listed(["top-k", "greedy"]) == "greedy, top-k"
    assert listed(iter([])) == "none"


def test_nearest_proposes_what_is_close_only() -> None:
    assert nearest("topk", ["greedy", "top-k"]) == "; did you mean 'top-k'?"
    assert nearest("nucleus", ["greedy", "top-k"]) == ""
    assert nearest("x", []) == ""


def test_the_core_has_no_bare_asserts() -> None:
    package = Path(errors.__file__).parent
    for file in package.rglob("*.py"):
        lines = file.read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.lstrip().startswith("assert ")], f"{file.name} has an assert"
