"""Samplers: the steps that reshape logits before a token is drawn."""
