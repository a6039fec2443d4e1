"""`python -m benchmarks [emsda] [head]`: prints the tables, device and threads named."""

import sys

import torch

from benchmarks import emsda, head
from poseur_lib.study.provenance import device_name

COMPARISONS = {"emsda": emsda.compare, "head": head.compare}


def main(names: list[str]) -> int:
    """Run the named comparisons, or all."""
    unknown = [name for name in names if name not in COMPARISONS]
    if unknown:
        print(f"unknown comparison {unknown[0]!r}; known: {', '.join(COMPARISONS)}", file=sys.stderr)
        return 2
    torch.set_num_threads(min(2, torch.get_num_threads()))
    print(f"{device_name('cpu')}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for name in names or COMPARISONS:
        print(COMPARISONS[name](), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
