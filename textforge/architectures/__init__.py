"""Architectures: the definitions of models, independent of any framework."""
