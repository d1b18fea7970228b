"""Benchmarks: each comparison in one run, medians, no test fails on a time. Run by ``make bench``."""
