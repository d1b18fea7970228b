"""A format as a plugin: a model of any architecture as NumPy's .npz, without pickles.

textforge export model/ --format npz model.npz --plugin examples/textforge_npz.py
"""

import json

import numpy as np

import textforge

ABOUT = "textforge.json"


class NpzFormat(textforge.Format):
    """Writes the weights under their canonical names, and what is known of the model as JSON."""

    name = "npz"
    description = "NumPy's .npz: the weights by canonical name, and textforge.json about the model"
    suffix = ".npz"
    any_architecture = True

    def write(self, saved, architecture, implementation, path, about):
        with path.open("wb") as file:
            np.savez(file, **saved.arrays, **{ABOUT: np.array(json.dumps(about))})
        with np.load(path, allow_pickle=False) as arrays:
            read = {name: arrays[name] for name in arrays.files}
        about = json.loads(str(read.pop(ABOUT)))
        names = ("architecture", "options", "vocabulary_size", "window")
        return textforge.SavedModel(arrays=read, **{name: about[name] for name in names})


@textforge.hookimpl
def register_formats(register):
    register(NpzFormat)
