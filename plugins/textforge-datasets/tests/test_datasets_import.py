"""The imports of pyarrow and datasets: when they come, and what is said where they can't."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_components_come_without_the_libraries():
    code = """
import sys, textforge
for spec in ("parquet:a.parquet", "dataset:org/songs"):
    textforge.Plugins().corpus(spec).spec
print([name for name in ("pyarrow", "datasets", "pandas") if name in sys.modules])
"""
    assert run(code) == "[]\n"


def test_the_module_has_both_and_nothing_else():
    import textforge_datasets

    assert [getattr(textforge_datasets, name).name for name in textforge_datasets.__all__] == ["dataset", "parquet"]
    with pytest.raises(AttributeError, match="has no attribute 'Corpus'"):
        _ = textforge_datasets.Corpus


@pytest.mark.parametrize(
    ("missing", "spec", "message"),
    [
        ("sys.modules['pyarrow'] = None", "parquet:a.parquet", "parquet needs pyarrow, which is not installed"),
        ("sys.modules['pyarrow'] = None", "dataset:data", "dataset needs pyarrow, which is not installed"),
        ("sys.modules['datasets'] = None", "dataset:data", "dataset needs datasets, which is not installed"),
        (
            "sys.modules['datasets'] = types.SimpleNamespace(__version__='3.6.0')",
            "dataset:data",
            "dataset needs datasets 5.0 or newer, but 3.6.0 is installed",
        ),
    ],
)
def test_one_line_says_what_is_missing(missing, spec, message):
    code = f"""
import pathlib, sys, types
import textforge
pathlib.Path("a.parquet").write_bytes(b"PAR1")
pathlib.Path("data").mkdir()
{missing}
try:
    list(textforge.Plugins().corpus({spec!r}).read())
except textforge.BackendError as error:
    print(error)
"""
    oldest = {"pyarrow": "25.0", "datasets": "5.0"}
    library = "pyarrow" if "pyarrow" in missing else "datasets"
    assert run(code) == f"the corpus {message}: run `pip install '{library}>={oldest[library]}'`\n"
