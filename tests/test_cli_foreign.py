"""Commands of plugins, and ``textforge plugins``, which lists them beside all else that plugins bring."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from plugin_texts import HEAD, other

from textforge.cli import current_plugins, main
from textforge.names import CORE

COMMAND = """
import click, textforge
from textforge.cli import current_plugins

@click.command("hello")
@click.argument("kind", default="sampler")
def command(kind):
    "Say hello."
    click.echo(f"hello {', '.join(current_plugins().names(kind))}")

@click.command("crash")
def crash():
    raise LookupError("two\\nlines")

@click.command("refuse")
def refuse():
    raise textforge.TextforgeError("give it another model")
"""
HOOK = """
@textforge.hookimpl
def register_commands(register):
    register("hello", f"{__name__}:command", "Say hello to all samplers.")
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.fixture
def hello(install: Any) -> None:
    """Three commands by entry points."""
    points = "hello = fake_hello:command\ncrash = fake_hello:crash\nrefuse = fake_hello:refuse\n"
    install("textforge-hello", f"[textforge.commands]\n{points}", fake_hello=COMMAND)


@pytest.fixture
def hooked(install: Any) -> None:
    """The same command, registered by a hook."""
    install("textforge-hello", {"hello": "fake_hello"}, fake_hello=COMMAND + HOOK)


def test_a_command_is_given_the_plugins_of_the_run(hello: None, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(other("my-own"))
    assert "my-own" not in run("hello").stdout
    assert "my-own" in run("hello", "--plugin", file).stdout
    assert "my-own" in run("--plugin", file, "hello").stdout
    assert "top-k" in current_plugins().names("sampler")  # outside of any command


def test_an_entry_points_command_is_listed_and_run_without_a_look_at_other_plugins(hello: None, install: Any) -> None:
    install("textforge-other", {"other": "fake_other"}, fake_other=other("ab"))
    assert re.search(r"^  hello +From the plugin textforge-hello\.$", run("--help").stdout, re.M)
    assert "fake_hello" not in sys.modules
    assert run("refuse").exit_code == 1
    assert "fake_hello" in sys.modules
    assert "fake_other" not in sys.modules


def test_a_hooks_command_is_run(hooked: None) -> None:
    assert run("hello", "corpus").stdout.startswith("hello csv, ")
    assert "Say hello." in run("hello", "--help").stdout
    assert "--plugin" in run("hello", "--help").stdout


@pytest.mark.usefixtures("modules_undone")
def test_a_hooks_command_of_a_file_is_listed_with_its_summary(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(COMMAND + HOOK)
    assert re.search(r"^  hello +Say hello to all samplers\.$", run("--plugin", file, "--help").stdout, re.M)
    assert run("--plugin", file, "hello").stdout.startswith("hello ")
    assert run("hello", "--plugin", file).stdout.startswith("hello ")
    assert run("hello", "corpus", f"--plugin={file}").stdout.startswith("hello csv, ")
    result = run("--plugin", tmp_path / "absent.py", "--help")
    assert result.exit_code == 1
    assert re.search(r"^Error: can't load the plugin .*absent\.py: there is no file", result.stderr, re.M)


def test_a_crash_names_the_plugin_and_a_refusal_stands_as_it_is(hello: None) -> None:
    result = run("crash")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: the command 'crash' of the plugin textforge-hello failed (LookupError: two lines): "
        "see where with textforge --debug …\n"
    )
    assert isinstance(run("--debug", "crash").exception, LookupError)
    assert run("refuse").stderr == "Error: give it another model\n"


def test_a_crash_of_a_hooks_command_names_the_plugin_too(install: Any) -> None:
    install("textforge-hello", {"it": "fake_hello"}, fake_hello=COMMAND + HOOK.replace(":command", ":crash"))
    assert "the command 'hello' of the plugin textforge-hello (it) failed (LookupError" in run("hello").stderr


def test_a_command_of_the_name_of_ours_is_told_of_and_reached(install: Any) -> None:
    install("textforge-hello", "[textforge.commands]\ntrain = fake_hello:command\n", fake_hello=COMMAND)
    helped = run("--help").stdout
    assert re.search(r"^  train +Learn a model", helped, re.M)
    assert re.search(r"^  train@textforge-hello +From the plugin .*Hidden by textforge's\s+own", helped, re.M)
    assert run("train@textforge-hello").stdout.startswith("hello ")
    for core in ("textforge", CORE):
        assert "Learn a model" in run(f"train@{core}", "--help").stdout
    hidden = "the command 'train' is hidden by textforge's own: run it as textforge train@textforge-hello"
    assert f"    note         {hidden}\n" in run("plugins").stdout


def test_strangers_commands_of_one_name_are_refused_and_each_reached(hello: None, install: Any) -> None:
    install("textforge-bye", "[textforge.commands]\nhello = fake_bye:command\n", fake_bye="command = 3")
    result = run("hello")
    assert result.exit_code == 1
    assert "more than one command 'hello', by textforge-bye (hello) and textforge-hello (hello)" in result.stderr
    assert "hello@textforge-bye or hello@textforge-hello" in result.stderr
    assert run("hello@textforge-hello").stdout.startswith("hello ")
    assert "is no click command" in run("hello@textforge-bye").stderr
    helped = run("--help").stdout
    assert re.search(r"^  hello@textforge-bye .*\n  hello@textforge-hello ", helped, re.M)


def test_one_that_is_left_out_is_no_command(hello: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTFORGE_DISABLE_PLUGINS", "textforge-hello")
    assert "hello" not in run("--help").stdout
    assert "There is no command 'hello'" in run("hello").stderr


def entries(status: int = 0) -> dict[str, dict[str, Any]]:
    """Return what ``textforge plugins --json`` says, by distribution."""
    result = run("plugins", "--json")
    assert result.exit_code == status
    return {entry["distribution"]: entry for entry in json.loads(result.stdout)}


def test_plugins_lists_what_entry_points_name_under_their_distribution(hello: None, install: Any) -> None:
    text = HEAD + "\nclass Third(Halve):\n    name = 'third'\n"
    points = "[textforge.samplers]\nhalve = fake_halve:Halve\nthird = fake_halve:Third\n"
    points += "[textforge]\nhooks = fake_hooks\n[textforge.implementations]\nnumpy.gru = fake_halve:Network\n"
    points += "[textforge.format_implementations]\ntable.gru = fake_halve:write_gru\n"
    install("textforge-halve", points, fake_halve=text, fake_hooks=other("ab"))
    shown = run("plugins")
    assert shown.exit_code == 0, shown.stdout
    assert re.search(
        r"^textforge-halve 1\.0\n    sampler      ab, halve, third\n    implements   gru on numpy, gru as table\n"
        r"    loaded in    \d+ ms\n",
        shown.stdout,
        re.M,
    )
    assert "textforge-hello 1.0\n    command      crash, hello, refuse\n" in shown.stdout
    entry = entries()["textforge-halve"]
    assert entry["components"] == {"sampler": ["ab", "halve", "third"]}
    assert entry["implementations"] == ["gru on numpy", "gru as table"]
    assert entry["entry_points"] == ["halve", "hooks", "numpy.gru", "table.gru", "third"]
    assert 0 < entry["seconds"] < 60
    assert entries()["textforge-hello"]["commands"] == ["crash", "hello", "refuse"]


def test_plugins_ends_with_1_where_something_failed(install: Any) -> None:
    install(
        "textforge-halve", "[textforge.samplers]\nhalve = fake_halve:Halve\nthird = fake_halve:Third\n", fake_halve=HEAD
    )
    shown = run("plugins")
    assert shown.exit_code == 1
    error = "third: AttributeError: module 'fake_halve' has no attribute 'Third'"
    assert f"textforge-halve 1.0\n    sampler      halve\n    failed       {error}\n" in shown.stdout
    assert entries(status=1)["textforge-halve"]["error"] == error


def test_plugins_ends_with_1_where_a_command_cant_be_imported(install: Any) -> None:
    install("textforge-hello", "[textforge.commands]\nhello = fake_hello:command\n", fake_hello="1 / 0")
    shown = run("plugins")
    assert shown.exit_code == 1
    assert "    failed       hello: can't load fake_hello:command, the command 'hello' of the plugin" in shown.stdout
    assert "ZeroDivisionError: division by zero" in shown.stdout


def test_plugins_marks_what_is_hidden_and_what_is_refused(install: Any) -> None:
    install("textforge-one", {"uno": "fake_one"}, fake_one=other("top-k"))
    install("textforge-two", {"due": "fake_two"}, fake_two=other("halve"))
    install("textforge-three", "[textforge.samplers]\nhalve = fake_three:Halve\n", fake_three=HEAD)
    shown = run("plugins")
    assert shown.exit_code == 0
    assert shown.stdout.count("    note         ") == 3
    assert (
        "note         the sampler 'top-k' of textforge-one (uno) is hidden by textforge's own: write " in shown.stdout
    )
    assert shown.stdout.count("note         there is more than one sampler 'halve', by ") == 2


def test_a_clash_is_warned_of_in_one_line(install: Any) -> None:
    install("textforge-one", {"uno": "fake_one"}, fake_one=other("top-k"))
    result = run("options", "sampler", "top-k")
    assert result.stdout.startswith("sampler top-k: A cut to the `k` likeliest")
    assert result.stderr == (
        "Warning: the sampler 'top-k' of textforge-one (uno) is hidden by textforge's own: "
        "write top-k@textforge-one to use it\n"
    )
    assert run("options", "sampler", "top-k@textforge-one").stdout.startswith("sampler top-k: Halve the logits.")


def test_what_a_plugin_prints_as_it_is_imported_is_no_result(install: Any, tmp_path: Path) -> None:
    install("textforge-loud", {"loud": "fake_loud"}, fake_loud='print("a banner")\n' + other("halve-it"))
    file = tmp_path / "banner.py"
    file.write_text('print("another")\n' + other("quiet-one"), encoding="utf-8")
    result = run("plugins", "--json", "--plugin", file)
    assert json.loads(result.stdout)
    assert {"a banner", "another"} <= set(result.stderr.splitlines())
