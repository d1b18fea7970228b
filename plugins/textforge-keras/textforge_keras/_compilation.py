"""Whether a training step is compiled by XLA: by a rule that was measured, so that a resumed run is compiled alike.

Tokens a second with XLA, as a multiple of those without, medians of five rounds in turn on two cores of an AMD EPYC
with AVX-512, TensorFlow 2.21, sequences of 64:

    LSTM    1 x 64   1.04      1 x 128  0.94      1 x 192  0.94
            1 x 256  1.39 to 1.69      2 x 256  1.48      1 x 384  1.36      1 x 512  1.20
    conv    6 x 96   1.17      6 x 128  1.17      6 x 256  1.39

Measuring anew at each start would cost seconds, and two runs of one seed could end with different bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textforge.architectures.conv import ARCHITECTURE as CONV

LEAST_HIDDEN_SIZE = 256
"""From here on an LSTM trains faster with XLA."""


def faster_with_xla(architecture: str, options: Mapping[str, Any], device: str) -> bool:
    """Whether a model's training step is compiled by XLA unless something else is asked for.

    Not on a GPU: XLA can't have cuDNN's kernels for an LSTM, and nothing was measured there.
    """
    if "CPU" not in device:
        return False
    return architecture == CONV or int(options["hidden_size"]) >= LEAST_HIDDEN_SIZE
