"""Parity: what is the same in every backend, measured, each backend in a process of its own."""
