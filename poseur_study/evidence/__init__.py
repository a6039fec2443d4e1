"""What is shown without running a model: parity, costs and benchmarks, recorded in `data/`."""
