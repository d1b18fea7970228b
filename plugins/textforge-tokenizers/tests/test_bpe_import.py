"""The import of tokenizers: its time, what is said where it can't be, and its threads beside a fork."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def run(code, **variables):
    plain = {name: value for name, value in os.environ.items() if name != "TOKENIZERS_PARALLELISM"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**plain, **variables},
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_plugin_does_not_import_tokenizers():
    code = "import sys, textforge_tokenizers as t; t.BPEEncoder(300).spec; print('tokenizers' in sys.modules)"
    assert run(code) == "False\n"


def test_a_saved_one_tells_its_tokens_without_tokenizers():
    learn = "import textforge_tokenizers as t; print(ascii(t.BPEEncoder(260).fit(['to be or not to be', '\\ufdd0'])"
    tokenizer = run(f"{learn}.tokenizer))").strip()
    code = f"import textforge_tokenizers as t; e = t.BPEEncoder(260, tokenizer={tokenizer}); "
    look = "print(e.vocabulary_size, e.end_of_text, e.never_generated, e.decode([e.end_of_text]) == '\\ufdd0')"
    assert run(f"import sys; sys.modules['tokenizers'] = None; {code}{look}") == "260 259 () True\n"


@pytest.mark.parametrize(
    ("before", "message"),
    [
        pytest.param(
            "sys.modules['tokenizers'] = None",
            "the encoder bpe needs tokenizers, which is not installed: run `pip install 'tokenizers>=0.21'`\n",
            id="missing",
        ),
        pytest.param(
            "sys.modules['tokenizers'] = types.SimpleNamespace(__version__='0.19.1')",
            "the encoder bpe needs tokenizers 0.21 or newer, but 0.19.1 is installed: "
            "run `pip install 'tokenizers>=0.21'`\n",
            id="old",
        ),
    ],
)
def test_one_line_says_what_is_wrong(before, message):
    code = f"""
import sys, types
{before}
import textforge
from textforge.errors import BackendError
try:
    textforge.Plugins().encoder("bpe").fit(["a text"])
except BackendError as error:
    print(error)
"""
    assert run(code) == message


FORK = """
import os
from textforge_tokenizers import BPEEncoder
text = "It is so, and that is that. " * 3000
encoder = BPEEncoder(300).fit([text])
ids = encoder.encode(text).tolist()
child = os.fork()
if not child:
    os._exit(0 if encoder.encode(text).tolist() == ids else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), os.environ.get("TOKENIZERS_PARALLELISM"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes aren't forked here")
@pytest.mark.parametrize(("variables", "after"), [({}, "None"), ({"TOKENIZERS_PARALLELISM": "false"}, "false")])
def test_a_forked_process_encodes_too_without_a_warning(variables, after):
    assert run(FORK, **variables) == f"0 {after}\n"
