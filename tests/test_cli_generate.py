"""`textforge generate`: escapes, stop texts that can't come, several texts, and Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import textforge
from textforge.cli import main
from textforge.cli.escapes import unescape
from textforge.cli.request import RequestParameters, read_request

TEXT = "It is a truth that the text is short. Is it? It is so, and that is that.\n" * 12
PLUGIN = """
import time
import textforge

class Slow(textforge.Sampler):
    '''Waits at each step.'''
    name = "slow"
    seconds: float = textforge.option(default=0.02, help="Seconds.")

    def __call__(self, logits, context):
        time.sleep(self.seconds)
        return logits

class Interrupt(textforge.Sampler):
    '''Is where Ctrl-C comes.'''
    name = "interrupt"
    step: int = textforge.option(default=0, help="The step.")

    def __call__(self, logits, context):
        if context.step == self.step:
            raise KeyboardInterrupt
        return logits

@textforge.hookimpl
def register_samplers(register):
    register(Slow)
    register(Interrupt)
"""


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generate")
    textforge.train(text=TEXT, architecture="ngram:order=4", output=folder / "model", seed=1)
    (folder / "waiting.py").write_text(PLUGIN, encoding="utf-8")
    return folder / "model"


def with_waiting(model: Path) -> list[str]:
    return ["generate", str(model), "--plugin", str(model.parent / "waiting.py")]


# --- the request ---


def test_the_parameters_are_those_a_request_is_read_from() -> None:
    """One declaration for both commands: what click passes on is what `read_request` takes."""
    for name in ("generate", "compare"):
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert set(RequestParameters.__annotations__) <= {parameter.name for parameter in command.params}
    request = read_request(
        prompt=r"a\n", prompt_file=None, max_tokens=3, stop=(r"\t", "b"), escapes=True, seed=4, unknown="skip"
    )
    assert request == textforge.Request("a\n", max_tokens=3, stop=("\t", "b"), seed=4, unknown="skip")


def test_compare_stops_before_a_text_as_generate_does(model: Path) -> None:
    options = [model, "--prompt", "It ", "--seed", 5, "--max-tokens", 40, "--stop", "t"]
    text = run("generate", *options, "--sampler", "top-k:3").stdout
    assert "t" not in text
    assert f"--- top-k:3 ---\nIt {text}\n" in run("compare", *options, "--chain", "top-k:3").stdout


# --- escapes ---


def test_unescape() -> None:
    assert unescape(r"a\n\t\\n\u00e9") == "a\n\t\\né"
    assert unescape(r"\U0001F600\ud83d\ude00\uD83D\uDE00!") == "😀😀😀!"
    assert unescape(r"\\ud83d") == r"\ud83d"


@pytest.mark.parametrize("bad", [r"\x", "\\", r"\u12", r"\u12g4", r"\U0001F60", r"\U00110000", r"a\r"])
def test_what_is_no_escape_is_refused_with_those_there_are(bad: str) -> None:
    with pytest.raises(click.BadParameter, match=r"at character \d is no escape; known are .*\\UXXXXXXXX"):
        unescape(bad)


@pytest.mark.parametrize("half", [r"\ud83d", r"\ude00\ud83d", r"\ud83dx\ude00", r"\U0000d83d"])
def test_half_a_character_is_refused(half: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is half a character: write both halves"):
        unescape(half)


@given(st.text())
def test_what_json_and_python_escape_reads_back(text: str) -> None:
    for escaped in (json.dumps(text)[1:-1], text.encode("unicode_escape").decode()):
        plain = re.sub(r"\\x(..)", r"\\u00\1", escaped).replace(r"\"", '"')
        plain = plain.replace(r"\r", r"\u000d").replace(r"\b", r"\u0008").replace(r"\f", r"\u000c")
        if escaped.count("\\\\") == 0:  # else the replacements above might have begun inside a backslash's escape
            assert unescape(plain) == text


# --- stop texts that can never come ---


@pytest.mark.parametrize("form", [[], ["--count", 2], ["--json"]], ids=str)
def test_a_stop_text_that_can_never_come_is_warned_of_in_a_line(model: Path, form: Sequence[Any]) -> None:
    options = ["generate", model, "--seed", 1, "--max-tokens", 5, *form]
    result = run(*options, "--stop", "€", "--stop", "is")
    assert result.stderr == "Warning: the stop text '€' can never come, for the vocabulary lacks '€': leave it out\n"
    assert result.stdout == run(*options, "--stop", "is").stdout


def test_an_escape_that_was_not_asked_for_is_warned_of(model: Path, tmp_path: Path) -> None:
    result = run("generate", model, "--seed", 1, "--max-tokens", 5, "--stop", r"\n")
    assert result.stderr.startswith(r"Warning: the stop text '\\n' can never come")
    assert result.stderr.endswith("give --escapes where \\n is to be a newline\n")
    assert run("generate", model, "--seed", 1, "--max-tokens", 5, "--stop", r"\n", "--escapes").stderr == ""
    textforge.train(text=TEXT + "\\", architecture="ngram:order=2", output=tmp_path / "m", seed=1)
    result = run("generate", tmp_path / "m", "--seed", 1, "--max-tokens", 5, "--stop", r"\n")
    assert result.stderr == (
        "Warning: --stop '\\\\n' is read to the letter, its backslash too: give --escapes to have it read\n"
    )


def test_compare_warns_once_for_all_its_chains(model: Path) -> None:
    result = run("compare", model, "--seed", 1, "--max-tokens", 5, "--stop", "€")
    assert result.stderr.count("Warning") == 1


# --- several texts ---


def test_a_separator_stands_between_texts(model: Path) -> None:
    options = ["generate", model, "--seed", 5, "--max-tokens", 9, "--count", 3]
    texts = textforge.load(model).generate(seed=5, max_tokens=9, count=3)
    assert run(*options, "--separator", "* * *").stdout == "\n* * *\n".join(texts) + "\n"
    assert run(*options, "--separator", r"\u2014", "--escapes").stdout == "\n—\n".join(texts) + "\n"
    assert run(*options, "--separator", "").stdout == "\n\n".join(texts) + "\n"
    assert run(*options).stdout == "\n".join(texts) + "\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--json", "--count", "2"], "leave out --separator"), ([], "give --count too")],
)
def test_a_separator_needs_texts_to_stand_between(model: Path, options: Sequence[str], message: str) -> None:
    result = run("generate", model, "--separator", "-", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def on_terminal(arguments: Sequence[Any], **environment: str) -> str:
    """Return what a terminal receives, standard output and error together."""
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
    ours, theirs = pty.openpty()
    variables = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "textforge", *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**variables, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    received = b""
    try:
        while piece := os.read(ours, 1 << 16):
            received += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return received.decode().replace("\r\n", "\n")


def test_a_rule_stands_between_texts_on_a_terminal(model: Path) -> None:
    texts = textforge.load(model).generate("It", seed=5, max_tokens=9, count=3)
    options = ["generate", model, "--prompt", "It", "--seed", 5, "--max-tokens", 9, "--count", 3, "--echo"]
    assert on_terminal(options) == f"\n{'─' * 40}\n".join(f"It{text}" for text in texts) + "\n"
    assert on_terminal([*options, "--separator", "--"]) == "\n--\n".join(f"It{text}" for text in texts) + "\n"


def test_a_terminal_shows_how_far_several_texts_are(model: Path) -> None:
    options = [*with_waiting(model), "--sampler", "slow:0.05", "--seed", 5, "--max-tokens", 12, "--count", 3]
    texts = run(*options).stdout
    shown = on_terminal([*options, "--separator", "-"])
    assert re.search(r"\r\x1b\[K0 of 3 texts written; the next are at token \d+ of 12\r\x1b\[K", shown)
    written = re.sub(r"\r\x1b\[K(\d+ of 3 texts written; the next are at token \d+ of 12)?", "", shown)
    assert written == texts[:-1].replace("\n", "\n-\n") + "\n"
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_terminal(options, **plain)


def test_nothing_is_said_of_it_where_nobody_watches(model: Path) -> None:
    options = [*with_waiting(model), "--sampler", "slow:0.05", "--seed", 5, "--max-tokens", 5, "--count", 2]
    assert run(*options).stderr == ""


# --- Ctrl-C ---


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_writes_the_texts_that_are_finished(model: Path, as_json: bool) -> None:
    options = [*with_waiting(model), "--seed", 3, "--max-tokens", 1000, "--count", 20, "--stop", "."]
    finished = [text for text in textforge.load(model).complete(seed=3, count=20, stop=".") if text.tokens < 25]
    assert 0 < len(finished) < 20
    assert [text.number for text in finished] != list(range(len(finished)))  # some wait for an earlier one
    chain = ["--sampler", "temperature:0.7 | interrupt:25", *(["--json"] if as_json else [])]
    result = run(*options, *chain)
    assert result.exit_code == 130
    if as_json:
        assert [json.loads(line)["number"] for line in result.stdout.splitlines()] == [text.number for text in finished]
    else:
        assert result.stdout == "".join(f"{text.text}\n" for text in finished)
    assert f"stopped: {len(finished)} of 20 texts were finished" in result.stderr


def test_the_library_gives_what_is_finished_before_it_is_interrupted(model: Path) -> None:
    def interrupt(logits: Any, context: Any) -> Any:
        if context.step == 25:
            raise KeyboardInterrupt
        return logits

    generator = textforge.load(model)
    texts = generator.complete(seed=3, count=20, stop=".", samplers=["temperature:0.7", interrupt])
    finished = [text for text in generator.complete(seed=3, count=20, stop=".") if text.tokens < 25]
    assert [next(texts).text for _ in finished] == [text.text for text in finished]
    with pytest.raises(KeyboardInterrupt):
        next(texts)
