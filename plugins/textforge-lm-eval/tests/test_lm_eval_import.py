"""The import of lm_eval: its time, and what is said where it can't be. Each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    "words", [["--help"], ["lm-eval", "--help"], ["plugins"]], ids=["help", "the command's help", "plugins"]
)
def test_lm_eval_is_imported_when_a_model_is_measured(words):
    code = f"""
import sys
from textforge.cli import main
main({words!r}, prog_name="textforge", standalone_mode=False)
print("imported:", sorted({{"lm_eval", "datasets", "torch"}} & sys.modules.keys()))
"""
    shown = run(code)
    assert "lm-eval" in shown
    assert shown.splitlines()[-1] == "imported: []"


def test_the_plugin_does_not_import_lm_eval():
    assert run("import sys, textforge_lm_eval; print('lm_eval' in sys.modules)") == "False\n"


def test_no_framework_is_imported_to_judge():
    code = """
import sys, textforge
from textforge_lm_eval import TextforgeLM
from lm_eval.api.instance import Instance
model = TextforgeLM(textforge.train(text="to be or not to be", architecture="ngram:order=2"))
model.loglikelihood([Instance("loglikelihood", {}, ("to", " be"), 0)], disable_tqdm=True)
model.generate_until([Instance("generate_until", {}, ("to", {}), 0)], disable_tqdm=True)
print(sorted({"torch", "tensorflow", "transformers", "datasets"} & sys.modules.keys()))
"""
    assert run(code) == "[]\n"


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (
            "sys.modules['lm_eval'] = None",
            "the model textforge needs the lm-evaluation-harness, which is not installed: run {install}\n",
        ),
        (
            "sys.modules['lm_eval'] = types.SimpleNamespace(__version__='0.3.0')",
            "the model textforge needs the lm-evaluation-harness 0.4 or newer, but 0.3.0 is installed: run {install}\n",
        ),
    ],
    ids=["missing", "old"],
)
@pytest.mark.parametrize("use", ["textforge_lm_eval.TextforgeLM", "textforge_lm_eval._library.run_harness([])"])
def test_one_line_says_what_is_wrong(before, message, use):
    code = f"""
import sys, types
{before}
import textforge_lm_eval, textforge_lm_eval._library
from textforge.errors import BackendError
try:
    {use}
except BackendError as error:
    print(error)
"""
    assert run(code) == message.format(install="`pip install 'lm_eval>=0.4'`")


def test_there_is_nothing_else_in_the_package():
    import textforge_lm_eval

    with pytest.raises(AttributeError, match="module 'textforge_lm_eval' has no attribute 'LM'"):
        _ = textforge_lm_eval.LM
