"""Compare the engine with other solvers and with its bars; see ``benchmarks/README.md``."""
