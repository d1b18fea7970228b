"""The exported names, and what may be imported when."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

import textforge
from textforge import errors

NAMES = [
    "END_OF_TEXT",
    "PLUGIN_API",
    "AmbiguousComponent",
    "Architecture",
    "Backend",
    "BackendError",
    "BundleError",
    "Component",
    "Context",
    "Corpus",
    "CorpusError",
    "CountingModel",
    "Encoder",
    "EncodingError",
    "ExportError",
    "Format",
    "Framework",
    "GeneratedText",
    "GenerationError",
    "GradientModel",
    "IncrementalDecoder",
    "Metric",
    "Model",
    "NumpyModel",
    "Optimizer",
    "OptionError",
    "PluginError",
    "PluginWarning",
    "Plugins",
    "Report",
    "Request",
    "Sampler",
    "SavedModel",
    "Score",
    "SpecError",
    "StateShape",
    "StopTraining",
    "TextGenerator",
    "TextforgeError",
    "TextforgeWarning",
    "TrainingError",
    "TrainingSettings",
    "UnknownComponent",
    "Weight",
    "__version__",
    "apply_samplers",
    "glorot",
    "hookimpl",
    "learned",
    "load",
    "mix",
    "normal",
    "option",
    "orthogonal",
    "train",
    "zeros",
]


def test_the_exported_names() -> None:
    assert textforge.__all__ == NAMES
    textforge.TextforgeError  # noqa: B018 -- what was imported lazily stays, and stays out of dir()
    assert set(dir(textforge)) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_exported_name_resolves(name: str) -> None:
    value = getattr(textforge, name)
    assert getattr(textforge, name) is value
    if isinstance(value, type):
        assert value.__name__ == name


def test_every_error_is_exported() -> None:
    defined = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
    assert defined - {"Message"} <= set(NAMES)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'textforge' has no attribute 'trian'$"):
        _ = textforge.trian


def imported_by(code: str) -> set[str]:
    """The top-level modules, and those of textforge, that a fresh interpreter has after running `code`."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=600)
    names = json.loads(run.stdout.splitlines()[-1])
    return {name if name.startswith("textforge") else name.split(".")[0] for name in names}


FRAMEWORKS = {"torch", "tensorflow", "keras", "jax"}
DOWNLOADERS = {"pooch", "requests"}
HEAVY = FRAMEWORKS | DOWNLOADERS | {"numpy", "attrs", "attr", "pluggy", "click", "rich", "safetensors"}


def test_importing_textforge_imports_nothing_else() -> None:
    found = imported_by("import textforge; dir(textforge); textforge.__version__; textforge.PLUGIN_API")
    assert not found & HEAVY
    assert {name for name in found if name.startswith("textforge")} == {"textforge"}


def test_the_hook_marker_needs_no_numpy() -> None:
    assert not imported_by("import textforge; textforge.hookimpl") & (HEAVY - {"pluggy"})


def test_the_errors_need_nothing() -> None:
    assert not imported_by("import textforge; textforge.TextforgeError") & HEAVY


def test_a_look_up_imports_what_is_asked_for_and_no_other_component() -> None:
    found = imported_by("import textforge; textforge.Plugins().sampler('top-k:3')")
    rooms = ("corpora", "encoders", "architectures", "backends", "formats", "samplers")
    beside = {name for name in found if name.startswith(tuple(f"textforge.{room}." for room in rooms))}
    assert beside == {"textforge.samplers.base", "textforge.samplers.top_k"}
    assert not [name for name in found if name.startswith(("textforge_torch.", "textforge_keras."))]


def test_making_a_registry_loads_no_plugin() -> None:
    found = imported_by("import textforge; textforge.Plugins()")
    assert not found & (FRAMEWORKS | {"numpy"})
    assert not [name for name in found if name.startswith(("textforge.samplers", "textforge_"))]


@pytest.mark.parametrize(
    "code",
    [
        "textforge.Plugins().sampler('top-k:3')",
        "textforge.Plugins().chain('top-k:3 | temperature:0.5')",
        "textforge.Plugins().corpus('nietzsche')",
        "[textforge.Plugins().components(kind) for kind in ('corpus', 'encoder', 'backend', 'sampler')]",
    ],
)
def test_looking_up_components_imports_no_framework(code: str) -> None:
    found = imported_by(f"import textforge; {code}")
    assert "numpy" in found
    assert not found & (FRAMEWORKS | DOWNLOADERS)
