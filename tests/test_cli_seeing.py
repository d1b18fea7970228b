"""Seeing what a chain does: --trace, --logprobs, and compare."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from terminals import needs_terminal, read_all, start_in_terminal

import textforge
from textforge.cli import main
from textforge.cli.compare_terminal import NARROWEST, lay_out
from textforge.cli.generate import _entry
from textforge.generation.logprobs import TokenLogprob
from textforge.library.comparing import ComparedText
from textforge.library.generated_text import GeneratedText

TEXT = "It is a truth that the text is short. Is it? It is so, and that is that.\n" * 12
CHAIN = ["--sampler", "top-k:3 | temperature:0.8"]


def run(*arguments: Any, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeing")
    (folder / "book.txt").write_text(TEXT, encoding="utf-8")
    textforge.train(folder / "book.txt", architecture="ngram:order=4", output=folder / "model", seed=1)
    return folder / "model"


def error_of(result: Result, status: int) -> str:
    assert result.exit_code == status, result.stderr
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, result.stderr
    assert result.stderr.splitlines()[-1] == lines[0]
    return lines[0]


# --- generate --trace ---


@pytest.mark.parametrize("form", [[], ["--count", "3"], ["--json"], ["--echo"], ["--stop", "th"]], ids=str)
def test_a_trace_changes_nothing_on_standard_output(model: Path, tmp_path: Path, form: list[str]) -> None:
    arguments = ["generate", model, "--prompt", "It ", *CHAIN, "--seed", 3, "--max-tokens", 30, *form]
    plain, traced = run(*arguments), run(*arguments, "--trace", tmp_path / "trace")
    assert plain.exit_code == traced.exit_code == 0, traced.stderr
    assert traced.stdout_bytes == plain.stdout_bytes
    assert traced.stderr == plain.stderr


def test_a_trace_has_a_line_a_token(model: Path, tmp_path: Path) -> None:
    arguments = ["generate", model, "--prompt", "It ", *CHAIN, "--seed", 3, "--max-tokens", 12, "--count", 2]
    text = run(*arguments, "--trace", tmp_path / "trace").stdout
    lines = [json.loads(line) for line in (tmp_path / "trace").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 24
    for line in lines:
        assert line.keys() == {"number", "step", "model", "samplers", "left", "drawn"}
        assert [sampler["sampler"] for sampler in line["samplers"]] == ["top-k:3", "temperature:0.8"]
        assert line["left"]["tokens"] == 3
        assert line["drawn"]["text"] in [choice["text"] for choice in line["left"]["top"]]
        removed = line["samplers"][0]["removed"]["probability"]
        assert removed + sum(choice["probability"] for choice in line["model"]["top"][:3]) == pytest.approx(1, abs=1e-5)
    drawn = ["".join(line["drawn"]["text"] for line in lines if line["number"] == number) for number in (0, 1)]
    assert "".join(each + "\n" for each in drawn) == text


def test_a_trace_of_a_model_with_a_window(model: Path, tmp_path: Path) -> None:
    plugin = Path(__file__).parent / "bigram_plugin.py"
    base = ["train", model.parent / "book.txt", "-o", tmp_path / "m", "--plugin", plugin, "--backend", "bigram"]
    windows = ["--sequences", "windows", "--window", 8, "--epochs", 1, "--seed", 1]
    assert run(*base, *windows).exit_code == 0
    arguments = ["generate", tmp_path / "m", "--plugin", plugin, "--backend", "bigram", "--seed", 2, "--max-tokens", 20]
    plain = run(*arguments)
    assert plain.exit_code == 0, plain.stderr
    assert run(*arguments, "--trace", tmp_path / "trace").stdout == plain.stdout
    assert len((tmp_path / "trace").read_text(encoding="utf-8").splitlines()) == 20


def test_a_trace_that_can_t_be_written_is_one_line_before_any_text(model: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "trace"
    result = run("generate", model, "--trace", missing)
    assert error_of(result, 1) == (
        f"Error: --trace {missing} can't be written: No such file or directory; name another file"
    )
    assert not result.stdout
    assert "seed" not in result.stderr
    assert "is a directory" in error_of(run("generate", model, "--trace", tmp_path), 2)
    assert "standard output has the text" in error_of(run("generate", model, "--trace", "-"), 2)


@pytest.mark.parametrize("wrong", [["--sampler", "topk"], ["--prompt", "€"], ["--stop", ""]], ids=str)
def test_a_request_that_is_refused_leaves_an_older_trace_alone(model: Path, tmp_path: Path, wrong: list[str]) -> None:
    (tmp_path / "trace").write_text("older", encoding="utf-8")
    assert run("generate", model, *wrong, "--trace", tmp_path / "trace").exit_code == 1
    assert (tmp_path / "trace").read_text(encoding="utf-8") == "older"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
@pytest.mark.parametrize(("command", "option"), [("generate", "--trace"), ("compare", "--html")])
def test_a_full_disk_costs_nothing_of_the_text(model: Path, command: str, option: str) -> None:
    arguments = [command, model, "--seed", 3, "--max-tokens", 100]
    result = run(*arguments, option, "/dev/full")
    assert result.stdout == run(*arguments).stdout
    assert len(result.stdout) >= 100
    expected = f"Error: {option} /dev/full is incomplete: No space left on device; make room, or name another file"
    assert error_of(result, 1) == expected


# --- generate --logprobs ---


def test_logprobs_go_into_json(model: Path) -> None:
    arguments = ["generate", model, "--prompt", "It ", *CHAIN, "--seed", 3, "--count", 2, "--stop", "th", "--json"]
    plain = [json.loads(line) for line in run(*arguments).stdout.splitlines()]
    entries = [json.loads(line) for line in run(*arguments, "--logprobs").stdout.splitlines()]
    assert all("logprobs" not in entry for entry in plain)
    texts = textforge.load(model).complete(
        "It ", samplers=CHAIN[1], seed=3, count=2, stop="th", logprobs=True
    )  # fmt: skip
    for entry, text in zip(entries, texts, strict=True):
        logprobs = entry.pop("logprobs")
        assert len(logprobs) == entry["tokens"]
        assert "".join(noted["text"] for noted in logprobs) == entry["text"]
        assert [(noted["token"], noted["before"], noted["after"]) for noted in logprobs] == [
            (noted.token, noted.before, noted.after) for noted in text.logprobs or ()
        ]
        assert all(-math.inf < noted["before"] <= 0 for noted in logprobs)
    assert entries == plain


def test_a_log_probability_of_nothing_is_null() -> None:
    noted = (TokenLogprob(3, "a", -math.inf, -0.5), TokenLogprob(4, "b", -1.5, 0.0))
    entry = _entry(GeneratedText("It ", "ab", "length", 2, 1, noted, number=7))
    written = json.loads(json.dumps(entry, allow_nan=False))
    assert written == {
        "number": 7,
        "prompt": "It ",
        "text": "ab",
        "finish_reason": "length",
        "tokens": 2,
        "seed": 1,
        "logprobs": [
            {"token": 3, "text": "a", "before": None, "after": -0.5},
            {"token": 4, "text": "b", "before": -1.5, "after": 0.0},
        ],
    }


def test_logprobs_need_json(model: Path) -> None:
    result = run("generate", model, "--logprobs")
    assert error_of(result, 2) == "Error: --logprobs goes into JSON: give --json too."


# --- compare ---


def test_compare_gives_each_chain_its_figures(model: Path) -> None:
    result = run("compare", model, "--prompt", "It ", "--chain", "greedy", "--chain", "top-k:3", "--seed", 1)
    assert result.exit_code == 0, result.stderr
    writer = textforge.load(model)
    for chain in ("greedy", "top-k:3"):
        text = writer.generate("It ", samplers=chain, seed=1, max_tokens=200)
        assert f"--- {chain} ---\nIt {text}\n[entropy " in result.stdout
    figures = re.findall(r"^\[entropy (.*) bits, before the chain (.*) bits; repetition (.*)%\]$", result.stdout, re.M)
    assert len(figures) == 2
    assert float(figures[0][0]) == 0 < float(figures[1][0]) < float(figures[1][1])


def test_compare_without_tokens_has_dashes(model: Path) -> None:
    result = run("compare", model, "--chain", "greedy", "--max-tokens", 0, "--seed", 1)
    assert result.stdout == "--- greedy ---\n\n[entropy –, before the chain –; repetition –]\n\n"


def test_compare_reads_escapes_and_prompt_files(model: Path, tmp_path: Path) -> None:
    arguments = ["compare", model, "--chain", "greedy", "--max-tokens", 5, "--seed", 1]
    escaped = run(*arguments, "--prompt", r"that.\nIt", "--escapes")
    assert escaped.stdout.startswith("--- greedy ---\nthat.\nIt")
    (tmp_path / "prompt").write_text("that.\nIt", encoding="utf-8", newline="")
    assert run(*arguments, "--prompt-file", tmp_path / "prompt").stdout == escaped.stdout
    assert run(*arguments, "--prompt-file", "-", stdin="that.\nIt").stdout == escaped.stdout
    assert "give one of them" in error_of(run(*arguments, "--prompt", "a", "--prompt-file", "b"), 2)


def test_compare_writes_a_page_beside_the_text(model: Path, tmp_path: Path) -> None:
    arguments = ["compare", model, "--prompt", "It ", "--chain", "greedy", "--chain", "top-k:3", "--seed", 1]
    result = run(*arguments, "--html", tmp_path / "page.html")
    assert result.stdout == run(*arguments).stdout
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<article>") == 2
    assert str(model) in page
    entropy = re.findall(r"\[entropy (.* bits), before", result.stdout)
    assert all(f"<dd>{each}</dd>" in page for each in entropy)


def test_a_long_prompt_heads_the_page_by_its_beginning(model: Path, tmp_path: Path) -> None:
    (tmp_path / "prompt").write_text("It is so.\n" * 100, encoding="utf-8", newline="")
    arguments = ["compare", model, "--prompt-file", tmp_path / "prompt", "--chain", "greedy", "--seed", 1]
    assert run(*arguments, "--html", tmp_path / "page.html").exit_code == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    title = re.search("<title>(.*)</title>", page)
    assert title
    assert title[1] == "It is so. " * 5 + "It is so.… – textforge compare"
    assert page.count("It is so.") == 6 + 20 + 100


def test_a_page_that_can_t_be_written_is_one_line_before_any_text(model: Path, tmp_path: Path) -> None:
    result = run("compare", model, "--html", tmp_path / "missing" / "page.html")
    assert error_of(result, 1).endswith("can't be written: No such file or directory; name another file")
    assert not result.stdout
    assert "standard output" in error_of(run("compare", model, "--html", "-"), 2)
    (tmp_path / "older").write_text("older", encoding="utf-8")
    assert run("compare", model, "--chain", "topk", "--html", tmp_path / "older").exit_code == 1
    assert (tmp_path / "older").read_text(encoding="utf-8") == "older"


# --- compare in a terminal ---


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def texts_of(model: Path, *chains: str, **request: Any) -> list[ComparedText]:
    writer, plugins = textforge.load(model), textforge.Plugins()
    options = {"seed": 1, "max_tokens": 60} | request
    return [ComparedText(writer, plugins.chain(chain), "It ", **options) for chain in chains]


@pytest.mark.parametrize(("width", "columns"), [(400, 4), (142, 4), (141, 4), (137, 4), (136, 2), (70, 2), (67, 2)])
def test_as_many_stand_side_by_side_as_there_is_room_for(model: Path, width: int, columns: int) -> None:
    chains = ["greedy", "top-k:2", "top-k:3", "temperature:0.5"]
    written = plain("".join(lay_out(texts_of(model, *chains), "It ", width)))
    heads = [line for line in written.splitlines() if any(chain in line for chain in chains)]
    assert [len(head.split()) for head in heads] == [columns] * (4 // columns)
    assert max(map(len, written.splitlines())) <= width
    assert written.count("entropy ") == written.count("repetition ") == 4
    assert not re.search(r"^--- ", written, re.M)


def test_columns_hold_the_whole_texts(model: Path) -> None:
    left, right = texts_of(model, "top-k:3", "temperature:2", max_tokens=300)
    width = 2 * NARROWEST + 3
    lines = plain("".join(lay_out([left, right], "It ", width))).splitlines()[4:]
    columns = ["".join(line.ljust(width)[start : start + NARROWEST] for line in lines) for start in (0, NARROWEST + 3)]
    for column, text in zip(columns, (left, right), strict=True):
        assert "".join(column.split()) == "".join(f"It {text.text}".split())


@pytest.mark.parametrize(("chains", "width"), [(("greedy", "top-k:2"), 66), (("greedy",), 200), (("greedy",), None)])
def test_without_room_for_two_they_stand_one_under_another(
    model: Path, chains: tuple[str, ...], width: int | None
) -> None:
    narrow = "".join(lay_out(texts_of(model, *chains), "It ", width))
    assert narrow == "".join(lay_out(texts_of(model, *chains), "It ", None))
    assert narrow.count("--- ") == len(chains)


def test_control_characters_don_t_reach_the_columns(tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_text("a\x1b[2Jb\tc\x07文\u202ed\r\n[red]x[/red] " * 40, encoding="utf-8", newline="")
    textforge.train(tmp_path / "odd.txt", architecture="ngram:order=3", output=tmp_path / "m", seed=1)
    texts = [
        ComparedText(textforge.load(tmp_path / "m"), [], "", seed=seed, max_tokens=80) for seed in (1, 2)
    ]  # fmt: skip
    written = plain("".join(lay_out(texts, "", 100)))
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", written)
    assert "⟨U+001B⟩[2J" in written
    assert "[red]" in "".join(text.text for text in texts)
    assert "[red]" in written


@needs_terminal
@pytest.mark.parametrize(("columns", "side_by_side"), [(100, True), (40, False)])
def test_a_real_terminal_is_measured(model: Path, columns: int, side_by_side: bool) -> None:
    arguments = ["compare", str(model), "--chain", "greedy", "--chain", "top-k:2", "--seed", "1", "--max-tokens", "20"]
    command = [sys.executable, "-m", "textforge", *arguments]
    terminal, process = start_in_terminal(
        command, columns, {}, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )  # fmt: skip
    with process:
        written = read_all(terminal)
        assert process.stderr
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert bool(re.search(r"^greedy +top-k:2", plain(written), re.M)) == side_by_side
