"""Writing a plugin to begin with: a distribution that installs, works, and passes its own tests.

The templates are files of their own. In their texts ``$name`` is the component's name, ``$module`` the package,
``$cls`` the class, ``$distribution`` the distribution and ``$core`` that of textforge itself; ``$group`` and
``$object`` are the entry point's. The folder ``package`` gets the package's name.
"""

from __future__ import annotations

import importlib.resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from textforge import PLUGIN_API, __version__
from textforge.components.spec import NAME
from textforge.components.values import quote
from textforge.errors import Advice, PluginError
from textforge.names import CORE

PREFIX = "textforge-"
KINDS = ("corpus", "encoder", "architecture", "sampler", "format", "report", "metric", "command")
"""The kinds that there are templates for. A backend, which is rare and large, is begun by reading one."""
_ENDING = ".template"


def write_plugin(kind: str, name: str, folder: Path | None = None) -> list[Path]:
    """Write a plugin with a component of that kind and name; gives the files that were written.

    `folder` is ``textforge-NAME`` in the working folder unless given. Raises `PluginError` for a name that can't be
    one, and for a folder that has something in it.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> [str(path.relative_to(folder)) for path in write_plugin("sampler", "no-digits", folder)]
    ['README.md', 'pyproject.toml', 'textforge_no_digits/__init__.py', 'textforge_no_digits/py.typed',
     'textforge_no_digits/sampler.py', 'tests/test_no_digits.py']
    """
    values = _values(kind, name)
    folder = Path(values["distribution"]) if folder is None else folder
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        another = Advice("folder", "folder", "--output")
        raise PluginError(f"{folder} is there already: choose another folder with ", another, ", or remove it")
    written = []
    for path, text in _render(kind, values):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
        written.append(target)
    return written


def _values(kind: str, name: str) -> dict[str, str]:
    if kind not in KINDS:
        raise PluginError(f"nothing to begin a {quote(kind)} with; the kinds are {', '.join(KINDS)}")
    if not NAME.fullmatch(name):
        raise PluginError(
            f"a component's name is two characters or more of lower-case letters, digits and '-', got {quote(name)}"
        )
    if name.startswith(PREFIX):
        raise PluginError(f"the distribution is called {PREFIX}NAME by itself: write {name.removeprefix(PREFIX)}")
    if PREFIX + name == CORE:
        raise PluginError(f"{CORE} is the distribution of textforge itself: choose another name than {quote(name)}")
    module = f"textforge_{name.replace('-', '_')}"
    by_itself = kind == "command"  # `--help` lists what an entry point names
    return {
        "name": name,
        "kind": kind,
        "distribution": PREFIX + name,
        "module": module,
        "group": '"textforge.commands"' if by_itself else "textforge",
        "object": f"{module}.command:command" if by_itself else module,
        "stem": name.replace("-", "_"),
        "cls": _class_name(kind, name),
        "core": CORE,
        "version": __version__,
        "api": str(PLUGIN_API),
    }


def _class_name(kind: str, name: str) -> str:
    """Return ``MinP`` for a sampler, ``CsvCorpus`` for a corpus; never beginning with a digit."""
    camel = "".join(part.capitalize() for part in name.split("-"))
    title = kind.capitalize()
    if camel[0].isdigit():
        return title + camel
    return camel if kind in ("sampler", "architecture") or camel.endswith(title) else camel + title


def _render(kind: str, values: dict[str, str]) -> list[tuple[str, str]]:
    """Return paths and texts, in the order of paths, those of the package before its tests."""
    templates = importlib.resources.files("textforge.plugins.scaffolding") / "templates"
    found = [*_files(templates / "common", ""), *_files(templates / kind, "")]
    rendered = [(_path(path, values), Template(file.read_text("utf-8")).substitute(values)) for path, file in found]
    return sorted(rendered, key=lambda pair: (pair[0].count("/"), "tests" in pair[0], pair[0]))


def _path(path: str, values: dict[str, str]) -> str:
    renamed = path.removesuffix(_ENDING).replace("package/", f"{values['module']}/")
    return renamed.replace("test_plugin", f"test_{values['stem']}")


def _files(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found = []
    for entry in folder.iterdir():
        path = prefix + entry.name
        found += _files(entry, f"{path}/") if entry.is_dir() else [(path, entry)]
    return found
