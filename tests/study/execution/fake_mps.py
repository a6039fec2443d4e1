"""A stand-in for `nvidia-cuda-mps-control` that notes what it is told, and a batch that shares a GPU by it.

    python -m tests.study.execution.fake_mps ENDING

holds an MPS and ends by an exception, or waits to be killed.
"""

import os
import sys
import time
from pathlib import Path

from poseur_study.execution import mps

SCRIPT = """#!/bin/sh
home=${CUDA_MPS_PIPE_DIRECTORY:-$FAKE_MPS/default}
if [ "$1" = -d ]; then
    [ -z "$FAKE_REFUSAL" ] || { echo "$FAKE_REFUSAL"; exit 1; }
    echo "start $home sees ${CUDA_VISIBLE_DEVICES-all}" >> "$FAKE_MPS/told"
    touch "$home/alive"
    exit 0
fi
read word
[ -e "$home/alive" ] || { echo "Cannot find MPS control daemon process"; exit 1; }
[ "$word" != quit ] || { rm "$home/alive"; echo "quit $home" >> "$FAKE_MPS/told"; }
"""


def put_in(folder: Path) -> None:
    """The stand-in as a program of a folder; what it is told goes to `told` beside it."""
    program = folder / mps.CONTROL
    program.write_text(SCRIPT)
    program.chmod(0o755)
    (folder / "default").mkdir()


def told(folder: Path) -> list[str]:
    """What daemons were started and told to quit, a word a line."""
    file = folder / "told"
    return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []


def main(ending: str) -> None:
    """Hold an MPS; `wait`: until killed."""
    mps.CLIENT = ""
    with mps.shared_gpus("0") as added:
        print(added[mps.PIPES], os.getpid(), flush=True)
        if ending == "wait":
            time.sleep(600)
        raise KeyError(ending)


if __name__ == "__main__":
    main(*sys.argv[1:])
