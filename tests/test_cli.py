"""The command line: what is printed where, with which exit status."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bigram_plugin
import click
import pytest
from click.testing import CliRunner, Result

import textforge
from textforge.cli import main
from textforge.cli.group import COMMANDS
from textforge.names import CORE

TEXT = "It is a truth that the text is short. Is it? It is so, and that is that.\n" * 12
PLUGIN = str(Path(bigram_plugin.__file__))


def run(*arguments: Any, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


def run_process(*arguments: Any, **keywords: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "textforge", *map(str, arguments)],
        text=True,
        encoding="utf-8",
        timeout=600,
        **{"capture_output": True, **keywords},
    )


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("book") / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def model(book: Path) -> Path:
    textforge.train(book, architecture="ngram:order=4", output=book.parent / "model", seed=1)
    return book.parent / "model"


@pytest.fixture
def install_command(install: Any) -> Any:
    """Make a distribution look installed that brings the command NAME from MODULE:OBJECT."""

    def install_command(name: str, value: str, **modules: str) -> None:
        install("fake-serve", f"[textforge.commands]\n{name} = {value}\n", **modules)

    return install_command


def one_line(result: Result | subprocess.CompletedProcess[str], status: int) -> str:
    code = result.exit_code if isinstance(result, Result) else result.returncode
    assert code == status, result.stderr
    assert not result.stdout
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, result.stderr
    if status == 1:
        assert result.stderr.splitlines()[-1] == lines[0]
    return lines[0]


# --- help ---


def test_help_lists_every_command_with_the_first_line_of_its_own_help() -> None:
    output = run("--help").stdout
    for name, summary in COMMANDS.items():
        assert re.search(rf"^  {name}\s+{re.escape(summary)}$", output, re.M)
        assert run(name, "--help").stdout.splitlines()[2].strip().startswith(summary)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert (parameter.help or "").endswith((".", "]")), parameter.name


def test_version() -> None:
    assert run("--version").stdout == f"textforge, version {textforge.__version__}\n"


def test_an_unknown_command_is_named_and_the_nearest_proposed() -> None:
    assert one_line(run("tran"), 2) == "Error: There is no command 'tran'; did you mean 'train'?"


def test_a_sentence_ends_once() -> None:
    assert run("train", "book", "-o", "m", "--schedule", "cosin").stderr.endswith("did you mean 'cosine'?\n")
    assert run("xyz").stderr.endswith("There is no command 'xyz'.\n")


# --- commands of plugins ---


def test_a_plugins_command_is_listed_from_metadata_and_run(install_command: Any) -> None:
    module = "import click\n@click.command()\ndef serve():\n    click.echo('serving')\n"
    install_command("serve", "fake_serve:serve", fake_serve=module)
    assert re.search(r"^  serve\s+From the plugin fake-serve\.$", run("--help").stdout, re.M)
    assert "fake_serve" not in sys.modules
    assert run("serve").stdout == "serving\n"


def test_a_plugins_command_whose_distribution_is_unknown_is_listed_without(install: Any) -> None:
    install("fake-serve", "[textforge.commands]\nserve = fake_serve\n", metadata=False)
    assert re.search(r"^  serve\s+From a plugin\.$", run("--help").stdout, re.M)


def test_a_built_in_command_goes_before_a_plugins(install_command: Any, model: Path) -> None:
    install_command("info", "fake_serve:serve", fake_serve="1 / 0")
    output = run("--help").stdout
    assert re.search(rf"^  info  +{re.escape(COMMANDS['info'])}$", output, re.M)
    assert re.search(r"^  info@fake-serve  +From the plugin fake-serve\. Hidden by textforge's own\.$", output, re.M)
    assert run("info", model).exit_code == 0


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise SystemExit('no')", "SystemExit: no"),
        ("", "AttributeError"),
        ("serve = 3", "is no click command"),
    ],
)
def test_a_plugins_command_that_fails_to_load_is_laid_at_its_door(
    install_command: Any, module: str, reason: str
) -> None:
    install_command("serve", "fake_serve:serve", fake_serve=module)
    message = one_line(run("serve"), 1)
    assert reason in message
    assert "fake-serve" in message
    assert "bug" not in message


# --- train ---


def test_train_says_what_it_does_on_standard_error_alone(book: Path, tmp_path: Path) -> None:
    result = run(
        "train",
        book,
        "-o",
        tmp_path / "m",
        "--backend",
        "bigram",
        "--plugin",
        PLUGIN,
        "--epochs",
        2,
        "--sample",
        "greedy",
        "--sample",
        "temperature:0.5",
        "--seed",
        4,
    )
    assert result.exit_code == 0, result.stderr
    assert not result.stdout
    for expected in (
        "bigram:0.1 by bigram:1, seed 4",
        "characters to learn from",
        "epoch 1",
        "epoch 2",
        "--- greedy ---",
        "--- temperature:0.5 ---",
        "best",
        f"saved in {tmp_path / 'm'}",
    ):
        assert expected in result.stderr
    prompts = re.findall(r"^from (.*):$", result.stderr, re.M)
    assert len(prompts) == 2
    history = [json.loads(line) for line in (tmp_path / "m" / "history.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in history] == [1, 2]


def test_a_seed_that_was_drawn_is_said_and_repeats_the_run(book: Path, tmp_path: Path) -> None:
    arguments = ["train", book, "--backend", "bigram", "--plugin", PLUGIN, "--epochs", 1, "-o"]
    first = run(*arguments, tmp_path / "a")
    seed = re.search(r"seed (\d+)", first.stderr)
    assert seed
    run(*arguments, tmp_path / "b", "--seed", seed.group(1))
    weights = [next(path.glob("model-*")).read_bytes() for path in (tmp_path / "a", tmp_path / "b")]
    assert weights[0] == weights[1]


def test_train_from_standard_input(tmp_path: Path) -> None:
    result = run("train", "-", "-o", tmp_path / "m", "--architecture", "ngram", stdin=TEXT)
    assert result.exit_code == 0, result.stderr
    assert run("generate", tmp_path / "m", "--max-tokens", 5, "--seed", 1).exit_code == 0


def test_resume_goes_on_and_refuses_what_cannot_change(book: Path, tmp_path: Path) -> None:
    base = ["train", "-o", tmp_path / "m", "--plugin", PLUGIN]
    assert run(*base, book, "--backend", "bigram", "--epochs", 1, "--seed", 1).exit_code == 0
    result = run(*base, "--resume", "--epochs", 3)
    assert result.exit_code == 0, result.stderr
    assert "going on after epoch 1" in result.stderr
    assert len((tmp_path / "m" / "history.jsonl").read_text().splitlines()) == 3
    assert "--batch-size was 16 when the run began" in one_line_last(run(*base, "--resume", "--batch-size", 3))
    other = tmp_path / "other.txt"
    other.write_text(TEXT + "!", encoding="utf-8")
    told = one_line_last(run(*base, other, "--resume", "--epochs", 4))
    assert f"files:paths={other} has grown by 1 character since the run began" in told
    assert told.endswith("into another folder: --from MODEL")
    other.write_text(TEXT[1:], encoding="utf-8")
    assert "the corpus is not the one" in one_line_last(run(*base, other, "--resume", "--epochs", 4))
    assert one_line(run(*base, "--resume", "--encoder", "char"), 2)
    assert "missing" in one_line_last(run("train", "-o", tmp_path / "missing", "--resume"))


def one_line_last(result: Result) -> str:
    assert result.exit_code == 1, result.stderr
    assert "Traceback" not in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    return last


BAD_TRAINING: list[tuple[Sequence[Any], int, str]] = [
    ([], 2, "Missing argument 'CORPUS...'"),
    (["missing.txt"], 1, "missing.txt"),
    (["{book}", "--epochs", "0"], 2, "must be >= 1, got 0"),
    (["{book}", "--epochs", "many"], 2, "must be a whole number or none, got 'many'"),
    (["{book}", "--learning-rate", "-1"], 2, "must be > 0 and < inf, got -1"),
    (["{book}", "--optimizer", "adm"], 2, "did you mean 'adam'"),
    (["{book}", "--schedule", "cosin"], 2, "did you mean 'cosine'?"),
    (["{book}", "--backend", "torhc"], 1, "no backend 'torhc'"),
    (["{book}", "--architecture", "ngram:ordr=3"], 1, "did you mean 'order'"),
    (["{book}", "--architecture", "lstm", "--backend", "numpy"], 1, "only runs trained models"),
    (["{book}", "--encoder", "chr"], 1, "did you mean 'char'"),
    (["{book}", "--sample", "tmperature:1"], 1, "did you mean 'temperature'"),
    (["{book}", "--sample", "temperature:0"], 1, "temperature must be > 0"),
    (["{book}", "--validation", "1"], 2, "must be >= 0 and < 1, got 1"),
    (["{book}", "--backend", "bigram", "--plugin", PLUGIN, "--sequence-length", "5000"], 1, "too short"),
    (["{book}", "--plugin", "missing.py"], 1, "missing.py"),
    (["{book}", "--batchsize", "3"], 2, "--batchsize"),
]


@pytest.mark.parametrize(("arguments", "status", "message"), BAD_TRAINING, ids=lambda value: str(value)[:60])
def test_bad_training_is_refused_and_nothing_is_left(
    arguments: Sequence[str], status: int, message: str, book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    filled = [argument.format(book=book) for argument in arguments]
    result = run("train", *filled, "-o", "m")
    assert result.exit_code == status, result.stderr
    assert message in (one_line(result, 2) if status == 2 else one_line_last(result))
    assert not list(tmp_path.glob("m/*"))


def test_an_existing_model_is_kept_unless_it_may_be_replaced(book: Path, tmp_path: Path) -> None:
    arguments = ["train", book, "-o", tmp_path / "m", "--architecture"]
    assert run(*arguments, "ngram:order=2").exit_code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    assert "--overwrite" in one_line_last(run(*arguments, "ngram:order=3"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()} == before
    assert run(*arguments, "ngram:order=3", "--overwrite").exit_code == 0
    assert "order=3" in run("info", tmp_path / "m").stdout


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_keeps_what_was_learnt_and_says_how_to_go_on(book: Path, tmp_path: Path) -> None:
    arguments = ["train", book, "-o", tmp_path / "m", "--plugin", PLUGIN, "--backend", "bigram", "--epochs", "1000000"]
    command_line = [sys.executable, "-m", "textforge", *map(str, arguments)]
    with subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("epoch 3"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
        assert process.wait(30) == 130
    assert "Traceback" not in rest
    command = re.search(r"Go on with: textforge (train .*)$", rest, re.M)
    assert command
    resumed = run_process(*shlex.split(command.group(1)), "--epochs", 1000)
    assert resumed.returncode == 0, resumed.stderr


@pytest.mark.skipif(os.name == "nt", reason="cmd quotes otherwise")
def test_the_hints_are_commands_as_they_can_be_typed(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my dir" / "it's $m"
    folder.parent.mkdir()
    arguments = ["train", book, "-o", folder, "--backend", "bigram", "--plugin", PLUGIN, "--epochs", 1]
    shown = re.search(r"write with: textforge (.*)$", run(*arguments).stderr, re.M)
    assert shown
    assert run(*shlex.split(shown.group(1)), "--seed", 1).exit_code == 0

    def interrupted(*_: Any, report: Any, **__: Any) -> None:
        report.checkpoint(None)
        raise KeyboardInterrupt

    monkeypatch.setattr("textforge.library.facade.train_contents", interrupted)
    result = run(*arguments)
    assert result.exit_code == 130
    again = re.search(r"Go on with: textforge (.*)$", result.stderr, re.M)
    assert again
    assert shlex.split(again.group(1)) == ["train", "-o", str(folder), "--resume", "--plugin", PLUGIN]


def test_one_epoch_is_said_in_the_singular(book: Path, tmp_path: Path) -> None:
    result = run("train", book, "-o", tmp_path / "m", "--backend", "bigram", "--plugin", PLUGIN, "--epochs", 1)
    assert "training for 1 epoch, " in result.stderr
    assert " 1 epoch, " in run("info", tmp_path / "m").stdout


OUT_OF_MEMORY = [
    MemoryError(),
    MemoryError("Unable to allocate 17.6 GiB for an array"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=str)
def test_memory_that_ran_out_is_no_bug(
    error: Exception, book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("textforge.library.facade.train_contents", fail)
    message = one_line(run("train", book, "-o", tmp_path / "m"), 1)
    assert message.startswith("Error: memory ran out")
    assert message.endswith("use a smaller model, batch or text")
    assert "bug" not in message


# --- generate ---


def test_the_text_alone_is_on_standard_output(model: Path) -> None:
    result = run("generate", model, "--prompt", "It is ", "--max-tokens", 30, "--seed", 5)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == textforge.load(model).generate("It is ", max_tokens=30, seed=5)
    assert not result.stderr


def test_without_a_seed_one_is_said(model: Path) -> None:
    first = run("generate", model, "--max-tokens", 50)
    seed = re.fullmatch(r"seed (\d+)\n", first.stderr)
    assert seed
    assert run("generate", model, "--max-tokens", 50, "--seed", seed.group(1)).stdout == first.stdout


@pytest.mark.parametrize("wrong", [["--sampler", "topk"], ["--stop", ""], ["--prompt", "€"]], ids=str)
@pytest.mark.parametrize("form", [[], ["--count", "2"], ["--json"]], ids=str)
def test_no_seed_is_said_where_nothing_is_written(model: Path, wrong: list[str], form: list[str]) -> None:
    result = run("generate", model, *wrong, *form)
    assert result.stderr.startswith("Error: ")
    assert one_line(result, 1)


def test_compare_says_no_seed_where_nothing_is_written(model: Path) -> None:
    for wrong in (["--chain", "greedy", "--chain", "topk"], ["--prompt", "€"]):
        assert run("compare", model, *wrong).stderr.startswith("Error: ")
    assert re.fullmatch(r"seed \d+\n", run("compare", model, "--max-tokens", 3).stderr)


def test_count_echo_and_stop(model: Path) -> None:
    arguments = ["generate", model, "--prompt", "It is ", "--seed", 5, "--max-tokens", 40, "--sampler", "top-k:3"]
    texts = textforge.load(model).generate("It is ", samplers="top-k:3", max_tokens=40, seed=5, count=3)
    assert run(*arguments, "--count", 3).stdout == "".join(text + "\n" for text in texts)
    assert run(*arguments, "--echo").stdout == "It is " + texts[0]
    stopped = run(*arguments, "--stop", "t").stdout
    assert stopped == texts[0].split("t")[0]


def test_json_is_a_line_a_text(model: Path) -> None:
    result = run("generate", model, "--prompt", "It", "--count", 2, "--json", "--seed", 5, "--max-tokens", 9)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["number"] for line in lines] == [0, 1]
    assert all(line["prompt"] == "It" and line["seed"] == 5 and line["finish_reason"] == "length" for line in lines)
    assert [line["text"] for line in lines] == textforge.load(model).generate("It", count=2, seed=5, max_tokens=9)


def test_samplers_repeated_are_one_chain(model: Path) -> None:
    chain = run("generate", model, "--seed", 1, "--sampler", "top-k:5 | temperature:0.8").stdout
    assert run("generate", model, "--seed", 1, "--sampler", "top-k:5", "--sampler", "temperature:0.8").stdout == chain


def test_escapes_and_prompt_files(model: Path, tmp_path: Path) -> None:
    (tmp_path / "prompt").write_bytes(b"that.\nIt")
    expected = run("generate", model, "--prompt-file", tmp_path / "prompt", "--echo", "--seed", 3).stdout
    assert expected.startswith("that.\nIt")
    assert run("generate", model, "--prompt", r"that.\nIt", "--escapes", "--echo", "--seed", 3).stdout == expected
    assert run("generate", model, "--prompt-file", "-", "--echo", "--seed", 3, stdin="that.\nIt").stdout == expected


BAD_GENERATION: list[tuple[Sequence[str], int, str]] = [
    (["{model}", "--count", "0"], 2, "0 is not in the range x>=1"),
    (["{model}", "--max-tokens", "-1"], 2, "-1 is not in the range x>=0"),
    (["{model}", "--prompt", "It is €"], 1, "U+20AC"),
    (["{model}", "--sampler", "top-k:0"], 1, "k must be >= 1, got 0"),
    (["{model}", "--sampler", "temperature:0"], 1, "temperature must be > 0 and < inf, got 0"),
    (["{model}", "--sampler", "temperature:-1"], 1, "got -1"),
    (["{model}", "--sampler", "temperature:hot"], 1, "must be a number, got 'hot'"),
    (["{model}", "--sampler", "topk"], 1, "did you mean 'top-k'"),
    (["{model}", "--sampler", "top-k:kk=1"], 1, "no option 'kk'"),
    (["{model}", "--sampler", ""], 1, "a name"),
    (["{model}", "--stop", ""], 1, "stop"),
    (["{model}", "--backend", "numpy:order=2"], 1, "part of the trained model"),
    (["{model}", "--prompt", "a", "--prompt-file", "b"], 2, "both given"),
    (["{model}", "--echo", "--json"], 2, "--json has the prompt already"),
    (["{model}", "--prompt-file", "missing"], 2, "missing"),
    (["{model}", "--prompt", r"\q", "--escapes"], 2, "is no escape"),
    (["missing"], 1, "missing"),
    (["{book}"], 1, "book.txt"),
]


@pytest.mark.parametrize(("arguments", "status", "message"), BAD_GENERATION, ids=lambda value: str(value)[:60])
def test_bad_generation_is_one_line(
    arguments: Sequence[str], status: int, message: str, model: Path, book: Path
) -> None:
    result = run("generate", *[argument.format(model=model, book=book) for argument in arguments], "--seed", 1)
    assert message in one_line(result, status)


def test_unknown_characters_can_be_skipped(model: Path) -> None:
    skipping = run("generate", model, "--prompt", "It €is", "--unknown", "skip", "--seed", 1)
    assert skipping.stdout == run("generate", model, "--prompt", "It is", "--seed", 1).stdout


def test_a_closed_pipe_ends_quietly(model: Path) -> None:
    command = f"{sys.executable} -m textforge generate {model} --max-tokens 200000 --seed 1 | head -c 10"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=600)
    assert (len(done.stdout), done.stderr) == (10, "")


def in_shell(line: str, **names: Any) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, in which $textforge is the command."""
    names = {"textforge": f"{sys.executable} -m textforge", **{name: str(value) for name, value in names.items()}}
    environment = {**os.environ, **names}
    return subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, timeout=600)


@pytest.mark.skipif(os.name == "nt", reason="POSIX shell")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('$textforge generate "$model" --seed 1 >&-', "standard output is closed: "),
        ('$textforge info "$model" >&-', "standard output is closed: "),
        ('$textforge generate "$model" --prompt-file - <&-', "standard input is closed: "),
    ],
)
def test_a_stream_closed_from_the_start_is_one_line(line: str, message: str, model: Path) -> None:
    done = in_shell(line, model=model)
    assert one_line(done, 1).startswith(f"Error: {message}")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("command", ['generate "$model" --seed 1', 'info "$model"', "--help", "info --help"])
def test_a_full_disk_under_standard_output_is_said(command: str, model: Path) -> None:
    done = in_shell(f"$textforge {command} >/dev/full", model=model)
    assert one_line(done, 1) == "Error: standard output could not be written: No space left on device"
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX shell")
@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full", "2>&1 | head -n 1"])
def test_training_goes_on_where_nobody_reads_its_progress(stderr: str, book: Path, tmp_path: Path) -> None:
    if "/dev/full" in stderr and not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    train = '$textforge train "$book" -o "$model" --plugin "$plugin" --backend bigram --epochs 3'
    names = {"book": book, "model": tmp_path / "m", "plugin": PLUGIN, "status": tmp_path / "status"}
    done = in_shell(f'{{ {train}; echo $? >"$status"; }} {stderr}', **names)
    assert (tmp_path / "status").read_text() == "0\n", done.stderr
    assert len((tmp_path / "m" / "history.jsonl").read_text().splitlines()) == 3


@pytest.mark.skipif(os.name == "nt", reason="POSIX shell")
@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_a_seed_that_cannot_be_said_keeps_no_text_back(stderr: str, model: Path) -> None:
    if "/dev/full" in stderr and not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    done = in_shell(f'$textforge generate "$model" --max-tokens 30 {stderr}', model=model)
    assert (len(done.stdout), done.returncode) == (30, 0)


@pytest.mark.skipif(os.name == "nt", reason="POSIX shell")
@pytest.mark.parametrize(("command", "status"), [("generate missing --seed 1", 1), ("generat", 2)])
def test_an_error_that_cannot_be_said_is_not_said_on_standard_output(command: str, status: int) -> None:
    done = in_shell(f"$textforge {command} 2>&-")
    assert (done.stdout, done.returncode) == ("", status)


def test_text_is_utf8_whatever_the_locale_says(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("größer als ein Œuvre — größer\n" * 20, encoding="utf-8")
    run("train", book, "-o", tmp_path / "m", "--architecture", "ngram")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    (tmp_path / "prompt").write_text("Œuvre — gr", encoding="utf-8")
    prompt = ["--prompt-file", tmp_path / "prompt", "--echo"]
    done = run_process("generate", tmp_path / "m", *prompt, "--seed", 1, env=environment)
    assert done.stdout.startswith("Œuvre — grö")


# --- the others ---


def test_evaluate(model: Path, book: Path) -> None:
    result = run("evaluate", model, book, "--json")
    values = json.loads(result.stdout)
    assert values["characters"] == len(TEXT)
    assert 0 < values["bits_per_character"] < 2
    shown = run("evaluate", model, book).stdout
    assert f"bits a character    {values['bits_per_character']:.4f}" in shown
    assert f"{len(TEXT):,} characters" in shown


def test_compare_lays_chains_side_by_side(model: Path) -> None:
    result = run(
        "compare", model, "--prompt", "It is ", "--chain", "greedy", "--chain", "top-k:2|temperature:2", "--seed", 1
    )
    assert result.exit_code == 0, result.stderr
    heads = re.findall(r"^--- (.*) ---\nIt is ", result.stdout, re.M)
    assert heads == ["greedy", "top-k:2 | temperature:2.0"]
    assert len(re.findall("^--- ", run("compare", model, "--seed", 1).stdout, re.M)) == 4


def test_info(model: Path) -> None:
    shown = run("info", model).stdout
    for expected in ("ngram", "char", "order=4", "nats"):
        assert expected in shown
    assert json.loads(run("info", model, "--json").stdout)["model"]["architecture"] == "ngram"


def test_plugins_shows_what_each_brought_and_what_failed(tmp_path: Path) -> None:
    result = run("plugins", "--plugin", PLUGIN)
    assert re.search(r"^textforge-lm \d", result.stdout, re.M)
    samplers = (
        "adaptive-p, dry, dynamic-temperature, epsilon, eta, frequency-penalty, greedy, logit-bias, min-k, min-p, "
        "mirostat, mirostat-2, no-repeat-ngram, novel, p-less, presence-penalty, preset, quadratic, "
        "repetition-penalty, tail-free, temperature, top-a, top-h, top-k, top-k-ties, top-n-sigma, top-p, typical, xtc"
    )
    assert f"    sampler      {samplers}\n" in result.stdout
    assert "backend      bigram" in result.stdout
    found = json.loads(run("plugins", "--json").stdout)
    assert any(
        plugin["components"].get("corpus")
        == ["csv", "files", "jsonl", "lines", "nietzsche", "paragraphs", "python-docs", "sqlite", "text", "url"]
        for plugin in found
    )


def test_plugins_shows_what_was_left_out(install: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    install("fake-plugin", {"fake": "fake_plugin"}, fake_plugin="import nowhere_to_be_found")
    monkeypatch.setenv("TEXTFORGE_DISABLE_PLUGINS", "fake-plugin")
    result = run("plugins")
    assert "\nfake-plugin (fake) 1.0\n    left out by TEXTFORGE_DISABLE_PLUGINS\n" in result.stdout
    found = {entry["distribution"]: entry for entry in json.loads(run("plugins", "--json").stdout)}
    assert found["fake-plugin"]["left_out_by"] == "TEXTFORGE_DISABLE_PLUGINS"
    assert found["fake-plugin"]["components"] == {}
    assert found[CORE]["left_out_by"] is None


def test_options_shows_declarations(tmp_path: Path) -> None:
    everything = run("options").stdout
    assert "sampler top-k:" in everything
    assert "corpus files:" in everything
    narrow = run("options", "sampler", "top-k").stdout
    assert narrow.startswith("sampler top-k:")
    assert "a whole number >= 1; default: 40" in narrow
    assert "precision" in run("options", "backend", "numpy").stdout
    assert "did you mean 'top-k'" in one_line(run("options", "sampler", "topk"), 1)


def test_a_plugin_named_before_the_command_counts_too() -> None:
    assert "backend      bigram" in run("--plugin", PLUGIN, "plugins").stdout


def test_an_unforeseen_error_is_one_line_unless_debugged(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr("textforge.library.facade.load", fail)
    assert "unexpected ZeroDivisionError: by zero; this is a bug" in one_line(run("generate", model, "--seed", 1), 1)
    assert isinstance(run("--debug", "generate", model, "--seed", 1).exception, ZeroDivisionError)


# --- what is imported when ---


def imported(*arguments: Any) -> set[str]:
    done = run_process(*arguments, env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0, done.stderr
    return {line.split("|")[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_help_and_version_import_click_alone() -> None:
    for option in ("--help", "--version"):
        modules = imported(option)
        assert "click" in modules
        assert not modules & {"numpy", "attr", "attrs", "pluggy", "rich", "safetensors", "torch", "tensorflow", "keras"}
        assert not modules & {"pooch", "requests"}


@pytest.mark.parametrize("arguments", [["plugins"], ["options", "corpus"], ["train", "--help"]])
def test_what_is_installed_is_said_without_what_downloads(arguments: list[str]) -> None:
    assert not imported(*arguments) & {"pooch", "requests"}


def test_generating_imports_no_framework_and_no_rich(model: Path) -> None:
    modules = imported("generate", model, "--seed", 1)
    assert "numpy" in modules
    assert not modules & {"torch", "tensorflow", "keras", "rich", "hypothesis", "textforge.training.loop"}


def test_training_says_which_plugin_failed_where_it_chooses_the_backend(
    book: Path, tmp_path: Path, install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXTFORGE_DISABLE_PLUGINS", "textforge-torch,textforge-keras")
    install("fake-plugin", {"fake": "fake_plugin"}, fake_plugin="import nowhere_to_be_found")
    result = run("train", book, "-o", tmp_path / "m")
    assert result.exit_code == 0, result.stderr
    assert re.search(r"^the plugin fake-plugin \(fake\) is left out, .*nowhere_to_be_found", result.stderr, re.M)
    assert "ngram by numpy:float32" in result.stderr
    both = ("--architecture", "ngram", "--backend", "numpy")
    assert "is left out" not in run("train", book, "-o", tmp_path / "n", *both).stderr


def test_info_shows_the_encoders_options_and_the_documents(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.txt").write_text(TEXT, encoding="utf-8")
    plugin = Path(__file__).parent / "slips_plugin.py"
    options = ["--plugin", plugin, "--encoder", "scrabble:vocab_size=7", "--architecture", "ngram:order=2"]
    assert run("train", f"{tmp_path}/*.txt", "-o", tmp_path / "m", *options).exit_code == 0
    shown = run("info", tmp_path / "m").stdout  # without the plugin
    assert re.search(r"^encoder +scrabble, .*vocab_size=7$", shown, re.M)
    assert f", {3 * (len(TEXT) + 1):,} characters in 3 documents\n" in shown
    assert "documents" not in run("info", train_one(tmp_path / "a.txt")).stdout


def train_one(file: Path) -> Path:
    textforge.train(file, architecture="ngram:order=2", output=file.parent / "one", seed=1)
    return file.parent / "one"


def test_info_shows_the_rest_where_the_encoders_file_is_damaged(book: Path, tmp_path: Path) -> None:
    textforge.train(book, architecture="ngram:order=2", output=tmp_path / "m", seed=1)
    next((tmp_path / "m").glob("encoder-*")).write_text("{}", encoding="utf-8")
    shown = run("info", tmp_path / "m")
    assert shown.exit_code == 0
    assert re.search(r"^encoder +char; .*encoder-.*\.json", shown.stdout, re.M)
    assert "order=2" in shown.stdout


def test_evaluate_says_how_far_it_is_where_it_takes_long(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("train", book, "-o", tmp_path / "m", "--architecture", "ngram", "--seed", 1).exit_code == 0
    usual = run("evaluate", tmp_path / "m", book)
    assert "predicted" not in usual.stderr
    monkeypatch.setattr("textforge.cli.status_line.SECONDS_BETWEEN_UNWATCHED", 0.0)
    told = run("evaluate", tmp_path / "m", book)
    count = len(TEXT) - 1
    assert f"\n{count:,} of {count:,} characters predicted\n" in told.stderr
    assert told.stdout == usual.stdout
