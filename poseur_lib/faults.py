"""What a machine refuses, as the many texts of libraries tell it, and what a person does about it in one line."""

import re
from typing import NamedTuple

SHOWN = 160
"""Characters of the library's text that a message quotes."""


class Fault(NamedTuple):
    """A fault of the machine.

    Attributes:
        what: the fault, and what to do about it.
        passes: it may not come again when the same is tried once more.
    """

    what: str
    passes: bool = False


LESS = "fewer runs at a time (--workers, --runs-per-gpu), a smaller batch (--batch-per-device), or a larger machine"
SHARED = Fault(
    "the shared memory (/dev/shm) is full: read images without processes (--workers 0 of train and evaluate, "
    "--loader-workers 0 of study run, loader_workers = 0 in a notebook), or make it larger (docker run --shm-size=2g)"
)
DISK = Fault("the disk is full, or over its quota: free some of it, and the same command goes on from here")
MEMORY = Fault(f"the memory is full: {LESS}")
GPU_MEMORY = Fault(f"the memory of the GPU is full: {LESS}")
NEIGHBOUR = Fault(
    "the GPU broke off, as it does for all runs that share it by MPS where one of them is killed at work: if it comes "
    "again, take one run a GPU (--runs-per-gpu 1)",
    passes=True,
)
KILLED = Fault(f"a process was killed, as the system does where memory runs out: {LESS}", passes=True)
FILES = Fault("too many files are open: raise the limit (ulimit -n 65536), or read images without processes")
PATTERNS = (
    (r"killed by signal: Bus error|killed by SIGBUS$", SHARED),
    (r"unable to (?:write to|resize|open shared memory|allocate).*torch_|/dev/shm", SHARED),
    (r"DataLoader worker .*(?:killed by signal: Killed|exited unexpectedly)|killed by SIGKILL$|Kernel died", KILLED),
    (r"No space left on device|Disk quota exceeded|File too large", DISK),
    (r"CUDA error: (?:unspecified launch failure|.*\bMPS\b)", NEIGHBOUR),
    (r"CUDA out of memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED", GPU_MEMORY),
    (r"can't allocate memory|Cannot allocate memory|Unable to allocate|MemoryError|std::bad_alloc", MEMORY),
    (r"Too many open files", FILES),
)


def fault_in(text: str) -> Fault | None:
    """The fault of the machine that a message or the end of a traceback tells of; None if it is none known."""
    return next((fault for pattern, fault in PATTERNS if re.search(pattern, text)), None)


def advised(line: str) -> str:
    """A message with what to do about it, where it is a known fault of the machine; else as it is."""
    fault = fault_in(line)
    return line if fault is None else f"{fault.what} ({line[:SHOWN]}{'...' if len(line) > SHOWN else ''})"
