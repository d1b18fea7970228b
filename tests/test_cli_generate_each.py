"""``textforge generate --prompts``: a line of JSON for each text of many prompts, gone on with where it was left."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import textforge
from textforge.cli import main
from textforge.cli.generate_each import Results
from textforge.generation import side_by_side

TEXT = "It is a truth that the text is short. Is it? It is so, and that is that.\n" * 12
PROMPTS = ["It is ", "", "that", "a truth that ", "Is it?\n", "so, ", "It is "]


def run(*arguments: Any, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("each")
    (folder / "book.txt").write_text(TEXT, encoding="utf-8")
    textforge.train(folder / "book.txt", architecture="ngram:order=4", output=folder / "model", seed=1)
    return folder / "model"


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """A file of prompts: texts and objects, and a blank line."""
    lines = [json.dumps({"prompt": each, "id": 1} if place % 2 else each) for place, each in enumerate(PROMPTS)]
    (tmp_path / "prompts.jsonl").write_text("\n".join([*lines[:3], "", *lines[3:]]), encoding="utf-8")
    return tmp_path / "prompts.jsonl"


def error_of(result: Result, status: int) -> str:
    assert result.exit_code == status, result.stderr
    assert not result.stdout
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


@pytest.mark.parametrize("count", [[], ["--count", "3"]], ids=str)
def test_each_prompt_gives_the_line_that_it_gives_alone(model: Path, prompts: Path, count: list[str]) -> None:
    options = ["--seed", 3, "--max-tokens", 20, "--stop", "th", "--sampler", "temperature:0.9", *count]
    result = run("generate", model, "--prompts", prompts, *options)
    assert result.exit_code == 0, result.stderr
    alone = [run("generate", model, "--prompt", prompt, "--json", *options).stdout for prompt in PROMPTS]
    assert result.stdout == "".join(alone)
    assert not result.stderr
    stdin = prompts.read_text(encoding="utf-8")
    assert run("generate", model, "--prompts", "-", *options, stdin=stdin).stdout == result.stdout


def test_a_seed_that_was_drawn_is_said_and_the_same_for_all(model: Path, prompts: Path) -> None:
    result = run("generate", model, "--prompts", prompts, "--max-tokens", 3)
    (seed,) = {json.loads(line)["seed"] for line in result.stdout.splitlines()}
    assert result.stderr == f"seed {seed}\n"


# --- results ---


def cut(lines: Sequence[bytes], keep: int, rest: bytes = b"") -> bytes:
    return b"".join(lines[:keep]) + rest


@pytest.mark.parametrize("keep", [0, 1, 4, 13, 14])
@pytest.mark.parametrize("rest", [b"", b'{"number": 0, "pro'], ids=str)
def test_results_are_gone_on_from(model: Path, prompts: Path, tmp_path: Path, keep: int, rest: bytes) -> None:
    arguments = ["generate", model, "--prompts", prompts, "--max-tokens", 8, "--count", 2]
    whole = run(*arguments, "--seed", 3).stdout_bytes
    results = tmp_path / "results.jsonl"
    results.write_bytes(cut(whole.splitlines(keepends=True), keep, rest))
    result = run(*arguments, "--results", results, *([] if keep > 1 else ["--seed", 3]))
    assert result.exit_code == 0, result.stderr
    assert not result.stdout
    assert not result.stderr
    assert results.read_bytes() == whole


def test_after_ctrl_c_the_same_command_goes_on(
    model: Path, prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["generate", model, "--prompts", prompts, "--max-tokens", 8]
    results = tmp_path / "results.jsonl"
    monkeypatch.setattr(side_by_side, "PROMPTS", 2)
    interrupt_after(3, monkeypatch, Results, "write")
    stopped = run(*arguments, "--results", results)
    assert stopped.exit_code == 130
    assert "stopped: 3 of 7 texts are written; give the same command again to go on" in stopped.stderr
    assert len(results.read_bytes().splitlines()) == 3
    monkeypatch.undo()
    assert run(*arguments, "--results", results).exit_code == 0
    seed = json.loads(results.read_text(encoding="utf-8").splitlines()[0])["seed"]
    assert run(*arguments, "--seed", seed).stdout == results.read_text(encoding="utf-8")


def interrupt_after(calls: int, monkeypatch: pytest.MonkeyPatch, cls: type, name: str) -> None:
    """Raise `KeyboardInterrupt` at the call of a method after so many."""
    method: Callable[..., Any] = getattr(cls, name)
    left = [calls]

    def interrupt(*arguments: Any) -> Any:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return method(*arguments)

    monkeypatch.setattr(cls, name, interrupt)


@pytest.mark.parametrize(
    "line",
    [
        b"[1]\n",
        b"older\n",
        b'{"prompt": "another", "number": 0, "seed": 3}\n',
        b'{"prompt": "It is ", "number": 1, "seed": 3}\n',
        b'{"prompt": "It is ", "number": 0, "seed": null}\n',
        b'{"prompt": "It is ", "number": 0, "seed": 3}\n' * 8,
    ],
    ids=str,
)
def test_results_of_something_else_are_left_alone(model: Path, prompts: Path, tmp_path: Path, line: bytes) -> None:
    results = tmp_path / "results.jsonl"
    results.write_bytes(line)
    error = error_of(run("generate", model, "--prompts", prompts, "--results", results), 1)
    assert error.startswith(f"Error: --results {results} has something else in line ")
    assert error.endswith("than the text of that prompt and seed: name another file")
    assert results.read_bytes() == line


def test_another_seed_than_that_of_the_results_is_refused(model: Path, prompts: Path, tmp_path: Path) -> None:
    arguments = ["generate", model, "--prompts", prompts, "--max-tokens", 2, "--results", tmp_path / "results"]
    assert run(*arguments, "--seed", 3).exit_code == 0
    assert "has texts of the seed 3: leave out --seed." in error_of(run(*arguments, "--seed", 4), 2)
    assert run(*arguments, "--seed", 3).exit_code == 0


# --- bad input ---

BAD: list[tuple[Sequence[str], str, int, str]] = [
    ([], "It is", 2, "Error: --prompts -: line 1 must be a prompt as JSON, such as"),
    ([], '"a"\n[1]', 2, "Error: --prompts -: line 2 must be a prompt as JSON, such as"),
    ([], '{"text": "a"}', 2, "Error: --prompts -: line 1 must be a prompt as JSON, such as"),
    ([], '"a"\n"ß"', 1, "Error: prompt 2: the vocabulary of 18 characters lacks 'ß'"),
    (["--prompt", ""], '"a"', 2, "Error: --prompts doesn't go with --prompt: leave out one of them."),
    (["--echo"], '"a"', 2, "Error: --prompts doesn't go with --echo: leave out one of them."),
    (["--trace", "x"], '"a"', 2, "Error: --prompts doesn't go with --trace: leave out one of them."),
    (["--sampler", "topk"], '"a"', 1, "Error: there is no sampler 'topk'"),
    (["--results", "missing/x"], '"a"', 1, "Error: --results missing/x can't be written: No such file or directory"),
]


@pytest.mark.parametrize(("arguments", "stdin", "status", "message"), BAD, ids=str)
def test_what_can_t_be_done_is_one_line(
    arguments: Sequence[str], stdin: str, status: int, message: str, model: Path
) -> None:
    result = run("generate", model, "--prompts", "-", *arguments, stdin=stdin)
    assert error_of(result, status).startswith(message)
    assert "seed " not in result.stderr


def test_files_that_aren_t_there_are_named(model: Path) -> None:
    missing = error_of(run("generate", model, "--prompts", "missing"), 2)
    assert missing == "Error: --prompts missing: No such file or directory."
    alone = error_of(run("generate", model, "--results", "x"), 2)
    assert alone == "Error: --results has the texts of --prompts: give that too."


def test_no_prompts_are_no_texts(model: Path) -> None:
    result = run("generate", model, "--prompts", "-", "--seed", 1, stdin="\n")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
