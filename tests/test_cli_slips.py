"""Slips of the hand: what other tools call it, and what a hint must be worth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import textforge
from textforge.cli import main
from textforge.cli.group import COMMANDS
from textforge.cli.slips import SHORT, option_names, spell_out_samplers, value_options
from textforge.errors import SpecError, TextforgeError
from textforge.names import OUR_NAMES, plain_name, same_name

TEXT = "It is a truth that the text is short. Is it? It is so, and that is that.\n" * 12


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def error_of(*arguments: Any, status: int = 2) -> str:
    result = run(*arguments)
    assert result.exit_code == status, result.output
    assert not result.stdout
    return result.stderr.splitlines()[-1].removeprefix("Error: ")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slips")
    (folder / "book.txt").write_text(TEXT, encoding="utf-8")
    textforge.train(folder / "book.txt", architecture="ngram:order=4", output=folder / "model", seed=1)
    return folder / "model"


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


# --- samplers as options ---


@pytest.mark.parametrize(
    ("typed", "chain"),
    [
        (["--temperature", "0.5"], "temperature:0.5"),
        (["--temperature=0.5"], "temperature:0.5"),
        (["--top-k", 3, "--temperature", 0.5], "top-k:3 | temperature:0.5"),
        (["--temperature", 0.5, "--top-k", 3], "temperature:0.5 | top-k:3"),
        (["--top-p", 0.8, "--sampler", "top-k:5 | eta", "--min-p=0.2"], "top-p:0.8 | top-k:5 | eta | min-p:0.2"),
        (["--sampler", "greedy", "--temperature", 2], "greedy | temperature:2"),
    ],
    ids=str,
)  # fmt: skip
def test_a_sampler_may_be_an_option_in_the_order_typed(
    model: Path, typed: list[Any], chain: str, tmp_path: Path
) -> None:
    arguments = ["generate", model, "--seed", 1, "--max-tokens", 60]
    trace = ["--trace", tmp_path / "trace"]
    assert run(*arguments, *typed, *trace).stdout == run(*arguments, "--sampler", chain).stdout
    expected = [sampler.spec for sampler in textforge.Plugins().chain(chain)]
    assert re.findall('"sampler": "([^"]*)"', (tmp_path / "trace").read_text().splitlines()[0]) == expected


def test_values_are_left_alone(model: Path) -> None:
    arguments = ["generate", model, "--seed", 1, "--max-tokens", 5]
    assert "lacks '-'" in error_of(*arguments, "--prompt", "--top-k", status=1)
    assert "unexpected extra argument (--top-k)" in error_of(*arguments, "--", "--top-k")


WORDS = st.sampled_from(["--prompt", "--echo", "--seed", "--", "x", "-h", "", *(f"--{name}" for name in SHORT)])


@given(words=st.lists(WORDS, max_size=8))
def test_only_what_names_a_sampler_changes(words: list[str]) -> None:
    try:
        written = list(spell_out_samplers(words, {"--prompt", "--seed"}))
    except click.BadOptionUsage:
        assert set(words) & {f"--{name}" for name in SHORT}
        return
    restored: list[str] = []
    for word in written:
        found = re.fullmatch("--sampler=([a-z-]+):(.*)", word)
        restored += [f"--{found[1]}", found[2]] if found else [word]
    assert restored == words
    if not set(words) & {f"--{name}" for name in SHORT}:
        assert written == words


@pytest.mark.parametrize("rest", [[], ["--seed", "1"]], ids=str)
def test_a_sampler_without_a_value_is_refused(model: Path, rest: list[str]) -> None:
    assert (
        error_of("generate", model, "--temperature", *rest) == "--temperature needs a value, as in --temperature 0.5."
    )


def test_help_names_the_short_ones() -> None:
    assert all(f"--{name}" in run("generate", "--help").stdout for name in SHORT)
    assert "--temperature" not in run("compare", "--help").stdout


def test_the_options_that_take_a_value_are_known() -> None:
    assert {"--prompt", "--seed", "--sampler", "--plugin"} <= value_options(command("generate"))
    assert not {"--echo", "--json"} & value_options(command("generate"))
    assert "-o" in value_options(command("train"))


# --- what other tools call it ---

OURS = [
    ("generate", "--repeat-penalty 1.1", "--sampler repetition-penalty:1.1"),
    ("generate", "--repetition_penalty=1.1", "--sampler repetition-penalty:1.1"),
    ("generate", "--temp 0.5", "--sampler temperature:0.5"),
    ("generate", "--top_p 0.5", "--sampler top-p:0.5"),
    ("generate", "--typical 0.5", "--sampler typical:0.5"),
    ("generate", "--greedy", "--sampler greedy"),
    ("generate", "--num-predict 9", "did you mean '--max-tokens'?"),
    ("generate", "--max_new_tokens 9", "did you mean '--max-tokens'?"),
    ("generate", "--n-predict 9", "did you mean '--max-tokens'?"),
    ("generate", "--length 9", "did you mean '--max-tokens'?"),
    ("generate", "--num_return_sequences 9", "did you mean '--count'?"),
    ("generate", "--tempreture 0.5", "did you mean '--temperature'?"),
    ("generate", "--promt x", "did you mean '--prompt'?"),
    ("generate", "--model x", "MODEL stands without one: textforge generate x"),
    ("compare", "--temperature 0.5", "--chain temperature:0.5"),
    ("train", "--temperature 0.5", "--sample temperature:0.5"),
    ("train", "--lr 0.1", "did you mean '--learning-rate'?"),
    ("train", "--num-epochs 3", "did you mean '--epochs'?"),
    ("train", "--batch_size 3", "did you mean '--batch-size'?"),
    ("train", "--seq-length 3", "did you mean '--sequence-length'?"),
    ("train", "--data book.txt", "CORPUS stands without one: textforge train book.txt"),
    ("train", "--grad-clip 1", "did you mean '--clip-norm'?"),
]


@pytest.mark.parametrize(("name", "typed", "answer"), OURS, ids=str)
def test_what_others_call_it_is_answered_with_ours(name: str, typed: str, answer: str, model: Path) -> None:
    where = ["-o", "m"] if name == "train" else []
    message = error_of(name, model, *where, *typed.split())
    option = typed.partition(" ")[0].partition("=")[0]
    assert message.startswith(f"There is no option {option}; ")
    assert answer in message


def test_an_option_of_a_component_is_answered_with_its_place() -> None:
    plugin = Path(__file__).parent / "slips_plugin.py"
    typed = ["train", "book.txt", "-o", "m", "--plugin", plugin]
    answer = "There is no option --width; width belongs to the backend: --backend slippery:width=9."
    assert error_of(*typed, "--width", 9) == answer
    assert error_of(*typed, "--vocab_size=9").endswith("belongs to the encoder: --encoder scrabble:vocab_size=9.")
    chosen = error_of(*typed, "--backend", "slippier:depth=2", "--width", 9)
    assert chosen.endswith("--backend slippier:width=9.")
    generate = ["generate", "m", "--plugin", plugin]
    assert error_of(*generate, "--width", 9) == answer
    assert error_of(*generate, "--speed", 9).endswith("speed belongs to the backend: --backend slippery:speed=9.")


@pytest.mark.parametrize("typed", ["--zzz", "--fire", "--xyz=3"])
def test_far_names_are_not_proposed(typed: str, model: Path) -> None:
    assert error_of("generate", model, typed) == f"There is no option {typed.partition('=')[0]}."


def test_a_plugin_that_fails_spoils_no_hint(model: Path) -> None:
    assert error_of("generate", model, "--typical-p", 1, "--plugin", "missing.py") == "There is no option --typical-p."
    found = error_of("generate", model, "--temp", 1, "--plugin", "missing.py")
    assert found == "There is no option --temp; did you mean '--temperature'?"


def test_our_names_are_names_of_ours() -> None:
    plugins = textforge.Plugins()
    known = set(plugins.names("sampler"))
    known |= {name for sampler in plugins.components("sampler") for name in sampler.cls.options()}
    known |= {name for each in COMMANDS for name in option_names(command(each))}
    unknown = set(OUR_NAMES.values()) - {plain_name(name) for name in known}
    # options of models, which are another distribution's here
    assert unknown <= {"hidden-size", "num-layers", "embedding-size", "dropout", "order", "device", "architecture"}
    assert not set(OUR_NAMES) & {plain_name(name) for name in known if name.startswith("--")}


def test_a_name_is_the_same_but_for_its_writing() -> None:
    assert same_name("--Max_Tokens", ["max-tokens", "seed"]) == "max-tokens"
    assert same_name("max-token", ["max-tokens"]) is None


# --- chains as others write them ---

CHAINS = [
    ("0.5", "temperature:0.5"),
    (".5", "temperature:.5"),
    ("temperature=0.5", "temperature:0.5"),
    ("temperature 0.5", "temperature:0.5"),
    ("--temperature 0.5", "temperature:0.5"),
    ("top_k:40", "top-k:40"),
    ("topK=40", "top-k:40"),
    ("Top-K:40", "top-k:40"),
    ("temp=0.5", "temperature:0.5"),
    ("repeat_penalty:1.1", "repetition-penalty:1.1"),
    ("temperature:0.5, top-k:40", "temperature:0.5 | top-k:40"),
    ("temperature=0.5,top_p=0.9", "temperature:0.5 | top-p:0.9"),
    ("top_k:40 | temperature=0.5", "top-k:40 | temperature:0.5"),
    ("top_k=40 temperature=0.5", "top-k:40 | temperature:0.5"),
    ("repetition_penalty:1.1,last_n=9", "repetition-penalty:1.1,last_n=9"),
]


@pytest.mark.parametrize(("typed", "meant"), CHAINS, ids=str)
def test_a_chain_written_otherwise_is_answered_with_ours(typed: str, meant: str, model: Path) -> None:
    message = error_of("generate", model, "--sampler", typed, status=1)
    assert message.endswith(f"; did you mean '{meant}'?")
    assert run("generate", model, "--sampler", meant, "--seed", 1, "--max-tokens", 3).exit_code == 0
    with pytest.raises(SpecError, match=re.escape(meant)):
        textforge.load(model).generate("It", samplers=typed)


REMEDIES = [
    ("temperature:0", "for the likeliest token every time, write greedy in its place"),
    ("top-k:0", "to keep every token, leave top-k out"),
    ("top-k-ties:0", "to keep every token, leave top-k-ties out"),
    ("repetition-penalty:last_n=-1", "for all of them write none;"),
    ("presence-penalty:last_n=-1", "for all of them write none;"),
    ("frequency-penalty:last_n=0", "for all of them write none; for no penalty leave frequency-penalty out"),
    ("dry:last_n=-1", "for all of them write none;"),
    ("no-repeat-ngram:0", "to let all repeat, leave no-repeat-ngram out"),
    ("top-n-sigma:-1", "to keep every token, leave top-n-sigma out"),
    ("temp:0.5", "did you mean 'temperature'?"),
    ("top-k:40 temperature:0.5", "write | between the components of a chain"),
    ("top-k:40;temperature:0.5", "write | between the components of a chain"),
]


@pytest.mark.parametrize(("typed", "remedy"), REMEDIES, ids=str)
def test_a_refusal_names_the_way_out(typed: str, remedy: str, model: Path) -> None:
    assert f"; {remedy}" in error_of("generate", model, "--sampler", typed, status=1)
    assert remedy not in error_of("generate", model, "--sampler", "temperature:inf", status=1)


@pytest.mark.parametrize("typed", ["", "|", "files:a,b", "42;", "a:b:c,d", "x", "é:3", "top-k:[3", "a" * 5000])
def test_what_cant_be_guessed_gets_no_guess(typed: str) -> None:
    with pytest.raises(TextforgeError) as caught:
        textforge.Plugins().chain(typed)
    assert "did you mean" not in str(caught.value)
    assert len(str(caught.value)) < 1000


# --- escapes ---


@pytest.mark.parametrize(("prompt", "noticed"), [(r"It\n", r"\n"), (r"It\u0041", r"\u0041"), (r"It", ""), (r"\q", "")])
@pytest.mark.parametrize("name", ["generate", "compare"])
def test_an_escape_that_is_not_read_is_noticed(name: str, prompt: str, noticed: str, model: Path) -> None:
    said = run(name, model, "--prompt", prompt, "--unknown", "skip", "--seed", 1, "--max-tokens", 3).stderr
    hint = f"{noticed} in --prompt is read as {len(noticed)} characters: with --escapes, it is read as one\n"
    assert said == (hint if noticed else "")
    assert not run(name, model, "--prompt", r"It\n", "--escapes", "--seed", 1, "--max-tokens", 3).stderr
