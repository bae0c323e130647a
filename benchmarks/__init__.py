"""One script per claim of the README; run as `python -m benchmarks.NAME --data DIR --json OUT`."""
