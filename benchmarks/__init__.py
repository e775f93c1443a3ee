"""Benchmarks of tinygrad_fr beside hand-written NumPy and its peers: run ``python -m benchmarks``."""
