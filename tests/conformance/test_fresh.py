"""Asking a fresh interpreter: what can't be asked, and what fails there."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from conformance.broken_samplers import GoodSampler

from textforge.testing import CheckFailure, NotApplicable, fresh, run_checks


def test_a_class_made_inside_a_function_can_not_be_asked_about() -> None:
    class Local(GoodSampler):
        """Is nowhere to be imported from."""

    with pytest.raises(NotApplicable, match="Local is made inside a function, where no other process finds it"):
        fresh.start(Local())
    (result,) = [result for result in run_checks(Local()) if result.name == "light import"]
    assert result.skipped


def test_a_script_that_runs_checks_when_it_is_imported_starts_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fresh.INSIDE, "1")
    with pytest.raises(NotApplicable, match="the fresh interpreter that another check has started"):
        fresh.start(GoodSampler())


def test_a_module_that_can_not_be_imported_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules_undone: None
) -> None:
    path = tmp_path / "fake_late.py"
    path.write_text("from conformance.broken_samplers import GoodSampler\nclass Late(GoodSampler):\n    'Late.'\n")
    monkeypatch.syspath_prepend(tmp_path)
    component = importlib.import_module("fake_late").Late()
    path.write_text("raise RuntimeError('too late')\n")
    with pytest.raises(CheckFailure, match="got RuntimeError: too late: let its module be imported by itself"):
        fresh.start(component)
