"""The prose of docstrings, and the names of functions, in textforge and in its plugins."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from textforge.plugins.scaffolding import KINDS, write_plugin

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (ROOT / "textforge", *sorted((ROOT / "plugins").glob("*/textforge_*")))

RIDDLES = re.compile("What|How|Whether|Of|Why")
"""The words that begin a clause instead of saying what there is."""
NOUNS = re.compile(
    "All?|An?|As|Both|Each|Either|Every|For|How|If|In|Is|Its?|Many|Natural|Neither|No|None|Nothing|Number|Of|On|One|"
    "Several|Share|Some|Something|Text|Th[aeio]\\w*|To|Token|Two|Up|Wh\\w+|With|"
    "(?!Bring)\\w+ing|(?!Embed|Need|Feed|Seed)\\w+ed|\\w+[^s]s"
)
"""The words that no sentence in the imperative begins with: articles, pronouns, participles, plurals."""
THIRD_PERSON = re.compile(
    "Adds|Applies|Builds|Carries|Changes|Checks|Collects|Computes|Continues|Converts|Copies|Decides|Decodes|Encodes|"
    "Erases|Finds|Gives|Goes|Has|Holds|Imports|Is|Keeps|Learns|Lists|Loads|Makes|Prints|Reads|Receives|Reshapes|Returns|Runs|"
    "Saves|Says|Sends|Shows|Splits|Stores|Takes|Tells|Trains|Turns|Watches|Writes"
)
"""The words by which a class would say what it does, not what it is."""

PARTICIPLE = re.compile(
    "(?!embed|feed|need|seed|speed|shed|proceed|exceed)[a-z]+ed|"
    "broken|built|chosen|cut_off|drawn|found|given|held|hidden|kept|known|left|lost|made|meant|seen|sent|shown|"
    "sorted_out|spoken|taken|thrown|told|understood|unknown|unwritten|written"
)
"""A function's name that says what has happened, instead of what happens."""
DECLARATIONS = {"learned", "sized"}
"""Names that are read as adjectives: of the field they declare, `vocabulary: str = learned()`, or of what is returned,
`architecture.sized(corpus, budget)`."""


class Docstring(NamedTuple):
    """A docstring, and what it describes: module, class, function, property or attribute."""

    kind: str
    text: str
    line: int


def is_property(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(isinstance(each, ast.Name | ast.Attribute) and _name(each).endswith("property") for each in decorators)


def _name(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


def find_docstrings(tree: ast.Module) -> Iterator[Docstring]:
    """Yield the docstrings of a module and all it holds; one of an attribute stands below its assignment."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        kind = {"ClassDef": "class", "Module": "module"}.get(type(node).__name__, "function")
        text = ast.get_docstring(node)
        if text:
            yield Docstring("property" if is_property(node) else kind, text, node.body[0].lineno)
        for statement in node.body[1:] if text else node.body:
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield Docstring("attribute", value.value, value.lineno)


def opens_as_riddle(docstring: Docstring) -> bool:
    return bool(RIDDLES.fullmatch(_first_word(docstring)))


def opens_function_as_noun(docstring: Docstring) -> bool:
    return docstring.kind == "function" and bool(NOUNS.fullmatch(_first_word(docstring)))


def opens_class_as_verb(docstring: Docstring) -> bool:
    return docstring.kind == "class" and bool(THIRD_PERSON.fullmatch(_first_word(docstring)))


def _first_word(docstring: Docstring) -> str:
    return re.split(r"[\s,:;.]", docstring.text.strip(), maxsplit=1)[0]


def find_participles(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions that are named by a participle alone; a property holds what it is named by."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_property(node):
            continue
        if PARTICIPLE.fullmatch(node.name.strip("_")) and node.name not in DECLARATIONS:
            yield node


def source_files() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted(package.rglob("*.py"))


TREES = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in source_files()}


@pytest.mark.parametrize("breaks_rule", [opens_as_riddle, opens_function_as_noun, opens_class_as_verb])
def test_docstrings_say_what_a_function_does_and_what_a_class_is(breaks_rule: Callable[[Docstring], bool]) -> None:
    found = [
        f"{path}:{docstring.line}: {docstring.text.strip().splitlines()[0]}"
        for path, tree in TREES.items()
        for docstring in find_docstrings(tree)
        if breaks_rule(docstring)
    ]
    assert not found


def test_no_docstring_of_a_test_is_a_riddle() -> None:
    folders = [ROOT / "tests", ROOT / "examples", *ROOT.glob("plugins/*/tests")]
    found = [
        f"{path}:{docstring.line}: {docstring.text.strip().splitlines()[0]}"
        for folder in folders
        for path in folder.rglob("*.py")
        for docstring in find_docstrings(ast.parse(path.read_text(encoding="utf-8")))
        if opens_as_riddle(docstring)
    ]
    assert not found


def test_functions_are_named_by_verbs() -> None:
    found = [f"{path}:{node.lineno}: {node.name}" for path, tree in TREES.items() for node in find_participles(tree)]
    assert not found


@pytest.mark.parametrize("kind", KINDS)
def test_a_plugin_to_begin_with_keeps_the_rules(kind: str, tmp_path: Path) -> None:
    files = write_plugin(kind, "my-own", tmp_path / "plugin")
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files if path.suffix == ".py"]
    found = [docstring for tree in trees for docstring in find_docstrings(tree)]
    assert len(found) >= 3
    rules = (opens_as_riddle, opens_function_as_noun, opens_class_as_verb)
    assert not [docstring.text for docstring in found if any(breaks_rule(docstring) for breaks_rule in rules)]
    assert not [node.name for tree in trees for node in find_participles(tree)]


def test_every_module_and_public_class_is_described() -> None:
    found = {path: next(iter(find_docstrings(tree)), None) for path, tree in TREES.items()}
    assert len(found) > 70
    assert [path for path, docstring in found.items() if docstring is None or docstring.kind != "module"] == []


BAD = '''
"""What a module has."""

class A:
    """Turns text into ids."""

    size: int
    """How many there are."""

    @property
    def known(self) -> int:
        """The ids that are known."""

    @property
    def many(self) -> bool:
        """Whether there are many."""

    def shown(self) -> str:
        """The text."""

    def push(self, ids):
        """Encodes ids."""

def _checked_twice(): ...
def _checked(): ...
def seed(): ...
def learned():
    """Declare what is learnt."""
'''


def test_the_rules_find_what_breaks_them() -> None:
    tree = ast.parse(BAD.lstrip())
    found = list(find_docstrings(tree))
    riddles = [each.text for each in found if opens_as_riddle(each)]
    assert sorted(riddles) == ["How many there are.", "What a module has.", "Whether there are many."]
    assert [each.text for each in found if opens_function_as_noun(each)] == ["The text.", "Encodes ids."]
    assert [each.text for each in found if opens_class_as_verb(each)] == ["Turns text into ids."]
    assert sorted(node.name for node in find_participles(tree)) == ["_checked", "shown"]
