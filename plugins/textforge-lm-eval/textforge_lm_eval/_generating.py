"""The generation options of the harness's tasks as textforge's, and requests gathered by them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from textforge.errors import OptionError, nearest
from textforge.samplers.base import Sampler
from textforge.samplers.greedy import Greedy
from textforge.samplers.preset import Preset

_SINGLE = ("num_beams", "num_return_sequences")
"""Options of transformers that some tasks give at the only value there is here, 1."""
_SAMPLING = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "top_h",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
    "repetition_penalty",
    "no_repeat_ngram_size",
)
"""The options that `preset:hf` knows, by whose definitions they are applied."""
_OTHERS = ("until", "stop", "max_gen_toks", "do_sample")


@attrs.frozen
class Generation:
    """A task's generation options, as textforge has them."""

    sampler: Sampler
    """The chain, as one."""
    max_tokens: int
    stops: tuple[str, ...]

    @property
    def draws(self) -> bool:
        """True where texts are drawn by chance."""
        return not isinstance(self.sampler, Greedy) and self.sampler.option_values().get("do_sample", True)


@attrs.frozen
class Batch:
    """Requests that are written together: of the same options, and each context as often as the others."""

    generation: Generation
    contexts: Sequence[str]
    """The contexts, each once."""
    places: Sequence[Sequence[int]]
    """The places among the requests of each context's."""

    @property
    def count(self) -> int:
        """The number of texts to write after each context: one serves all where nothing is drawn."""
        return len(self.places[0]) if self.generation.draws else 1

    def find_places(self, number: int) -> Sequence[int]:
        """Return the places of the requests that the text of that number answers; texts are counted by contexts."""
        places = self.places[number // self.count]
        return places[number % self.count : number % self.count + 1] if self.generation.draws else places


def read_options(given: Any, max_gen_toks: int) -> Generation:
    """Return what a request's generation options ask for.

    The harness's own reading of them comes first: the names for the number of tokens, and greedy decoding unless
    `do_sample` or a temperature above 0 asks for chance. Of what is drawn, each sampler is there only where its option
    is given. Raises `OptionError` for an option that textforge doesn't have, or a value out of range.
    """
    from lm_eval.models.utils import normalize_gen_kwargs

    if not isinstance(given, Mapping):
        raise OptionError(f"the generation options of a task must be a mapping, got {given!r}")
    options = dict(
        normalize_gen_kwargs({name: value for name, value in given.items() if value is not None}, max_gen_toks)
    )
    stops = [*_list_stops(options.pop("until")), *_list_stops(options.pop("stop", []))]
    most = int(options.pop("max_gen_toks"))
    samples = bool(options.pop("do_sample"))
    if options.get("temperature") == 0:
        samples = False
        del options["temperature"]
    for name in _SINGLE:
        if options.get(name) == 1:
            del options[name]
    _refuse_unknown(options)
    return Generation(_choose_sampler(samples, options), most, tuple(dict.fromkeys(filter(None, stops))))


def _list_stops(stops: Any) -> list[str]:
    return [stops] if isinstance(stops, str) else list(stops)


def _refuse_unknown(options: Mapping[str, Any]) -> None:
    """Raise `OptionError` for an option that is none of a sampler of `preset:hf`."""
    for name, value in options.items():
        if name == "max_length":
            raise OptionError(f"the generation option max_length={value!r} counts the prompt too: give max_gen_toks")
        if name not in _SAMPLING:
            known = [*_OTHERS, *_SAMPLING]
            raise OptionError(
                f"there is no generation option {name!r} (got {value!r}); there are {', '.join(known)}"
                f"{nearest(name, known)}"
            )


def _choose_sampler(samples: bool, options: Mapping[str, Any]) -> Sampler:
    """Return a preset of transformers' samplers with these options, or plain greedy decoding without any."""
    if not samples and not options:
        return Greedy()
    return Preset("hf", do_sample=samples, **{"top_k": 0, **options})


def gather_requests(requests: Sequence[tuple[str, Any]], max_gen_toks: int) -> Iterator[Batch]:
    """Yield all requests, each a context with its options, in batches.

    Those of a context that comes more than once are drawn as several texts, which differ.
    """
    alike: dict[str, list[int]] = defaultdict(list)
    for place, (_, given) in enumerate(requests):
        alike[json.dumps(given, sort_keys=True, default=repr)].append(place)
    for places in alike.values():
        generation = read_options(requests[places[0]][1], max_gen_toks)
        by_context: dict[str, list[int]] = defaultdict(list)
        for place in places:
            by_context[requests[place][0]].append(place)
        for count in sorted(Counter(map(len, by_context.values()))):
            some = {context: found for context, found in by_context.items() if len(found) == count}
            yield Batch(generation, list(some), list(some.values()))
