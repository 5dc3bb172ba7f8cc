"""Benchmarks: commands, not tests. ``python -m tests.bench`` lists them; docs/benchmarks.md says what they gave."""
