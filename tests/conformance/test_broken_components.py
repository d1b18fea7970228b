"""A check that can't fail is worse than none: for each there is a component that fails it, and passes all others."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance import (
    broken_architectures,
    broken_backends,
    broken_corpora,
    broken_encoders,
    broken_formats,
    broken_implementations,
    broken_models,
    broken_samplers,
    good_model,
)

from textforge.testing import CHECKS, fresh, run_case
from textforge.testing.cases import Case
from textforge.testing.checks import case_of, title_of

BROKEN: list[tuple[Any, tuple[str, ...]]] = [
    (component, checks)
    for component, *checks in (
        *broken_samplers.BROKEN,
        *broken_encoders.BROKEN,
        *broken_corpora.BROKEN,
        *broken_architectures.BROKEN,
        *broken_implementations.BROKEN,
        *broken_models.BROKEN,
        *broken_backends.BROKEN,
        *broken_formats.BROKEN,
    )
]
"""Components, each with the check that it was written for, and those that find its fault as well."""
GOOD = [
    broken_samplers.GoodSampler(),
    broken_encoders.GoodEncoder(),
    broken_encoders.Lowering(),
    broken_encoders.Fixed(),
    broken_corpora.GoodCorpus(),
    broken_architectures.GoodArchitecture(),
    good_model.GOOD,
    broken_backends.GOOD,
    broken_formats.GoodFormat(),
]
SLOW = """
import time
from conformance import broken_backends, broken_samplers

time.sleep(0.6)

class Sampler(broken_samplers.GoodSampler):
    "Sleeps."
class Backend(broken_backends.GoodBackend):
    "Sleeps."
"""
KINDS = ("Sampler", "Backend")


@pytest.fixture(autouse=True)
def one_start_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask once for all components of a module how it starts."""
    start = fresh.start

    def asked(component: Any) -> Any:
        module = type(component).__module__
        return start(next((good for good in GOOD if type(good).__module__ == module), component))

    monkeypatch.setattr(fresh, "start", asked)


def to_case(component: Any) -> Case:
    return component if isinstance(component, Case) else case_of(component)


def failures(component: Any) -> dict[str, str]:
    return {result.name: result.failure for result in run_case(to_case(component)) if result.failure}


def in_order(component: Any) -> str:
    found = getattr(component, "make", None) or type(getattr(component, "component", component))
    return str(found.__name__)


@pytest.mark.parametrize("component", GOOD, ids=in_order)
def test_a_good_component_passes_every_check(component: Any) -> None:
    results = list(run_case(to_case(component)))
    assert [result for result in results if result.failure or result.skipped] == []
    assert len(results) == len(CHECKS[type(to_case(component))])


@pytest.mark.parametrize(("component", "checks"), BROKEN, ids=[in_order(component) for component, _ in BROKEN])
def test_a_broken_component_fails_its_checks_and_no_other(component: Any, checks: tuple[str, ...]) -> None:
    assert set(failures(component)) == set(checks)


def test_nothing_else_is_run_of_a_component_that_does_not_work() -> None:
    results = list(run_case(to_case(broken_samplers.Assigning())))
    assert [(result.name, result.fatal) for result in results] == [("use", True)]
    assert "keep nothing on the component" in str(results[0].failure)
    (result,) = run_case(to_case(broken_samplers.Frameworkless()))
    assert "BackendError: the sampler good needs a framework: run `pip install it`" in str(result.failure)


def test_a_corpus_that_an_earlier_check_has_emptied() -> None:
    stream = iter(broken_corpora.TEXTS * 2)

    class Streamed(broken_corpora.GoodCorpus):
        """Is read by whoever comes first; the others find nothing."""

        def read(self) -> Iterator[str]:
            return stream

    results = list(run_case(to_case(Streamed())))
    assert [result.name for result in results if result.failure] == ["reading twice"]
    skipped = {result.name for result in results if "nothing was left to read" in (result.skipped or "")}
    assert skipped == {"whole characters", "documents", "chunking"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_module_that_takes_long_to_import(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules_undone: None
) -> None:
    (tmp_path / "fake_slow.py").write_text(SLOW, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = failures(getattr(importlib.import_module("fake_slow"), kind)())
    assert list(found) == ["light import"]
    assert found["light import"].startswith("expected the module fake_slow to be imported, and the ")
    assert "got 0." in found["light import"]
    assert "(of which fake_slow 0." in found["light import"]


def test_a_module_that_imports_the_framework_it_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules_undone: None
) -> None:
    (tmp_path / "fake_framework.py").write_text("", encoding="utf-8")
    (tmp_path / "fake_heavy.py").write_text(
        "import fake_framework\n"
        "from conformance import broken_backends\n"
        "class Backend(broken_backends.GoodBackend):\n"
        "    'Imports what it computes with.'\n"
        "    frameworks = ('fake-framework',)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert failures(importlib.import_module("fake_heavy").Backend()) == {
        "light import": "expected the module fake_heavy to import no framework, got an import of fake_framework: "
        "import it inside the method that needs it: every command would wait for it"
    }


def test_a_module_that_prints_as_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules_undone: None
) -> None:
    (tmp_path / "fake_loud.py").write_text(
        "print('ready!')\nfrom conformance import broken_samplers\n"
        "class Sampler(broken_samplers.GoodSampler):\n    'Says that it is there.'\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = failures(importlib.import_module("fake_loud").Sampler())
    assert list(found) == ["silent"]
    assert "got 'ready!', when it is imported or made" in found["silent"]


FRAMEWORK = """
import random
generator = random.Random(0)

def manual_seed(seed):
    generator.seed(seed)

def get_rng_state():
    return list(generator.getstate()[1])

def set_rng_state(state):
    generator.setstate((3, tuple(state), None))

def rand(count):
    return [generator.random() for _ in range(count)]
"""


def test_a_framework_s_global_generator_is_watched_once_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules_undone: None
) -> None:
    (tmp_path / "fake_framework.py").write_text(FRAMEWORK, encoding="utf-8")
    (tmp_path / "fake_seeder.py").write_text(
        "from conformance import broken_samplers\n"
        "class Sampler(broken_samplers.GoodSampler):\n"
        "    'Seeds a framework.'\n"
        "    def __call__(self, logits, context):\n"
        "        import fake_framework\n"
        "        fake_framework.manual_seed(1)\n"
        "        return logits.copy()\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    sampler = importlib.import_module("fake_seeder").Sampler()
    for _ in range(2):  # also where it has been seeded so before
        found = failures(sampler)
        assert list(found) == ["global generators"]
        assert "got a change in that of fake_framework" in found["global generators"]


def test_every_check_has_a_broken_component() -> None:
    broken = {checks[0] for _, checks in BROKEN} | {"light import"}
    assert {title_of(check) for checks in CHECKS.values() for check in checks} == broken


def test_every_function_that_is_called_a_check_is_one() -> None:
    listed = {check for checks in CHECKS.values() for check in checks}
    modules = {inspect.getmodule(check) for check in listed}
    assert listed == {
        value
        for module in modules
        for name, value in vars(module).items()
        if name.startswith("check_") and callable(value)
    }


@pytest.mark.parametrize(
    ("component", "check"),
    [(component, checks[0]) for component, checks in BROKEN],
    ids=[in_order(component) for component, _ in BROKEN],
)
def test_a_failure_says_what_was_expected_what_came_and_how_to_mend_it(component: Any, check: str) -> None:
    case = to_case(component).renew()
    (function,) = [found for found in CHECKS[type(case)] if title_of(found) == check]
    with pytest.raises(AssertionError) as caught:
        function(case)
    assert str(caught.value).startswith("expected ")
    assert ", got " in str(caught.value)
    assert len(getattr(caught.value, "mend").split()) > 2  # noqa: B009
