"""An exact index of a text: which runs of characters stand in it, and where."""
