"""A framework that is missing, broken or too old is told in one line, with the command that mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

import textforge
from textforge.components.frameworks import Framework
from textforge.errors import BackendError


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules_undone: None) -> Path:
    """The file of the module ``fake_flow``."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "fake_flow.py"


FLOW = Framework("fake_flow", "Flow", oldest="2.4", brought_by="textforge-flow")
TOO_OLD = (
    "the backend flow needs Flow 2.4 or newer, but 2.3.9 is installed: "
    "run `pip install textforge-flow 'fake_flow>=2.4'`"
)
AGAIN = "run `pip install --force-reinstall fake_flow`"


def test_one_that_is_right_is_imported(module: Path) -> None:
    module.write_text("__version__ = '2.10.1+cpu'")
    assert FLOW.require("flow").__version__ == "2.10.1+cpu"
    module.write_text("")
    assert Framework("fake_flow").require("flow").__name__ == "fake_flow"  # any version


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "the backend flow needs Flow, which is not installed: run `pip install textforge-flow`"),
        (
            "__version__ = '2.3.9'",
            TOO_OLD,
        ),
        (
            "import fake_absent",
            "Flow is installed but can't be imported (ModuleNotFoundError: No module named 'fake_absent'): " + AGAIN,
        ),
        (
            "raise RuntimeError('two\\nlines')",
            "Flow is installed but can't be imported (RuntimeError: two lines): " + AGAIN,
        ),
    ],
)
def test_what_is_wrong_is_told_with_what_mends_it(module: Path, text: str | None, message: str) -> None:
    if text is not None:
        module.write_text(text)
    with pytest.raises(BackendError) as caught:
        FLOW.require("flow")
    assert str(caught.value) == message


def test_a_component_that_needs_it_may_be_given_itself(module: Path) -> None:
    class Shuffle(textforge.Sampler):
        name = "shuffle"

        def __call__(self, logits: object, context: object) -> None: ...  # type: ignore[override]

    flow = Framework("fake_flow", needed_by="sampler", distribution="fakeflow")
    with pytest.raises(BackendError, match=r"^the sampler shuffle needs fake_flow, .* run `pip install fakeflow`$"):
        flow.require(Shuffle())


def test_without_a_distribution_that_brings_it_it_is_named_itself(module: Path) -> None:
    flow = Framework("fake_flow", "Flow", oldest="2.4")
    with pytest.raises(BackendError, match=r"not installed: run `pip install 'fake_flow>=2\.4'`$"):
        flow.require("flow")
    module.write_text("__version__ = '2.3.9'")
    with pytest.raises(BackendError, match=r"but 2\.3\.9 is installed: run `pip install 'fake_flow>=2\.4'`$"):
        flow.require("flow")


def test_a_version_is_written_either_way() -> None:
    assert Framework("a", oldest="2.4") == Framework("a", oldest=(2, 4))
    with pytest.raises(ValueError, match=r"oldest must be a version such as '2\.4', got '2'"):
        Framework("a", oldest="2")
