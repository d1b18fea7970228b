"""Checks of a format. Each is given a `FormatCase`, and raises `CheckFailure`."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np

from textforge.errors import ExportError
from textforge.testing import component_checks, training
from textforge.testing.failures import NotApplicable, described, fail
from textforge.testing.format_case import FormatCase

LEAST_SHARE = 0.45
"""The share of their float32's bytes that weights drawn at random take at least: rounded to fewer bits than half, they
would give other logits than the core allows."""


def check_weights_written(case: FormatCase) -> None:
    """The file has the model's weights: it is large enough for them, and other weights make another file."""
    saved = case.create(training.SEED)
    weights = sum(array.nbytes for array in saved.arrays.values())
    first, second = (case.export(model) for model in (saved, case.create(training.SEED + 1)))
    mend = "write the weights to the path that is given, and read them back from there"
    if len(first) < LEAST_SHARE * weights:
        fail(f"a file with weights of {weights} bytes", f"{len(first)} bytes", mend)
    if first == second:
        fail("another file for a model with other weights", "the same to the byte", mend)


def check_one_file(case: FormatCase) -> None:
    """Nothing is written beside the file: the core removes the file where it is wrong, and that alone."""
    with case.folder() as folder:
        case.export_to(folder, case.create(training.SEED))
        others = sorted(path.name for path in folder.iterdir())
    if len(others) != 1:
        fail("one file", ", ".join(others), "keep all in the file that is given, or in temporary ones that you delete")


def check_model_untouched(case: FormatCase) -> None:
    """The model that is written stays as it is."""
    saved = case.create(training.SEED)
    given = attrs.evolve(saved, arrays=training.copied(saved.arrays))
    case.export(given)
    changed = [name for name, array in given.arrays.items() if not np.array_equal(array, saved.arrays[name])]
    if changed:
        fail("the model's arrays to be left alone", f"changes in {', '.join(changed)}", "work on copies of them")


def check_other_endings_refused(case: FormatCase) -> None:
    """Where readers go by the ending of a file's name, a file of another is refused with an `ExportError`."""
    suffix = case.component.suffix
    if suffix is None:
        raise NotApplicable("its readers take any ending")
    case.component.check_path(Path(f"model{suffix}"))
    try:
        case.component.check_path(Path("model.other"))
    except ExportError:
        return
    except Exception as error:
        got = described(error)
    else:
        got = "no error"
    fail("model.other to be refused with an ExportError", got, "leave check_path as it is inherited, or call super()'s")


def check_description(case: FormatCase) -> None:
    """The format says in a phrase what its file is."""
    found = getattr(case.component, "description", None)
    if not isinstance(found, str) or not found.strip():
        fail("a description of the file", repr(found), 'write description = "weights, as NumPy has them", say')


CHECKS = (
    component_checks.check_use,
    check_weights_written,
    check_one_file,
    check_model_untouched,
    check_other_endings_refused,
    check_description,
    *component_checks.CHECKS,
)
