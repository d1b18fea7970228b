"""The device that a model lives on."""

from __future__ import annotations

import contextlib

import tensorflow as tf

from textforge.errors import BackendError


def find_device(name: str) -> str:
    """Return the device of that name as TensorFlow calls it; for ``auto`` a GPU where there is one.

    A GPU's memory is taken as it is needed, not all at once. Raises `BackendError` for a device this machine lacks.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        with contextlib.suppress(RuntimeError, ValueError):  # it is in use already, or knows no such setting
            tf.config.experimental.set_memory_growth(gpu, True)
    if name == "cpu" or (name == "auto" and not gpus):
        return "/CPU:0"
    index = int(name.partition(":")[2] or 0)
    if not gpus:
        raise BackendError(
            f"keras: device={name} needs a GPU that TensorFlow {tf.__version__} can use, and it finds none: write "
            "device=cpu or device=auto, or install TensorFlow with CUDA: on Linux, "
            "run `pip install 'tensorflow[and-cuda]'`"
        )
    if index >= len(gpus):
        raise BackendError(
            f"keras: device={name} is not there, GPUs are numbered from 0 to {len(gpus) - 1}: choose one"
        )
    return f"/GPU:{index}"
