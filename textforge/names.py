"""Names: of textforge's distribution, of corpora that may be missing, and those that other programs give to ours.

Who comes from those is answered with ours. They are those of transformers, llama.cpp, Ollama, the OpenAI API, Keras,
nanoGPT, char-rnn and textgenrnn. All are written as `plain_name` gives them.
"""

from __future__ import annotations

from collections.abc import Iterable

CORE = "textforge-lm"
"""The distribution of textforge itself."""
READERS = {
    ".docx": ("docx", "textforge-documents"),
    ".docm": ("docx", "textforge-documents"),
    ".epub": ("epub", "textforge-documents"),
    ".html": ("html", "textforge-documents"),
    ".htm": ("html", "textforge-documents"),
    ".xhtml": ("html", "textforge-documents"),
    ".parquet": ("parquet", "textforge-datasets"),
}
"""The corpus that reads the text of a file, and the plugin that brings it, by suffix: advice, where a file was read
as it stands. Which corpus reads a file is found by what is installed."""

_OTHERS = {
    # samplers
    "temperature": "temp heat",
    "top-p": "nucleus nucleus-sampling",
    "typical": "typical-p typ-p locally-typical",
    "tail-free": "tfs tfs-z",
    "repetition-penalty": "repeat-penalty rep-pen penalty-repeat",
    "presence-penalty": "penalty-present",
    "frequency-penalty": "penalty-freq freq-penalty",
    "dynamic-temperature": "dynatemp dynatemp-range",
    "epsilon": "epsilon-cutoff",
    "eta": "eta-cutoff",
    "no-repeat-ngram": "no-repeat-ngram-size",
    "mirostat-2": "mirostat-v2",
    "greedy": "argmax",
    # generating
    "max-tokens": "num-predict n-predict max-new-tokens max-length max-gen-length length num-tokens n-tokens tokens "
    "max-gen-len num-chars predict",
    "count": "num-return-sequences num-samples n-samples n num best-of",
    "stop": "stop-sequence stop-sequences stop-strings reverse-prompt stop-token",
    "prompt": "start prefix prime-text primetext input-text start-string",
    "prompt-file": "file",
    "seed": "random-seed manual-seed",
    "sampler": "sampling sampling-method samplers",
    # training
    "learning-rate": "lr",
    "epochs": "num-epochs n-epochs num-train-epochs max-epochs epoch nb-epoch",
    "batch-size": "batch train-batch-size per-device-train-batch-size mini-batch-size",
    "sequence-length": "seq-length seq-len bptt block-size context-length maxlen unroll-length",
    "clip-norm": "grad-clip clip gradient-clip gradient-clipping max-grad-norm max-norm clipnorm",
    "weight-decay": "decay wd l2",
    "optimizer": "optim",
    "schedule": "lr-scheduler lr-scheduler-type scheduler lr-schedule",
    "validation": "val-frac validation-split val-split valid-fraction validation-fraction test-size",
    "warm-up": "warmup warmup-ratio warmup-steps lr-warmup",
    "patience": "early-stopping early-stopping-patience",
    "minutes": "time max-time time-limit",
    "output": "out output-dir out-dir save save-dir checkpoint-dir save-path",
    "overwrite": "force overwrite-output-dir",
    "resume": "continue resume-from-checkpoint init-from",
    "encoder": "tokenizer tokeniser vocab tokenization",
    "backend": "framework engine",
    "architecture": "arch model-type",
    "device": "gpu cuda",
    # models
    "hidden-size": "hidden-dim rnn-size hidden-units n-hidden num-hidden hidden-layer-size units lstm-size",
    "num-layers": "layers n-layers n-layer num-layer rnn-layers num-hidden-layers",
    "embedding-size": "embedding-dim embed-dim embed-size n-embd emb-size embedding",
    "dropout": "dropout-rate drop-prob dropout-prob",
    "order": "max-gram ngram-order ngram",
}
OUR_NAMES = {other: ours for ours, others in _OTHERS.items() for other in others.split()}
"""Our name for each of theirs."""


def plain_name(name: str) -> str:
    """Return a name without what is but a manner of writing.

    >>> plain_name("--Top_K")
    'top-k'
    """
    return name.strip().lstrip("-").replace("_", "-").lower()


def same_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that differs in writing alone, or is ours for another program's; None without one.

    >>> same_name("top_k", ["top-k"]), same_name("lr", ["epochs", "learning_rate"])
    ('top-k', 'learning_rate')
    """
    ours = {plain_name(each): each for each in known}
    plain = plain_name(name)
    return ours.get(plain) or ours.get(OUR_NAMES.get(plain, ""))
