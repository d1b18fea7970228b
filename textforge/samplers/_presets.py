"""The default chains of other projects, and the defaults of their parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from textforge.samplers.adaptive_p import AdaptiveP
from textforge.samplers.base import Sampler
from textforge.samplers.dry import BREAKERS, DRY
from textforge.samplers.dynamic_temperature import DynamicTemperature
from textforge.samplers.epsilon import Epsilon
from textforge.samplers.eta import Eta
from textforge.samplers.frequency_penalty import FrequencyPenalty
from textforge.samplers.greedy import Greedy
from textforge.samplers.logit_bias import LogitBias
from textforge.samplers.min_p import MinP
from textforge.samplers.mirostat import Mirostat
from textforge.samplers.mirostat_2 import Mirostat2
from textforge.samplers.no_repeat_ngram import NoRepeatNGram
from textforge.samplers.presence_penalty import PresencePenalty
from textforge.samplers.repetition_penalty import RepetitionPenalty
from textforge.samplers.temperature import Temperature
from textforge.samplers.top_h import TopH
from textforge.samplers.top_k import TopK
from textforge.samplers.top_k_ties import TopKTies
from textforge.samplers.top_n_sigma import TopNSigma
from textforge.samplers.top_p import TopP
from textforge.samplers.typical import Typical
from textforge.samplers.xtc import XTC

Values = Mapping[str, Any]
"""The parameters of a project, in full."""

DEFAULTS: Mapping[str, Values] = MappingProxyType(
    {
        "hf": MappingProxyType(
            {
                "do_sample": True,
                "sequence_bias": None,
                "repetition_penalty": 1.0,
                "no_repeat_ngram_size": 0,
                "temperature": 1.0,
                "top_h": None,
                "top_k": 50,
                "top_p": 1.0,
                "min_p": 0.0,
                "typical_p": 1.0,
                "epsilon_cutoff": 0.0,
                "eta_cutoff": 0.0,
            }
        ),
        "llama.cpp": MappingProxyType(
            {
                "logit_bias": None,
                "repeat_penalty": 1.0,
                "repeat_last_n": 64,
                "frequency_penalty": 0.0,
                "presence_penalty": 0.0,
                "dry_multiplier": 0.0,
                "dry_base": 1.75,
                "dry_allowed_length": 2,
                "dry_penalty_last_n": 64,
                "dry_sequence_breaker": BREAKERS,
                "top_n_sigma": -1.0,
                "top_k": 40,
                "typical_p": 1.0,
                "top_p": 0.95,
                "min_p": 0.05,
                "xtc_probability": 0.0,
                "xtc_threshold": 0.1,
                "temp": 0.8,
                "dynatemp_range": 0.0,
                "dynatemp_exp": 1.0,
                "mirostat": 0,
                "mirostat_lr": 0.1,
                "mirostat_ent": 5.0,
                "adaptive_target": -1.0,
                "adaptive_decay": 0.9,
            }
        ),
    }
)

_SAME = (("temperature", "temp"), ("repetition_penalty", "repeat_penalty"), ("sequence_bias", "logit_bias"))
"""Parameters that have two names: transformers' and llama.cpp's."""
_OURS = MappingProxyType(
    {
        "no_repeat_ngram_size": "no-repeat-ngram",
        "epsilon_cutoff": "epsilon",
        "eta_cutoff": "eta",
        "do_sample": "greedy",
        "frequency_penalty": "frequency-penalty",
        "presence_penalty": "presence-penalty",
        "repeat_last_n": "repetition-penalty",
        "top_n_sigma": "top-n-sigma",
        "top_h": "top-h",
    }
)
_OUR_PREFIXES = (
    ("dry_", "dry"),
    ("xtc_", "xtc"),
    ("dynatemp_", "dynamic-temperature"),
    ("mirostat", "mirostat"),
    ("adaptive_", "adaptive-p"),
)


def advise(project: str, name: str) -> str:
    """Say what to write instead of another project's parameter."""
    for hf, llama in _SAME:
        if name in (hf, llama):
            return f"write {hf if project == 'hf' else llama}"
    ours = _OURS.get(name) or next(ours for prefix, ours in _OUR_PREFIXES if name.startswith(prefix))
    return f"put the sampler {ours} into the chain beside the preset"


_OFF: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "repeat_penalty": (1, 1),
        "frequency_penalty": (0, 0),
        "presence_penalty": (0, 0),
        "dry_multiplier": (0, 0),
        "top_n_sigma": (-math.inf, 0),
        "top_k": (-math.inf, 0),
        "typical_p": (1, 1),
        "top_p": (1, 1),
        "min_p": (0, 0),
        "xtc_probability": (0, 0),
        "dynatemp_range": (0, 0),
        "adaptive_target": (-math.inf, -math.ulp(0.0)),
    }
)
"""Parameters that llama.cpp ignores where Mirostat is on, each with the least and greatest value that is off anyway."""


def find_dropped(given: Values) -> list[str]:
    """Return the names of the given parameters that llama.cpp ignores, because Mirostat is on."""
    if not given.get("mirostat"):
        return []
    return [name for name, (least, most) in _OFF.items() if name in given and not least <= given[name] <= most]


def _hf(values: Values) -> Iterator[Sampler]:
    if values["sequence_bias"]:
        yield LogitBias(values["sequence_bias"])
    if values["repetition_penalty"] != 1:
        yield RepetitionPenalty(values["repetition_penalty"], last_n=None)
    if values["no_repeat_ngram_size"] > 0:
        yield NoRepeatNGram(values["no_repeat_ngram_size"])
    if values["do_sample"]:
        yield from _hf_warpers(values)
    else:
        yield Greedy()


def _hf_warpers(values: Values) -> Iterator[Sampler]:
    if values["temperature"] != 1:
        yield Temperature(values["temperature"])
    if values["top_h"] is not None:
        yield TopH(values["top_h"])
    if values["top_k"] > 0:
        yield TopKTies(values["top_k"])
    if values["top_p"] < 1:
        yield TopP(values["top_p"])
    if values["min_p"] > 0:
        yield MinP(values["min_p"])
    if values["typical_p"] < 1:
        yield Typical(values["typical_p"])
    if 0 < values["epsilon_cutoff"] < 1:
        yield Epsilon(values["epsilon_cutoff"])
    if 0 < values["eta_cutoff"] < 1:
        yield Eta(values["eta_cutoff"])


def _llama_cpp(values: Values) -> Iterator[Sampler]:
    if values["logit_bias"]:
        yield LogitBias(values["logit_bias"])
    if values["mirostat"]:
        yield from _llama_cpp_temperature({**values, "dynatemp_range": 0.0})
        kind = Mirostat if values["mirostat"] == 1 else Mirostat2
        yield kind(tau=values["mirostat_ent"], eta=values["mirostat_lr"], surprise="kept")
        return
    yield from _llama_cpp_penalties(values)
    yield from _llama_cpp_cuts(values)
    yield from _llama_cpp_temperature(values)
    if values["adaptive_target"] >= 0:
        yield AdaptiveP(values["adaptive_target"], decay=values["adaptive_decay"])


def _llama_cpp_penalties(values: Values) -> Iterator[Sampler]:
    if values["repeat_last_n"] != 0:
        last = _window(values["repeat_last_n"])
        if values["repeat_penalty"] != 1:
            yield RepetitionPenalty(values["repeat_penalty"], last_n=last)
        if values["frequency_penalty"] != 0:
            yield FrequencyPenalty(values["frequency_penalty"], last_n=last)
        if values["presence_penalty"] != 0:
            yield PresencePenalty(values["presence_penalty"], last_n=last)
    if values["dry_multiplier"] > 0 and values["dry_base"] >= 1 and values["dry_penalty_last_n"] != 0:
        yield DRY(
            values["dry_multiplier"],
            base=values["dry_base"],
            allowed_length=values["dry_allowed_length"],
            last_n=_window(values["dry_penalty_last_n"]),
            breakers=values["dry_sequence_breaker"],
        )


def _llama_cpp_cuts(values: Values) -> Iterator[Sampler]:
    if values["top_n_sigma"] > 0:
        yield TopNSigma(values["top_n_sigma"])
    if values["top_k"] > 0:
        yield TopK(values["top_k"])
    if values["typical_p"] < 1:
        yield Typical(values["typical_p"], boundary="exceeded")
    if values["top_p"] < 1:
        yield TopP(values["top_p"])
    if values["min_p"] > 0:
        yield MinP(values["min_p"])
    if values["xtc_probability"] > 0 and values["xtc_threshold"] <= 0.5:
        yield XTC(values["xtc_probability"], threshold=values["xtc_threshold"])


def _llama_cpp_temperature(values: Values) -> Iterator[Sampler]:
    middle, spread = values["temp"], values["dynatemp_range"]
    if middle < 0:  # the range is from 0 to the sum then
        middle = spread = (middle + spread) / 2
    if spread > 0:
        yield DynamicTemperature(middle, range=spread, exponent=values["dynatemp_exp"])
    elif values["temp"] <= 0:
        yield Greedy()
    elif values["temp"] != 1:
        yield Temperature(values["temp"])


def _window(last: int) -> int | None:
    return None if last < 0 else last


CHAINS: Mapping[str, Callable[[Values], Iterator[Sampler]]] = MappingProxyType({"hf": _hf, "llama.cpp": _llama_cpp})
