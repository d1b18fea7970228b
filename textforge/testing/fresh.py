"""Looking at a component in a fresh interpreter: what it imports, and what it does under another hash seed."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from textforge.components.component import Component
from textforge.testing.failures import NotApplicable, fail

SECONDS = 120
INSIDE = "TEXTFORGE_FRESH_INTERPRETER"
"""Set in the processes that are asked, which must ask no others: a script may run checks when it is imported."""
_CHILD = (
    "import json, sys; job = json.load(sys.stdin); sys.path[:] = job['path']; "
    "from textforge.testing.fresh import answer; answer(job)"
)


def ask(question: str, component: Component, *, hash_seed: str = "0", **details: Any) -> Any:
    """The answer that a fresh interpreter gives to one of the `QUESTIONS` about an equal component."""
    cls = type(component)
    if INSIDE in os.environ:
        raise NotApplicable("this is the fresh interpreter that another check has started")
    if "<locals>" in cls.__qualname__:
        raise NotApplicable(f"{cls.__name__} is made inside a function, where no other process finds it")
    job = {
        "question": question,
        "path": sys.path,
        "module": cls.__module__,
        "file": getattr(sys.modules.get(cls.__module__), "__file__", None),
        "class": cls.__qualname__,
        "spec": component.spec,
        **details,
    }
    done = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8", INSIDE: "1"},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        fail(
            f"{cls.__name__} to be made in a fresh interpreter",
            last,
            "let its module be imported by itself, in any order",
        )
    return json.loads(done.stdout.splitlines()[-1])


def answer(job: Mapping[str, Any]) -> None:
    """Print the answer to a question, as JSON, on the last line of standard output."""
    print("\n" + json.dumps(QUESTIONS[job["question"]](job)))  # noqa: T201 -- this is the other process's output


def _imports(job: Mapping[str, Any]) -> list[str]:
    """The top-level modules that making the component imports."""
    before = set(sys.modules)
    _component(job)
    return sorted({name.partition(".")[0] for name in set(sys.modules) - before})


def _vocabulary(job: Mapping[str, Any]) -> str:
    """The digest of what the encoder learns from texts, and of their ids."""
    from textforge.corpora.base import END_OF_TEXT

    encoder: Any = _component(job)
    fitted = encoder.fit([part for text in job["texts"] for part in (text, END_OF_TEXT)])
    ids = [fitted.encode(text).tolist() for text in job["texts"]]
    return hashlib.sha256(ascii([fitted.learned_values(), ids]).encode()).hexdigest()


QUESTIONS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = MappingProxyType(
    {"imports": _imports, "vocabulary": _vocabulary}
)


def _component(job: Mapping[str, Any]) -> Component:
    found: Any = _module(job["module"], job["file"])
    for name in job["class"].split("."):
        found = getattr(found, name)
    from textforge.components.spec import parse_spec

    return parse_spec(job["spec"]).build(found)


def _module(name: str, file: str | None) -> Any:
    """A module by its name, or from its file where it was loaded by hand."""
    try:
        if name != "__main__":
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not file or not f"{name}.".startswith(f"{error.name}."):
            raise
    spec = importlib.util.spec_from_file_location(name.replace("__main__", "checked"), str(file))
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} can't be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
