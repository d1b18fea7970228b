"""Plugins: the hooks, the loading of one plugin by itself, and the registry of a run."""
