"""A look at a component in a fresh interpreter: its imports, its start-up time, its output, its hash seed."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from textforge.components.component import Component
from textforge.plugins.kinds import KINDS, base_class
from textforge.testing.failures import NotApplicable, fail

SECONDS = 120
INSIDE = "TEXTFORGE_FRESH_INTERPRETER"
"""Set in the processes that are asked, which must ask no others: a script may run checks when it is imported."""
_ANSWER = "textforge's answer: "
_IMPORT_TIME = "import time:"
_CHILD = (
    "import json, sys; job = json.load(sys.stdin); sys.path[:] = job['path']; "
    "from textforge.testing.fresh import answer; answer(job)"
)


@attrs.frozen
class Start:
    """The start of a component in a fresh interpreter: its module imported, the component made."""

    modules: tuple[str, ...]
    """The top-level modules that were imported for it, beside those of the interfaces."""
    seconds: float
    printed: str
    """The text on standard output."""
    slowest: str
    """The top-level module that took the longest to import, and its seconds."""


def start(component: Component) -> Start:
    """Start a component in a fresh interpreter; the result is kept for the next time.

    Raises `CheckFailure` where it can't be made there, and `NotApplicable` where no other process finds it.
    """
    _refuse_unreachable(type(component))
    return _start(type(component), component.spec)


def start_anew(component: Component) -> Start:
    """Start a component in a fresh interpreter once more."""
    return _start.__wrapped__(type(component), component.spec)


@functools.lru_cache(maxsize=256)
def _start(cls: type[Component], spec: str) -> Start:
    done = _run("start", cls, spec)
    answer, printed = _read(done.stdout)
    return Start(tuple(answer["modules"]), answer["seconds"], printed, _slowest(done.stderr, answer["modules"]))


def ask(question: str, component: Component, *, hash_seed: str = "0", **details: Any) -> Any:
    """Return the answer that a fresh interpreter gives to one of the `QUESTIONS` about an equal component."""
    return _read(_run(question, type(component), component.spec, hash_seed, details).stdout)[0]


def _run(
    question: str,
    cls: type[Component],
    spec: str,
    hash_seed: str = "0",
    details: Mapping[str, Any] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    _refuse_unreachable(cls)
    job = {
        "question": question,
        "path": sys.path,
        "module": cls.__module__,
        "file": getattr(sys.modules.get(cls.__module__), "__file__", None),
        "class": cls.__qualname__,
        "spec": spec,
        "in_a_test": "pytest" in sys.modules,
        **details,
    }
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", _CHILD],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8", INSIDE: "1"},
    )
    if done.returncode:
        lines = [line for line in done.stderr.strip().splitlines() if not line.startswith(_IMPORT_TIME)]
        fail(
            f"{cls.__name__} to be made in a fresh interpreter",
            (lines or ["nothing"])[-1],
            "let its module be imported by itself, in any order",
        )
    return done


def _refuse_unreachable(cls: type) -> None:
    """Raise `NotApplicable` where no other process is to be asked about a class."""
    if INSIDE in os.environ:
        raise NotApplicable("this is the fresh interpreter that another check has started")
    if "<locals>" in cls.__qualname__:
        raise NotApplicable(f"{cls.__name__} is made inside a function, where no other process finds it")


def _read(output: str) -> tuple[Any, str]:
    """Return the answer, and what was printed beside it."""
    printed, _, answer = output.rpartition(f"\n{_ANSWER}")
    line, _, rest = answer.partition("\n")
    return json.loads(line), (printed + rest).strip()


def _slowest(import_times: str, modules: list[str]) -> str:
    """Return the module that took the longest, by the lines of ``-X importtime``: self | cumulative | name, in µs."""
    taken: Counter[str] = Counter()
    for line in import_times.splitlines():
        if line.startswith(_IMPORT_TIME) and line.count("|") == 2:
            own, _, name = line.removeprefix(_IMPORT_TIME).split("|")
            if own.strip().isdecimal():
                taken[name.strip().partition(".")[0]] += int(own)
    of_the_component = Counter({name: microseconds for name, microseconds in taken.items() if name in modules})
    return ", ".join(f"{name} {microseconds / 1e6:.2g} s" for name, microseconds in of_the_component.most_common(1))


def answer(job: Mapping[str, Any]) -> None:
    """Print the answer to a question, as JSON, on the last line of standard output."""
    print(f"\n{_ANSWER}{json.dumps(QUESTIONS[job['question']](job))}")  # noqa: T201 -- the other process's output


def _answer_start(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the top-level modules that making the component imports, and the seconds it takes."""
    for kind in KINDS:
        base_class(kind)  # what every component of a kind needs is not its own
    if job["in_a_test"]:  # the component may be declared among its tests, whose imports are not its own either
        importlib.import_module(f"{__package__}.suites")
    before = _top_level()
    begun = time.perf_counter()
    _component(job)
    seconds = time.perf_counter() - begun
    return {"modules": sorted(_top_level() - before), "seconds": seconds}


def _top_level() -> set[str]:
    return {name.partition(".")[0] for name in sys.modules}


def _answer_vocabulary(job: Mapping[str, Any]) -> str:
    """Return the digest of what the encoder learns from texts, and of their ids."""
    from textforge.corpora.base import END_OF_TEXT

    encoder: Any = _component(job)
    fitted = encoder.fit([part for text in job["texts"] for part in (text, END_OF_TEXT)])
    ids = [fitted.encode(text).tolist() for text in job["texts"]]
    return hashlib.sha256(ascii([fitted.learned_values(), ids]).encode()).hexdigest()


QUESTIONS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = MappingProxyType(
    {"start": _answer_start, "vocabulary": _answer_vocabulary}
)


def _component(job: Mapping[str, Any]) -> Component:
    found: Any = _module(job["module"], job["file"])
    for name in job["class"].split("."):
        found = getattr(found, name)
    from textforge.components.spec import parse_spec

    return parse_spec(job["spec"]).build(found)


def _module(name: str, file: str | None) -> Any:
    """Import a module by its name, or from its file where it was loaded by hand."""
    try:
        if name != "__main__":
            __import__(name)  # importlib.import_module leaves no line in the import times
            return sys.modules[name]
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
