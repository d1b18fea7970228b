"""Text on a terminal: nothing acts on it but our own colours and cursor, and not even those where unwanted."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminals import ESCAPES, Reflowing, needs_terminal, read_all, resize, run_in_terminal, start_in_terminal

import textforge
from textforge.terminal import Screen, Styled, is_plain, make_visible

ODD = "a\x1b[31mb\tc\x07\u202ed\x9b2Je\u2066\r\n\x1b]52;c;aGk=\x07 end of line. "
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
BIGRAM = ["--plugin", Path(__file__).parent / "bigram_plugin.py", "--backend", "bigram"]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text full of control sequences, and a model of it."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "odd.txt").write_text(ODD * 60, encoding="utf-8", newline="")
    textforge.train(folder / "odd.txt", architecture="ngram:order=4", output=folder / "model", seed=1)
    return folder


@given(text=st.text())
def test_what_is_visible_stays_and_the_rest_has_its_code(text: str) -> None:
    shown = make_visible(text)
    assert not ACTING.search(shown)
    kept = "".join(character for character in text if not ACTING.match(character))
    assert [character for character in shown if character in "\t\n"] == [c for c in kept if c in "\t\n"]
    if text.isprintable():
        assert shown == text


def test_a_screen_shows_all_but_what_we_styled() -> None:
    stream = io.StringIO()
    screen = Screen(stream)  # type: ignore[arg-type]
    assert screen.write("\x1b[1m") == 4
    screen.write(Styled("\x1b[1m"))
    screen.writelines(["\x07", "x"])
    assert stream.getvalue() == "⟨U+001B⟩[1m\x1b[1m⟨U+0007⟩x"
    with pytest.raises(TypeError):
        screen.write(b"x")  # type: ignore[arg-type]


COMMANDS: dict[str, list[Any]] = {
    "generate": ["generate", "model", "--seed", 1, "--max-tokens", 200],
    "count": ["generate", "model", "--max-tokens", 100, "--count", 2, "--prompt", "a", "--echo"],
    "info": ["info", "model"],
    "compare": ["compare", "model", "--max-tokens", 100, "--chain", "temperature:1"],
    "train": ["train", "odd.txt", "-o", "other", "--architecture", "ngram:order=4", "--sample", "temperature:1"],
    "a prompt": ["generate", "model", "--prompt", "\x1b[1m€\u202e"],
    "a model": ["info", "mo\x1b[1mdel"],
    "a sampler": ["generate", "model", "--sampler", "x\x1b[1m"],
    "an option": ["generate", "model", "--x\x1b[1m\u202e"],
    "an argument": ["generate", "model", "y\x1b[1m\u202e"],
    "a command": ["gen\x1b[1m\u202e"],
    "a choice": ["generate", "model", "--unknown", "\x1b[1m"],
    "a plugin": ["plugins", "--plugin", "plu\x9bgin.py"],
    "debug": ["--debug", "generate", "mo\u202edel\x1b[1m"],
}


@needs_terminal
@pytest.mark.parametrize(("name", "columns"), [*((name, 80) for name in COMMANDS), ("compare", 30)])
def test_no_text_acts_on_a_terminal(
    name: str, columns: int, odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").symlink_to(odd / "model")
    (tmp_path / "odd.txt").symlink_to(odd / "odd.txt")
    written = run_in_terminal(*COMMANDS[name], columns=columns, NO_COLOR="1")
    assert written.strip()
    assert not ACTING.search(written)
    if name in ("generate", "count", "compare", "train"):
        assert "⟨U+001B⟩" in written


@needs_terminal
def test_a_config_that_was_edited_does_nothing_to_a_terminal(odd: Path, tmp_path: Path) -> None:
    for file in (odd / "model").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    config["corpora"][0]["spec"] = "files:x\x1b]52;c;aGk=\x07"
    config["versions"]["textforge\x9b1m"] = "1\u202e"
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    written = run_in_terminal("info", tmp_path)
    assert "files:x⟨U+001B⟩]52;c;aGk=⟨U+0007⟩" in written
    assert not ACTING.search(written)


@needs_terminal
def test_a_name_of_a_plugin_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "odd\u202e\x1b[1m.py").write_text("", encoding="utf-8")
    written = run_in_terminal("plugins", "--plugin", tmp_path / "odd\u202e\x1b[1m.py")
    assert "odd⟨U+202E⟩⟨U+001B⟩[1m" in written
    assert not ACTING.search(written)


@needs_terminal
def test_an_unset_locale_opens_no_way_around_the_screen(odd: Path) -> None:
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    written = run_in_terminal("generate", odd / "model", "--seed", 1, **environment)
    assert "⟨U+001B⟩[31m" in written
    assert not ACTING.search(written)
    assert not ACTING.search(run_in_terminal("generate", odd / "model", "--x\x1b[1m", **environment))


@needs_terminal
def test_a_pipe_has_the_text_to_the_letter_while_messages_are_on_a_terminal(odd: Path) -> None:
    command = [sys.executable, "-m", "textforge", "generate", str(odd / "model"), "--max-tokens", "300"]
    terminal, process = start_in_terminal(command, 80, {}, stdout=subprocess.PIPE)
    messages = read_all(terminal)
    with process:
        assert process.stdout
        text = process.stdout.read().decode("utf-8")
    assert re.fullmatch(r"seed \d+\n", messages)
    seed = int(messages.split()[1])
    assert text == textforge.load(odd / "model").generate(max_tokens=300, seed=seed)
    assert "\x1b[31m" in text


@needs_terminal
def test_a_plugins_command_may_style_its_own(tmp_path: Path) -> None:
    package = tmp_path / "loud-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[textforge.commands]\nloud = loud:loud\n")
    module = "import click\n@click.command()\ndef loud():\n    click.secho('LOUD', bold=True)\n"
    (tmp_path / "loud.py").write_text(module)
    assert "\x1b[1mLOUD" in run_in_terminal("loud", PYTHONPATH=str(tmp_path))


# --- colours and the cursor ---


@needs_terminal
@pytest.mark.parametrize("plain", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_where_colours_are_unwanted_the_cursor_stays_too(odd: Path, tmp_path: Path, plain: dict[str, str]) -> None:
    train = ["train", odd / "odd.txt", "-o", tmp_path / "m", *BIGRAM, "--epochs", 2]
    compare = ["compare", odd / "model", "--chain", "greedy", "--chain", "temperature:1"]
    for command in (train, compare):
        assert ESCAPES.search(run_in_terminal(*command, *(["--overwrite"] if command is train else []), columns=100))
        written = run_in_terminal(*command, *(["--overwrite"] if command is train else []), columns=100, **plain)
        assert not ACTING.search(written)
    assert re.search("^greedy +temperature:1.0$", written, re.M)


@pytest.mark.parametrize(
    ("environment", "plain"),
    [
        ({}, False),
        ({"NO_COLOR": ""}, False),
        ({"NO_COLOR": "0"}, True),
        ({"TERM": "dumb"}, True),
        ({"TERM": "x"}, False),
    ],
)
def test_who_wants_text_alone(environment: dict[str, str], plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_plain() == plain


# --- a run of training, watched ---


def seen(written: str, columns: int) -> list[str]:
    """Return what stands on a terminal at the end."""
    terminal = Reflowing(columns)
    terminal.write(written)
    return terminal.rows()


@needs_terminal
@pytest.mark.parametrize("columns", [80, 40])
def test_an_epoch_is_one_row(odd: Path, tmp_path: Path, columns: int) -> None:
    arguments = ["train", odd / "odd.txt", "-o", tmp_path / "m", *BIGRAM, "--epochs", 3]
    rows = seen(run_in_terminal(*arguments, columns=columns), columns)
    epochs = [index for index, row in enumerate(rows) if re.match(r"epoch \d", row)]
    assert len(epochs) == 3
    assert epochs[2] - epochs[0] == 2, rows
    assert any(row.startswith("saved in") for row in rows[epochs[2] + 1 :])
    start = r"characters to learn from and [\d,]+ to validate on, \d+ different; [\d,]+ parameters training for"
    assert re.search(start, " ".join(row.strip() for row in rows)), rows  # broken between words
    assert not [row for row in rows if "━" in row]


@needs_terminal
def test_a_bar_leaves_nothing_behind_where_the_terminal_becomes_narrower(odd: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "textforge", "train", odd / "odd.txt", "-o", tmp_path / "m", *BIGRAM]
    ours, process = start_in_terminal([*map(str, command), "--minutes", "1"], 100, {})
    terminal, widths, taken, written = Reflowing(100), [60, 40, 25, 90], 0, ""

    def watch(data: bytes) -> None:
        nonlocal taken, written
        written = data.decode("utf-8", errors="ignore")
        if taken < 0 or len(written) - taken < 3000:  # the bar is to be drawn a few times
            return
        if re.search(r"\x1b(\[[0-9;?]*)?$", written):  # the rest of a sequence is still to come
            return
        terminal.write(written[taken:])
        taken = len(written)
        if widths:
            terminal.resize(width := widths.pop(0))
            resize(ours, width)
        else:
            assert len([row for row in terminal.rows() if "━" in row]) <= 1, terminal.rows()
            process.send_signal(signal.SIGINT)
            taken = -taken

    try:
        read_all(ours, watch)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()
    terminal.write(written[-taken:])
    assert "training for 1 minute" in "".join(terminal.rows())
    assert not [row for row in terminal.rows() if "━" in row], terminal.rows()


def test_a_terminal_that_wraps_its_lines_anew() -> None:
    terminal = Reflowing(10)
    terminal.write("first\r\nabcdefgh")
    terminal.resize(3)
    assert terminal.rows() == ["fir", "st", "abc", "def", "gh"]
    terminal.write("\r\x1b[2K\x1b[1A\x1b[2Kxyzu")
    assert terminal.rows() == ["fir", "st", "abc", "xyz", "u"]
    terminal.resize(6)
    assert terminal.rows() == ["first", "abcxyz", "u"]


@needs_terminal
def test_a_run_limited_by_time_says_that_it_measures_and_what_fits(odd: Path, tmp_path: Path) -> None:
    arguments = ["train", odd / "odd.txt", "-o", tmp_path / "m", *BIGRAM, "--minutes", "0.1"]
    done = subprocess.run([sys.executable, "-m", "textforge", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # A machine that other programs keep busy may have time for a part of the validation text alone, and says so.
    lines = [line for line in done.stderr.splitlines() if not line.startswith("the time allows for validation")]
    measuring = lines.index("measuring the speed first, for 0.3 s")
    assert lines[measuring + 1].startswith("epoch ")  # as soon as it is measured
    assert re.fullmatch(r"at this speed [\d,]+ steps fit, [\d.]+ epochs", lines[measuring + 2])
