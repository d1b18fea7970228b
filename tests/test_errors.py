from __future__ import annotations

import ast
import copy
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textforge import errors
from textforge.cli.messages import one_line
from textforge.errors import Advice, StopTraining, TextforgeError, TextforgeWarning, advise, list_names, nearest


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


@pytest.mark.parametrize(
    ("advice", "library", "command_line"),
    [
        (advise("overwrite", True), "overwrite=True", "--overwrite"),
        (advise("unknown", "skip"), "unknown='skip'", "--unknown skip"),
        (advise("max_tokens", 3), "max_tokens=3", "--max-tokens 3"),
        (advise("sequence_length"), "sequence_length", "--sequence-length"),
    ],
)
def test_advice_is_worded_for_the_library_and_for_the_command_line(
    advice: Advice, library: str, command_line: str
) -> None:
    assert (advice.library, advice.command_line) == (library, command_line)


@pytest.mark.parametrize("kind", [*tree(), TextforgeWarning])
def test_an_error_says_what_to_do_in_both_languages_and_by_code(kind: type[TextforgeError]) -> None:
    error = kind("it is there: ", advise("overwrite", True), ", or go on with ", advise("resume", True))
    for same in (error, pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert str(same) == "it is there: overwrite=True, or go on with resume=True"
        assert same.command_line == "it is there: --overwrite, or go on with --resume"
        assert [advice.code for advice in same.advice] == ["overwrite", "resume"]
    if isinstance(error, TextforgeError):
        assert one_line(error) == error.command_line


@given(st.lists(st.text()))
def test_a_message_without_advice_is_its_text_in_both(parts: list[str]) -> None:
    error = TextforgeError(*parts)
    assert str(error) == error.command_line == "".join(parts)
    assert error.advice == ()


def test_an_error_that_words_itself_is_taken_at_its_word() -> None:
    class Own(TextforgeError):
        def __str__(self) -> str:
            return "mine"

    assert one_line(Own("theirs")) == "mine"


def test_stopping_a_run_is_no_error_of_textforge() -> None:
    assert not issubclass(StopTraining, TextforgeError)


def spoken_texts(file: Path) -> list[str]:
    """The texts that a module raises or passes to a function by the name of one that makes an error."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    raised = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and makes_error(node.func)]
    constants = [part for call in raised for argument in call.args for part in ast.walk(argument)]
    return [part.value for part in constants if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def makes_error(function: ast.expr) -> bool:
    name = ast.unparse(function)
    return name.endswith(("Error", "Component", "_error", "Warning"))


def test_the_library_never_speaks_the_command_line_s_language() -> None:
    """Options of other programs, pip's among them, are theirs to name."""
    package = Path(errors.__file__).parent
    for file in package.rglob("*.py"):
        if "cli" in file.parts:
            continue
        texts = [text for text in spoken_texts(file) if "pip install" not in text]
        assert not [text for text in texts if re.search(r"(?<!\w)--[a-z]", text)], f"{file} names an option"


def test_listed_is_sorted_and_never_empty() -> None:
    assert list_names(["top-k", "greedy"]) == "greedy, top-k"
    assert list_names(iter([])) == "none"


def test_nearest_proposes_what_is_close_only() -> None:
    assert nearest("topk", ["greedy", "top-k"]) == "; did you mean 'top-k'?"
    assert nearest("nucleus", ["greedy", "top-k"]) == ""
    assert nearest("x", []) == ""


def test_the_core_has_no_bare_asserts() -> None:
    package = Path(errors.__file__).parent
    for file in package.rglob("*.py"):
        lines = file.read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.lstrip().startswith("assert ")], f"{file.name} has an assert"
