"""Evaluation: loss, perplexity and bits of a model on a text."""
