"""The real harness on tasks of one's own, its figures against figures that are computed otherwise."""

from __future__ import annotations

import functools
import json
import math
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import textforge
from textforge.cli import main
from textforge_lm_eval import TextforgeLM
from textforge_lm_eval.__main__ import main as run_module

QUESTIONS = [
    ("The cat sat on the", [" mat.", " log.", " bird."], 0),
    ("The dog sat on the", [" mat.", " log.", " cat."], 1),
    ("A bird sang to the", [" dog,", " bird.", " cat,"], 2),
    ("A bird sang to ", ["a cat", "the cat", "cats"], 0),
    ("", ["The cat", "cat The", "hte"], 0),
]
DOCUMENTS = ["The cat sat on the mat.", "A dog sang to the bird.\nThe bird sat.", "tac ehT"]
PROMPTS = [("The cat sat on the ", "mat"), ("The dog sat on the ", "log"), ("A bird sang to the ", "dog")]


def write_task(folder, name, rows, **config):
    """Write a task of the harness into a folder: its YAML, which is JSON here, and its documents."""
    folder.mkdir(exist_ok=True)
    data = folder / f"{name}.jsonl"
    data.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    whole = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "doc_to_text": "{{prompt}}",
        "target_delimiter": "",
        "metadata": {"version": 1},
        **config,
    }
    (folder / f"{name}.yaml").write_text(json.dumps(whole), encoding="utf-8")


def metrics(*names):
    """Return what a task's YAML says of its metrics, in full, so that the harness has nothing to warn of."""
    lower = {"perplexity", "byte_perplexity", "bits_per_byte"}
    means = {"byte_perplexity": "weighted_perplexity", "bits_per_byte": "bits_per_byte", "perplexity": "perplexity"}
    return [
        {"metric": name, "aggregation": means.get(name, "mean"), "higher_is_better": name not in lower}
        for name in names
    ]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    write_task(
        folder,
        "tf_choices",
        [{"prompt": prompt, "choices": choices, "answer": answer} for prompt, choices, answer in QUESTIONS],
        output_type="multiple_choice",
        doc_to_choice="{{choices}}",
        doc_to_target="answer",
        metric_list=metrics("acc", "acc_norm"),
    )
    write_task(
        folder,
        "tf_texts",
        [{"text": text} for text in DOCUMENTS],
        output_type="loglikelihood_rolling",
        doc_to_text="",
        doc_to_target="{{text}}",
        metric_list=metrics("byte_perplexity", "bits_per_byte"),
    )
    write_task(
        folder,
        "tf_words",
        [{"prompt": prompt, "answer": answer} for prompt, answer in PROMPTS],
        output_type="generate_until",
        doc_to_target="{{answer}}",
        generation_kwargs={"until": [".", " "], "max_gen_toks": 20},
        metric_list=metrics("exact_match"),
    )
    write_task(
        folder,
        "tf_last",
        [{"prompt": prompt.rstrip(), "answer": f" {answer}"} for prompt, answer in PROMPTS],
        output_type="loglikelihood",
        doc_to_target="{{answer}}",
        metric_list=metrics("perplexity", "acc"),
    )
    return folder


@pytest.fixture(scope="module")
def results(generator, tasks):
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    found = simple_evaluate(
        model=TextforgeLM(generator),
        tasks=["tf_choices", "tf_texts", "tf_words", "tf_last"],
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        bootstrap_iters=0,
    )
    return found["results"]


def read_slowly(generator, context, continuation):
    """Return the log-probabilities of a continuation's characters, by one step after another."""
    first = generator.encoder.encode("\n")
    ids = np.concatenate([generator.encoder.encode(context), generator.encoder.encode(continuation)])
    ids, begin = (ids, len(context)) if context else (np.concatenate([first, ids]), 1)
    state, found = generator.model.start(1), []
    for place in range(1, len(ids)):
        logits = generator.model.step(ids[place - 1 : place], state)[0].astype(np.float64)
        if place >= begin:
            found.append(logits[ids[place]] - math.log(np.exp(logits).sum()))
    return found


def test_choices_are_judged_by_their_likelihood(generator, results):
    right = right_by_length = 0
    for prompt, choices, answer in QUESTIONS:
        spaces = prompt[len(prompt.rstrip()) :]
        scores = [sum(read_slowly(generator, prompt.rstrip(), spaces + choice)) for choice in choices]
        right += int(np.argmax(scores)) == answer
        lengths = [len(choice) for choice in choices]
        right_by_length += int(np.argmax(np.divide(scores, lengths))) == answer
    assert 0 < right < len(QUESTIONS)
    assert results["tf_choices"]["acc,none"] == pytest.approx(right / len(QUESTIONS))
    assert results["tf_choices"]["acc_norm,none"] == pytest.approx(right_by_length / len(QUESTIONS))


def test_bits_a_byte_are_those_of_an_evaluation(generator, results, tmp_path):
    nats = tokens = 0
    for text in DOCUMENTS:
        path = tmp_path / "text.txt"
        path.write_text(f"\n{text}", encoding="utf-8", newline="")  # an evaluation doesn't predict what stands first
        found = generator.evaluate(path)
        assert found.tokens == len(text)
        nats += found.loss * found.tokens
        tokens += len(text.encode())
    bits = nats / math.log(2) / tokens
    assert results["tf_texts"]["bits_per_byte,none"] == pytest.approx(bits, rel=1e-6)
    assert results["tf_texts"]["byte_perplexity,none"] == pytest.approx(2**bits, rel=1e-6)


def test_answers_are_what_generating_gives(generator, results):
    written = [generator.generate(prompt, samplers="greedy", stop=[".", " "]) for prompt, _ in PROMPTS]
    right = sum(text == answer for text, (_, answer) in zip(written, PROMPTS, strict=True))
    assert 0 < right < len(PROMPTS)
    assert results["tf_words"]["exact_match,none"] == pytest.approx(right / len(PROMPTS))


def test_last_words_have_their_perplexity(generator, results):
    found = [read_slowly(generator, prompt.rstrip(), f" {answer}") for prompt, answer in PROMPTS]
    assert results["tf_last"]["perplexity,none"] == pytest.approx(math.exp(-np.mean([sum(each) for each in found])))
    greedy = [
        generator.generate(prompt.rstrip(), samplers="greedy", max_tokens=len(answer) + 1) == f" {answer}"
        for prompt, answer in PROMPTS
    ]
    assert results["tf_last"]["acc,none"] == pytest.approx(np.mean(greedy))


def test_a_network_has_the_same_figures_as_step_by_step(generator, tasks):
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from textforge.backends.choose import load_model

    plugins, encoder = textforge.Plugins(), generator.encoder
    made = plugins.architecture("lstm:hidden_size=12").create(vocabulary_size=encoder.vocabulary_size, seed=1)
    generator = textforge.TextGenerator(load_model(plugins, plugins.backend("numpy"), made), encoder)
    found = simple_evaluate(
        model=TextforgeLM(generator),
        tasks=["tf_texts", "tf_last"],
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        bootstrap_iters=0,
    )["results"]
    nats = -sum(sum(read_slowly(generator, "", text)) for text in DOCUMENTS)
    bits = nats / math.log(2) / sum(map(len, DOCUMENTS))
    assert found["tf_texts"]["bits_per_byte,none"] == pytest.approx(bits, rel=1e-5)
    last = np.mean([sum(read_slowly(generator, prompt.rstrip(), f" {answer}")) for prompt, answer in PROMPTS])
    assert found["tf_last"]["perplexity,none"] == pytest.approx(math.exp(-last), rel=1e-5)


def test_a_chat_template_is_refused(generator, tasks):
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    with pytest.raises(textforge.GenerationError, match="no chat template: leave out apply_chat_template"):
        simple_evaluate(
            model=TextforgeLM(generator),
            tasks=["tf_words"],
            task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
            apply_chat_template=True,
        )


# --- the commands ---


@pytest.fixture(autouse=True)
def no_tasks_but_ours(monkeypatch):
    """Leave out the harness's own tasks, which take it ten seconds to list."""
    from lm_eval.tasks import TaskManager

    monkeypatch.setattr("lm_eval.tasks.TaskManager", functools.partial(TaskManager, include_defaults=False))


def run(*words):
    return CliRunner().invoke(main, ["lm-eval", *map(str, words)], prog_name="textforge")


def test_the_command_prints_the_harness_table(bundle, tasks, results, tmp_path):
    out = tmp_path / "out"
    done = run(bundle, "--tasks", "tf_choices,tf_words", "--include_path", tasks, "--output_path", out, "--log_samples")
    assert done.exit_code == 0, done.output
    rows = [[cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines()]
    shown = {(row[1], row[5]): row[7] for row in rows if len(row) > 8}
    assert float(shown["tf_choices", "acc"]) == pytest.approx(results["tf_choices"]["acc,none"], abs=1e-4)
    assert float(shown["tf_words", "exact_match"]) == pytest.approx(results["tf_words"]["exact_match,none"], abs=1e-4)
    (saved,) = out.glob("*/results_*.json")
    config = json.loads(saved.read_text(encoding="utf-8"))["config"]
    assert config["model_args"] == {"model": str(bundle), "unknown": "error"}
    assert config["textforge_architecture"] == "ngram"
    (samples,) = out.glob("*/samples_tf_words_*.jsonl")
    assert len(samples.read_text(encoding="utf-8").splitlines()) == len(PROMPTS)


def test_the_command_uses_backend_and_plugins_that_are_named(tasks, bundle, tmp_path):
    plugin = tmp_path / "strange_backend.py"
    plugin.write_text(
        "import textforge\n"
        "from textforge.backends.numpy.backend import NumpyBackend\n"
        "class Strange(NumpyBackend):\n"
        "    name = 'strange'\n"
        "@textforge.hookimpl\n"
        "def register_backends(register):\n"
        "    register(Strange)\n",
        encoding="utf-8",
    )
    named = run(bundle, "--tasks", "tf_words", "--include_path", tasks, "--backend", "strange", "--plugin", plugin)
    unnamed = run(bundle, "--tasks", "tf_words", "--include_path", tasks, "--backend", "strange")
    assert named.exit_code == unnamed.exit_code == 1
    assert "the backend strange doesn't implement the architecture 'ngram'" in named.stderr
    assert "no backend 'strange'" in unnamed.stderr


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["m"], 2, "Name tasks, as in --tasks lambada_openai; `lm_eval ls tasks` lists them."),
        (["--tasks", "a", "m"], 2, "The model comes first: textforge lm-eval MODEL --tasks …"),
        (["m", "--tasks", "a", "--model", "hf"], 2, "--model is told by MODEL, --backend and --unknown: leave it out."),
        (["m", "--tasks", "a", "--model_args=x=1"], 2, "--model_args is told by MODEL"),
        (["m", "--tasks", "tf_words"], 1, "Error: there is no folder m; correct the path, or train a model first"),
        (["m", "--tasks", "none_of_it"], 1, "Error: the harness refused what was asked: Tasks not found: none_of_it"),
    ],
)
def test_the_command_refuses_what_it_can_not_do(tasks, words, status, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    done = run(*words, *(["--include_path", str(tasks)] if len(words) > 1 else []))
    assert done.exit_code == status, done.output
    assert message in done.stderr


def test_words_are_given_back(bundle, tasks):
    before = list(sys.argv)
    run(bundle, "--tasks", "none_of_it", "--include_path", tasks)
    assert sys.argv == before


def test_the_module_is_the_harness_command_with_the_model(bundle, tasks, monkeypatch, capsys):
    given = ["--model", "textforge", "--model_args", f"model={bundle}", "--tasks", "tf_words", "--include_path", tasks]
    monkeypatch.setattr(sys, "argv", ["x", *map(str, given)])
    run_module()
    assert "tf_words" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["x", *map(str, given), "--apply_chat_template"])
    with pytest.raises(SystemExit) as ended:
        run_module()
    assert str(ended.value).startswith("Error: a model of textforge has no chat template")
