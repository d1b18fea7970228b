"""The model ``textforge`` of the lm-evaluation-harness. Importing this module registers it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import lm_eval.models  # noqa: F401 -- the harness registers its own models only where none is registered yet
import numpy as np
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from tqdm import tqdm

import textforge
from textforge.encoders.base import Unknown
from textforge.errors import GenerationError, OptionError, TextforgeWarning, advise, nearest
from textforge.evaluation.scoring import score_texts
from textforge.generation.arguments import check_unknown, check_whole
from textforge_lm_eval._generating import Batch, gather_requests
from textforge_lm_eval._reading import Judgement, judge
from textforge_lm_eval._requests import LeftOut, Pair, PairReader, group_pairs, name_request

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

OPTIONS = ("model", "backend", "unknown", "max_gen_toks", "seed")
"""The names in ``--model_args``."""
_DEFAULT_DEVICE = "cuda:0"
"""The device that the harness's command gives every model by default."""


@register_model("textforge")
class TextforgeLM(LM):  # type: ignore[misc]  # lm_eval has no types
    """A saved model, or a generator in memory, as a model of EleutherAI's lm-evaluation-harness.

    `model` is a bundle's folder, or a `textforge.TextGenerator`. `backend` says what runs it, as of `textforge.load`.
    `unknown` is the fate of text that the vocabulary lacks, ``error`` or ``skip``. `max_gen_toks` is the number of
    tokens written at most where a task doesn't say. `seed` decides what tasks draw; unless given, it is drawn from
    NumPy's generator, which the harness seeds. `plugins` says where a bundle's parts are looked up; unless given, among
    those of the run.

    A context is read as a prompt is: an empty one begins with the end-of-text token, else a newline, else the most
    frequent token, and nothing stands before any other. Nothing is ever cut off: a model that carries its state on
    reads a text of any length, and one with a window predicts each token from the last `window` before it.

    The harness also gives `batch_size`, `max_batch_size` and `trust_remote_code`, which decide nothing: as many texts
    are read side by side as memory is set aside for. A `device` is refused, as the backend names it; all but the
    default of the harness's command, ``cuda:0``, which it gives whether one was asked for or not.

    Raises `OptionError` for an argument that there isn't, and what `textforge.load` raises.

    >>> from lm_eval.api.instance import Instance
    >>> generator = textforge.train(text="It is so, and that is that. " * 20, architecture="ngram:order=3")
    >>> asked = [Instance("loglikelihood", {}, ("It is", word), 0) for word in (" that", " so,")]
    >>> [greedy for _, greedy in TextforgeLM(generator).loglikelihood(asked, disable_tqdm=True)]
    [True, False]
    """

    def __init__(
        self,
        model: str | Path | textforge.TextGenerator,
        *,
        backend: str | textforge.Backend | None = None,
        unknown: Unknown = "error",
        max_gen_toks: int = 256,
        seed: int | None = None,
        plugins: textforge.Plugins | None = None,
        device: str | None = None,
        batch_size: object = None,
        max_batch_size: object = None,
        trust_remote_code: object = None,
        **others: object,
    ) -> None:
        super().__init__()
        for name in others:
            raise OptionError(
                f"the model textforge has no argument {name!r}; there are {', '.join(OPTIONS)}{nearest(name, OPTIONS)}"
            )
        if device not in (None, _DEFAULT_DEVICE):
            raise OptionError(
                f"the device {device!r} is the backend's to know: leave it out, and give ",
                advise("backend", f"torch:device={device}"),
            )
        self.unknown = check_unknown(unknown)
        self.max_gen_toks = check_whole("max_gen_toks", max_gen_toks, least=0)
        self.seed = None if seed is None else check_whole("seed", seed, least=0)
        self.generator = _load(model, backend, plugins)

    def loglikelihood(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Return, of each request's continuation, its log-likelihood after the context, and whether it is greedy.

        The log-likelihood is in nats. A continuation is greedy where each of its tokens is the likeliest of those that
        may be generated. Tokens that never are count for nothing, and make it not greedy. Raises `EncodingError`,
        naming the document, for what the vocabulary lacks, unless it is to be skipped.
        """
        encoder = self.generator.encoder
        reader = PairReader(encoder, self.unknown)
        pairs = (
            reader.read(request.args[0], request.args[1], name_request(request, number))
            for number, request in enumerate(requests)
        )
        results: list[tuple[float, bool]] = []
        with tqdm(total=len(requests), disable=disable_tqdm, desc="textforge: continuations") as bar:
            for group in group_pairs(pairs):
                begin = len(results)
                results += [(0.0, False)] * len(group)
                for place, judgement in judge(self.generator.model, group, encoder.never_generated):
                    request = requests[begin + place]
                    result = self._sum_up(group[place], judgement, name_request(request, begin + place))
                    results[begin + place] = result
                    self.cache_hook.add_partial("loglikelihood", request.args, result)
                    bar.update()
        reader.left_out.tell()
        return results

    def _sum_up(self, pair: Pair, judgement: Judgement, name: str) -> tuple[float, bool]:
        """Return the log-likelihood of a continuation, and whether it is greedy."""
        counted = ~np.isin(pair.continuation, self.generator.encoder.never_generated)
        likelihood = math.fsum(judgement.log_probabilities[counted])
        if math.isnan(likelihood):
            raise GenerationError(
                f"the model gave logits that hold NaN or +inf, or rule out every token, for {name}: it can't be used"
            )
        return likelihood, pair.is_whole and bool(judgement.greedy.all())

    def loglikelihood_rolling(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[float]:
        """Return the log-likelihood of each request's text, in nats, as `textforge score` has it.

        Its first token is predicted from what an empty prompt begins with, and no end is scored. Raises
        `EncodingError`, naming the document, for what the vocabulary lacks, unless it is to be skipped.
        """
        left_out = LeftOut()
        scores = score_texts(
            self.generator.model,
            self.generator.encoder,
            (request.args[0] for request in requests),
            unknown=self.unknown,
            name=lambda number: name_request(requests[number], number),
        )
        results = []
        bar = tqdm(scores, total=len(requests), disable=disable_tqdm, desc="textforge: texts")
        for request, score in zip(requests, bar, strict=True):
            results.append(score.log_likelihood)
            left_out.skipped += score.skipped
            left_out.unwritten += score.unwritten
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, score.log_likelihood)
        left_out.tell()
        return results

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """Return the text that follows each request's context, up to a stop text, the end of text, or its length.

        The most likely token is always taken, unless the task's options ask for chance. Raises `OptionError` for an
        option that textforge doesn't have, and `EncodingError`, naming the document, for what the vocabulary lacks of a
        context, unless it is to be skipped.
        """
        reader = PairReader(self.generator.encoder, self.unknown)
        for number, request in enumerate(requests):
            reader.encode(request.args[0], name_request(request, number))
        results = [""] * len(requests)
        with tqdm(total=len(requests), disable=disable_tqdm, desc="textforge: texts written") as bar:
            for batch in gather_requests([request.args[:2] for request in requests], self.max_gen_toks):
                for number, text in enumerate(self._write(batch)):
                    for place in batch.find_places(number):
                        results[place] = text
                        self.cache_hook.add_partial("generate_until", requests[place].args, text)
                        bar.update()
        reader.left_out.tell()
        return results

    def _write(self, batch: Batch) -> Iterator[str]:
        """Yield the texts of a batch, those of a context behind one another."""
        seed = self.seed
        if seed is None:
            seed = int(np.random.randint(1 << 31)) if batch.generation.draws else 0  # which --seed seeds
        with warnings.catch_warnings():
            # Tasks stop at the marks of many models; which of them this one can't write is of no use to anybody.
            warnings.filterwarnings("ignore", "the stop text .* can never come", TextforgeWarning)
            texts = self.generator.complete_each(
                batch.contexts,
                count=batch.count,
                samplers=batch.generation.sampler,
                max_tokens=batch.generation.max_tokens,
                stop=batch.generation.stops,
                seed=seed,
                unknown=self.unknown,
            )
        return (text.text for text in texts)

    @property
    def tokenizer_name(self) -> str:
        """Raise `GenerationError`: the harness asks for it where a chat template is to be applied."""
        return _refuse_chat()

    def apply_chat_template(self, chat_history: object, add_generation_prompt: bool = True) -> str:
        """Raise `GenerationError`: no model has learnt one."""
        return _refuse_chat()

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """Return nothing where no template is asked for; raise `GenerationError` for any."""
        return _refuse_chat() if chat_template else ""

    def get_model_info(self) -> dict[str, Any]:
        """Return what the harness writes into its results beside the arguments."""
        saved = self.generator.contents.model
        return {
            "textforge_version": textforge.__version__,
            "textforge_architecture": saved.architecture,
            "textforge_options": dict(saved.options),
            "textforge_encoder": self.generator.encoder.spec,
            "textforge_vocabulary_size": saved.vocabulary_size,
        }


def _load(
    model: object, backend: str | textforge.Backend | None, plugins: textforge.Plugins | None
) -> textforge.TextGenerator:
    """Return the generator, which is loaded where it is a bundle's path."""
    if isinstance(model, textforge.TextGenerator):
        if backend is not None:
            raise OptionError("backend is for a model that is loaded: leave it out beside a generator")
        return model
    if isinstance(model, int) and not isinstance(model, bool):
        model = str(model)  # the harness reads a folder's name such as 2024 as a number
    if not isinstance(model, (str, Path)):
        raise OptionError(f"model must be the folder of a saved model, or a TextGenerator, got {model!r}")
    from textforge.cli import current_plugins

    return textforge.load(model, backend=backend, plugins=plugins or current_plugins())


def _refuse_chat() -> NoReturn:
    raise GenerationError(
        "a model of textforge has no chat template: leave out apply_chat_template, and write the turns into the task"
    )
